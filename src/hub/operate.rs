//! What operators do to a running hub and see of it.

use super::sessions::{SessionCell, SessionKey, State};
use super::{Hub, Wakes};
use crate::policy::DeviceKey;
use crate::protocol::ReasonCode;
use crate::session::Moment;
use crate::telemetry::metrics::METRICS;
use std::sync::Arc;

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

/// What went with a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Whether its client was connected.
    pub connected: bool,
    /// Its subscriptions.
    pub subscriptions: usize,
    /// Messages that waited for it.
    pub queued: usize,
    /// Messages in flight to it.
    pub inflight: usize,
}

impl Hub {
    /// Closes every connection of a device with `reason`. Returns how many there were.
    pub fn disconnect_device(&self, device: &DeviceKey, reason: ReasonCode, wakes: &mut Wakes) -> usize {
        let mut closed = 0;
        for cell in self.sessions.of_device(device) {
            closed += close_if(&cell, reason, wakes, |_| true);
        }
        closed
    }

    /// Closes the connection of one session with `reason`; the session stays, and its will fires.
    pub fn disconnect_session(
        &self,
        device: &DeviceKey,
        client_id: &str,
        reason: ReasonCode,
        wakes: &mut Wakes,
    ) -> Option<usize> {
        let cell = self.sessions.find(&SessionKey { device: device.clone(), client_id: Arc::from(client_id) })?;
        Some(close_if(&cell, reason, wakes, |_| true))
    }

    /// Closes every connection of the members of a group with `reason`. Returns how many there were.
    pub fn disconnect_group(&self, group: &str, reason: ReasonCode, wakes: &mut Wakes) -> usize {
        let policy = self.policy();
        let mut closed = 0;
        self.sessions.for_each(|cell| {
            closed += close_if(cell, reason, wakes, |state| policy.is_member(&state.session.principal, group));
        });
        closed
    }

    /// Ends a session for good, with its connection, subscriptions and queue. Its will is due at once.
    pub fn remove_session(
        &self,
        device: &DeviceKey,
        client_id: &str,
        reason: ReasonCode,
        now: Moment,
        wakes: &mut Wakes,
    ) -> Option<Removed> {
        let cell = self.sessions.find(&SessionKey { device: device.clone(), client_id: Arc::from(client_id) })?;
        let mut state = cell.lock();
        if state.ended {
            return None;
        }
        let gate = state.shut_out(reason, wakes);
        let link = state.link.take();
        let connected = link.is_some();
        let will = link.and_then(|link| {
            METRICS.clients_connected.decrement();
            link.will
        });
        state.session.disconnect();
        let removed = Removed {
            connected,
            subscriptions: state.session.subscriptions.len(),
            queued: state.session.queued(),
            inflight: state.session.inflight(),
        };
        let pending = self.end_session(&cell, &mut state);
        drop(state);
        if let Some(gate) = gate {
            gate.shut();
        }
        self.settle_strays(now, wakes);
        for will in will.into_iter().chain(pending) {
            self.fire(&will, now, wakes);
        }
        Some(removed)
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

/// Closes the connection of a session that is `wanted`; returns how many there were. No packet of it is served
/// afterwards.
fn close_if(cell: &SessionCell, reason: ReasonCode, wakes: &mut Wakes, wanted: impl FnOnce(&State) -> bool) -> usize {
    let mut state = cell.lock();
    if !wanted(&state) {
        return 0;
    }
    let Some(gate) = state.shut_out(reason, wakes) else { return 0 };
    drop(state);
    gate.shut();
    1
}
