//! What operators do to a running hub and see of it.

use super::{Hub, Wakes};
use crate::policy::DeviceKey;
use crate::protocol::ReasonCode;

/// Numbers for `certmq status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubStatus {
    /// Sessions, connected or not.
    pub sessions: usize,
    /// Sessions with a connection.
    pub connected: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Retained messages.
    pub retained: usize,
}

impl Hub {
    /// Closes every connection of a device with `reason`. Returns how many there were.
    pub fn disconnect_device(&self, device: &DeviceKey, reason: ReasonCode, wakes: &mut Wakes) -> usize {
        let mut closed = 0;
        for cell in self.sessions.of_device(device) {
            if let Some(link) = &cell.lock().link {
                link.outbound.close(link.version, reason, wakes);
                closed += 1;
            }
        }
        closed
    }

    /// Closes every connection: the broker stops.
    pub fn disconnect_all(&self, reason: ReasonCode, wakes: &mut Wakes) -> usize {
        let mut closed = 0;
        self.sessions.for_each(|cell| {
            if let Some(link) = &cell.lock().link {
                link.outbound.close(link.version, reason, wakes);
                closed += 1;
            }
        });
        closed
    }

    /// Counts everything; costs by the number of sessions and subscriptions.
    pub fn status(&self) -> HubStatus {
        let mut connected = 0;
        self.sessions.for_each(|cell| connected += usize::from(cell.lock().link.is_some()));
        HubStatus {
            sessions: self.sessions.len(),
            connected,
            subscriptions: self.subscriptions.len(),
            retained: self.retained.len(),
        }
    }

    /// Number of messages queued for sessions that are away or full, for tests and status.
    pub fn queued_messages(&self) -> usize {
        let mut queued = 0;
        self.sessions.for_each(|cell| queued += cell.lock().session.queued());
        queued
    }
}
