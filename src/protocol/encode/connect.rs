//! CONNECT and its answer (sections 3.1 and 3.2).

use super::first_byte;
use crate::protocol::write::Writer;
use crate::protocol::{ConnAck, Connect, PacketType, Version};

impl Connect<'_> {
    /// Appends the packet to `out`, in its own version.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(first_byte(PacketType::Connect), out);
        if self.password.is_some() && self.username.is_none() && self.version < Version::V5 {
            writer.give_up();
        }
        writer.string(self.version.protocol_name());
        writer.u8(self.version.level());
        writer.u8(self.flags());
        writer.u16(self.keep_alive);
        writer.properties(self.version, self.properties);
        writer.string(self.client_id);
        if let Some(will) = &self.will {
            writer.properties(self.version, will.properties);
            writer.string(will.topic.as_str());
            writer.binary(will.payload);
        }
        if let Some(username) = self.username {
            writer.string(username);
        }
        if let Some(password) = self.password {
            writer.binary(password);
        }
        writer.finish();
    }

    /// Section 3.1.2.3.
    fn flags(&self) -> u8 {
        let will = self.will.as_ref().map_or(0, |will| 1 << 2 | (will.qos as u8) << 3 | u8::from(will.retain) << 5);
        u8::from(self.clean_start) << 1
            | will
            | u8::from(self.password.is_some()) << 6
            | u8::from(self.username.is_some()) << 7
    }
}

impl ConnAck<'_> {
    /// Appends the packet to `out`; before 5.0 with the nearest return code, in 3.1 without session present.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let mut writer = Writer::new(first_byte(PacketType::ConnAck), out);
        writer.u8(u8::from(self.session_present && version > Version::V3_1));
        writer.u8(match version {
            Version::V3_1 | Version::V3_1_1 => self.reason.connack_return_code(),
            Version::V5 => self.reason as u8,
        });
        writer.properties(version, self.properties);
        writer.finish();
    }
}
