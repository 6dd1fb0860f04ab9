//! PUBLISH and what acknowledges it (sections 3.3 to 3.7).

use super::first_byte;
use crate::protocol::write::{VariableByteInteger, Writer};
use crate::protocol::{Ack, Inexpressible, PacketId, PacketType, Properties, Publish, QoS, ReasonCode, Version};

/// Which of the four acknowledgements an [`Ack`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AckType {
    /// Section 3.4: QoS 1 is done.
    PubAck,
    /// Section 3.5: QoS 2, first answer.
    PubRec,
    /// Section 3.6: QoS 2, release.
    PubRel,
    /// Section 3.7: QoS 2 is done.
    PubComp,
}

impl Ack<'_> {
    /// Appends the packet to `out`; before 5.0 without reason and properties.
    pub fn encode(&self, ack_type: AckType, version: Version, out: &mut Vec<u8>) {
        let first = first_byte(match ack_type {
            AckType::PubAck => PacketType::PubAck,
            AckType::PubRec => PacketType::PubRec,
            AckType::PubRel => PacketType::PubRel,
            AckType::PubComp => PacketType::PubComp,
        });
        let bare = self.reason == ReasonCode::Success && self.properties.is_empty();
        if bare || version < Version::V5 {
            let [high, low] = self.packet_id.as_u16().to_be_bytes();
            return out.extend_from_slice(&[first, 2, high, low]);
        }
        let mut writer = Writer::new(first, out);
        writer.packet_id(self.packet_id);
        writer.u8(self.reason as u8);
        if !self.properties.is_empty() {
            writer.properties(version, self.properties);
        }
        writer.finish();
    }
}

impl Publish<'_> {
    /// Appends the packet to `out`; nothing where MQTT cannot express it.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        if self.encode_head(version, out).is_ok() {
            out.extend_from_slice(self.payload);
        }
    }

    /// Appends the packet but for its payload, which the caller sends without copying it.
    ///
    /// # Errors
    /// Nothing is appended where MQTT cannot express the packet.
    pub fn encode_head(&self, version: Version, out: &mut Vec<u8>) -> Result<(), Inexpressible> {
        self.encode_head_with(Properties::default(), version, out)
    }

    /// As [`Self::encode_head`], with the properties `own` of one connection before those of the packet: so a topic
    /// alias costs its reader no copy of the others.
    ///
    /// # Errors
    /// As there.
    pub fn encode_head_with(
        &self,
        own: Properties<'_>,
        version: Version,
        out: &mut Vec<u8>,
    ) -> Result<(), Inexpressible> {
        let topic = match (self.topic, version) {
            (Some(topic), _) => topic.as_str().as_bytes(),
            (None, Version::V5) => &[],
            (None, Version::V3_1 | Version::V3_1_1) => return Err(Inexpressible),
        };
        let head = Head {
            version,
            dup: self.dup,
            qos: self.qos,
            retain: self.retain,
            topic,
            packet_id: self.packet_id,
            properties: [own.raw(), self.properties.raw()],
            payload_len: self.payload.len(),
        };
        head.append(out)
    }

    /// Bytes of the whole packet as `version` writes it: what a maximum packet size bounds `[MQTT-3.1.2-24]`.
    pub fn encoded_len(&self, version: Version) -> usize {
        self.encoded_len_with(Properties::default(), version)
    }

    /// As [`Self::encoded_len`], for [`Self::encode_head_with`].
    pub fn encoded_len_with(&self, own: Properties<'_>, version: Version) -> usize {
        let topic = self.topic.map_or(0, |topic| topic.as_str().len());
        let properties = own.raw().len() + self.properties.raw().len();
        packet_len(version, self.qos, topic, properties, self.payload.len())
    }
}

/// Everything of a PUBLISH before its payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) version: Version,
    pub(super) dup: bool,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) topic: &'a [u8],
    pub(super) packet_id: Option<PacketId>,
    /// Two sections that are written as one; none before 5.0.
    pub(super) properties: [&'a [u8]; 2],
    pub(super) payload_len: usize,
}

impl Head<'_> {
    /// Appends it, or nothing.
    #[inline]
    pub(super) fn append(self, out: &mut Vec<u8>) -> Result<(), Inexpressible> {
        let [own, shared] = self.properties;
        let property_length = match self.version {
            Version::V3_1 | Version::V3_1_1 => None,
            Version::V5 => Some(VariableByteInteger::of_len(own.len() + shared.len())?),
        };
        let packet_id = match (self.qos, self.packet_id) {
            (QoS::AtMostOnce, _) => None,
            (QoS::AtLeastOnce | QoS::ExactlyOnce, id) => Some(id.ok_or(Inexpressible)?),
        };
        let topic_length = u16::try_from(self.topic.len()).map_err(|_| Inexpressible)?;
        let remaining =
            remaining_len(self.version, self.qos, self.topic.len(), own.len() + shared.len(), self.payload_len);
        let remaining_length = VariableByteInteger::of_len(remaining)?;

        out.push(self.first_byte());
        out.extend_from_slice(remaining_length.as_slice());
        out.extend_from_slice(&topic_length.to_be_bytes());
        out.extend_from_slice(self.topic);
        if let Some(id) = packet_id {
            out.extend_from_slice(&id.as_u16().to_be_bytes());
        }
        if let Some(length) = property_length {
            out.extend_from_slice(length.as_slice());
            out.extend_from_slice(own);
            out.extend_from_slice(shared);
        }
        Ok(())
    }

    /// Section 3.3.1. A first delivery of QoS 0 is the only one: DUP stays off `[MQTT-3.3.1-2]`.
    fn first_byte(self) -> u8 {
        let dup = self.dup && self.qos != QoS::AtMostOnce;
        first_byte(PacketType::Publish) | u8::from(dup) << 3 | (self.qos as u8) << 1 | u8::from(self.retain)
    }
}

/// Bytes of a PUBLISH with a topic, properties and a payload of these lengths.
pub(super) fn packet_len(version: Version, qos: QoS, topic: usize, properties: usize, payload: usize) -> usize {
    let remaining = remaining_len(version, qos, topic, properties, payload);
    1 + variable_byte_integer_len(remaining) + remaining
}

fn remaining_len(version: Version, qos: QoS, topic: usize, properties: usize, payload: usize) -> usize {
    let packet_id = if qos == QoS::AtMostOnce { 0 } else { 2 };
    let properties = match version {
        Version::V3_1 | Version::V3_1_1 => 0,
        Version::V5 => variable_byte_integer_len(properties) + properties,
    };
    2 + topic + packet_id + properties + payload
}

/// What MQTT cannot express is over every limit anyway: five bytes are as good as any.
fn variable_byte_integer_len(value: usize) -> usize {
    VariableByteInteger::of_len(value).map_or(5, |integer| integer.as_slice().len())
}
