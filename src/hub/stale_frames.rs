//! Frames that have waited for a slow socket since before their reader lost a right.
//!
//! A publication is judged when it is encoded; nobody looks into encoded frames again. Most are in the socket within
//! microseconds. Where a reader is so slow that they are not, and a change took from what it reads, its connection
//! ends instead: the session keeps what was not acknowledged, and judges it when the client comes back.

use super::deadlines::Deadline;
use super::sessions::{ConnectionId, SessionCell};
use super::{Hub, Wakes};
use crate::policy::Policy;
use crate::protocol::ReasonCode;
use crate::session::Moment;
use crate::telemetry::metrics::METRICS;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long frames may take into the socket. With a tick of a tenth of a second before and after, still within one.
const PATIENCE: Duration = Duration::from_millis(750);

impl Hub {
    /// Looks again later at a connection that has something to write, where the policy in force takes from what its
    /// session reads.
    pub(super) fn watch_stale_frames(&self, cell: &Arc<SessionCell>, connection: ConnectionId, before: &Policy) {
        let mut state = cell.lock();
        let Some(link) = state.link_of(connection) else { return };
        if !link.outbound.age_frames() {
            return;
        }
        let policy = self.policy();
        let session = &state.session;
        let loses = session.subscriptions.iter().any(|subscription| {
            before.loses_subscription(&policy, &session.principal, &subscription.filter, subscription.options.qos)
        });
        if loses {
            let tick = Moment(self.ticked.load(Ordering::Relaxed));
            self.deadlines.add(tick.after(PATIENCE), Deadline::StaleFrames, cell, connection);
        }
    }

    /// Ends the connection if what [`Hub::watch_stale_frames`] saw is still not in the socket.
    pub(super) fn judge_stale_frames(&self, cell: &SessionCell, connection: ConnectionId, wakes: &mut Wakes) {
        let mut state = cell.lock();
        let Some(link) = state.link_of(connection) else { return };
        if !link.outbound.has_aged_frames() || link.outbound.is_closing() {
            return;
        }
        let gate = state.shut_out(ReasonCode::AdministrativeAction, wakes);
        drop(state);
        if let Some(gate) = gate {
            gate.shut();
        }
        METRICS.connections_lapsed.increment();
        tracing::info!(
            device = %cell.key.device.name.escape_debug(),
            client_id = %cell.key.client_id.escape_debug(),
            "closing: it lost a right to read and is too slow to be sent only what it still may"
        );
    }
}
