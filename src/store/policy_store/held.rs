//! Changes that are in force and wait for room on the disk. They only take access away, so they only put records; reading
//! shows the records as they will be.

use super::error::StoreError;
use crate::policy::{Change, ChangeSet, DenyEntry, DenyId, DeviceKey, DeviceRecord, GroupRecord};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) sets: Vec<HeldSet>,
    pub(super) devices: BTreeMap<DeviceKey, DeviceRecord>,
    pub(super) groups: BTreeMap<Arc<str>, GroupRecord>,
    pub(super) denials: BTreeMap<DenyId, DenyEntry>,
}

/// One change set.
#[derive(Debug)]
pub(super) struct HeldSet {
    pub(super) changes: Vec<Change>,
    pub(super) author: String,
    /// Unix seconds.
    pub(super) now: i64,
}

impl Held {
    pub(super) fn push(&mut self, changes: &ChangeSet, author: &str, now: i64) {
        for change in &changes.changes {
            match change {
                Change::PutDevice(record) => _ = self.devices.insert(record.key.clone(), record.clone()),
                Change::PutGroup(record) => _ = self.groups.insert(Arc::clone(&record.name), record.clone()),
                Change::PutDenial(entry) => _ = self.denials.insert(entry.id, entry.clone()),
                // They would give access to what the record denied.
                Change::RemoveDevice(_) | Change::RemoveGroup(_) | Change::RemoveDenial(_) => {}
            }
        }
        self.sets.push(HeldSet { changes: changes.changes.clone(), author: author.to_owned(), now });
    }
}

/// `stored`, sorted by key, with what is held in the place of what it replaces.
pub(super) fn overlaid<K: Ord + Clone, T>(
    mut stored: impl Iterator<Item = Result<T, StoreError>>,
    mut held: BTreeMap<K, T>,
    key: impl Fn(&T) -> K,
) -> impl Iterator<Item = Result<T, StoreError>> {
    let mut next = None;
    std::iter::from_fn(move || {
        if next.is_none() {
            next = match stored.next() {
                Some(Err(fault)) => return Some(Err(fault)),
                Some(Ok(record)) => Some(record),
                None => None,
            };
        }
        let first = held.first_key_value().map(|(first, _)| first.clone());
        match (next.as_ref().map(&key), first) {
            (Some(stored), Some(first)) if first <= stored => {
                if first == stored {
                    next = None;
                }
                held.pop_first().map(|(_, record)| Ok(record))
            }
            (Some(_), _) => next.take().map(Ok),
            (None, _) => held.pop_first().map(|(_, record)| Ok(record)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_takes_the_place_of_what_is_stored_in_order() {
        let stored = [(1, "a"), (3, "b"), (5, "c")].map(Ok);
        let held = BTreeMap::from([(0, (0, "x")), (3, (3, "y")), (4, (4, "z")), (9, (9, "w"))]);
        let shown: Vec<_> = overlaid(stored.into_iter(), held, |record| record.0).map(Result::unwrap).collect();
        assert_eq!(shown, [(0, "x"), (1, "a"), (3, "y"), (4, "z"), (5, "c"), (9, "w")]);
    }
}
