//! What the tests that look from outside share: a fleet's certificates, the broker as a real process, a client of
//! raw bytes that owes nothing to certmq's own codec, and `eventually`.

#![allow(dead_code, reason = "every test binary uses its own part")]
#![allow(clippy::print_stderr, reason = "what a failing test prints")]

pub(crate) mod broker;
pub(crate) mod client;
pub(crate) mod fleet;
pub(crate) mod quickstart;
pub(crate) mod websocket;
pub(crate) mod wire;

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Generous, because a loaded machine is not a fault.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Looks until `probe` finds something; fails with `what` when it does not within [`PATIENCE`].
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
