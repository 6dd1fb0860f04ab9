//! What handshakes ask the policy, swapped whole with each policy, for all listeners at once: the deny list, and which
//! certificates records pin.

use crate::policy::{ChainFacts, DenyId, DenyList, DeviceKey, Pins, Policy};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// The policy in force, as far as handshakes look at it.
#[derive(Debug, Default)]
pub struct PolicyInForce(ArcSwap<Asked>);

#[derive(Debug, Default)]
struct Asked {
    deny_list: Arc<DenyList>,
    pins: Pins,
}

impl PolicyInForce {
    /// Judges by `policy` from now on.
    pub fn put_in_force(&self, policy: &Policy) {
        let asked = Asked { deny_list: Arc::clone(policy.deny_list()), pins: policy.pins().clone() };
        self.0.store(Arc::new(asked));
    }

    pub(super) fn denied(&self, device: &DeviceKey, chain: &ChainFacts) -> Option<DenyId> {
        self.0.load().deny_list.find(device, chain)
    }

    /// The device whose record pins the certificate with this SHA-256.
    pub(super) fn pinned(&self, sha256: &[u8; 32]) -> Option<DeviceKey> {
        self.0.load().pins.find(sha256).cloned()
    }
}
