//! SUBSCRIBE and UNSUBSCRIBE with their answers (sections 3.8 to 3.11).

use super::first_byte;
use crate::protocol::write::Writer;
use crate::protocol::{PacketType, SubAck, Subscribe, SubscriptionOptions, UnsubAck, Unsubscribe, Version};

impl Subscribe<'_> {
    /// Appends the packet to `out`; before 5.0 of the options only the QoS.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let mut writer = Writer::new(first_byte(PacketType::Subscribe), out);
        writer.packet_id(self.packet_id);
        writer.properties(version, self.properties);
        for request in &self.requests {
            writer.string(request.filter.as_str());
            writer.u8(request.options.bits(version));
        }
        writer.finish();
    }
}

impl SubscriptionOptions {
    /// Section 3.8.3.1.
    fn bits(self, version: Version) -> u8 {
        match version {
            Version::V3_1 | Version::V3_1_1 => self.qos as u8,
            Version::V5 => {
                self.qos as u8
                    | u8::from(self.no_local) << 2
                    | u8::from(self.retain_as_published) << 3
                    | (self.retain_handling as u8) << 4
            }
        }
    }
}

impl Unsubscribe<'_> {
    /// Appends the packet to `out`.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let mut writer = Writer::new(first_byte(PacketType::Unsubscribe), out);
        writer.packet_id(self.packet_id);
        writer.properties(version, self.properties);
        for filter in &self.filters {
            writer.string(filter.as_str());
        }
        writer.finish();
    }
}

impl SubAck<'_> {
    /// Appends the packet to `out`; before 5.0 every refusal is 0x80.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let mut writer = Writer::new(first_byte(PacketType::SubAck), out);
        writer.packet_id(self.packet_id);
        writer.properties(version, self.properties);
        for reason in &self.reasons {
            writer.u8(match version {
                Version::V3_1 | Version::V3_1_1 => reason.suback_return_code(),
                Version::V5 => *reason as u8,
            });
        }
        writer.finish();
    }
}

impl UnsubAck<'_> {
    /// Appends the packet to `out`; before 5.0 without reasons.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let mut writer = Writer::new(first_byte(PacketType::UnsubAck), out);
        writer.packet_id(self.packet_id);
        writer.properties(version, self.properties);
        if version == Version::V5 {
            for reason in &self.reasons {
                writer.u8(*reason as u8);
            }
        }
        writer.finish();
    }
}
