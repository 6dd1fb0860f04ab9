//! A hub, its devices, and connections whose packets read as text.

use crate::config::{Limits, MqttSettings};
use crate::hub::{Client, Closed, ConnectRefused, Hub, Outbound, Peer, Wakes};
use crate::policy::fleet::FleetFile;
use crate::policy::{ChainFacts, Change, ChangeSet, DeviceKey, Identity, Policy, PolicySettings, SubjectSelector};
use crate::protocol::{
    Ack, Connect, Decoded, Disconnect, MAX_PACKET_BYTES, Packet, PacketId, PropertiesBuf, Property, Publish, QoS,
    ReasonCode, Sender, Subscribe, SubscribeRequest, SubscriptionOptions, TopicFilter, TopicName, Unsubscribe, Version,
    Will, decode,
};
use crate::session::Moment;
use std::sync::Arc;

pub(super) const FLEET: &str = "version = 1\n[groups.all]\n\
    allow = [{ publish = \"t/#\" }, { subscribe = \"t/#\" }]\n\
    [[devices]]\nsubject = \"CN=a\"\ngroups = [\"all\"]\n\
    [[devices]]\nsubject = \"CN=b\"\ngroups = [\"all\"]\n";

pub(super) struct World {
    pub(super) hub: Arc<Hub>,
    pub(super) now: Moment,
    policy: Policy,
}

/// A CONNECT.
#[derive(Clone)]
pub(super) struct Dial {
    pub(super) cn: &'static str,
    pub(super) unit: Option<&'static str>,
    pub(super) id: &'static str,
    pub(super) version: Version,
    pub(super) clean: bool,
    pub(super) keep_alive: u16,
    pub(super) properties: Vec<Property<'static>>,
    /// Topic and properties.
    pub(super) will: Option<(&'static str, Vec<Property<'static>>)>,
    pub(super) will_payload: &'static [u8],
    pub(super) outbound: usize,
    /// What its handshake proved; `None`: a certificate of its own without a path.
    pub(super) chain: Option<ChainFacts>,
}

pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) outbound: Arc<Outbound>,
    pub(super) version: Version,
    pub(super) now: Moment,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(MqttSettings::default(), Limits::default())
    }

    pub(super) fn with(mqtt: MqttSettings, limits: Limits) -> Self {
        let records = FleetFile::parse(FLEET, SubjectSelector::Dn).unwrap().records;
        let policy = Policy::compile(&records, PolicySettings::default(), 0).unwrap();
        Self { hub: Hub::new(Arc::new(policy.clone()), mqtt, limits), now: Moment(1_000), policy }
    }

    /// Puts another fleet file in force.
    pub(super) fn set_fleet(&mut self, fleet: &str) {
        let records = FleetFile::parse(fleet, SubjectSelector::Dn).unwrap().records;
        let groups = records.groups.values().cloned().map(Change::PutGroup);
        let devices = records.devices.values().cloned().map(Change::PutDevice);
        let changes = ChangeSet { expected_generation: None, changes: groups.chain(devices).collect() };
        self.policy = self.policy.with_changes(&changes, 0).unwrap();
        self.hub.set_policy(Arc::new(self.policy.clone()));
    }

    /// Adds rules to the group of everyone.
    pub(super) fn deny(&mut self, rules: &str) {
        self.set_fleet(
            &FLEET.replace(
                "[[devices]]\nsubject = \"CN=a\"",
                &format!("deny = [{rules}]\n[[devices]]\nsubject = \"CN=a\""),
            ),
        );
    }

    pub(super) fn later(&mut self, milliseconds: u64) {
        self.now = Moment(self.now.0 + milliseconds);
        self.hub.tick(self.now, &mut Wakes::default());
    }

    pub(super) fn try_connect(&self, dial: &Dial) -> Result<Connection, ConnectRefused> {
        let outbound = Outbound::new(dial.outbound, self.now);
        self.try_connect_by(dial, &outbound)
    }

    /// The reason string of the CONNACK to a CONNECT that is refused.
    pub(super) fn told(&self, dial: &Dial) -> String {
        let outbound = Outbound::new(dial.outbound, self.now);
        assert!(self.try_connect_by(dial, &outbound).is_err());
        let mut bytes = Vec::new();
        outbound.take(&mut bytes);
        match decode(&bytes, dial.version, Sender::Server, MAX_PACKET_BYTES).unwrap() {
            Decoded::Packet { packet: Packet::ConnAck(answer), .. } => {
                answer.properties.reason_string().unwrap_or_default().to_owned()
            }
            other => panic!("{other:?}"),
        }
    }

    fn try_connect_by(&self, dial: &Dial, outbound: &Arc<Outbound>) -> Result<Connection, ConnectRefused> {
        let (identity, key, chain) = device(dial.cn, dial.unit);
        let chain = dial.chain.clone().unwrap_or(chain);
        let mut properties = PropertiesBuf::new();
        properties.extend(dial.properties.iter().copied());
        let mut will_properties = PropertiesBuf::new();
        will_properties.extend(dial.will.iter().flat_map(|(_, properties)| properties.iter().copied()));
        let will = dial.will.as_ref().map(|(topic, _)| Will {
            topic: TopicName::parse(topic).unwrap(),
            payload: dial.will_payload,
            qos: QoS::AtMostOnce,
            retain: false,
            properties: will_properties.as_properties(),
        });
        let connect = Connect {
            version: dial.version,
            clean_start: dial.clean,
            keep_alive: dial.keep_alive,
            client_id: dial.id,
            will,
            username: None,
            password: None,
            properties: properties.as_properties(),
        };
        let peer = Peer { identity: &identity, key: &key, chain: &chain };
        let mut wakes = Wakes::default();
        let client = self
            .hub
            .connect(peer, &connect, outbound, self.now, &mut wakes)
            .inspect_err(|refused| refused.answer(&connect, outbound, &mut wakes))?;
        Ok(Connection { client, outbound: Arc::clone(outbound), version: dial.version, now: self.now })
    }

    /// Connects, and what comes after the CONNACK.
    pub(super) fn connect_and_see(&self, dial: &Dial) -> (Connection, Vec<String>) {
        let mut connection = self.try_connect(dial).unwrap();
        let mut seen = connection.seen();
        assert!(seen.remove(0).starts_with("CONNACK Success"));
        (connection, seen)
    }

    /// Connects and throws the CONNACK away.
    pub(super) fn connect(&self, dial: &Dial) -> Connection {
        let mut connection = self.try_connect(dial).unwrap();
        assert!(connection.seen().first().is_some_and(|packet| packet.starts_with("CONNACK")));
        connection
    }
}

impl Dial {
    /// 5.0 with a session that stays.
    pub(super) fn v5(cn: &'static str) -> Self {
        Self {
            cn,
            unit: None,
            id: cn,
            version: Version::V5,
            clean: false,
            keep_alive: 0,
            properties: vec![Property::SessionExpiryInterval(100)],
            will: None,
            will_payload: b"gone",
            outbound: 64 * 1024,
            chain: None,
        }
    }

    /// 3.1.1 with a session that stays.
    pub(super) fn v3(cn: &'static str) -> Self {
        Self { version: Version::V3_1_1, properties: Vec::new(), ..Self::v5(cn) }
    }

    pub(super) fn with(mut self, property: Property<'static>) -> Self {
        self.properties.push(property);
        self
    }
}

impl Connection {
    pub(super) fn handle(&mut self, packet: Packet<'_>) -> Result<(), Closed> {
        self.client.handle(packet, self.now, &mut Wakes::default())
    }

    /// `text` to `topic`; QoS 1 and 2 with packet id `id`.
    pub(super) fn publish(&mut self, topic: &str, qos: QoS, id: u16, text: &str) {
        self.publish_with(topic, qos, id, text, false, &[]).unwrap();
    }

    pub(super) fn retain(&mut self, topic: &str, text: &str) {
        self.publish_with(topic, QoS::AtMostOnce, 0, text, true, &[]).unwrap();
    }

    pub(super) fn publish_with(
        &mut self,
        topic: &str,
        qos: QoS,
        id: u16,
        text: &str,
        retain: bool,
        properties: &[Property<'_>],
    ) -> Result<(), Closed> {
        let mut section = PropertiesBuf::new();
        section.extend(properties.iter().copied());
        self.handle(Packet::Publish(Publish {
            dup: false,
            qos,
            retain,
            topic: TopicName::parse(topic).ok(),
            packet_id: PacketId::try_from(id).ok(),
            properties: section.as_properties(),
            payload: text.as_bytes(),
        }))
    }

    pub(super) fn subscribe(&mut self, filter: &str, qos: QoS) -> Vec<String> {
        self.subscribe_with(filter, SubscriptionOptions::new(qos), None)
    }

    /// Returns everything that came, the SUBACK first.
    pub(super) fn subscribe_with(
        &mut self,
        filter: &str,
        options: SubscriptionOptions,
        identifier: Option<u32>,
    ) -> Vec<String> {
        let mut properties = PropertiesBuf::new();
        properties.extend(identifier.map(Property::SubscriptionIdentifier));
        let requests = vec![SubscribeRequest { filter: TopicFilter::parse(filter).unwrap(), options }];
        let subscribe = Subscribe { packet_id: PacketId::FIRST, properties: properties.as_properties(), requests };
        self.handle(Packet::Subscribe(subscribe)).unwrap();
        self.seen()
    }

    pub(super) fn unsubscribe(&mut self, filter: &str) -> Vec<String> {
        let filters = vec![TopicFilter::parse(filter).unwrap()];
        let properties = crate::protocol::Properties::default();
        self.handle(Packet::Unsubscribe(Unsubscribe { packet_id: PacketId::FIRST, properties, filters })).unwrap();
        self.seen()
    }

    pub(super) fn ack(&mut self, packet: fn(Ack<'static>) -> Packet<'static>, id: u16, reason: ReasonCode) {
        self.handle(packet(Ack::new(PacketId::try_from(id).unwrap(), reason))).unwrap();
    }

    /// Everything that waits, as text, pulled until nothing more comes.
    pub(super) fn seen(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let (packets, starved) = self.take();
            seen.extend(packets);
            if !starved {
                return seen;
            }
            self.client.pull(self.now, &mut Wakes::default());
        }
    }

    /// What waits now; whether more is to be pulled.
    pub(super) fn take(&mut self) -> (Vec<String>, bool) {
        let mut seen = Vec::new();
        let starved = self.each(|packet| seen.push(show(packet)));
        (seen, starved)
    }

    /// The reason strings of what waits now; empty where a packet has none.
    pub(super) fn reasons(&mut self) -> Vec<String> {
        let mut reasons = Vec::new();
        self.each(|packet| {
            let properties = match packet {
                Packet::ConnAck(answer) => answer.properties,
                Packet::PubAck(ack) | Packet::PubRec(ack) => ack.properties,
                Packet::SubAck(answer) => answer.properties,
                Packet::Disconnect(disconnect) => disconnect.properties,
                other => panic!("{other:?}"),
            };
            reasons.push(properties.reason_string().unwrap_or_default().to_owned());
        });
        reasons
    }

    /// Shows each packet that waits now to `see`; says whether more is to be pulled.
    pub(super) fn each(&mut self, mut see: impl FnMut(&Packet<'_>)) -> bool {
        let mut bytes = Vec::new();
        let taken = self.outbound.take(&mut bytes);
        bytes.extend(taken.large.iter().flatten());
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match decode(rest, self.version, Sender::Server, MAX_PACKET_BYTES).unwrap() {
                Decoded::Packet { packet, length } => {
                    see(&packet);
                    rest = &rest[length..];
                }
                Decoded::Incomplete { .. } => panic!("a frame was split: {rest:?}"),
            }
        }
        taken.starved
    }

    pub(super) fn leave(mut self, reason: ReasonCode) {
        assert_eq!(self.handle(Packet::Disconnect(Disconnect::new(reason))), Err(Closed::ByClient));
        self.break_off();
    }

    pub(super) fn break_off(self) {
        self.client.end(self.now, &mut Wakes::default());
    }
}

fn show(packet: &Packet<'_>) -> String {
    match packet {
        Packet::Publish(publish) => {
            let topic = publish.topic.map_or("-", TopicName::as_str);
            let payload = match publish.payload.len() {
                0..=20 => String::from_utf8_lossy(publish.payload).into_owned(),
                length => format!("{length} bytes"),
            };
            let mut text = format!("PUBLISH {topic} {payload}");
            text.extend(publish.packet_id.map(|id| format!(" q{}#{id}", publish.qos as u8)));
            let flags = [(publish.dup, " dup"), (publish.retain, " retain")];
            text.extend(flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name));
            text.extend(publish.properties.subscription_identifiers().map(|id| format!(" sub={id}")));
            text.extend(publish.properties.message_expiry_interval().map(|left| format!(" expiry={left}")));
            text.extend(publish.properties.topic_alias().map(|alias| format!(" alias={alias}")));
            text
        }
        Packet::ConnAck(answer) => format!("CONNACK {:?} present={}", answer.reason, answer.session_present),
        Packet::PubAck(ack) => format!("PUBACK {} {:?}", ack.packet_id, ack.reason),
        Packet::PubRec(ack) => format!("PUBREC {} {:?}", ack.packet_id, ack.reason),
        Packet::PubRel(ack) => format!("PUBREL {} {:?}", ack.packet_id, ack.reason),
        Packet::PubComp(ack) => format!("PUBCOMP {} {:?}", ack.packet_id, ack.reason),
        Packet::SubAck(answer) => format!("SUBACK {:?}", answer.reasons),
        Packet::UnsubAck(answer) => format!("UNSUBACK {:?}", answer.reasons),
        Packet::Disconnect(disconnect) => format!("DISCONNECT {:?}", disconnect.reason),
        other => format!("{:?}", other.packet_type()),
    }
}

fn device(cn: &str, unit: Option<&str>) -> (Identity, DeviceKey, ChainFacts) {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, cn);
    // A name that the subject does not hold: the device stays the same with and without it.
    parameters.subject_alt_names.extend(unit.map(|name| rcgen::SanType::DnsName(name.try_into().unwrap())));
    let certificate = parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let identity = Identity::from_der(certificate.der()).unwrap();
    let chain = ChainFacts {
        anchor: identity.spki_sha256,
        certificates: Box::default(),
        not_after: identity.not_after,
        leaf_sha256: identity.sha256,
        subjects_entry: None,
    };
    let name = identity.device_name(SubjectSelector::Dn).unwrap();
    (identity, DeviceKey::in_default_trust(name), chain)
}
