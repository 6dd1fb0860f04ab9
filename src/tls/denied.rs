//! The deny list of the policy, as handshakes ask it: swapped whole with each policy, for all listeners at once.

use crate::policy::{ChainFacts, DenyId, DenyList, DeviceKey};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// The list in force.
#[derive(Debug, Default)]
pub struct Denied {
    list: ArcSwap<DenyList>,
}

impl Denied {
    /// Refuses by `list` from now on.
    pub fn put_in_force(&self, list: Arc<DenyList>) {
        self.list.store(list);
    }

    pub(super) fn find(&self, device: &DeviceKey, chain: &ChainFacts) -> Option<DenyId> {
        self.list.load().find(device, chain)
    }
}
