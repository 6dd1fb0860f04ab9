//! How many bytes the record of the device lets wait for one session.

use super::{Bounds, Session};
use crate::policy::{Epoch, Policy};

/// Looked up once for each policy.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    epoch: Epoch,
    /// `None`: as many as the settings allow.
    queued_bytes: Option<usize>,
}

impl Session {
    /// The bounds of this session under `policy`.
    pub(super) fn bounds_under(&mut self, policy: &Policy, bounds: &Bounds) -> Bounds {
        if self.allowance.epoch != policy.epoch() {
            let limit = policy.limits_of(&self.principal).queued_bytes;
            let queued_bytes = limit.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
            self.allowance = Allowance { epoch: policy.epoch(), queued_bytes };
        }
        self.narrowed(bounds)
    }

    /// The bounds of this session, as far as is known.
    pub(super) fn narrowed(&self, bounds: &Bounds) -> Bounds {
        let allowed = self.allowance.queued_bytes.unwrap_or(usize::MAX);
        Bounds { queued_bytes: bounds.queued_bytes.min(allowed), ..*bounds }
    }
}
