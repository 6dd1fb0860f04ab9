//! The simulated fleet: clients, hub, policy, time, and the dice.

use super::client::{Device, SimClient};
use super::model::{Ledger, matches};
use certmq::config::{Limits, MqttSettings};
use certmq::hub::{Hub, Wakes};
use certmq::policy::fleet::{FleetFile, difference};
use certmq::policy::{ChainFacts, DeviceKey, Identity, Policy, PolicySettings, SubjectSelector};
use certmq::protocol::{QoS, Version};
use certmq::session::Moment;
use std::collections::BTreeMap;
use std::sync::Arc;

const DEVICES: usize = 4;
const CLIENTS: usize = 16;
const TOPICS: &[&str] = &["t/a", "t/b", "t/c/x", "t/c/y", "t/secret/1"];
const FILTERS: &[&str] = &["t/a", "t/+", "t/#", "t/c/+", "t/+/x", "t/secret/#", "+/b"];

/// Every device may publish and subscribe `t/#`, but device 2 may not read below `t/secret`, and device 3 may not
/// publish `t/c/x`. `+/b` is beyond everyone's right. When `tightened`, nobody may publish or read `t/b`.
fn fleet(tightened: bool) -> String {
    let mut text = String::from(
        r#"version = 1
[groups.fleet]
allow = [ { publish = "t/#" }, { subscribe = "t/#" } ]
"#,
    );
    if tightened {
        text.push_str("deny = [ { publish = \"t/b\" }, { subscribe = \"t/b\" } ]\n");
    }
    for device in 0..DEVICES {
        text.push_str(&format!("[[devices]]\nsubject = \"CN=sim-{device}\"\ngroups = [\"fleet\"]\n"));
        match device {
            2 => text.push_str("deny = [ { subscribe = \"t/secret/#\" } ]\n"),
            3 => text.push_str("deny = [ { publish = \"t/c/x\" } ]\n"),
            _ => {}
        }
    }
    text
}

pub(crate) struct World {
    dice: Dice,
    hub: Arc<Hub>,
    policy: Policy,
    tightened: bool,
    now: Moment,
    devices: Vec<Device>,
    clients: Vec<SimClient>,
    ledgers: Vec<Ledger>,
    retained: BTreeMap<String, String>,
    published: u64,
    policy_changes: u64,
    /// The will each connected client would leave.
    wills: Vec<Option<(String, String)>>,
    /// Whether a client's session ends with its connection: a clean session of 3.x.
    passing: Vec<bool>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let records = FleetFile::parse(&fleet(false), SubjectSelector::Dn).unwrap().records;
        let policy = Policy::compile(&records, PolicySettings::default(), 0).unwrap();
        let limits = Limits { queued_messages: usize::MAX, queued_bytes: usize::MAX, ..Limits::default() };
        let hub = Hub::new(Arc::new(policy.clone()), MqttSettings::default(), limits);
        // 3.1 does not say whether a session was present, so its clients could not tell what is due.
        let versions = [Version::V3_1_1, Version::V5, Version::V5, Version::V3_1_1];
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                SimClient::new(number % DEVICES, format!("c{}", number / DEVICES), versions[(number / 2) % 4])
            })
            .collect();
        Self {
            dice: Dice(seed | 1),
            hub,
            policy,
            tightened: false,
            now: Moment(0),
            devices: (0..DEVICES).map(device).collect(),
            ledgers: clients.iter().map(|_| Ledger::default()).collect(),
            wills: clients.iter().map(|_| None).collect(),
            passing: clients.iter().map(|_| false).collect(),
            clients,
            retained: BTreeMap::new(),
            published: 0,
            policy_changes: 0,
        }
    }

    /// One random thing happens.
    pub(crate) fn step(&mut self) {
        self.now = Moment(self.now.0 + self.dice.below(20));
        let who = self.dice.below(CLIENTS as u64) as usize;
        match self.dice.below(100) {
            _ if !self.clients[who].is_connected() => self.connect(who),
            0..=2 => self.break_off(who),
            3..=4 => self.leave(who),
            5 => self.take_over(who),
            6..=12 => self.subscribe(who),
            13..=15 => self.unsubscribe(who),
            16..=49 => self.publish(who),
            50..=69 => _ = self.clients[who].receive(self.now),
            70..=97 => {
                let pick = self.dice.below(8) as usize;
                self.clients[who].acknowledge(pick, self.now);
            }
            98 => self.hub.tick(self.now, &mut Wakes::default()),
            _ => self.change_policy(),
        }
    }

    /// Lets everything that is due arrive, and judges.
    pub(crate) fn settle(&mut self) -> String {
        if self.tightened {
            self.change_policy();
        }
        for who in 0..CLIENTS {
            if !self.clients[who].is_connected() {
                let device = self.clients[who].device;
                let present = self.clients[who].connect(&self.hub, &self.devices[device], false, None, self.now);
                self.wills[who] = None;
                if !present {
                    self.ledgers[who].end_session();
                }
            }
        }
        // What was withheld comes with the next packet of its reader.
        for client in &mut self.clients {
            client.ping(self.now);
        }
        let mut busy = true;
        while busy {
            busy = false;
            for client in &mut self.clients {
                client.receive(self.now);
                while client.acknowledge(0, self.now) {
                    busy = true;
                    client.receive(self.now);
                }
            }
        }
        let mut due = 0;
        let mut arrived = 0;
        for (client, ledger) in self.clients.iter().zip(&self.ledgers) {
            ledger.judge(&format!("sim-{}/{}", client.device, client.client_id), &client.arrived);
            due += ledger.due();
            arrived += client.arrived.len();
        }
        assert!(due > 0 && arrived >= due, "nothing happened: {due} due, {arrived} arrived");
        format!("{} published, {due} due, {arrived} arrived, {} policy changes", self.published, self.policy_changes)
    }

    /// For the test of the test.
    pub(crate) fn expect_the_impossible(&mut self) {
        self.ledgers[0].expect("nobody:1", QoS::AtLeastOnce);
    }

    fn connect(&mut self, who: usize) {
        let clean = self.dice.below(10) == 0;
        let device = self.clients[who].device;
        let will = (self.dice.below(3) == 0).then(|| ("t/a".to_owned(), format!("w{}", self.next_text(who))));
        let borrowed = will.as_ref().map(|(topic, text)| (topic.as_str(), text.as_str()));
        let present = self.clients[who].connect(&self.hub, &self.devices[device], clean, borrowed, self.now);
        assert!(!(clean && present), "a clean start found a session");
        if !present {
            self.ledgers[who].end_session();
        }
        self.wills[who] = will;
        self.passing[who] = clean && self.clients[who].version < Version::V5;
    }

    fn break_off(&mut self, who: usize) {
        if let Some((topic, text)) = self.wills[who].take() {
            self.expect(who, &topic, &text, QoS::AtLeastOnce);
        }
        self.clients[who].break_off(self.now);
        self.forget_passing(who);
    }

    fn leave(&mut self, who: usize) {
        self.wills[who] = None;
        self.clients[who].leave(self.now);
        self.forget_passing(who);
    }

    fn forget_passing(&mut self, who: usize) {
        if std::mem::take(&mut self.passing[who]) {
            self.ledgers[who].end_session();
        }
    }

    /// The same client connects once more, elsewhere.
    fn take_over(&mut self, who: usize) {
        let device = self.clients[who].device;
        if let Some((topic, text)) = self.wills[who].take() {
            self.expect(who, &topic, &text, QoS::AtLeastOnce);
        }
        let client = &mut self.clients[who];
        let mut other = SimClient::new(client.device, client.client_id.clone(), client.version);
        std::mem::swap(&mut other.arrived, &mut client.arrived);
        other.inherit(client);
        let present = other.connect(&self.hub, &self.devices[device], false, None, self.now);
        assert_eq!(present, !self.passing[who], "session present after a takeover by {who} {:?}", client.version);
        client.was_taken_over();
        *client = other;
        self.forget_passing(who);
    }

    fn subscribe(&mut self, who: usize) {
        let filter = FILTERS[self.dice.below(FILTERS.len() as u64) as usize];
        let qos = self.dice.qos();
        self.clients[who].subscribe(filter, qos, self.now);
        if !self.may_subscribe(self.clients[who].device, filter) {
            return;
        }
        self.ledgers[who].subscriptions.insert(filter.to_owned(), qos);
        for (topic, text) in &self.retained {
            if matches(filter, topic) {
                self.ledgers[who].allow(text);
            }
        }
    }

    fn unsubscribe(&mut self, who: usize) {
        let filter = FILTERS[self.dice.below(FILTERS.len() as u64) as usize];
        self.clients[who].unsubscribe(filter, self.now);
        self.ledgers[who].subscriptions.remove(filter);
    }

    fn publish(&mut self, who: usize) {
        let topic = TOPICS[self.dice.below(TOPICS.len() as u64) as usize];
        let qos = self.dice.qos();
        let retain = self.dice.below(8) == 0;
        let text = self.next_text(who);
        self.expect(who, topic, &text, qos);
        if retain && self.may_publish(self.clients[who].device, topic) {
            self.retained.insert(topic.to_owned(), text.clone());
            // A cursor of an earlier subscription may still come by and read it.
            for (ledger, client) in self.ledgers.iter_mut().zip(&self.clients) {
                if may_read(self.tightened, client.device, topic) {
                    ledger.allow(&text);
                }
            }
        }
        self.clients[who].publish(topic, &text, qos, retain, self.now);
    }

    /// Enters a publication into the ledgers of everyone it is for.
    fn expect(&mut self, writer: usize, topic: &str, text: &str, qos: QoS) {
        if !self.may_publish(self.clients[writer].device, topic) {
            return;
        }
        self.published += 1;
        for (ledger, client) in self.ledgers.iter_mut().zip(&self.clients) {
            let subscribed = ledger.subscriptions.iter().filter(|(filter, _)| matches(filter, topic));
            let granted = subscribed.map(|(_, qos)| *qos).max();
            if let (Some(granted), true) = (granted, may_read(self.tightened, client.device, topic)) {
                ledger.expect(text, granted.min(qos));
            }
        }
    }

    fn change_policy(&mut self) {
        let parse = |tightened| FleetFile::parse(&fleet(tightened), SubjectSelector::Dn).unwrap().records;
        let mut changes = difference(&parse(self.tightened), &parse(!self.tightened));
        changes.expected_generation = None;
        self.policy = self.policy.with_changes(&changes, 0).unwrap();
        self.tightened = !self.tightened;
        self.policy_changes += 1;
        self.hub.set_policy(Arc::new(self.policy.clone()));
    }

    fn may_publish(&self, device: usize, topic: &str) -> bool {
        !(device == 3 && topic == "t/c/x" || self.tightened && topic == "t/b")
    }

    /// A deny refuses a filter only where it covers it whole.
    fn may_subscribe(&self, device: usize, filter: &str) -> bool {
        filter != "+/b" && !(device == 2 && filter == "t/secret/#")
    }

    /// Numbered in the order of publication; a will, which gets its number early, under a name of its own.
    fn next_text(&mut self, who: usize) -> String {
        self.published += 1;
        format!("{who}:{}", self.published)
    }
}

fn may_read(tightened: bool, device: usize, topic: &str) -> bool {
    !(device == 2 && topic.starts_with("t/secret/") || tightened && topic == "t/b")
}

fn device(number: usize) -> Device {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, format!("sim-{number}"));
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let identity = Identity::from_der(certificate.der()).unwrap();
    let name = identity.device_name(SubjectSelector::Dn).unwrap();
    let chain = ChainFacts {
        anchor: identity.spki_sha256,
        certificates: Box::default(),
        not_after: identity.not_after,
        leaf_sha256: identity.sha256,
    };
    Device { key: DeviceKey { trust: Arc::from("default"), name }, chain, identity }
}

/// xorshift64*: the same dice for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }

    fn qos(&mut self) -> QoS {
        match self.below(3) {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        }
    }
}
