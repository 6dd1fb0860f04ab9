//! The gate of a connection: between whoever closes it and the packets it has sent.
//!
//! Its own task passes with each packet. Who shuts the gate waits for the packet that is passing, so that nothing of
//! the connection is served, or routed to anybody, after [`Gate::shut`] has returned.

use parking_lot::{Mutex, MutexGuard};

/// Open until it is shut for good.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<Passage>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Passage {
    #[default]
    Open,
    Shut,
}

/// One packet that passes.
#[derive(Debug)]
pub(super) struct Passing<'a>(#[allow(dead_code, reason = "held, not read")] MutexGuard<'a, Passage>);

impl Gate {
    /// Lets one packet pass; `None`: nothing of this connection counts any more.
    pub(super) fn pass(&self) -> Option<Passing<'_>> {
        let passage = self.0.lock();
        (*passage == Passage::Open).then_some(Passing(passage))
    }

    /// Shuts it, when the packet that is passing has been served. Without any other lock held.
    pub(super) fn shut(&self) {
        *self.0.lock() = Passage::Shut;
    }
}
