//! A shared group under load: publishers, members that come and go, and a right that does too.

#![allow(clippy::expect_used, reason = "set-up that fails is a failed run")]

use certmq::config::{Limits, MqttSettings};
use certmq::hub::{Client, Hub, Outbound, Peer, Wakes};
use certmq::policy::fleet::FleetFile;
use certmq::policy::{
    ChainFacts, Change, ChangeSet, DeviceKey, Identity, Policy, PolicySettings, Records, SubjectSelector,
};
use certmq::protocol::{
    Ack, Connect, Decoded, MAX_PACKET_BYTES, Packet, PacketId, PropertiesBuf, Property, Publish, QoS, ReasonCode,
    Sender, Subscribe, SubscribeRequest, SubscriptionOptions, TopicFilter, TopicName, Unsubscribe, Version, decode,
};
use certmq::session::Moment;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

pub(crate) const GROUP: &str = "$share/g/t/#";

const FLEET: &str = "version = 1\n[groups.all]\nallow = [{ publish = \"t/#\" }, { subscribe = \"t/#\" }]\n\
    [[devices]]\nsubject = \"CN=steady\"\ngroups = [\"all\"]\n\
    [[devices]]\nsubject = \"CN=fickle\"\ngroups = [\"all\"]\n";

/// A hub, its clock and what everybody saw.
pub(crate) struct World {
    pub(crate) hub: Arc<Hub>,
    began: Instant,
    policy: Mutex<Policy>,
    devices: HashMap<&'static str, (Identity, DeviceKey, ChainFacts)>,
    sessions: AtomicU64,
    pub(crate) seen: Mutex<Seen>,
    pub(crate) is_over: AtomicBool,
}

/// By the number in the payload.
#[derive(Default)]
pub(crate) struct Seen {
    /// QoS 1, acknowledged as having a reader.
    pub(crate) acknowledged: HashSet<u64>,
    pub(crate) arrived: HashSet<u64>,
    /// The sessions to which a message went with QoS 2.
    pub(crate) exactly_once: HashMap<u64, HashSet<u64>>,
    /// Second transmissions with QoS 2 that were none of the first, for they had no DUP.
    pub(crate) repeated: HashSet<u64>,
}

/// One connection.
pub(crate) struct Side {
    world: Arc<World>,
    client: Client,
    outbound: Arc<Outbound>,
    /// Never reused, for a session that is.
    session: u64,
    /// Acknowledgements of publications.
    answers: Vec<(PacketId, ReasonCode)>,
}

/// What names a session of a client that comes back.
#[derive(Clone)]
pub(crate) struct Name {
    pub(crate) device: &'static str,
    pub(crate) client_id: String,
    session: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Lasting,
    WithConnection,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        let policy = Policy::compile(&records(FLEET), PolicySettings::default(), 0).expect("a good policy");
        Arc::new(Self {
            hub: Hub::new(Arc::new(policy.clone()), MqttSettings::default(), Limits::default()),
            began: Instant::now(),
            policy: Mutex::new(policy),
            devices: ["steady", "fickle"].map(|name| (name, device(name))).into(),
            sessions: AtomicU64::new(0),
            seen: Mutex::default(),
            is_over: AtomicBool::new(false),
        })
    }

    fn now(&self) -> Moment {
        Moment(0).after(self.began.elapsed())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Takes the right to read from the fickle device, or gives it back.
    pub(crate) fn set_rules_of_the_fickle(&self, rules: &str) {
        let fleet = FLEET.replace("subject = \"CN=fickle\"", &format!("subject = \"CN=fickle\"\n{rules}"));
        let devices = records(&fleet).devices.into_values().map(Change::PutDevice);
        let changes = ChangeSet { expected_generation: None, changes: devices.collect() };
        let mut policy = self.policy.lock();
        *policy = policy.with_changes(&changes, 0).expect("a good change");
        self.hub.set_policy(Arc::new(policy.clone()));
    }

    pub(crate) fn tick(&self) {
        self.hub.tick(self.now(), &mut Wakes::default());
    }

    pub(crate) fn name(&self, device: &'static str, client_id: String) -> Name {
        Name { device, client_id, session: 0 }
    }

    pub(crate) fn connect(self: &Arc<Self>, name: &mut Name, life: Life, window: u16) -> Side {
        let mut properties = PropertiesBuf::new();
        properties.push(Property::ReceiveMaximum(window));
        if life == Life::Lasting {
            properties.push(Property::SessionExpiryInterval(10_000));
        }
        let connect = Connect {
            version: Version::V5,
            clean_start: life == Life::WithConnection,
            keep_alive: 0,
            client_id: &name.client_id,
            will: None,
            username: None,
            password: None,
            properties: properties.as_properties(),
        };
        let outbound = Outbound::new(2_000, self.now());
        let (identity, key, chain) = self.devices.get(name.device).expect("a device");
        let peer = Peer { identity, key, chain };
        let client = self.hub.connect(peer, &connect, &outbound, self.now(), &mut Wakes::default());
        let client = client.expect("every device may connect");
        // Whether it is the one before, CONNACK would say; but each is this thread's alone.
        if life == Life::WithConnection || name.session == 0 {
            name.session = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        }
        let session = name.session;
        if life == Life::WithConnection {
            name.session = 0;
        }
        Side { world: Arc::clone(self), client, outbound, session, answers: Vec::new() }
    }
}

impl Side {
    fn handle(&mut self, packet: Packet<'_>) {
        let served = self.client.handle(packet, self.world.now(), &mut Wakes::default());
        assert!(served.is_ok(), "{served:?}");
    }

    /// Publishes `number` and sees the exchange to its end.
    pub(crate) fn publish(&mut self, number: u64, qos: QoS) {
        let id = PacketId::try_from((number % 60_000) as u16 + 1).expect("not 0");
        self.handle(Packet::Publish(Publish {
            dup: false,
            qos,
            retain: false,
            topic: TopicName::parse("t/a").ok(),
            packet_id: Some(id),
            properties: PropertiesBuf::new().as_properties(),
            payload: &number.to_be_bytes(),
        }));
        self.read(Patience::All);
        let answers = std::mem::take(&mut self.answers);
        let [(answered, reason)] = answers[..] else { panic!("{} answers to one publication", answers.len()) };
        assert_eq!(answered, id);
        match qos {
            QoS::ExactlyOnce => {
                self.handle(Packet::PubRel(Ack::new(id, ReasonCode::Success)));
                self.read(Patience::All);
            }
            _ if reason == ReasonCode::Success => _ = self.world.seen.lock().acknowledged.insert(number),
            _ => assert_eq!(reason, ReasonCode::NoMatchingSubscribers),
        }
    }

    pub(crate) fn subscribe(&mut self) {
        let options = SubscriptionOptions::new(QoS::ExactlyOnce);
        let requests = vec![SubscribeRequest { filter: TopicFilter::parse(GROUP).expect("a filter"), options }];
        let properties = PropertiesBuf::new();
        let properties = properties.as_properties();
        self.handle(Packet::Subscribe(Subscribe { packet_id: PacketId::FIRST, properties, requests }));
    }

    pub(crate) fn unsubscribe(&mut self) {
        let filters = vec![TopicFilter::parse(GROUP).expect("a filter")];
        let properties = PropertiesBuf::new();
        let properties = properties.as_properties();
        self.handle(Packet::Unsubscribe(Unsubscribe { packet_id: PacketId::FIRST, properties, filters }));
    }

    pub(crate) fn ping(&mut self) {
        self.handle(Packet::PingReq);
    }

    /// Reads what is there, notes it and answers; returns how many publications came.
    pub(crate) fn read(&mut self, patience: Patience) -> usize {
        let mut publications = 0;
        loop {
            let mut bytes = Vec::new();
            let taken = self.outbound.take(&mut bytes);
            assert!(taken.large.is_none() && taken.closing.is_none());
            publications += self.read_packets(&bytes);
            if taken.starved {
                self.client.pull(self.world.now(), &mut Wakes::default());
            }
            if patience == Patience::Once || bytes.is_empty() && !taken.starved {
                return publications;
            }
        }
    }

    fn read_packets(&mut self, mut rest: &[u8]) -> usize {
        let mut publications = 0;
        while !rest.is_empty() {
            let decoded = decode(rest, Version::V5, Sender::Server, MAX_PACKET_BYTES);
            let Ok(Decoded::Packet { packet, length }) = decoded else { panic!("no whole packet: {decoded:?}") };
            rest = &rest[length..];
            match packet {
                Packet::Publish(publish) => {
                    publications += 1;
                    self.note(&publish);
                    let ack = Ack::new(publish.packet_id.expect("QoS 1 or 2"), ReasonCode::Success);
                    match publish.qos {
                        QoS::ExactlyOnce => self.handle(Packet::PubRec(ack)),
                        _ => self.handle(Packet::PubAck(ack)),
                    }
                }
                Packet::PubRel(ack) => self.handle(Packet::PubComp(Ack::new(ack.packet_id, ReasonCode::Success))),
                Packet::PubAck(ack) | Packet::PubRec(ack) => self.answers.push((ack.packet_id, ack.reason)),
                _ => {}
            }
        }
        publications
    }

    fn note(&self, publish: &Publish<'_>) {
        let number = u64::from_be_bytes(publish.payload.try_into().expect("a number"));
        let seen = &mut *self.world.seen.lock();
        let first = seen.arrived.insert(number);
        if publish.qos == QoS::ExactlyOnce {
            seen.exactly_once.entry(number).or_default().insert(self.session);
            if !first && !publish.dup {
                seen.repeated.insert(number);
            }
        }
    }

    pub(crate) fn leave(self) {
        self.client.end(self.world.now(), &mut Wakes::default());
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// One look into the outbound: what its answers bring about stays there.
    Once,
    All,
}

fn records(fleet: &str) -> Records {
    FleetFile::parse(fleet, SubjectSelector::Dn).expect("a good fleet file").records
}

fn device(common_name: &str) -> (Identity, DeviceKey, ChainFacts) {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, common_name);
    let certificate = parameters.self_signed(&rcgen::KeyPair::generate().expect("a key")).expect("a certificate");
    let identity = Identity::from_der(certificate.der()).expect("an identity");
    let chain = ChainFacts {
        anchor: identity.spki_sha256,
        certificates: Box::default(),
        not_after: identity.not_after,
        leaf_sha256: identity.sha256,
        subjects_entry: None,
    };
    let key = DeviceKey::in_default_trust(identity.device_name(SubjectSelector::Dn).expect("a name"));
    (identity, key, chain)
}
