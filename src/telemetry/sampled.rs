//! A bound on repeated log lines.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Lets a bounded number of log lines a second through, so that a peer cannot fill a disk.
#[derive(Debug)]
pub struct Sampled {
    per_second: u64,
    second: AtomicU64,
    count: AtomicU64,
}

impl Sampled {
    /// At most `per_second` lines.
    pub const fn per_second(per_second: u64) -> Self {
        Self { per_second, second: AtomicU64::new(0), count: AtomicU64::new(0) }
    }

    /// Whether this line may be written: then how many were suppressed in the last second that had any.
    pub fn admit(&self) -> Option<u64> {
        let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let suppressed = match self.second.swap(second, Ordering::Relaxed) == second {
            true => 0,
            false => self.count.swap(0, Ordering::Relaxed).saturating_sub(self.per_second),
        };
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        (count <= self.per_second).then_some(suppressed)
    }
}
