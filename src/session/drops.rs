//! What a session did not get, by reason: `certmq session show` tells it.

use super::{Delivery, Withheld};

/// Messages that a session did not get since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// QoS 1 and 2 messages that found the queue full, or gave way in it or among those held with a right that went.
    pub queue_full: u64,
    /// QoS 0 messages that found the outbound of the connected client full.
    pub slow_reader: u64,
    /// Messages that expired while they waited.
    pub expired: u64,
    /// Messages that the reader has no right to, by an ended right or a hole in its subscription.
    pub withheld: u64,
    /// Messages larger than the client takes `[MQTT-3.1.2-25]`.
    pub too_large: u64,
}

impl Drops {
    /// Counts what became of one delivery to a connected client, or for one that is away.
    pub fn count(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Sent | Delivery::Withheld(Withheld::NotSubscribed | Withheld::OwnMessage) => {}
            Delivery::Queued { displaced } => self.queue_full += displaced as u64,
            Delivery::Withheld(Withheld::NoRight) => self.withheld += 1,
            Delivery::Withheld(Withheld::TooLarge) => self.too_large += 1,
            Delivery::DroppedSlowReader => self.slow_reader += 1,
            Delivery::DroppedQueueFull | Delivery::Refused => self.queue_full += 1,
        }
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.queue_full + self.slow_reader + self.expired + self.withheld + self.too_large
    }
}
