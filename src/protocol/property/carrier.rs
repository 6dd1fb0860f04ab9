//! Which packet may carry which property, how often, and from which side (table 2-4 of section 2.2.2.2).

use super::Property;
use crate::protocol::read::Reader;
use crate::protocol::{DecodeError, PacketType, Sender};

/// What has a property section: most packets, and the will inside CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The variable header of a packet.
    Packet(PacketType),
    /// The will properties in the payload of CONNECT (section 3.1.3.2).
    Will,
}

impl Carrier {
    /// Whether a section without any property breaks a rule: AUTH must name its method (section 3.15.2.2.2).
    pub(super) fn needs_properties(self) -> bool {
        self == Self::Packet(PacketType::Auth)
    }

    fn is_request(self) -> bool {
        matches!(self, Self::Packet(PacketType::Subscribe | PacketType::Unsubscribe))
    }

    fn bit(self) -> u16 {
        match self {
            // No packet has type 0.
            Self::Will => 1,
            Self::Packet(packet) => 1 << packet as u8,
        }
    }
}

/// Judges a whole section.
pub(super) fn judge(raw: &[u8], carrier: Carrier, from: Sender) -> Result<(), DecodeError> {
    let mut reader = Reader::new(raw);
    // One bit for each identifier, all of which are below 64.
    let mut seen = 0_u64;
    // The place goes before the value: topic alias 0 in CONNECT is no fault of an alias.
    while let Some(&id) = reader.rest().first() {
        if carriers(id) & carrier.bit() == 0 {
            return Err(misplaced(&mut reader, carrier));
        }
        let property = Property::read(&mut reader).map_err(|fault| match carrier.is_request() {
            true => DecodeError::Malformed("a property value out of range"),
            false => fault,
        })?;
        judge_sender(property, carrier, from)?;
        let bit = 1 << id;
        if seen & bit != 0 && !may_repeat(property, carrier) {
            return Err(DecodeError::Protocol("a property that may occur once occurs twice"));
        }
        seen |= bit;
    }
    judge_authentication(seen, carrier)
}

/// A property in the wrong packet: a protocol error once it was read whole (section 1.2), malformed where it cannot
/// be read, and in requests (docs/decisions/0007).
fn misplaced(reader: &mut Reader<'_>, carrier: Carrier) -> DecodeError {
    const WHAT: &str = "a property that is unknown or not of this packet (section 2.2.2.2)";
    match Property::read(reader) {
        Err(DecodeError::Malformed(_)) => DecodeError::Malformed(WHAT),
        _ if carrier.is_request() => DecodeError::Malformed(WHAT),
        _ => DecodeError::Protocol(WHAT),
    }
}

fn judge_sender(property: Property<'_>, carrier: Carrier, from: Sender) -> Result<(), DecodeError> {
    match (property, carrier, from) {
        (Property::SubscriptionIdentifier(_), Carrier::Packet(PacketType::Publish), Sender::Client) => {
            Err(DecodeError::Protocol("a client sent a subscription identifier in PUBLISH [MQTT-3.3.4-6]"))
        }
        (Property::SessionExpiryInterval(_), Carrier::Packet(PacketType::Disconnect), Sender::Server) => {
            Err(DecodeError::Protocol("a server sent a session expiry interval in DISCONNECT [MQTT-3.14.2-2]"))
        }
        _ => Ok(()),
    }
}

fn may_repeat(property: Property<'_>, carrier: Carrier) -> bool {
    match property {
        Property::UserProperty(..) => true,
        // One for each subscription that the message matched (section 3.3.2.3.8).
        Property::SubscriptionIdentifier(_) => carrier == Carrier::Packet(PacketType::Publish),
        _ => false,
    }
}

/// Sections 3.1.2.11.10 and 3.15.2.2.2.
fn judge_authentication(seen: u64, carrier: Carrier) -> Result<(), DecodeError> {
    let has = |property: Property<'_>| seen & (1 << property.id()) != 0;
    let method = has(Property::AuthenticationMethod(""));
    if has(Property::AuthenticationData(&[])) && !method {
        return Err(DecodeError::Protocol("authentication data without an authentication method"));
    }
    match carrier.needs_properties() && !method {
        true => Err(DecodeError::Protocol("AUTH without an authentication method")),
        false => Ok(()),
    }
}

/// The bits of every carrier in which a property may be: table 2-4 line by line, none for what is no identifier.
fn carriers(id: u8) -> u16 {
    use PacketType as P;
    match id {
        0x01..=0x03 | 0x08 | 0x09 => const { packets(&[P::Publish]) | WILL },
        0x0B => const { packets(&[P::Publish, P::Subscribe]) },
        0x11 => const { packets(&[P::Connect, P::ConnAck, P::Disconnect]) },
        0x12 | 0x13 => const { packets(&[P::ConnAck]) },
        0x15 | 0x16 => const { packets(&[P::Connect, P::ConnAck, P::Auth]) },
        0x17 | 0x19 => const { packets(&[P::Connect]) },
        0x18 => WILL,
        0x1A => const { packets(&[P::ConnAck]) },
        0x1C => const { packets(&[P::ConnAck, P::Disconnect]) },
        0x1F => {
            const {
                packets(&[P::ConnAck, P::PubAck, P::PubRec, P::PubRel, P::PubComp])
                    | packets(&[P::SubAck, P::UnsubAck, P::Disconnect, P::Auth])
            }
        }
        0x21 | 0x22 | 0x27 => const { packets(&[P::Connect, P::ConnAck]) },
        0x23 => const { packets(&[P::Publish]) },
        0x24 | 0x25 | 0x28..=0x2A => const { packets(&[P::ConnAck]) },
        0x26 => u16::MAX,
        _ => 0,
    }
}

const WILL: u16 = 1;

const fn packets(types: &[PacketType]) -> u16 {
    match types {
        [first, rest @ ..] => 1 << *first as u8 | packets(rest),
        [] => 0,
    }
}
