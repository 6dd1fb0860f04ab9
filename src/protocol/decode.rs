//! Bytes to packets.
//!
//! A packet is judged in the order its bytes arrive: type, direction and flags by the first byte, the length as
//! soon as it is known, the body when it is whole. A refusal never waits for bytes that cannot change it.

mod connect;
mod header;
mod publish;
mod session;
mod subscribe;
#[cfg(test)]
mod tests;

use header::Frame;

use super::read::Reader;
use super::{Carrier, ConnectError, DecodeError, Packet, PacketType, Properties, ReasonCode, Version};

/// Who sent the bytes: each side may send only some packets and properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// CONNECT, PUBLISH, the acknowledgements, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT, AUTH (5.0).
    Client,
    /// CONNACK, PUBLISH, the acknowledgements, SUBACK, UNSUBACK, PINGRESP, DISCONNECT (5.0), AUTH (5.0).
    Server,
}

/// The outcome of looking at the start of a buffer.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded<'a> {
    /// A whole packet, and how many bytes of the buffer it took.
    Packet {
        /// The packet.
        packet: Packet<'a>,
        /// Bytes taken from the front.
        length: usize,
    },
    /// A legal beginning: at least this many bytes in all are needed before it is worth asking again.
    Incomplete {
        /// Total bytes, counted from the front; always more than there are.
        needed: usize,
    },
}

/// Decodes the packet at the front of `input` on a connection that already speaks `version`. So CONNECT is a
/// protocol error here `[MQTT-3.1.0-2]`; [`decode_connect`] takes the first.
///
/// `maximum` bounds the whole packet in bytes and is judged as soon as the remaining length is known, as are
/// the packet type and its flags: nothing is awaited that would be refused.
///
/// # Errors
/// The first fault met, with its reason code. The connection cannot go on after it: where the next packet starts is
/// not told.
pub fn decode(input: &[u8], version: Version, from: Sender, maximum: u32) -> Result<Decoded<'_>, DecodeError> {
    let Some(&first) = input.first() else {
        return Ok(Decoded::Incomplete { needed: header::SHORTEST_PACKET });
    };
    let packet_type = header::packet_type(first, version)?;
    header::judge_framing(input, packet_type)?;
    header::judge_first_byte(first, packet_type, version, from)?;
    Ok(match header::frame(input, packet_type, version, maximum)? {
        Frame::Partial { needed } => Decoded::Incomplete { needed },
        Frame::Whole { body, length } => {
            let body = Body { version, from, packet_type, first, reader: Reader::new(body) };
            Decoded::Packet { packet: body.packet()?, length }
        }
    })
}

/// Decodes the first packet of a connection, which must be CONNECT `[MQTT-3.1.0-1]` and brings its own version.
///
/// # Errors
/// The first fault met, and the version to answer in where the bytes tell it.
pub fn decode_connect(input: &[u8], maximum: u32) -> Result<Decoded<'_>, ConnectError> {
    connect::decode_first(input, maximum).map_err(|fault| ConnectError { fault, version: connect::answer_in(input) })
}

/// The bytes behind the fixed header of one packet, and what its rules depend on.
struct Body<'a> {
    version: Version,
    from: Sender,
    packet_type: PacketType,
    first: u8,
    reader: Reader<'a>,
}

impl<'a> Body<'a> {
    fn packet(self) -> Result<Packet<'a>, DecodeError> {
        Ok(match self.packet_type {
            PacketType::Connect => return Err(header::SECOND_CONNECT),
            PacketType::ConnAck => Packet::ConnAck(self.connack()?),
            PacketType::Publish => Packet::Publish(self.publish()?),
            PacketType::PubAck => Packet::PubAck(self.ack()?),
            PacketType::PubRec => Packet::PubRec(self.ack()?),
            PacketType::PubRel => Packet::PubRel(self.ack()?),
            PacketType::PubComp => Packet::PubComp(self.ack()?),
            PacketType::Subscribe => Packet::Subscribe(self.subscribe()?),
            PacketType::SubAck => Packet::SubAck(self.suback()?),
            PacketType::Unsubscribe => Packet::Unsubscribe(self.unsubscribe()?),
            PacketType::UnsubAck => Packet::UnsubAck(self.unsuback()?),
            // The length was judged with the header: nothing is left to read.
            PacketType::PingReq => Packet::PingReq,
            PacketType::PingResp => Packet::PingResp,
            PacketType::Disconnect => Packet::Disconnect(self.disconnect()?),
            // From a client, which was never asked for it, it is out of place whatever it says.
            PacketType::Auth if self.from == Sender::Client => {
                Packet::Auth(self.auth().map_err(|_| header::AUTH_UNASKED)?)
            }
            PacketType::Auth => Packet::Auth(self.auth()?),
        })
    }

    /// A reason code of 5.0 that this packet may carry.
    fn reason(&mut self) -> Result<ReasonCode, DecodeError> {
        let reason = ReasonCode::try_from(self.reader.u8()?);
        match reason.ok().filter(|reason| reason.is_valid_in(self.packet_type, self.from)) {
            Some(reason) => Ok(reason),
            // Who has sent DISCONNECT reads no answer [MQTT-3.14.4-1].
            None if self.packet_type == PacketType::Disconnect && self.from == Sender::Client => {
                Err(DecodeError::Unanswered("a reason code that DISCONNECT from a client cannot have"))
            }
            None => Err(DecodeError::Protocol("a reason code that this packet or this side cannot use")),
        }
    }

    /// The property section of 5.0; none before it.
    fn properties(&mut self) -> Result<Properties<'a>, DecodeError> {
        match self.version {
            Version::V3_1 | Version::V3_1_1 => Ok(Properties::default()),
            Version::V5 => Properties::read(&mut self.reader, Carrier::Packet(self.packet_type), self.from),
        }
    }

    /// The property section of a packet that may end before its property length (sections 3.4.2.2.1, 3.14.2.2.1).
    fn optional_properties(&mut self) -> Result<Properties<'a>, DecodeError> {
        match self.reader.is_empty() {
            true => Ok(Properties::default()),
            false => self.properties(),
        }
    }
}
