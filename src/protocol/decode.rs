//! Bytes to packets.

use super::{DecodeError, Packet, Version};

/// Who sent the bytes: each side may send only some packets and properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// CONNECT, PUBLISH, the acknowledgements, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT, AUTH.
    Client,
    /// CONNACK, PUBLISH, the acknowledgements, SUBACK, UNSUBACK, PINGRESP, DISCONNECT (5.0), AUTH.
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
        /// Total bytes, counted from the front.
        needed: usize,
    },
}

/// Decodes the packet at the front of `input` on a connection that already speaks `version`.
///
/// `maximum` bounds the whole packet in bytes and is judged as soon as the remaining length is known, as are
/// the packet type and its flags: nothing is awaited that would be refused.
pub fn decode(input: &[u8], version: Version, from: Sender, maximum: u32) -> Result<Decoded<'_>, DecodeError> {
    let _ = (input, version, from, maximum);
    todo!()
}

/// Decodes the first packet of a connection, which must be CONNECT `[MQTT-3.1.0-1]` and brings its own version.
pub fn decode_connect(input: &[u8], maximum: u32) -> Result<Decoded<'_>, DecodeError> {
    let _ = (input, maximum);
    todo!()
}
