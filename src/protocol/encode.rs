//! Packets to bytes.
//!
//! Every packet appends itself to a vector in its shortest form. What is [`Inexpressible`](super::Inexpressible) is
//! not written at all and leaves the vector as it was, so that framing never breaks.

mod connect;
mod frame;
mod publish;
mod subscribe;
#[cfg(test)]
mod tests;

pub use frame::{DeliveredTopic, Delivery, PublishFrame};
pub use publish::AckType;

use super::write::Writer;
use super::{Auth, Disconnect, Packet, PacketType, ReasonCode, Version};

impl Packet<'_> {
    /// Appends the packet to `out` as `version` writes it. Before 5.0 properties and reason codes are left out
    /// or mapped (CONNACK return codes, SUBACK 0x80). CONNECT brings its own version.
    ///
    /// What is [`Inexpressible`](super::Inexpressible) in `version` leaves `out` as it was; nothing that was decoded
    /// for the same version is.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        match self {
            Self::Connect(connect) => connect.encode(out),
            Self::ConnAck(connack) => connack.encode(version, out),
            Self::Publish(publish) => publish.encode(version, out),
            Self::PubAck(ack) => ack.encode(AckType::PubAck, version, out),
            Self::PubRec(ack) => ack.encode(AckType::PubRec, version, out),
            Self::PubRel(ack) => ack.encode(AckType::PubRel, version, out),
            Self::PubComp(ack) => ack.encode(AckType::PubComp, version, out),
            Self::Subscribe(subscribe) => subscribe.encode(version, out),
            Self::SubAck(suback) => suback.encode(version, out),
            Self::Unsubscribe(unsubscribe) => unsubscribe.encode(version, out),
            Self::UnsubAck(unsuback) => unsuback.encode(version, out),
            Self::PingReq => out.extend_from_slice(&[first_byte(PacketType::PingReq), 0]),
            Self::PingResp => out.extend_from_slice(&[first_byte(PacketType::PingResp), 0]),
            Self::Disconnect(disconnect) => disconnect.encode(version, out),
            Self::Auth(auth) => auth.encode(version, out),
        }
    }
}

impl Disconnect<'_> {
    /// Appends the packet to `out`; before 5.0 without its reason.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let mut writer = Writer::new(first_byte(PacketType::Disconnect), out);
        if version == Version::V5 && (self.reason != ReasonCode::Success || !self.properties.is_empty()) {
            writer.u8(self.reason as u8);
            if !self.properties.is_empty() {
                writer.properties(version, self.properties);
            }
        }
        writer.finish();
    }
}

impl Auth<'_> {
    /// Appends the packet to `out`; only 5.0 has it.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let mut writer = Writer::new(first_byte(PacketType::Auth), out);
        if version < Version::V5 {
            writer.give_up();
        }
        if self.reason != ReasonCode::Success || !self.properties.is_empty() {
            writer.u8(self.reason as u8);
            writer.properties(version, self.properties);
        }
        writer.finish();
    }
}

/// Type and flags of every packet but PUBLISH (section 2.1.3).
const fn first_byte(packet_type: PacketType) -> u8 {
    let flags = match packet_type {
        PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe => 0b0010,
        _ => 0,
    };
    (packet_type as u8) << 4 | flags
}
