//! PUBLISH and what acknowledges it (sections 3.3 to 3.7).

use super::Body;
use crate::protocol::topic::TopicError;
use crate::protocol::{Ack, DecodeError, Properties, Publish, QoS, ReasonCode, TopicName, Version};

impl<'a> Body<'a> {
    pub(super) fn publish(mut self) -> Result<Publish<'a>, DecodeError> {
        let qos = QoS::from_bits(self.first >> 1 & 0b11).ok_or(DecodeError::Malformed("QoS 3 [MQTT-3.3.1-4]"))?;
        let topic = self.reader.identifier()?;
        let packet_id = match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce | QoS::ExactlyOnce => Some(self.reader.packet_id()?),
        };
        let properties = self.properties()?;
        Ok(Publish {
            dup: self.first & 0b1000 != 0,
            qos,
            retain: self.first & 0b0001 != 0,
            topic: publish_topic(topic, properties, self.version)?,
            packet_id,
            properties,
            payload: self.reader.rest(),
        })
    }

    /// PUBACK, PUBREC, PUBREL and PUBCOMP: they differ in their reason codes only.
    pub(super) fn ack(mut self) -> Result<Ack<'a>, DecodeError> {
        let packet_id = self.reader.packet_id()?;
        // 5.0 may leave out Success and no properties; 3.x has neither, and its length was judged.
        let reason = match self.reader.is_empty() {
            true => ReasonCode::Success,
            false => self.reason()?,
        };
        let properties = self.optional_properties()?;
        self.reader.finish()?;
        Ok(Ack { packet_id, reason, properties })
    }
}

/// The topic, or the alias that stands for it (section 3.3.2.1).
fn publish_topic<'a>(
    text: &'a str,
    properties: Properties<'_>,
    version: Version,
) -> Result<Option<TopicName<'a>>, DecodeError> {
    match TopicName::parse(text) {
        Ok(topic) => Ok(Some(topic)),
        Err(TopicError::Empty) if version == Version::V5 => match properties.topic_alias() {
            Some(_) => Ok(None),
            None => Err(DecodeError::TopicName(TopicError::Empty)),
        },
        Err(error) => Err(DecodeError::TopicName(error)),
    }
}
