//! How often each device was refused for what, exactly, whatever is shown of it.

use super::{Kind, PER_SECOND, Refused, bounded};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

const SHARDS: usize = 16;

/// Refusals of one kind, device and cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tallied {
    /// What was refused.
    pub kind: Kind,
    /// The trust block; empty where no certificate was accepted.
    pub trust: String,
    /// The device, or the subject that was presented; empty: all beyond the bound.
    pub device: String,
    /// The rule that denied.
    pub rule: Option<String>,
    /// Why.
    pub cause: String,
    /// The last address.
    pub address: Option<SocketAddr>,
    /// How often.
    pub count: u64,
    /// The first.
    pub first: SystemTime,
    /// The last.
    pub last: SystemTime,
}

/// Whether a refusal is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// After so many that were not.
    Shown {
        left_out: u64,
    },
    LeftOut,
}

#[derive(Debug)]
pub(super) struct Tallies {
    seed: ahash::RandomState,
    shards: [Mutex<Shard>; SHARDS],
    /// Of one kind in one shard.
    most: usize,
}

#[derive(Debug, Default)]
struct Shard {
    /// By the keyed hash of kind, device and cause.
    tallies: HashMap<u64, Tally>,
    /// How many of each kind.
    counts: [usize; 4],
}

#[derive(Debug)]
struct Tally {
    total: Tallied,
    second: u64,
    shown: u32,
    left_out: u64,
}

impl Tallies {
    /// About `entries` tallies of each kind.
    pub(super) fn new(entries: usize) -> Self {
        Self { seed: ahash::RandomState::new(), shards: Default::default(), most: entries.div_ceil(SHARDS) }
    }

    pub(super) fn count(&self, refused: Refused<'_>, address: Option<SocketAddr>, now: SystemTime) -> Admitted {
        let hash = self.seed.hash_one(refused);
        let Some(shard) = self.shards.get(hash as usize % SHARDS) else { return Admitted::LeftOut };
        let mut shard = shard.lock();
        let kind = refused.kind.index();
        if let Some(tally) = shard.tallies.get_mut(&hash) {
            return tally.count(address, now);
        }
        let full = shard.counts.get(kind).is_none_or(|count| *count >= self.most);
        let (key, tally) = match full {
            false => (hash, Tally::of(refused, now)),
            // All that are too many of the kind share one.
            true => (kind as u64, Tally::of(Refused { trust: "", device: "", rule: None, cause: "", ..refused }, now)),
        };
        if !full && let Some(count) = shard.counts.get_mut(kind) {
            *count += 1;
        }
        shard.tallies.entry(key).or_insert(tally).count(address, now)
    }

    /// Takes every count. A tally that still owes a number of refusals left out stays a little longer.
    pub(super) fn drain(&self) -> Vec<Tallied> {
        let mut drained = Vec::new();
        for shard in &self.shards {
            let Shard { tallies, counts } = &mut *shard.lock();
            tallies.retain(|_, tally| match tally.take() {
                Some(total) => {
                    drained.push(total);
                    tally.left_out > 0
                }
                None => false,
            });
            *counts = [0; 4];
            for (hash, tally) in &*tallies {
                if let Some(count) = counts.get_mut(tally.total.kind.index()).filter(|_| *hash > 3) {
                    *count += 1;
                }
            }
        }
        drained
    }
}

impl Tally {
    fn of(refused: Refused<'_>, now: SystemTime) -> Self {
        let Refused { kind, trust, device, rule, cause } = refused;
        let total = Tallied {
            kind,
            trust: bounded(trust),
            device: bounded(device),
            rule: rule.map(rule_text),
            cause: bounded(cause),
            address: None,
            count: 0,
            first: now,
            last: now,
        };
        Self { total, second: 0, shown: 0, left_out: 0 }
    }

    fn count(&mut self, address: Option<SocketAddr>, now: SystemTime) -> Admitted {
        let total = &mut self.total;
        if total.count == 0 {
            total.first = now;
        }
        (total.count, total.last, total.address) = (total.count + 1, now, address.or(total.address));
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.second != second {
            (self.second, self.shown) = (second, 0);
        }
        if self.shown >= PER_SECOND {
            self.left_out += 1;
            return Admitted::LeftOut;
        }
        self.shown += 1;
        Admitted::Shown { left_out: std::mem::take(&mut self.left_out) }
    }

    fn take(&mut self) -> Option<Tallied> {
        let total = self.total.clone();
        self.total.count = 0;
        (total.count > 0).then_some(total)
    }
}

/// A rule's id as commands write it.
pub(super) fn rule_text(id: [u8; 6]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
