//! The end of connections and sessions.

use super::deadlines::Deadline;
use super::sessions::{ConnectionId, SessionCell, State};
use super::wills::Will;
use super::{Hub, Wakes};
use crate::session::{Expiry, Moment};
use crate::telemetry::metrics::METRICS;
use std::sync::Arc;

/// What happens to the will of a connection that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WillFate {
    /// DISCONNECT with reason 0x00 `[MQTT-3.14.4-3]`.
    Discard,
    /// Everything else.
    Keep,
    /// The broker stops: wills are neither fired nor kept until sessions are durable.
    Defer,
}

impl Hub {
    /// The connection is gone: its session goes with it, or stays for its expiry.
    pub(super) fn detach(
        &self,
        cell: &Arc<SessionCell>,
        connection: ConnectionId,
        fate: WillFate,
        now: Moment,
        wakes: &mut Wakes,
    ) {
        let mut state = cell.lock();
        if state.link_of(connection).is_none() {
            // Taken over, or removed: whoever did it has seen to the rest.
            return;
        }
        METRICS.clients_connected.decrement();
        let will = state.link.take().and_then(|link| link.will);
        state.session.disconnect();
        state.left = now;
        let will = will.filter(|_| fate == WillFate::Keep);
        let due = self.leave(cell, &mut state, will, connection, now);
        drop(state);
        if let Some(will) = due {
            self.fire(&will, now, wakes);
        }
    }

    /// Returns the wills that are due now.
    fn leave(
        &self,
        cell: &Arc<SessionCell>,
        state: &mut State,
        will: Option<Will>,
        connection: ConnectionId,
        now: Moment,
    ) -> Option<Will> {
        let Expiry::After(span) = state.session.expiry else {
            self.end_session(cell, state);
            return will;
        };
        self.deadlines.add(now.after(span), Deadline::SessionExpiry, cell, connection);
        let will = will?;
        if will.delay.is_zero() {
            return Some(will);
        }
        self.deadlines.add(now.after(will.delay), Deadline::Will, cell, connection);
        state.pending_will = Some(will);
        None
    }

    /// Removes the session for good; returns the will that was waiting, due because the session ends
    /// (section 3.1.3.2.2).
    pub(super) fn end_session(&self, cell: &Arc<SessionCell>, state: &mut State) -> Option<Will> {
        state.ended = true;
        self.unsubscribe_all(cell, &state.session);
        self.sessions.remove(cell);
        state.pending_will.take()
    }
}
