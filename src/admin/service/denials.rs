//! The last refusals, and where the audit trail ends.

use super::Service;
use super::resolve::Unlisted;
use crate::admin::reply::{AdminError, DenialsView, Fault, Reply};
use crate::admin::request::{DeviceRef, Named, Who};
use crate::policy::{DeviceKey, DistinguishedName, Policy, Principal, SubjectSelector};
use crate::telemetry::denials::{Denial, Page};
use std::sync::Arc;
use std::time::Duration;

/// Refusals in one reply.
const PAGE: usize = 1_000;

/// Whose refusals are wanted.
enum Whose {
    Everyones,
    Device(DeviceKey),
    /// Of a device that nobody knows: by what its certificate says.
    CommonName {
        trust: String,
        name: String,
    },
    Members {
        policy: Arc<Policy>,
        group: String,
        selector: SubjectSelector,
    },
}

impl Service {
    pub(super) fn denials(&self, who: Option<&Who>, after: u64) -> Result<Reply, AdminError> {
        let whose = self.whose(who)?;
        let Some(running) = self.authority.live().running() else {
            let message = "refusals live in the memory of a running broker, and none runs";
            return Err(AdminError::new(Fault::NoBroker, message));
        };
        let Page { denials, next, skipped } = running.hub.denials().after(after, PAGE, |denial| whose.has(denial));
        Ok(Reply::Denials(DenialsView { denials, next, skipped }))
    }

    /// Returns when there may be refusals beyond `after`, or when `patience` has passed.
    pub async fn denials_beyond(&self, after: u64, patience: Duration) {
        if let Some(running) = self.authority.live().running() {
            running.hub.denials().changed(after, patience).await;
        }
    }

    pub(super) fn audit_anchor(&self) -> Result<Reply, AdminError> {
        let anchor = self.store().audit().anchor();
        anchor.map(Reply::AuditAnchor).map_err(|fault| AdminError::new(Fault::Data, fault))
    }

    fn whose(&self, who: Option<&Who>) -> Result<Whose, AdminError> {
        let device = match who {
            None => return Ok(Whose::Everyones),
            Some(Who::Group(group)) => {
                self.group(self.store(), group)?;
                let (policy, group) = (self.authority.policy(), group.clone());
                return Ok(Whose::Members { policy, group, selector: self.selector });
            }
            Some(Who::Device(device)) => device,
        };
        match (self.resolve(device, Unlisted::Accepted), device) {
            (Ok(resolved), _) => Ok(Whose::Device(resolved.key)),
            // Whoever is refused is often not known: the name counts.
            (Err(error), DeviceRef { trust, named: Named::Name(name) }) if error.fault == Fault::Missing => {
                match self.is_bare(name) {
                    true => Ok(Whose::CommonName { trust: trust.clone(), name: name.clone() }),
                    false => {
                        Ok(Whose::Device(DeviceKey { trust: Arc::from(trust.as_str()), name: self.canonical(name)? }))
                    }
                }
            }
            (Err(error), _) => Err(error),
        }
    }
}

impl Whose {
    /// In a handshake nobody has vouched for the name yet: it has no trust block.
    fn has(&self, denial: &Denial) -> bool {
        let Denial { trust, device, .. } = denial;
        match self {
            Self::Everyones => true,
            Self::Device(key) => **device == *key.name && (trust.is_empty() || **trust == *key.trust),
            Self::CommonName { trust: wanted, name } => {
                let names = DistinguishedName::parse(device).map(|name| name.common_names()).unwrap_or_default();
                (trust.is_empty() || trust == wanted) && names.contains(name)
            }
            Self::Members { policy, group, selector } => {
                let key = DeviceKey { trust: Arc::from(trust.as_str()), name: Arc::from(device.as_str()) };
                policy.is_member(&Principal::named(key, *selector), group)
            }
        }
    }
}
