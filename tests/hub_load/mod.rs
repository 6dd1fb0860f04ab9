//! Publishers and subscribers of a hub without sockets, for the benchmark and the tests that measure.

#![allow(dead_code, reason = "each user takes its part")]
#![allow(clippy::expect_used, reason = "set-up that fails is a failed run")]

pub(crate) mod bounds;

use certmq::config::{Limits, MqttSettings};
use certmq::hub::{Client, Hub, Outbound, Peer, Wakes};
use certmq::policy::fleet::FleetFile;
use certmq::policy::{ChainFacts, DeviceKey, Identity, Policy, PolicySettings, SubjectSelector};
use certmq::protocol::{
    Ack, Connect, Decoded, MAX_PACKET_BYTES, Packet, PacketId, Properties, PropertiesBuf, Property, Publish, QoS,
    ReasonCode, Sender, Subscribe, SubscribeRequest, SubscriptionOptions, TopicFilter, TopicName, Version, decode,
};
use certmq::session::Moment;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// What one publication carries.
const PAYLOAD: &[u8] = &[b'x'; 64];

/// Publications between two looks into the subscriber's outbound, as a connection serves them from one read.
const BATCH: usize = 64;

/// Pairs of one thread.
const PAIRS: usize = 8;

/// A hub and the device that all its clients belong to.
pub(crate) struct World {
    pub(crate) hub: Arc<Hub>,
    identity: Identity,
    key: DeviceKey,
    chain: ChainFacts,
}

/// One connection.
pub(crate) struct Side {
    client: Client,
    outbound: Arc<Outbound>,
    frames: Vec<u8>,
    next_id: PacketId,
}

/// One publisher and the subscriber of its topic.
pub(crate) struct Pair {
    publisher: Side,
    subscriber: Side,
    topic: String,
    qos: QoS,
    wakes: Wakes,
}

/// Publishers of one thread that all write to one subscriber.
pub(crate) struct Inward {
    publishers: Vec<Side>,
    topic: String,
    wakes: Wakes,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Limits { sessions_per_device: 1_000, ..Limits::default() })
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let fleet = "version = 1\n[groups.all]\nallow = [{ publish = \"t/#\" }, { subscribe = \"t/#\" }]\n\
                     [[devices]]\nsubject = \"CN=load\"\ngroups = [\"all\"]\n";
        let records = FleetFile::parse(fleet, SubjectSelector::Dn).expect("a good fleet file").records;
        let policy = Policy::compile(&records, PolicySettings::default(), 0).expect("a good policy");
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "load");
        let certificate =
            parameters.self_signed(&rcgen::KeyPair::generate().expect("a key")).expect("a certificate of its own");
        let identity = Identity::from_der(certificate.der()).expect("an identity");
        let chain = ChainFacts {
            anchor: identity.spki_sha256,
            certificates: Box::default(),
            not_after: identity.not_after,
            leaf_sha256: identity.sha256,
            subjects_entry: None,
        };
        let name = identity.device_name(SubjectSelector::Dn).expect("a name");
        Self {
            hub: Hub::new(Arc::new(policy), MqttSettings::default(), limits),
            key: DeviceKey::in_default_trust(name),
            identity,
            chain,
        }
    }

    pub(crate) fn connect(&self, client_id: &str) -> Side {
        self.connect_with(client_id, Properties::default())
    }

    /// With a session that outlives its connection.
    pub(crate) fn connect_lasting(&self, client_id: &str) -> Side {
        let mut properties = PropertiesBuf::new();
        properties.extend([Property::SessionExpiryInterval(3_600)]);
        self.connect_with(client_id, properties.as_properties())
    }

    fn connect_with(&self, client_id: &str, properties: Properties<'_>) -> Side {
        let connect = Connect {
            version: Version::V5,
            clean_start: true,
            keep_alive: 0,
            client_id,
            will: None,
            username: None,
            password: None,
            properties,
        };
        let outbound = Outbound::new(self.hub.limits().outbound_bytes, Moment(0));
        let peer = Peer { identity: &self.identity, key: &self.key, chain: &self.chain };
        let client = self
            .hub
            .connect(peer, &connect, &outbound, Moment(0), &mut Wakes::default())
            .expect("the device is known and may connect");
        let mut side = Side { client, outbound, frames: Vec::new(), next_id: PacketId::FIRST };
        assert_eq!(side.take(), 0, "a CONNACK and nothing else");
        side
    }

    pub(crate) fn pair(&self, name: &str, qos: QoS) -> Pair {
        let topic = format!("t/{name}/value");
        let mut subscriber = self.connect(&format!("subscriber-{name}"));
        subscriber.subscribe(&topic, qos);
        let publisher = self.connect(&format!("publisher-{name}"));
        Pair { publisher, subscriber, topic, qos, wakes: Wakes::default() }
    }

    /// The pairs of one thread.
    pub(crate) fn pairs(&self, thread: &str, qos: QoS) -> Vec<Pair> {
        (0..PAIRS).map(|number| self.pair(&format!("{thread}-{number}"), qos)).collect()
    }

    /// The publishers of one thread towards `topic`.
    pub(crate) fn inward(&self, thread: &str, topic: &str) -> Inward {
        let publishers = (0..PAIRS).map(|number| self.connect(&format!("inward-{thread}-{number}"))).collect();
        Inward { publishers, topic: topic.to_owned(), wakes: Wakes::default() }
    }
}

impl Side {
    pub(crate) fn subscribe(&mut self, filter: &str, qos: QoS) {
        let filter = TopicFilter::parse(filter).expect("a filter");
        let requests = vec![SubscribeRequest { filter, options: SubscriptionOptions::new(qos) }];
        let subscribe = Subscribe { packet_id: PacketId::FIRST, properties: Properties::default(), requests };
        let served = self.client.handle(Packet::Subscribe(subscribe), Moment(0), &mut Wakes::default());
        served.expect("a subscription is no fault");
        assert_eq!(self.take(), 0, "a SUBACK and nothing else");
    }

    /// Subscribes; returns with whatever comes at once still in the outbound.
    pub(crate) fn start_reading(&mut self, filter: &str) {
        let filter = TopicFilter::parse(filter).expect("a filter");
        let requests = vec![SubscribeRequest { filter, options: SubscriptionOptions::new(QoS::AtMostOnce) }];
        let subscribe = Subscribe { packet_id: PacketId::FIRST, properties: Properties::default(), requests };
        let served = self.client.handle(Packet::Subscribe(subscribe), Moment(0), &mut Wakes::default());
        served.expect("a subscription is no fault");
    }

    /// Empties the outbound and has it filled again; returns bytes, and whether more will come.
    pub(crate) fn read_on(&mut self) -> (usize, bool) {
        let taken = self.outbound.take(&mut self.frames);
        if taken.starved {
            self.client.pull(Moment(0), &mut Wakes::default());
        }
        (self.frames.len(), taken.starved)
    }

    /// The connection breaks.
    pub(crate) fn leave(self) {
        self.client.end(Moment(0), &mut Wakes::default());
    }

    /// Leaves a retained message.
    pub(crate) fn retain(&mut self, topic: &str) {
        self.send(topic, QoS::AtMostOnce, true, &mut Wakes::default());
    }

    pub(crate) fn publish(&mut self, topic: &str, qos: QoS, wakes: &mut Wakes) {
        self.send(topic, qos, false, wakes);
    }

    fn send(&mut self, topic: &str, qos: QoS, retain: bool, wakes: &mut Wakes) {
        let packet_id = (qos != QoS::AtMostOnce).then_some(self.next_id);
        self.next_id = self.next_id.next();
        let publish = Publish {
            dup: false,
            qos,
            retain,
            // Parsed anew, as from a packet.
            topic: TopicName::parse(topic).ok(),
            packet_id,
            properties: Properties::default(),
            payload: PAYLOAD,
        };
        let served = self.client.handle(Packet::Publish(publish), Moment(0), wakes);
        assert!(served.is_ok(), "{served:?}");
    }

    /// Empties the outbound without looking at what it held.
    pub(crate) fn drain(&mut self) -> usize {
        let _ = self.outbound.take(&mut self.frames);
        self.frames.len()
    }

    /// Empties the outbound, acknowledges and counts the publications.
    pub(crate) fn take(&mut self) -> usize {
        let _ = self.outbound.take(&mut self.frames);
        let mut rest = self.frames.as_slice();
        let mut publications = 0;
        while !rest.is_empty() {
            let decoded = decode(rest, Version::V5, Sender::Server, MAX_PACKET_BYTES);
            let Ok(Decoded::Packet { packet, length }) = decoded else { panic!("no whole packet: {decoded:?}") };
            rest = rest.get(length..).unwrap_or_default();
            if let Packet::Publish(publish) = packet {
                publications += 1;
                if let Some(id) = publish.packet_id {
                    let ack = Packet::PubAck(Ack::new(id, ReasonCode::Success));
                    let served = self.client.handle(ack, Moment(0), &mut Wakes::default());
                    assert!(served.is_ok(), "{served:?}");
                }
            }
        }
        publications
    }
}

impl Pair {
    /// Publishes one batch and takes it; returns how many arrived.
    pub(crate) fn batch(&mut self) -> usize {
        for _ in 0..BATCH {
            self.publisher.publish(&self.topic, self.qos, &mut self.wakes);
        }
        match self.qos {
            QoS::AtMostOnce => {
                // Topic, length fields and the payload are the same for each.
                let frame = 2 + 2 + self.topic.len() + 1 + PAYLOAD.len();
                self.subscriber.drain() / frame
            }
            QoS::AtLeastOnce | QoS::ExactlyOnce => {
                self.publisher.drain();
                self.subscriber.take()
            }
        }
    }
}

impl Inward {
    /// Each publisher publishes one batch.
    pub(crate) fn batch(&mut self) -> usize {
        for publisher in &mut self.publishers {
            for _ in 0..BATCH {
                publisher.publish(&self.topic, QoS::AtMostOnce, &mut self.wakes);
            }
        }
        BATCH * self.publishers.len()
    }
}

/// Publications until `messages` went through the pairs, one batch each in turn; all must arrive.
pub(crate) fn run(pairs: &mut [Pair], messages: usize) {
    let mut arrived = 0;
    let mut published = 0;
    while published < messages {
        for pair in pairs.iter_mut() {
            arrived += pair.batch();
            published += BATCH;
        }
    }
    assert_eq!(arrived, published, "every publication arrives");
}

/// Wall time of the jobs, each on a thread of its own, from a common start to the end of the last.
pub(crate) fn together(jobs: Vec<Box<dyn FnOnce() + Send + '_>>) -> Duration {
    let barrier = Barrier::new(jobs.len() + 1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = jobs
            .into_iter()
            .map(|job| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    job();
                })
            })
            .collect();
        barrier.wait();
        let started = Instant::now();
        for thread in threads {
            thread.join().expect("a job does not fail");
        }
        started.elapsed()
    })
}

/// Messages a second of the three arrangements, measured in turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// One thread, one hub.
    pub(crate) single: f64,
    /// Two threads, one hub.
    pub(crate) shared: f64,
    /// Two threads, a hub each.
    pub(crate) independent: f64,
}

/// The pairs of the three arrangements.
pub(crate) struct Arrangements {
    single: Vec<Pair>,
    shared: [Vec<Pair>; 2],
    independent: [Vec<Pair>; 2],
    messages: usize,
}

impl Arrangements {
    /// Each thread brings `messages` through its pairs in each round.
    pub(crate) fn new(qos: QoS, messages: usize) -> Self {
        let shared = World::new();
        Self {
            single: World::new().pairs("a", qos),
            shared: [shared.pairs("a", qos), shared.pairs("b", qos)],
            independent: [World::new().pairs("a", qos), World::new().pairs("b", qos)],
            messages,
        }
    }

    /// One measurement of each, close together, so that what else the machine does hits all alike.
    pub(crate) fn round(&mut self) -> Round {
        let messages = self.messages;
        let rate = |threads: usize, took: Duration| (threads * messages) as f64 / took.as_secs_f64();
        let single = &mut self.single;
        let single = together(vec![Box::new(move || run(single, messages))]);
        let [first, second] = &mut self.shared;
        let shared = together(vec![Box::new(move || run(first, messages)), Box::new(move || run(second, messages))]);
        let [first, second] = &mut self.independent;
        let independent =
            together(vec![Box::new(move || run(first, messages)), Box::new(move || run(second, messages))]);
        Round { single: rate(1, single), shared: rate(2, shared), independent: rate(2, independent) }
    }
}

/// The middle of the figures.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
