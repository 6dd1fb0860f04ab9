//! The limits that records of devices set. Few do, so they lie beside the compiled devices and not in them.

use super::{DeviceKey, Policy, Principal, RecordLimits};
use std::collections::HashMap;
use std::sync::Arc;

/// A change copies one of them.
const SHARDS: usize = 256;

type Shard = HashMap<DeviceKey, RecordLimits, ahash::RandomState>;

/// The own limits of devices that have any.
#[derive(Clone, Debug)]
pub(super) struct OwnLimits {
    shards: Arc<Vec<Arc<Shard>>>,
    seed: ahash::RandomState,
}

impl Default for OwnLimits {
    fn default() -> Self {
        Self { shards: Arc::new(vec![Arc::default(); SHARDS]), seed: ahash::RandomState::new() }
    }
}

impl OwnLimits {
    pub(super) fn put(&mut self, device: &DeviceKey, limits: RecordLimits) {
        if limits.is_unlimited() {
            self.remove(device);
        } else {
            self.change(device, |shard| _ = shard.insert(device.clone(), limits));
        }
    }

    pub(super) fn remove(&mut self, device: &DeviceKey) {
        if self.find(device).is_some() {
            self.change(device, |shard| _ = shard.remove(device));
        }
    }

    fn find(&self, device: &DeviceKey) -> Option<RecordLimits> {
        self.shards.get(self.shard_of(device))?.get(device).copied()
    }

    fn change(&mut self, device: &DeviceKey, change: impl FnOnce(&mut Shard)) {
        let number = self.shard_of(device);
        if let Some(shard) = Arc::make_mut(&mut self.shards).get_mut(number) {
            change(Arc::make_mut(shard));
        }
    }

    fn shard_of(&self, device: &DeviceKey) -> usize {
        usize::try_from(self.seed.hash_one(device)).unwrap_or_default() % SHARDS
    }
}

impl Policy {
    /// The limits that count for a principal: those of its record, then the lowest of its groups. Whether it may come in
    /// at all is another question.
    pub fn limits_of(&self, principal: &Principal) -> RecordLimits {
        let own = self.own_limits.find(&principal.key);
        let listed = self.device(&principal.key).map(|record| record.groups()).unwrap_or_default();
        let listed = listed.iter().filter_map(|number| self.groups.group(*number));
        let of_groups = listed.chain(self.groups.matched(principal)).map(|group| group.limits);
        own.unwrap_or_default().or(of_groups.fold(RecordLimits::default(), RecordLimits::lowest))
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::fixture::{device, group, policy, principal};
    use crate::policy::{Attribute, RecordLimits};

    #[test]
    fn the_devices_own_come_first_and_then_the_lowest_of_its_groups() {
        let limits =
            |connections, messages_per_second| RecordLimits { connections, messages_per_second, queued_bytes: None };
        let mut listed = group("listed", &[], &[]);
        listed.limits = limits(Some(3), Some(50));
        let mut matched = group("matched", &[(Attribute::O, "acme")], &[]);
        matched.limits = limits(Some(2), Some(80));
        let mut own = device("own", &["listed"], &[]);
        own.limits = limits(Some(9), None);
        let policy = policy(vec![listed, matched], vec![own, device("plain", &["listed"], &[])]);
        assert_eq!(policy.limits_of(&principal("own")), limits(Some(9), Some(50)));
        assert_eq!(policy.limits_of(&principal("plain")), limits(Some(2), Some(50)));
        assert_eq!(policy.limits_of(&principal("matched only")), limits(Some(2), Some(80)));
    }
}
