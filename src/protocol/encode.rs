//! Packets to bytes.

use super::{Packet, Version};

impl Packet<'_> {
    /// Appends the packet to `out` as `version` writes it. Before 5.0 properties and reason codes are left out
    /// or mapped (CONNACK return codes, SUBACK 0x80).
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let _ = (version, out);
        todo!()
    }
}
