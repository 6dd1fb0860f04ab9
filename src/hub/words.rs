//! Reason strings: why something failed, in words for whoever maintains the device (section 3.4.2.2.2 and its kin).
//!
//! They name what the device sent and nothing else: no rule, no other device, no topic that is not its own. A client
//! that wants none gets none `[MQTT-3.1.2-29]`, and where one would make its packet too large it is left out
//! `[MQTT-3.2.2-19]`, `[MQTT-3.4.2-2]`, `[MQTT-3.14.2-3]`.

use crate::protocol::{
    ConnAck, Disconnect, Packet, Properties, PropertiesBuf, Property, QoS, ReasonCode, Subscribe, TopicName, Version,
};
use crate::session::{Outbox, PacketTooLarge, ProblemInformation, Terms};

/// Bytes of the longest reason string; a longer one is cut.
const LONGEST: usize = 512;

/// For 0x99.
pub(super) const PAYLOAD_FORMAT: &str = "the payload is not UTF-8, as its payload format indicator says";

/// For 0x97 on a publication.
pub(super) const FULL: &str = "a queue or the store of retained messages is full; send it again later";

/// `text` as the properties of an answer with `reason`. Refusals that depend on how this broker was set up are told to
/// every client that may be told; what the standard itself forbids, only to one that asked: its code says it all.
pub(super) fn reason_string(reason: ReasonCode, text: &str, terms: &Terms) -> PropertiesBuf {
    let mut properties = PropertiesBuf::new();
    let is_of_this_broker = matches!(reason, ReasonCode::NotAuthorized | ReasonCode::QuotaExceeded);
    let is_told = match terms.problem_information {
        ProblemInformation::Wanted => true,
        ProblemInformation::Allowed => is_of_this_broker,
        ProblemInformation::Unwanted => false,
    };
    if is_told {
        let end = (0..=LONGEST.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        properties.push(Property::ReasonString(text.get(..end).unwrap_or_default()));
    }
    properties
}

/// For 0x87 on a publication.
pub(super) fn denied_publish(topic: TopicName<'_>, qos: QoS, retain: bool) -> String {
    let retained = if retain { ", retained" } else { "" };
    format!("no right to publish with QoS {}{retained} to {}", qos as u8, topic.as_str())
}

/// For a will that may not be published.
pub(super) fn denied_will(topic: TopicName<'_>) -> String {
    format!("no right to publish the will to {}", topic.as_str())
}

/// For the refusals of a SUBACK: the first, and how many more there are. `None` without any.
pub(super) fn refused_filters(subscribe: &Subscribe<'_>, reasons: &[ReasonCode]) -> Option<(ReasonCode, String)> {
    let mut refused = subscribe.requests.iter().zip(reasons).filter(|(_, reason)| reason.is_error());
    let (request, reason) = refused.next()?;
    let filter = request.filter.as_str();
    let first = match reason {
        ReasonCode::NotAuthorized => format!("no right to subscribe to {filter}"),
        ReasonCode::TopicFilterInvalid => format!("longer or deeper than this server takes: {filter}"),
        ReasonCode::QuotaExceeded => format!("the session has as many subscriptions as it may: {filter}"),
        other => format!("{}: {filter}", other.name()),
    };
    let text = match refused.count() {
        0 => first,
        more => format!("{} refusals, the first: {first}", more + 1),
    };
    Some((*reason, text))
}

/// Appends an answer as large as the client takes it: whole or without its properties `[MQTT-3.1.2-24]`.
///
/// # Errors
/// [`PacketTooLarge`] when the client takes not even this much; nothing was appended.
pub(super) fn append(packet: &Packet<'_>, terms: &Terms, outbox: &mut Outbox) -> Result<(), PacketTooLarge> {
    let Terms { version, maximum_packet_size, .. } = *terms;
    outbox
        .append_within(packet, version, maximum_packet_size)
        .or_else(|_| outbox.append_within(&without_properties(packet.clone()), version, maximum_packet_size))
}

/// The last word to a client that breaks the protocol. Before 5.0 there is none.
pub(super) fn goodbye<'a>(disconnect: Disconnect<'a>, terms: &Terms) -> Option<Packet<'a>> {
    (terms.version == Version::V5).then_some(Packet::Disconnect(disconnect)).and_then(|packet| fitting(packet, terms))
}

/// A refused CONNECT.
pub(super) fn refusal<'a>(reason: ReasonCode, properties: Properties<'a>, terms: &Terms) -> Option<Packet<'a>> {
    fitting(Packet::ConnAck(ConnAck { properties, ..ConnAck::refusal(reason) }), terms)
}

/// The packet as large as the client takes it.
fn fitting<'a>(packet: Packet<'a>, terms: &Terms) -> Option<Packet<'a>> {
    let fits = |packet: &Packet<'_>| {
        let mut frame = Vec::new();
        packet.encode(terms.version, &mut frame);
        frame.len() <= terms.maximum_packet_size as usize
    };
    if fits(&packet) {
        return Some(packet);
    }
    Some(without_properties(packet)).filter(fits)
}

/// Answers say nothing in their properties that the client could not do without.
fn without_properties(packet: Packet<'_>) -> Packet<'_> {
    let properties = Properties::default();
    match packet {
        Packet::ConnAck(answer) => Packet::ConnAck(ConnAck { properties, ..answer }),
        Packet::PubAck(ack) => Packet::PubAck(crate::protocol::Ack { properties, ..ack }),
        Packet::PubRec(ack) => Packet::PubRec(crate::protocol::Ack { properties, ..ack }),
        Packet::SubAck(answer) => Packet::SubAck(crate::protocol::SubAck { properties, ..answer }),
        Packet::Disconnect(disconnect) => Packet::Disconnect(Disconnect { properties, ..disconnect }),
        other => other,
    }
}
