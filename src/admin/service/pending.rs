//! Unknown devices that wait for an operator, in the memory of a running broker.

use super::{Call, Service};
use crate::admin::reply::{AdminError, Fault, PendingView, Reply};
use crate::admin::request::{DeviceRef, Named, Pinning};
use crate::hub::PendingDevice;
use crate::policy::{DeviceKey, DistinguishedName};
use crate::telemetry::log::escape;

impl Service {
    pub(super) fn list_pending(&self) -> Result<Reply, AdminError> {
        let unknown = self.authority.policy().settings().unknown;
        Ok(Reply::Pending(PendingView::of(unknown, &self.running()?.hub.pending_devices())))
    }

    /// Adds its record; the next CONNECT of the device succeeds.
    pub(super) fn approve_device(
        &self,
        call: Call<'_>,
        device: &DeviceRef,
        groups: &[String],
    ) -> Result<Reply, AdminError> {
        let hub = self.running()?.hub;
        let key = self.pending(device, &hub.pending_devices())?;
        let exact = DeviceRef { trust: key.trust.to_string(), named: Named::Name(key.name.to_string()) };
        let reply = self.add_device(call, &exact, groups, Pinning::Unpinned)?;
        hub.forget_pending(&key);
        Ok(reply)
    }

    fn pending(&self, device: &DeviceRef, pending: &[PendingDevice]) -> Result<DeviceKey, AdminError> {
        let of_block = pending.iter().filter(|one| *one.key.trust == *device.trust);
        let (named, found): (String, Vec<&PendingDevice>) = match &device.named {
            Named::Name(text) if self.is_bare(text) => {
                (text.clone(), of_block.filter(|one| has_common_name(&one.key, text)).collect())
            }
            Named::Name(text) => {
                let name = self.canonical(text)?;
                (name.to_string(), of_block.filter(|one| one.key.name == name).collect())
            }
            Named::Certificate(base64) => {
                let key = self.by_certificate(&device.trust, base64)?.key;
                (key.to_string(), of_block.filter(|one| one.key == key).collect())
            }
        };
        match &found[..] {
            [only] => Ok(only.key.clone()),
            [] => Err(AdminError::new(
                Fault::Missing,
                format!(
                    "device {} does not wait for approval: `certmq device list --pending` shows those that do, \
                     `certmq device add` adds others",
                    escape(&named)
                ),
            )),
            several => {
                let names: Vec<String> = several.iter().map(|one| format!("'{}'", one.key.name)).collect();
                let message = format!("{} devices of that name wait: {}", several.len(), names.join(", "));
                Err(AdminError::new(Fault::Missing, message))
            }
        }
    }
}

fn has_common_name(key: &DeviceKey, wanted: &str) -> bool {
    DistinguishedName::parse(&key.name).is_ok_and(|name| name.common_names().iter().any(|name| name == wanted))
}
