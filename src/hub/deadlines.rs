//! What is due when: keep alive, session expiry, will delay. One heap; an idle connection costs one entry and no
//! wake-up of its own.

use super::sessions::{ConnectionId, SessionCell};
use super::{Hub, Wakes};
use crate::protocol::ReasonCode;
use crate::session::Moment;
use crate::telemetry::metrics::METRICS;
use parking_lot::Mutex;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

/// Deadlines handled before the lock is given up once.
const SLICE: usize = 256;

/// Slices of expired retained messages that one tick forgets: 40 000 a second.
const PURGES: usize = 128;

/// Deadlines below which it is not worth looking for void ones.
const FEW: usize = 1024;

/// Everything that time alone brings about.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    heap: Mutex<Heap>,
}

#[derive(Debug, Default)]
struct Heap {
    due: BinaryHeap<Reverse<Due>>,
    /// How many there were after void ones were last thrown out.
    valid: usize,
}

/// What is to be looked at. Whether it still holds is judged then: a connection that has come or gone since makes
/// it void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deadline {
    KeepAlive,
    SessionExpiry,
    Will,
    /// Frames encoded under rights that are gone must be in the socket.
    StaleFrames,
}

#[derive(Debug)]
struct Due {
    at: Moment,
    deadline: Deadline,
    cell: Weak<SessionCell>,
    connection: ConnectionId,
}

impl Deadlines {
    pub(super) fn add(&self, at: Moment, deadline: Deadline, cell: &Arc<SessionCell>, connection: ConnectionId) {
        let mut heap = self.heap.lock();
        heap.due.push(Reverse(Due { at, deadline, cell: Arc::downgrade(cell), connection }));
        if heap.due.len() > FEW.max(2 * heap.valid) {
            heap.throw_out_void();
        }
    }

    fn take_due(&self, now: Moment) -> Vec<Due> {
        let mut heap = self.heap.lock();
        let mut due = Vec::new();
        while due.len() < SLICE && heap.due.peek().is_some_and(|Reverse(next)| next.at <= now) {
            due.extend(heap.due.pop().map(|Reverse(next)| next));
        }
        due
    }
}

impl Heap {
    /// A client that connects again and again leaves a deadline each time, due in a day and holding the memory of an
    /// ended session. Thrown out when they are as many as the others, they cost a few steps each.
    fn throw_out_void(&mut self) {
        self.due.retain(|Reverse(due)| !due.is_void());
        self.due.shrink_to(2 * self.due.len());
        self.valid = self.due.len();
    }
}

impl Due {
    /// Whether its session is gone or has had another connection since.
    fn is_void(&self) -> bool {
        self.cell.upgrade().is_none_or(|cell| cell.last_connection() != Some(self.connection))
    }
}

impl Hub {
    /// Does what is due at `now`. Call it every tenth of a second or so.
    pub fn tick(self: &Arc<Self>, now: Moment, wakes: &mut Wakes) {
        self.ticked.store(now.0, Ordering::Relaxed);
        self.purge_retained(now);
        self.judge_kept(now, wakes);
        loop {
            let due = self.deadlines.take_due(now);
            if due.is_empty() {
                return;
            }
            for Due { deadline, cell, connection, .. } in due {
                let Some(cell) = cell.upgrade() else { continue };
                match deadline {
                    Deadline::KeepAlive => self.judge_silence(&cell, connection, now, wakes),
                    Deadline::SessionExpiry => self.expire_session(&cell, connection, now, wakes),
                    Deadline::Will => self.release_will(&cell, connection, now, wakes),
                    Deadline::StaleFrames => self.judge_stale_frames(&cell, connection, wakes),
                }
            }
        }
    }

    fn purge_retained(&self, now: Moment) {
        for _ in 0..PURGES {
            let purged = self.retained.purge(now);
            METRICS.messages_expired.add(purged as u64);
            if purged == 0 {
                return;
            }
        }
    }

    /// Closes a connection that was silent for one and a half times its keep alive `[MQTT-3.1.2-22]`, or looks
    /// again when that could next be so.
    fn judge_silence(&self, cell: &Arc<SessionCell>, connection: ConnectionId, now: Moment, wakes: &mut Wakes) {
        let mut state = cell.lock();
        let Some(link) = state.link_of(connection) else { return };
        let Some(silence) = link.silence else { return };
        let limit = link.outbound.last_received().after(silence);
        if limit <= now {
            link.outbound.close(link.version, ReasonCode::KeepAliveTimeout, wakes);
        } else {
            self.deadlines.add(limit, Deadline::KeepAlive, cell, connection);
        }
    }

    fn expire_session(&self, cell: &Arc<SessionCell>, connection: ConnectionId, now: Moment, wakes: &mut Wakes) {
        let mut state = cell.lock();
        if state.link.is_some() || cell.last_connection() != Some(connection) || state.ended {
            return;
        }
        METRICS.sessions_expired.increment();
        let will = self.end_session(cell, &mut state);
        drop(state);
        self.settle_strays(now, wakes);
        if let Some(will) = will {
            self.fire(&will, now, wakes);
        }
    }

    fn release_will(&self, cell: &Arc<SessionCell>, connection: ConnectionId, now: Moment, wakes: &mut Wakes) {
        let mut state = cell.lock();
        if state.link.is_some() || cell.last_connection() != Some(connection) {
            return;
        }
        let will = state.pending_will.take();
        drop(state);
        if let Some(will) = will {
            self.fire(&will, now, wakes);
        }
    }
}

#[cfg(test)]
mod tests;

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}
