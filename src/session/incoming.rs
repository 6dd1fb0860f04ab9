//! QoS 2 from the client: each packet id is routed once, until PUBREL frees it (section 4.3.3).

use crate::protocol::PacketId;
use std::collections::BTreeSet;

/// The packet ids of QoS 2 publications that wait for their PUBREL.
#[derive(Debug, Default)]
pub struct Incoming {
    unreleased: BTreeSet<PacketId>,
}

/// What a QoS 2 PUBLISH is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Its id was free: route it.
    Fresh,
    /// Already routed: only acknowledge it `[MQTT-4.3.3-10]`.
    Repeated,
}

/// More ids in use than the server announced: 0x93 (section 3.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyUnreleased;

impl Incoming {
    /// Registers a QoS 2 PUBLISH; at most `maximum` ids are in use at once.
    pub fn arrive(&mut self, id: PacketId, maximum: usize) -> Result<Arrival, TooManyUnreleased> {
        if self.unreleased.contains(&id) {
            return Ok(Arrival::Repeated);
        }
        if self.unreleased.len() >= maximum {
            return Err(TooManyUnreleased);
        }
        self.unreleased.insert(id);
        Ok(Arrival::Fresh)
    }

    /// Frees an id; says whether it was in use.
    pub fn release(&mut self, id: PacketId) -> bool {
        self.unreleased.remove(&id)
    }

    /// Ids in use.
    pub fn len(&self) -> usize {
        self.unreleased.len()
    }

    /// Whether none is in use.
    pub fn is_empty(&self) -> bool {
        self.unreleased.is_empty()
    }
}
