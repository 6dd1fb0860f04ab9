//! A client as the standard wants it, on bytes instead of a socket.

use super::model::session::Seen;
use certmq::hub::{Client, Closed, Outbound, Wakes};
use certmq::protocol::{
    Ack, Decoded, Disconnect, MAX_PACKET_BYTES, Packet, PacketId, Properties, PropertiesBuf, Property, Publish, QoS,
    ReasonCode, Sender, Version, decode,
};
use certmq::session::Moment;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// What the broker sent, as far as a client acts on it.
#[derive(Debug)]
pub(crate) enum Event {
    ConnAck {
        session_present: bool,
    },
    Publish(Seen),
    PubRel(u16),
    /// PUBACK, or a PUBREC that ends or goes on with an exchange of ours.
    Answered(u16, ReasonCode),
    Completed(u16),
    SubAck(u16, Vec<ReasonCode>),
    /// Before 5.0 without reasons.
    UnsubAck(u16, Vec<ReasonCode>),
    PingResp,
    /// The broker's last word, and its reason where there is a DISCONNECT.
    Closed(ReasonCode),
}

/// A living connection.
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) outbound: Arc<Outbound>,
    version: Version,
    received: Vec<u8>,
    starved: bool,
    /// Aliases that the broker has set.
    aliases: HashMap<u16, String>,
    /// Aliases that we have set: the topic of each.
    pub(crate) own_aliases: HashMap<u16, String>,
    /// Acknowledgements due, to be sent in any order.
    pub(crate) due: VecDeque<(Due, u16)>,
    /// Bytes since the outbound was last found empty.
    bytes: usize,
}

/// An acknowledgement that is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    Acknowledge,
    Receive,
    Complete,
}

/// How much of what waits a client takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Thirst {
    /// What is there now, and no more.
    Sip,
    /// All that comes, asking for more.
    All,
    /// What is there is lost on its way: the connection breaks.
    Spilled,
}

impl Link {
    pub(crate) fn new(client: Client, outbound: Arc<Outbound>, version: Version) -> Self {
        Self {
            client,
            outbound,
            version,
            received: Vec::new(),
            starved: false,
            aliases: HashMap::new(),
            own_aliases: HashMap::new(),
            due: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Takes what the broker has for the client. With [`Thirst::All`] the second value tells how many bytes have come
    /// since the last time that nothing was left.
    pub(crate) fn take(&mut self, thirst: Thirst, now: Moment) -> (Vec<Event>, Option<usize>) {
        let mut events = Vec::new();
        let mut frames = Vec::new();
        let mut closing;
        loop {
            if std::mem::take(&mut self.starved) && thirst != Thirst::Spilled {
                self.client.pull(now, &mut Wakes::default());
            }
            let taken = self.outbound.take(&mut frames);
            let large = taken.large.unwrap_or_default();
            self.bytes += frames.len() + large.len();
            self.received.extend_from_slice(&frames);
            self.received.extend_from_slice(&large);
            self.starved |= taken.starved;
            closing = taken.closing;
            let more = !frames.is_empty() || self.starved && thirst == Thirst::All;
            if thirst == Thirst::Sip || !more {
                break;
            }
        }
        self.decode(&mut events);
        events.extend(closing.map(Event::Closed));
        let drained = (thirst == Thirst::All).then(|| std::mem::take(&mut self.bytes));
        (events, drained)
    }

    fn decode(&mut self, events: &mut Vec<Event>) {
        let received = std::mem::take(&mut self.received);
        let mut rest = received.as_slice();
        while !rest.is_empty() {
            match decode(rest, self.version, Sender::Server, MAX_PACKET_BYTES).expect("the broker writes good packets")
            {
                Decoded::Incomplete { .. } => break,
                Decoded::Packet { packet, length } => {
                    rest = &rest[length..];
                    events.extend(self.look_at(&packet, length));
                }
            }
        }
        self.received = rest.to_vec();
    }

    fn look_at(&mut self, packet: &Packet<'_>, length: usize) -> Option<Event> {
        match packet {
            Packet::ConnAck(answer) => {
                assert_eq!(answer.reason, ReasonCode::Success);
                Some(Event::ConnAck { session_present: answer.session_present })
            }
            Packet::Publish(publish) => {
                let id = publish.packet_id.map_or(0, number);
                match publish.qos {
                    QoS::AtMostOnce => {}
                    QoS::AtLeastOnce => self.due.push_back((Due::Acknowledge, id)),
                    QoS::ExactlyOnce => self.due.push_back((Due::Receive, id)),
                }
                Some(Event::Publish(self.see(publish, id, length)))
            }
            Packet::PubRel(ack) => {
                assert_eq!(ack.reason, ReasonCode::Success);
                self.due.push_back((Due::Complete, number(ack.packet_id)));
                Some(Event::PubRel(number(ack.packet_id)))
            }
            Packet::PubAck(ack) | Packet::PubRec(ack) => Some(Event::Answered(number(ack.packet_id), ack.reason)),
            Packet::PubComp(ack) => Some(Event::Completed(number(ack.packet_id))),
            Packet::SubAck(answer) => Some(Event::SubAck(number(answer.packet_id), answer.reasons.clone())),
            Packet::UnsubAck(answer) => Some(Event::UnsubAck(number(answer.packet_id), answer.reasons.clone())),
            Packet::PingResp => Some(Event::PingResp),
            // Told once more, with everyone's version, as the end of what was taken.
            Packet::Disconnect(_) => None,
            other => panic!("a server never sends {other:?}"),
        }
    }

    fn see(&mut self, publish: &Publish<'_>, id: u16, length: usize) -> Seen {
        let topic = match (publish.topic, publish.properties.topic_alias()) {
            (Some(topic), alias) => {
                alias.map(|alias| self.aliases.insert(alias, topic.as_str().to_owned()));
                topic.as_str().to_owned()
            }
            (None, alias) => self.aliases[&alias.expect("a topic or an alias")].clone(),
        };
        let mut identifiers: Vec<u32> = publish.properties.subscription_identifiers().collect();
        identifiers.sort_unstable();
        let text = std::str::from_utf8(publish.payload).expect("our payloads are text");
        Seen {
            topic,
            text: text.trim_end_matches('.').to_owned(),
            qos: publish.qos,
            retain: publish.retain,
            dup: publish.dup,
            id,
            identifiers,
            properties: travelling(publish.properties),
            expiry: publish.properties.message_expiry_interval(),
            length,
        }
    }

    pub(crate) fn send(&mut self, packet: Packet<'_>, now: Moment) -> Result<(), Closed> {
        self.outbound.touch(now);
        self.client.handle(packet, now, &mut Wakes::default())
    }

    pub(crate) fn acknowledge(&mut self, due: Due, id: u16, reason: ReasonCode, now: Moment) {
        let ack = Ack::new(packet_id(id), reason);
        let packet = match due {
            Due::Acknowledge => Packet::PubAck(ack),
            Due::Receive => Packet::PubRec(ack),
            Due::Complete => Packet::PubComp(ack),
        };
        self.send(packet, now).expect("an acknowledgement of what came");
    }

    pub(crate) fn say_goodbye(&mut self, reason: ReasonCode, expiry: Option<u32>, now: Moment) {
        let mut properties = PropertiesBuf::default();
        properties_of_goodbye(&mut properties, expiry);
        let goodbye = Disconnect { reason, properties: properties.as_properties() };
        assert_eq!(self.send(Packet::Disconnect(goodbye), now), Err(Closed::ByClient));
    }

    pub(crate) fn end(self, now: Moment) {
        self.client.end(now, &mut Wakes::default());
    }
}

fn properties_of_goodbye(properties: &mut PropertiesBuf, expiry: Option<u32>) {
    if let Some(seconds) = expiry {
        properties.push(Property::SessionExpiryInterval(seconds));
    }
}

/// The properties that belong to a message, as text.
pub(crate) fn travelling(properties: Properties<'_>) -> Vec<String> {
    let belongs = |property: &Property<'_>| {
        !matches!(
            property,
            Property::TopicAlias(_)
                | Property::SubscriptionIdentifier(_)
                | Property::MessageExpiryInterval(_)
                | Property::WillDelayInterval(_)
        )
    };
    properties.iter().filter(belongs).map(|property| format!("{property:?}")).collect()
}

pub(crate) fn packet_id(number: u16) -> PacketId {
    PacketId::try_from(number).expect("never zero")
}

pub(crate) fn number(id: PacketId) -> u16 {
    id.as_u16()
}
