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

mod decode;
mod encode;
mod error;
mod packet;
mod property;
mod reason;
pub mod topic;

pub use decode::{Decoded, Sender, decode, decode_connect};
pub use error::DecodeError;
pub use packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, Publish, RetainHandling, SubAck, Subscribe, SubscribeRequest,
    SubscriptionOptions, UnsubAck, Unsubscribe, Will,
};
pub use property::{Properties, PropertiesBuf, Property};
pub use reason::ReasonCode;
pub use topic::{TopicFilter, TopicName};

use std::num::NonZeroU16;

/// The protocol version a connection speaks, from the protocol level of its CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// MQTT 3.1, protocol name `MQIsdp`, level 3.
    V3_1,
    /// MQTT 3.1.1, level 4.
    V3_1_1,
    /// MQTT 5.0, level 5.
    V5,
}

/// Quality of service of a message or the bound of a subscription (MQTT 5.0 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum QoS {
    /// QoS 0.
    AtMostOnce = 0,
    /// QoS 1.
    AtLeastOnce = 1,
    /// QoS 2.
    ExactlyOnce = 2,
}

/// A packet identifier: never zero `[MQTT-2.2.1-3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PacketId(pub NonZeroU16);
