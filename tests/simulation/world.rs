//! The simulated fleet: clients, hub, policy, time and the dice. What a client does stands in `actions`.

use super::client::{Due, Event, Link, Thirst};
use super::dice::Dice;
use super::fleet::{DEVICES, devices};
use super::model::rights::{Rights, Switch};
use super::model::topics::Topics;
use super::model::{Draft, Model, QueueBounds};
use certmq::config::mqtt::QueueFull;
use certmq::config::{Limits, MqttSettings};
use certmq::hub::{Hub, Wakes};
use certmq::policy::fleet::{FleetFile, difference};
use certmq::policy::{Policy, PolicySettings, Records, SubjectSelector};
use certmq::protocol::{PropertiesBuf, QoS, ReasonCode, Version};
use certmq::session::Moment;
use certmq::telemetry::metrics::METRICS;
use std::collections::HashMap;
use std::sync::Arc;

/// The broker looks at its deadlines this often, milliseconds.
const TICK: u64 = 100;

pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) hub: Arc<Hub>,
    pub(crate) model: Model,
    pub(crate) clients: Vec<SimClient>,
    pub(crate) shape: Shape,
    pub(crate) now: u64,
    pub(crate) connections: u64,
    pub(crate) texts: u64,
    policy: Policy,
    policy_changes: u64,
    dropped: u64,
    is_traced: bool,
}

/// What differs from world to world.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) clients: usize,
    pub(crate) devices: usize,
    pub(crate) private_topics: usize,
    pub(crate) outbound_bytes: usize,
    pub(crate) receive_maximum: u16,
    queue: QueueBounds,
    queue_full: QueueFull,
}

/// One client with what it remembers between connections.
pub(crate) struct SimClient {
    pub(crate) device: usize,
    pub(crate) client_id: String,
    pub(crate) version: Version,
    pub(crate) link: Option<Link>,
    /// The broker has closed the connection, for this reason.
    pub(crate) closing: Option<ReasonCode>,
    /// It reads only when it must.
    pub(crate) is_slow: bool,
    pub(crate) small_packets: bool,
    /// Milliseconds without a packet that the broker bears; 0: any.
    pub(crate) silence: u64,
    pub(crate) last_packet: u64,
    pub(crate) next_id: u16,
    /// Our publications with QoS 1 and 2, in the order in which they were sent.
    pub(crate) sending: Vec<Sending>,
    /// SUBSCRIBE and UNSUBSCRIBE that wait for their answer.
    pub(crate) asked: HashMap<u16, Vec<ReasonCode>>,
}

/// A publication until its last acknowledgement.
pub(crate) struct Sending {
    pub(crate) id: u16,
    pub(crate) draft: Draft,
    pub(crate) properties: PropertiesBuf,
    pub(crate) released: bool,
    /// How a 5.0 client may hear of it.
    pub(crate) reasons: Vec<ReasonCode>,
}

impl Shape {
    fn roll(dice: &mut Dice, seed: u64) -> Self {
        // Not by the dice: an older seed keeps its meaning.
        let inflight = if seed % 4 == 1 { 10 } else { 1_000 };
        let clients = dice.pick(&[6, 16, 60, 300]);
        let (messages, queue_full) = match dice.below(5) {
            0 => (dice.pick(&[1, 10]), QueueFull::DropOldest),
            1 => (dice.pick(&[0, 10]), QueueFull::DropNewest),
            2 => (10, QueueFull::Refuse),
            _ => (usize::MAX, QueueFull::DropOldest),
        };
        Self {
            clients,
            devices: dice.pick(&[2, 4, DEVICES]).max(clients / 50),
            private_topics: if clients > 50 { 60 } else { 0 },
            outbound_bytes: dice.pick(&[1, 200, 2_000, 65_536]),
            receive_maximum: dice.pick(&[1, 10, 100]),
            queue: QueueBounds { messages, inflight, refuses: queue_full == QueueFull::Refuse },
            queue_full,
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let shape = Shape::roll(&mut dice, seed);
        let rights = Rights::new(DEVICES);
        let policy = Policy::compile(&records(&rights), PolicySettings::default(), 0).unwrap();
        let limits = Limits {
            queued_messages: shape.queue.messages,
            inflight_messages: shape.queue.inflight,
            queued_bytes: usize::MAX,
            ..Limits::default()
        };
        let mqtt = MqttSettings {
            receive_maximum: shape.receive_maximum,
            topic_alias_maximum: 3,
            queue_full: shape.queue_full,
            ..MqttSettings::default()
        };
        let hub = Hub::new(Arc::new(policy.clone()), mqtt, limits);
        let clients: Vec<_> = (0..shape.clients).map(|number| SimClient::new(number, shape.devices)).collect();
        Self {
            model: Model::new(Topics::new(shape.private_topics), rights, clients.len(), shape.queue),
            dice,
            hub,
            clients,
            shape,
            now: 0,
            connections: 0,
            texts: 0,
            policy,
            policy_changes: 0,
            dropped: METRICS.messages_dropped_queue_full.value(),
            is_traced: std::env::var_os("CERTMQ_SIMULATION_TRACE").is_some(),
        }
    }

    /// One random thing happens.
    pub(crate) fn step(&mut self) {
        let pause = match self.dice.below(400) {
            0 => 3_000 + self.dice.below(30_000),
            1..=20 => self.dice.below(1_000),
            _ => self.dice.below(10),
        };
        self.advance(pause as u64);
        let who = self.dice.below(self.clients.len());
        let client = &self.clients[who];
        match self.dice.below(1_000) {
            0..=1 => self.change_policy(),
            _ if client.closing.is_some() => self.reap(who),
            dice if client.link.is_none() => {
                if dice < 300 {
                    self.connect(who);
                }
            }
            2..=19 => self.break_off(who),
            20..=34 => self.leave(who),
            35..=44 => self.connect(who),
            45..=109 => self.subscribe(who),
            110..=134 => self.unsubscribe(who),
            135..=144 => self.calm(who),
            145..=149 => self.clients[who].is_slow ^= true,
            150..=169 => self.ping(who),
            170..=499 => self.publish(who),
            500..=599 if !client.is_slow => self.sip(who),
            600..=749 if !client.is_slow => self.drain(who),
            _ => self.acknowledge(who),
        }
    }

    /// Tells what happens, where somebody looks for a fault.
    pub(crate) fn trace(&self, line: impl FnOnce() -> String) {
        if self.is_traced {
            println!("{:>9} {}", self.now, line());
        }
    }

    /// Time passes, and the broker does what is due.
    pub(crate) fn advance(&mut self, milliseconds: u64) {
        let until = self.now + milliseconds;
        while self.now < until {
            let next = (self.now / TICK + 1) * TICK;
            self.now = next.min(until);
            self.model.now = self.now;
            if self.now == next {
                self.tick();
            }
        }
    }

    /// To a millisecond on which nothing falls due, in any second.
    pub(crate) fn find_quiet_moment(&mut self) {
        for _ in 0..1_000 {
            if !self.model.must_not_coincide(self.now) {
                return;
            }
            self.advance(1);
        }
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment(self.now)
    }

    fn tick(&mut self) {
        let now = self.now;
        let lapsed: Vec<usize> = (0..self.clients.len()).filter(|&who| self.clients[who].has_lapsed(now)).collect();
        for &who in &lapsed {
            self.expect_closing(who, ReasonCode::KeepAliveTimeout);
        }
        self.hub.tick(self.moment(), &mut Wakes::default());
        self.model.tick(now);
        self.count_drops();
        for who in lapsed {
            let link = self.clients[who].link.as_ref().expect("it lapsed");
            assert!(link.outbound.is_closing(), "client {who} was silent for too long and is not closed");
        }
    }

    /// The broker is about to close a connection: what is in its outbound is lost.
    pub(crate) fn expect_closing(&mut self, who: usize, reason: ReasonCode) {
        self.take(who, Thirst::Spilled);
        self.clients[who].closing = Some(reason);
        self.model.session(who).lose_unseen();
    }

    /// Tells the model how many messages full queues have cost.
    pub(crate) fn count_drops(&mut self) {
        let dropped = METRICS.messages_dropped_queue_full.value();
        self.model.queues_dropped(dropped - std::mem::replace(&mut self.dropped, dropped));
    }

    fn change_policy(&mut self) {
        let device = self.dice.below(self.shape.devices);
        let switch = match self.dice.below(12) {
            0..=2 => Switch::Closed,
            3..=4 => Switch::Blind(device),
            5..=6 => Switch::Mute(device),
            7..=8 => Switch::Talks(device),
            9..=10 => Switch::Listens(device),
            _ => Switch::Disabled(device),
        };
        self.trace(|| format!("policy {switch:?}"));
        let mut rights = self.model.history.present().clone();
        rights.flip(switch);
        self.put_in_force(rights);
        if self.model.history.present().is_disabled(device) {
            self.disconnect_device(device);
        }
    }

    fn put_in_force(&mut self, rights: Rights) {
        let mut changes = difference(&records(self.model.history.present()), &records(&rights));
        changes.expected_generation = None;
        self.policy = self.policy.with_changes(&changes, 0).unwrap();
        self.hub.set_policy(Arc::new(self.policy.clone()));
        self.model.change_policy(rights);
        self.policy_changes += 1;
    }

    fn disconnect_device(&mut self, device: usize) {
        let living = |client: &SimClient| client.device == device && client.link.is_some();
        let clients: Vec<usize> = (0..self.clients.len()).filter(|&who| living(&self.clients[who])).collect();
        for &who in clients.iter().filter(|&&who| self.clients[who].closing.is_none()).collect::<Vec<_>>() {
            self.expect_closing(who, ReasonCode::AdministrativeAction);
        }
        let reason = ReasonCode::AdministrativeAction;
        let closed = self.hub.disconnect_device(&devices()[device].key, reason, &mut Wakes::default());
        assert_eq!(closed, clients.len(), "connections of device {device}");
    }

    /// Lets everything that is due arrive, and judges.
    pub(crate) fn settle(&mut self) -> String {
        let mut rights = self.model.history.present().clone();
        rights.open_all();
        self.put_in_force(rights);
        for who in 0..self.clients.len() {
            self.be_present(who);
        }
        // Once for what waits, and once for what the acknowledgements of others brought.
        for _ in 0..2 {
            for who in 0..self.clients.len() {
                self.be_present(who);
                self.calm(who);
            }
        }
        self.model.settle();
        let (tally, shape) = (&self.model.tally, &self.shape);
        assert!(tally.arrived > 0 && tally.published > 0, "nothing happened");
        format!(
            "{} published, {} owed, {} arrived, {} wills, {} lost to full queues, {} to slow readers, {} policies; {shape:?}",
            tally.published,
            tally.owed,
            tally.arrived,
            tally.wills,
            tally.missed,
            tally.dropped_once,
            self.policy_changes
        )
    }

    fn be_present(&mut self, who: usize) {
        while self.clients[who].link.is_none() || self.clients[who].closing.is_some() {
            match self.clients[who].closing {
                Some(_) => self.reap(who),
                None => self.connect(who),
            }
        }
    }

    /// For the test of the test.
    pub(crate) fn expect_the_impossible(&mut self) {
        self.model.expect_the_impossible();
    }

    /// Takes what waits for a client and shows it to the model. Returns how many packets there were.
    pub(crate) fn take(&mut self, who: usize, thirst: Thirst) -> usize {
        let now = self.moment();
        let Some(link) = &mut self.clients[who].link else { return 0 };
        let (events, drained) = link.take(thirst, now);
        let packets = events.len();
        for event in events {
            self.trace(|| format!("client {who} {thirst:?} {event:?}"));
            self.look_at(who, event, thirst);
        }
        if let Some(bytes) = drained {
            self.model.drained(who, bytes, self.shape.outbound_bytes);
        }
        packets
    }

    pub(crate) fn look_at(&mut self, who: usize, event: Event, thirst: Thirst) {
        let client = &mut self.clients[who];
        match event {
            Event::ConnAck { .. } => panic!("client {who} got a second CONNACK"),
            Event::Publish(seen) => {
                let maximum = if client.small_packets { SMALL_PACKET } else { usize::MAX };
                assert!(seen.length <= maximum, "client {who} got {} bytes: {seen:?}", seen.length);
                self.model.arrive(who, &seen);
            }
            Event::PubRel(id) => self.model.session(who).release(id),
            Event::Answered(id, reason) => self.answered(who, id, reason, thirst),
            Event::Closed(reason) => assert_eq!(Some(reason), client.closing, "client {who} was closed"),
            _ if thirst == Thirst::Spilled => {}
            Event::Completed(id) => client.sending.retain(|sending| sending.id != id),
            Event::SubAck(id, reasons) | Event::UnsubAck(id, reasons) => {
                let expected = client.asked.remove(&id).expect("asked for");
                assert_eq!(reasons, expected, "client {who}, {:?}", client.version);
            }
            Event::PingResp => {}
        }
    }

    /// PUBACK or PUBREC of our own publication.
    fn answered(&mut self, who: usize, id: u16, reason: ReasonCode, thirst: Thirst) {
        let client = &mut self.clients[who];
        let position = client.sending.iter().position(|sending| sending.id == id).expect("sent before");
        let sending = &mut client.sending[position];
        let expected = client.version < Version::V5 || sending.reasons.contains(&reason);
        assert!(expected, "client {who}: {:?} was answered {reason:?}, not {:?}", sending.draft.text, sending.reasons);
        if reason.is_error() {
            self.model.session(who).incoming.remove(&id);
        }
        if thirst == Thirst::Spilled {
            return;
        }
        if sending.draft.qos == QoS::AtLeastOnce || reason.is_error() {
            client.sending.remove(position);
            return;
        }
        sending.released = true;
        self.release(who, id);
    }
}

/// The most that a client of small packets takes, bytes.
pub(crate) const SMALL_PACKET: usize = 300;

impl SimClient {
    fn new(number: usize, devices: usize) -> Self {
        Self {
            device: number % devices,
            client_id: format!("c{}", number / devices),
            // 3.1 does not say whether a session was present, so its clients could not tell what is due.
            version: [Version::V5, Version::V3_1_1, Version::V5][number / devices % 3],
            link: None,
            closing: None,
            is_slow: false,
            small_packets: false,
            silence: 0,
            last_packet: 0,
            next_id: 0,
            sending: Vec::new(),
            asked: HashMap::new(),
        }
    }

    fn has_lapsed(&self, now: u64) -> bool {
        self.link.is_some() && self.closing.is_none() && self.silence > 0 && self.last_packet + self.silence <= now
    }

    pub(crate) fn fresh_id(&mut self) -> u16 {
        loop {
            self.next_id = self.next_id % 60_000 + 1;
            let id = self.next_id;
            if self.sending.iter().all(|sending| sending.id != id) {
                return id;
            }
        }
    }

    pub(crate) fn due(&mut self, pick: usize) -> Option<(Due, u16)> {
        let due = &mut self.link.as_mut()?.due;
        let position = pick.checked_rem(due.len())?;
        due.remove(position)
    }
}

fn records(rights: &Rights) -> Records {
    FleetFile::parse(&rights.fleet(), SubjectSelector::Dn).unwrap().records
}
