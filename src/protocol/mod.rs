//! MQTT on the wire: packets, properties, reason codes and topics. Pure: bytes in, values out.
//!
//! ```text
//! bytes -> decode -> Packet<'_>  (borrows the bytes, validated whole)
//! Packet<'_> -> encode -> bytes
//! topic text -> TopicName / TopicFilter  (only parsing builds one)
//! ```
//!
//! One strict codec serves MQTT 3.1, 3.1.1 and 5.0. Whatever [`decode`] lets through obeys every rule of the
//! standard that can be judged from one packet alone.
//!
//! ```
//! use certmq::protocol::{Decoded, Packet, Sender, Version, decode};
//!
//! let buffer = b"\x30\x06\x00\x01a\x00hi and the beginning of more";
//! let Decoded::Packet { packet: Packet::Publish(publish), length } =
//!     decode(buffer, Version::V5, Sender::Client, 1024)?
//! else {
//!     unreachable!("it is whole, and a PUBLISH");
//! };
//! assert_eq!((publish.payload, length), (&b"hi"[..], 8));
//!
//! let mut copy = Vec::new();
//! publish.encode(Version::V3_1_1, &mut copy);
//! assert_eq!(copy, b"\x30\x05\x00\x01ahi");
//! # Ok::<(), certmq::protocol::DecodeError>(())
//! ```

mod decode;
mod encode;
mod error;
mod packet;
mod packet_id;
mod property;
mod read;
mod reason;
pub mod topic;
mod version;
mod write;

pub use decode::{Decoded, Sender, decode, decode_connect};
pub use encode::{AckType, DeliveredTopic, Delivery, PublishFrame};
pub use error::{ConnectError, DecodeError, Inexpressible};
pub use packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, PacketType, Publish, RetainHandling, SubAck, Subscribe,
    SubscribeRequest, SubscriptionOptions, UnsubAck, Unsubscribe, Will,
};
pub use packet_id::{PacketId, ZeroPacketId};
pub use property::{AliasProperty, Carrier, Properties, PropertiesBuf, Property};
pub use reason::{ReasonCode, UnknownReasonCode};
pub use topic::{TopicFilter, TopicName};
pub use version::{QoS, Version};

/// The largest remaining length, and the largest subscription identifier, that four bytes can tell (section 1.5.5).
pub const MAX_VARIABLE_BYTE_INTEGER: u32 = 268_435_455;

/// The largest packet there is, fixed header included: a `maximum` that refuses nothing.
pub const MAX_PACKET_BYTES: u32 = MAX_VARIABLE_BYTE_INTEGER + 5;
