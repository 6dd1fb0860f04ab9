//! A client as the standard wants it, on bytes instead of a socket.

use certmq::hub::{Client, Hub, Outbound, Peer, Wakes};
use certmq::policy::{ChainFacts, DeviceKey, Identity};
use certmq::protocol::{
    Ack, Connect, Decoded, MAX_PACKET_BYTES, Packet, PacketId, Properties, PropertiesBuf, Property, Publish, QoS,
    ReasonCode, Sender, Subscribe, SubscribeRequest, SubscriptionOptions, TopicFilter, TopicName, Unsubscribe, Version,
    Will, decode,
};
use certmq::session::Moment;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Who a simulated device is.
pub(crate) struct Device {
    pub(crate) identity: Identity,
    pub(crate) key: DeviceKey,
    pub(crate) chain: ChainFacts,
}

/// A message as the application of a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) topic: String,
    pub(crate) text: String,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

pub(crate) struct SimClient {
    pub(crate) device: usize,
    pub(crate) client_id: String,
    pub(crate) version: Version,
    link: Option<Link>,
    /// QoS 2 ids that were delivered and wait for PUBREL: survives connections, as the standard wants.
    unreleased: BTreeSet<PacketId>,
    next_id: u16,
    pub(crate) arrived: Vec<Arrived>,
}

struct Link {
    client: Client,
    outbound: Arc<Outbound>,
    received: Vec<u8>,
    /// Acknowledgements due, to be sent in any order.
    due: VecDeque<(Due, PacketId)>,
}

#[derive(Clone, Copy)]
enum Due {
    Acknowledge,
    Receive,
    Complete,
}

impl SimClient {
    pub(crate) fn new(device: usize, client_id: String, version: Version) -> Self {
        Self { device, client_id, version, link: None, unreleased: BTreeSet::new(), next_id: 0, arrived: Vec::new() }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    /// Connects; returns whether the broker had a session.
    pub(crate) fn connect(
        &mut self,
        hub: &Arc<Hub>,
        device: &Device,
        clean_start: bool,
        will: Option<(&str, &str)>,
        now: Moment,
    ) -> bool {
        let mut properties = PropertiesBuf::default();
        if self.version == Version::V5 {
            properties.push(Property::SessionExpiryInterval(100_000));
            properties.push(Property::ReceiveMaximum(7));
        }
        let will = will.map(|(topic, text)| Will {
            topic: TopicName::parse(topic).unwrap(),
            payload: text.as_bytes(),
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: Properties::default(),
        });
        let connect = Connect {
            version: self.version,
            clean_start,
            keep_alive: 0,
            client_id: &self.client_id,
            will,
            username: None,
            password: None,
            properties: properties.as_properties(),
        };
        let outbound = Outbound::new(4096, now);
        let peer = Peer { identity: &device.identity, key: &device.key, chain: &device.chain };
        let client = hub.connect(peer, &connect, &outbound, now, &mut Wakes::default()).unwrap();
        self.link = Some(Link { client, outbound, received: Vec::new(), due: VecDeque::new() });
        if clean_start {
            self.unreleased.clear();
        }
        let present = self.receive(now).expect("CONNACK comes at once");
        if !present {
            self.unreleased.clear();
        }
        present
    }

    /// Takes what the broker has for it and looks at it. Returns session present where a CONNACK was among it.
    pub(crate) fn receive(&mut self, now: Moment) -> Option<bool> {
        let mut present = None;
        let Some(link) = &mut self.link else { return None };
        let mut frames = Vec::new();
        loop {
            let taken = link.outbound.take(&mut frames);
            link.received.extend_from_slice(&frames);
            if let Some(large) = &taken.large {
                link.received.extend_from_slice(large);
            }
            if taken.starved {
                link.client.pull(now, &mut Wakes::default());
            } else if frames.is_empty() {
                break;
            }
        }
        let received = std::mem::take(&mut link.received);
        let mut rest = received.as_slice();
        while !rest.is_empty() {
            match decode(rest, self.version, Sender::Server, MAX_PACKET_BYTES).expect("the broker writes good packets")
            {
                Decoded::Incomplete { .. } => break,
                Decoded::Packet { packet, length } => {
                    if let Packet::ConnAck(answer) = &packet {
                        assert_eq!(answer.reason, ReasonCode::Success);
                        present = Some(answer.session_present);
                    }
                    rest = &rest[length..];
                    self.look_at(&packet);
                }
            }
        }
        let rest = rest.to_vec();
        if let Some(link) = &mut self.link {
            link.received = rest;
        }
        present
    }

    fn look_at(&mut self, packet: &Packet<'_>) {
        let Some(link) = &mut self.link else { return };
        match packet {
            Packet::Publish(publish) => {
                let arrived = Arrived {
                    topic: publish.topic.unwrap().as_str().to_owned(),
                    text: String::from_utf8(publish.payload.to_vec()).unwrap(),
                    qos: publish.qos,
                    retain: publish.retain,
                };
                match (publish.qos, publish.packet_id) {
                    (QoS::ExactlyOnce, Some(id)) => {
                        if self.unreleased.insert(id) {
                            self.arrived.push(arrived);
                        }
                        link.due.push_back((Due::Receive, id));
                    }
                    (QoS::AtLeastOnce, Some(id)) => {
                        self.arrived.push(arrived);
                        link.due.push_back((Due::Acknowledge, id));
                    }
                    _ => self.arrived.push(arrived),
                }
            }
            Packet::PubRel(ack) => {
                self.unreleased.remove(&ack.packet_id);
                link.due.push_back((Due::Complete, ack.packet_id));
            }
            Packet::PubRec(ack) if !ack.reason.is_error() => {
                // The other half of a QoS 2 exchange of our own.
                let release = Ack::new(ack.packet_id, ReasonCode::Success);
                let _ = link.client.handle(Packet::PubRel(release), Moment(0), &mut Wakes::default());
            }
            _ => {}
        }
    }

    /// Acknowledges one of what is due, `pick` from the front.
    pub(crate) fn acknowledge(&mut self, pick: usize, now: Moment) -> bool {
        let Some(link) = &mut self.link else { return false };
        if link.due.is_empty() {
            return false;
        }
        let Some((due, id)) = link.due.remove(pick % link.due.len()) else { return false };
        let ack = Ack::new(id, ReasonCode::Success);
        let packet = match due {
            Due::Acknowledge => Packet::PubAck(ack),
            Due::Receive => Packet::PubRec(ack),
            Due::Complete => Packet::PubComp(ack),
        };
        link.client.handle(packet, now, &mut Wakes::default()).unwrap();
        true
    }

    pub(crate) fn publish(&mut self, topic: &str, text: &str, qos: QoS, retain: bool, now: Moment) {
        let packet_id = (qos != QoS::AtMostOnce).then(|| self.fresh_id());
        let Some(link) = &mut self.link else { return };
        let publish = Publish {
            dup: false,
            qos,
            retain,
            topic: Some(TopicName::parse(topic).unwrap()),
            packet_id,
            properties: Properties::default(),
            payload: text.as_bytes(),
        };
        link.client.handle(Packet::Publish(publish), now, &mut Wakes::default()).unwrap();
    }

    pub(crate) fn subscribe(&mut self, filter: &str, qos: QoS, now: Moment) {
        let packet_id = self.fresh_id();
        let Some(link) = &mut self.link else { return };
        let request =
            SubscribeRequest { filter: TopicFilter::parse(filter).unwrap(), options: SubscriptionOptions::new(qos) };
        let subscribe = Subscribe { packet_id, properties: Properties::default(), requests: vec![request] };
        link.client.handle(Packet::Subscribe(subscribe), now, &mut Wakes::default()).unwrap();
    }

    pub(crate) fn unsubscribe(&mut self, filter: &str, now: Moment) {
        let packet_id = self.fresh_id();
        let Some(link) = &mut self.link else { return };
        let filters = vec![TopicFilter::parse(filter).unwrap()];
        let unsubscribe = Unsubscribe { packet_id, properties: Properties::default(), filters };
        link.client.handle(Packet::Unsubscribe(unsubscribe), now, &mut Wakes::default()).unwrap();
    }

    pub(crate) fn ping(&mut self, now: Moment) {
        let Some(link) = &mut self.link else { return };
        link.client.handle(Packet::PingReq, now, &mut Wakes::default()).unwrap();
    }

    /// Says goodbye: no will.
    pub(crate) fn leave(&mut self, now: Moment) {
        let Some(mut link) = self.link.take() else { return };
        let goodbye = certmq::protocol::Disconnect::new(ReasonCode::Success);
        let _ = link.client.handle(Packet::Disconnect(goodbye), now, &mut Wakes::default());
        link.client.end(now, &mut Wakes::default());
    }

    /// The connection breaks: whatever was not taken is lost on the way.
    pub(crate) fn break_off(&mut self, now: Moment) {
        if let Some(link) = self.link.take() {
            link.client.end(now, &mut Wakes::default());
        }
    }

    /// Another connection of the same client took the session.
    pub(crate) fn was_taken_over(&mut self) {
        if let Some(link) = self.link.take() {
            assert!(link.outbound.is_closing(), "a takeover closes the old connection");
            link.client.end(Moment(0), &mut Wakes::default());
        }
    }

    /// What a client keeps when it connects from elsewhere.
    pub(crate) fn inherit(&mut self, other: &mut Self) {
        self.unreleased = std::mem::take(&mut other.unreleased);
        self.next_id = other.next_id;
    }

    fn fresh_id(&mut self) -> PacketId {
        self.next_id = self.next_id % 60_000 + 1;
        PacketId::try_from(self.next_id).unwrap()
    }
}
