//! Messages into the outbox, as PUBLISH packets of the client's version.

use super::aliases::Naming;
use super::outgoing::{InFlight, Outgoing, Stage, Waiting};
use super::{Message, Moment, Outbox, Publication, Terms};
use crate::protocol::{
    Ack, AliasProperty, Packet, PacketId, Properties, PropertiesBuf, Property, Publish, QoS, ReasonCode, TopicName,
    Version,
};
use bytes::Bytes;
use std::sync::Arc;

/// Whether a packet went into the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Yes,
    /// Not now.
    NoRoom,
    /// Never: the client takes no packet of this size.
    TooLarge,
}

/// Writes a publication with QoS 0, straight from the publisher's packet.
pub(super) fn write_once(
    publication: &Publication<'_>,
    retain: bool,
    identifiers: &[u32],
    terms: Terms,
    outbox: &mut Outbox,
    now: Moment,
) -> Written {
    let added = Added { expiry: publication.remaining_seconds(now), identifiers };
    let properties = outgoing_properties(publication.properties(), added, terms);
    let publish = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain,
        topic: Some(publication.topic()),
        packet_id: None,
        properties: properties.as_properties(),
        payload: publication.payload(),
    };
    write(&publish, || publication.message().payload.clone(), terms, outbox)
}

/// Puts a message in flight under a fresh packet id.
pub(super) fn launch(
    outgoing: &mut Outgoing,
    waiting: &Waiting,
    terms: Terms,
    outbox: &mut Outbox,
    now: Moment,
) -> Written {
    // No free id is no room: one comes free with the next acknowledgement.
    let Some(id) = outgoing.next_id() else { return Written::NoRoom };
    let written = write_stored(waiting, Some(Exchange { id, dup: false }), terms, outbox, now);
    if written == Written::Yes {
        outgoing.launch(id, waiting.clone());
    }
    written
}

/// Sends what an earlier connection had sent: PUBLISH with DUP, or PUBREL `[MQTT-4.4.0-1]`.
pub(super) fn repeat(entry: &InFlight, terms: Terms, outbox: &mut Outbox, now: Moment) -> Written {
    match &entry.stage {
        Stage::Published(waiting) => {
            write_stored(waiting, Some(Exchange { id: entry.id, dup: true }), terms, outbox, now)
        }
        Stage::Released => {
            if outbox.is_full() {
                return Written::NoRoom;
            }
            let release = Ack { packet_id: entry.id, reason: ReasonCode::Success, properties: Properties::default() };
            outbox.append(&Packet::PubRel(release), terms.version);
            Written::Yes
        }
    }
}

/// The packet id and DUP flag of a QoS 1 or 2 transmission.
#[derive(Clone, Copy)]
pub(super) struct Exchange {
    id: PacketId,
    dup: bool,
}

/// Writes a stored message; without an exchange it goes with QoS 0.
pub(super) fn write_stored(
    waiting: &Waiting,
    exchange: Option<Exchange>,
    terms: Terms,
    outbox: &mut Outbox,
    now: Moment,
) -> Written {
    let message: &Arc<Message> = &waiting.message;
    let added = Added { expiry: message.remaining_seconds(now), identifiers: &waiting.identifiers };
    let properties = outgoing_properties(message.properties.as_properties(), added, terms);
    let topic: TopicName<'_> = message.topic.as_name();
    let publish = Publish {
        dup: exchange.is_some_and(|exchange| exchange.dup),
        qos: waiting.qos,
        retain: waiting.retain,
        topic: Some(topic),
        packet_id: exchange.map(|exchange| exchange.id),
        properties: properties.as_properties(),
        payload: &message.payload,
    };
    write(&publish, || message.payload.clone(), terms, outbox)
}

fn write(publish: &Publish<'_>, payload: impl FnOnce() -> Bytes, terms: Terms, outbox: &mut Outbox) -> Written {
    match publish.topic {
        Some(topic) if terms.topic_aliases > 0 => write_named(publish, topic, payload, terms, outbox),
        _ => append(publish, Properties::default(), payload, terms, outbox),
    }
}

/// Writes a publication by an alias, or teaches the client one, where that fits.
fn write_named(
    publish: &Publish<'_>,
    topic: TopicName<'_>,
    payload: impl FnOnce() -> Bytes,
    terms: Terms,
    outbox: &mut Outbox,
) -> Written {
    let naming = outbox.aliases().name(topic, terms.topic_aliases);
    let (alias, spelled) = match naming {
        Naming::InFull => return append(publish, Properties::default(), payload, terms, outbox),
        Naming::Taught(alias) => (AliasProperty::new(alias), Some(topic)),
        Naming::ByAlias(alias) => (AliasProperty::new(alias), None),
    };
    let named = Publish { topic: spelled, ..publish.clone() };
    if named.encoded_len_with(alias.as_properties(), terms.version) > terms.maximum_packet_size as usize {
        // The alias may be what makes it too large.
        return append(publish, Properties::default(), payload, terms, outbox);
    }
    let written = append(&named, alias.as_properties(), payload, terms, outbox);
    if written == Written::Yes {
        outbox.aliases().told(naming, topic);
    }
    written
}

/// Appends a PUBLISH with the properties `own` before its others.
fn append(
    publish: &Publish<'_>,
    own: Properties<'_>,
    payload: impl FnOnce() -> Bytes,
    terms: Terms,
    outbox: &mut Outbox,
) -> Written {
    let length = publish.encoded_len_with(own, terms.version);
    if length > terms.maximum_packet_size as usize {
        return Written::TooLarge;
    }
    if !outbox.accepts(length) {
        return Written::NoRoom;
    }
    // It had a length, so it has a form.
    let appended = publish.encode_head_with(own, terms.version, outbox.frames()).is_ok();
    match (appended, outbox.is_large(length)) {
        (true, true) => outbox.attach(payload()),
        (true, false) => outbox.frames().extend_from_slice(publish.payload),
        (false, _) => {}
    }
    outbox.count_publication(publish.payload.len());
    Written::Yes
}

/// What the broker adds to a message's own properties.
#[derive(Clone, Copy)]
struct Added<'a> {
    expiry: Option<u32>,
    identifiers: &'a [u32],
}

/// The properties of an outgoing PUBLISH: the publisher's that travel, the time left, the reader's identifiers.
fn outgoing_properties(own: Properties<'_>, added: Added<'_>, terms: Terms) -> PropertiesBuf {
    if terms.version != Version::V5 {
        return PropertiesBuf::default();
    }
    let mut properties = PropertiesBuf::forwarded(own);
    if let Some(seconds) = added.expiry {
        properties.push(Property::MessageExpiryInterval(seconds));
    }
    for &identifier in added.identifiers {
        properties.push(Property::SubscriptionIdentifier(identifier));
    }
    properties
}
