//! Packet identifiers (section 2.2.1).

use std::fmt;
use std::num::NonZeroU16;

/// A packet identifier: never zero `[MQTT-2.2.1-3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PacketId(pub NonZeroU16);

/// Zero is no packet identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a packet identifier is never 0")]
pub struct ZeroPacketId;

impl PacketId {
    /// The lowest identifier, 1.
    pub const FIRST: Self = Self(NonZeroU16::MIN);

    /// The identifier after this one; 1 follows 65535.
    pub const fn next(self) -> Self {
        match self.0.checked_add(1) {
            Some(next) => Self(next),
            None => Self::FIRST,
        }
    }

    /// As a number.
    pub const fn as_u16(self) -> u16 {
        self.0.get()
    }
}

impl TryFrom<u16> for PacketId {
    type Error = ZeroPacketId;

    fn try_from(number: u16) -> Result<Self, ZeroPacketId> {
        NonZeroU16::new(number).map(Self).ok_or(ZeroPacketId)
    }
}

impl From<PacketId> for u16 {
    fn from(id: PacketId) -> Self {
        id.as_u16()
    }
}

impl fmt::Display for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_go_round_without_zero() {
        assert_eq!(PacketId::try_from(0), Err(ZeroPacketId));
        assert_eq!(PacketId::FIRST.as_u16(), 1);
        assert_eq!(PacketId::FIRST.next().to_string(), "2");
        assert_eq!(PacketId::try_from(u16::MAX).unwrap().next(), PacketId::FIRST);
    }
}
