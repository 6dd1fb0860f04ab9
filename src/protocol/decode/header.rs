//! The fixed header (section 2.1): everything that can be judged before the body is there.

use crate::protocol::read::variable_byte_integer;
use crate::protocol::{DecodeError, PacketType, Sender, Version};

/// The first byte and a remaining length of 0.
pub(super) const SHORTEST_PACKET: usize = 2;

pub(super) const SECOND_CONNECT: DecodeError = DecodeError::Protocol("a second CONNECT [MQTT-3.1.0-2]");

pub(super) const AUTH_UNASKED: DecodeError =
    DecodeError::Protocol("AUTH, malformed and without an authentication method [MQTT-4.12.0-6]");

/// The bytes of one packet, as far as they are there.
pub(super) enum Frame<'a> {
    /// All of them.
    Whole {
        /// Behind the fixed header.
        body: &'a [u8],
        /// With the fixed header.
        length: usize,
    },
    /// A legal beginning.
    Partial {
        /// Bytes in all before more can be said.
        needed: usize,
    },
}

/// What kind of packet begins so.
pub(super) fn packet_type(first: u8, version: Version) -> Result<PacketType, DecodeError> {
    PacketType::of_first_byte(first)
        .filter(|packet_type| *packet_type != PacketType::Auth || version == Version::V5)
        .ok_or(DecodeError::Protocol("a reserved packet type (section 2.1.2)"))
}

/// Refuses, as far as the bytes are there, a remaining length after which nothing can be told apart.
pub(super) fn judge_framing(input: &[u8], packet_type: PacketType) -> Result<(), DecodeError> {
    let length = input.get(1..).unwrap_or_default();
    if length.len() >= 4 && length.iter().take(4).all(|byte| byte & 0x80 != 0) {
        return Err(DecodeError::Unanswered("a remaining length of more than four bytes (section 2.1.4)"));
    }
    match (packet_type, length.first()) {
        (PacketType::PingReq | PacketType::PingResp, Some(1..0x80)) => {
            Err(DecodeError::Unanswered("a ping with a body (sections 3.12 and 3.13)"))
        }
        _ => Ok(()),
    }
}

/// Judges direction and flags.
pub(super) fn judge_first_byte(
    first: u8,
    packet_type: PacketType,
    version: Version,
    from: Sender,
) -> Result<(), DecodeError> {
    let flags = || judge_flags(packet_type, first & 0x0F, version);
    let direction = || judge_direction(packet_type, version, from);
    match packet_type {
        // Out of place whatever their flags say.
        PacketType::Connect | PacketType::ConnAck => direction().and_then(|()| flags()),
        PacketType::Auth if from == Sender::Client => flags().map_err(|_| AUTH_UNASKED),
        _ => flags().and_then(|()| direction()),
    }
}

/// Finds the end of the packet. The first byte has been judged.
pub(super) fn frame(
    input: &[u8],
    packet_type: PacketType,
    version: Version,
    maximum: u32,
) -> Result<Frame<'_>, DecodeError> {
    let after_first = input.get(1..).unwrap_or_default();
    let Some((remaining, length_bytes)) = variable_byte_integer(after_first)? else {
        return Ok(Frame::Partial { needed: input.len() + 1 });
    };
    judge_remaining_length(packet_type, remaining, version)?;
    let header = 1 + length_bytes;
    // At most five bytes and 268 435 455: no overflow.
    if remaining + header as u32 > maximum {
        return Err(DecodeError::TooLarge(maximum));
    }
    let length = header + remaining as usize;
    Ok(match input.get(header..length) {
        Some(body) => Frame::Whole { body, length },
        None => Frame::Partial { needed: length },
    })
}

fn judge_direction(packet_type: PacketType, version: Version, from: Sender) -> Result<(), DecodeError> {
    match (packet_type, from) {
        (PacketType::Connect, Sender::Client) => Err(SECOND_CONNECT),
        (PacketType::ConnAck | PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp, Sender::Client) => {
            Err(DecodeError::Protocol("a packet that only a server sends"))
        }
        (
            PacketType::Connect | PacketType::Subscribe | PacketType::Unsubscribe | PacketType::PingReq,
            Sender::Server,
        ) => Err(DecodeError::Protocol("a packet that only a client sends")),
        (PacketType::Disconnect, Sender::Server) if version < Version::V5 => {
            Err(DecodeError::Protocol("DISCONNECT from a server before MQTT 5.0"))
        }
        _ => Ok(()),
    }
}

/// `[MQTT-2.1.3-1]`. MQTT 3.1 calls the flags of most packets unused, and repeats PUBREL, SUBSCRIBE and UNSUBSCRIBE
/// with DUP set (3.1 section 2.1): its devices may have anything there.
fn judge_flags(packet_type: PacketType, flags: u8, version: Version) -> Result<(), DecodeError> {
    let (mask, expected) = match packet_type {
        PacketType::Publish => return judge_publish_flags(flags),
        PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe => match version {
            Version::V3_1 => (0b0110, 0b0010),
            Version::V3_1_1 | Version::V5 => (0b1111, 0b0010),
        },
        _ => match version {
            Version::V3_1 => (0, 0),
            Version::V3_1_1 | Version::V5 => (0b1111, 0),
        },
    };
    match flags & mask == expected {
        true => Ok(()),
        false => Err(DecodeError::Malformed("reserved flags of the fixed header [MQTT-2.1.3-1]")),
    }
}

fn judge_publish_flags(flags: u8) -> Result<(), DecodeError> {
    let dup = flags & 0b1000 != 0;
    match flags >> 1 & 0b11 {
        0 if dup => Err(DecodeError::Malformed("DUP with QoS 0 [MQTT-3.3.1-2]")),
        3 => Err(DecodeError::Malformed("QoS 3 [MQTT-3.3.1-4]")),
        _ => Ok(()),
    }
}

/// Refuses lengths that no body of this type can have.
fn judge_remaining_length(packet_type: PacketType, remaining: u32, version: Version) -> Result<(), DecodeError> {
    let v5 = version == Version::V5;
    let (least, most) = match packet_type {
        PacketType::Disconnect if !v5 => (0, 0),
        PacketType::PingReq | PacketType::PingResp => (0, 0),
        PacketType::Disconnect | PacketType::Auth => (0, u32::MAX),
        PacketType::ConnAck | PacketType::UnsubAck if !v5 => (2, 2),
        PacketType::PubAck | PacketType::PubRec | PacketType::PubRel | PacketType::PubComp if !v5 => (2, 2),
        _ => (2, u32::MAX),
    };
    match (least..=most).contains(&remaining) {
        true => Ok(()),
        false => Err(DecodeError::Malformed("a remaining length that this packet cannot have")),
    }
}
