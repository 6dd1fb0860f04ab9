//! Packets for the tests of the codec: as strategies of proptest, and the rules that hold for any bytes.
//!
//! Generated texts and property sections are leaked, so that packets borrow for as long as they like; a run leaks a
//! few megabytes.

#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod invariants;
pub(crate) mod properties;
pub(crate) mod strategies;

use certmq::protocol::{Packet, Sender, Version};

/// A packet with the connection it could travel on.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) version: Version,
    pub(crate) from: Sender,
    pub(crate) packet: Packet<'static>,
}

impl Sent {
    /// On the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.packet.encode(self.version, &mut out);
        out
    }
}
