//! SUBSCRIBE and UNSUBSCRIBE with their answers (sections 3.8 to 3.11).

use super::Body;
use crate::protocol::{
    DecodeError, PacketId, QoS, ReasonCode, RetainHandling, SubAck, Subscribe, SubscribeRequest, SubscriptionOptions,
    TopicFilter, UnsubAck, Unsubscribe, Version,
};

const NO_FILTER: DecodeError = DecodeError::Malformed("a request without a filter [MQTT-3.8.3-2], [MQTT-3.10.3-2]");
const NO_REASON: DecodeError = DecodeError::Protocol("an answer without a reason code (sections 3.9.3 and 3.11.3)");

impl<'a> Body<'a> {
    pub(super) fn subscribe(mut self) -> Result<Subscribe<'a>, DecodeError> {
        let packet_id = self.request_id()?;
        let properties = self.properties()?;
        let requests = self.list(Self::subscribe_request, NO_FILTER)?;
        Ok(Subscribe { packet_id, properties, requests })
    }

    pub(super) fn unsubscribe(mut self) -> Result<Unsubscribe<'a>, DecodeError> {
        let packet_id = self.request_id()?;
        let properties = self.properties()?;
        let filters = self.list(Self::filter, NO_FILTER)?;
        Ok(Unsubscribe { packet_id, properties, filters })
    }

    pub(super) fn suback(mut self) -> Result<SubAck<'a>, DecodeError> {
        let packet_id = self.reader.packet_id()?;
        let properties = self.properties()?;
        let reasons = self.list(Self::suback_reason, NO_REASON)?;
        Ok(SubAck { packet_id, properties, reasons })
    }

    pub(super) fn unsuback(mut self) -> Result<UnsubAck<'a>, DecodeError> {
        let packet_id = self.reader.packet_id()?;
        let properties = self.properties()?;
        let reasons = match self.version {
            Version::V3_1 | Version::V3_1_1 => Vec::new(),
            Version::V5 => self.list(Self::reason, NO_REASON)?,
        };
        Ok(UnsubAck { packet_id, properties, reasons })
    }

    fn request_id(&mut self) -> Result<PacketId, DecodeError> {
        PacketId::try_from(self.reader.u16()?)
            .map_err(|_| DecodeError::Malformed("packet identifier 0 in a request [MQTT-2.2.1-3]"))
    }

    /// Reads items to the end of the packet. The vector grows with items that are there, never by a promised count.
    fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, DecodeError>,
        empty: DecodeError,
    ) -> Result<Vec<T>, DecodeError> {
        if self.reader.is_empty() {
            return Err(empty);
        }
        // Nearly always there is one.
        let mut items = Vec::with_capacity(1);
        while !self.reader.is_empty() {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn subscribe_request(&mut self) -> Result<SubscribeRequest, DecodeError> {
        let filter = self.filter()?;
        let options = subscription_options(self.reader.u8()?, self.version)?;
        match options.no_local && filter.share().is_some() {
            true => Err(DecodeError::Protocol("no local on a shared subscription [MQTT-3.8.3-4]")),
            false => Ok(SubscribeRequest { filter, options }),
        }
    }

    fn filter(&mut self) -> Result<TopicFilter, DecodeError> {
        TopicFilter::parse(self.reader.identifier()?).map_err(DecodeError::TopicFilter)
    }

    fn suback_reason(&mut self) -> Result<ReasonCode, DecodeError> {
        match self.version {
            Version::V5 => self.reason(),
            Version::V3_1 | Version::V3_1_1 => ReasonCode::from_suback_return_code(self.reader.u8()?)
                .ok_or(DecodeError::Malformed("a reserved SUBACK return code (3.1.1 [MQTT-3.9.3-2])")),
        }
    }
}

/// Section 3.8.3.1; 3.x has the QoS only.
fn subscription_options(byte: u8, version: Version) -> Result<SubscriptionOptions, DecodeError> {
    let reserved = match version {
        // Unused bits, which 3.1 does not promise to be 0.
        Version::V3_1 => 0,
        Version::V3_1_1 => 0b1111_1100,
        Version::V5 => 0b1100_0000,
    };
    if byte & reserved != 0 {
        return Err(DecodeError::Malformed("reserved bits of the subscription options [MQTT-3.8.3-5]"));
    }
    let qos = QoS::from_bits(byte & 0b11).ok_or(match version {
        Version::V3_1 | Version::V3_1_1 => DecodeError::Malformed("requested QoS 3 (3.1.1 [MQTT-3.8.3-4])"),
        Version::V5 => DecodeError::Malformed("maximum QoS 3 (section 3.8.3.1)"),
    })?;
    match version {
        Version::V3_1 | Version::V3_1_1 => Ok(SubscriptionOptions::new(qos)),
        Version::V5 => Ok(SubscriptionOptions {
            qos,
            no_local: byte & 1 << 2 != 0,
            retain_as_published: byte & 1 << 3 != 0,
            retain_handling: RetainHandling::from_bits(byte >> 4 & 0b11)
                .ok_or(DecodeError::Malformed("retain handling 3 (section 3.8.3.1)"))?,
        }),
    }
}
