//! Requests about devices.

use super::resolve::{Resolved, Unlisted};
use super::{Call, Plan, Service};
use crate::admin::reply::{AdminError, DeviceView, DevicesView, Fault, Reply, SeenCertificateView};
use crate::admin::request::{DeviceRef, Leftovers, Named, Pinning};
use crate::policy::record::DeviceStatus;
use crate::policy::{Change, DenyTarget, DeviceKey, DeviceRecord, RecordLimits, fleet};
use crate::store::policy_store::PolicyStore;
use std::sync::Arc;

const OLD_UNPINNED: &str = "an X.509 version 1 certificate is accepted only where it is pinned: add --pin, or issue it \
                            with extensions (openssl x509 -req needs -extfile)";

impl Service {
    pub(super) fn add_device(
        &self,
        call: Call<'_>,
        device: &DeviceRef,
        groups: &[String],
        pinning: Pinning,
    ) -> Result<Reply, AdminError> {
        if let Named::Name(text) = &device.named
            && self.is_bare(text)
        {
            let remedy = format!("name the device by its whole subject, for example 'CN={text}', or by --cert FILE");
            return Err(AdminError::new(Fault::Data, format!("{text:?} is not a subject: {remedy}")));
        }
        self.change(call, |store| {
            // The opposite order of a known name is another device, and most likely a slip: add it, and say so.
            let resolved = match self.resolve(device, Unlisted::Accepted) {
                Err(error) if error.fault == Fault::Missing => self.named_anyway(device).ok_or(error)?,
                resolved => resolved?,
            };
            if pinning == Pinning::Unpinned && resolved.identity.as_ref().is_some_and(|identity| identity.is_old) {
                return Err(data(OLD_UNPINNED));
            }
            let key = resolved.key.clone();
            let before = store.device(&key)?;
            let known = before.is_some();
            let (mut record, status) = match &before {
                Some(record) => (record.clone(), record.status),
                None => (blank(&key)?, DeviceStatus::Enabled),
            };
            let wanted = groups.iter().map(|group| Arc::from(group.as_str()));
            let groups = record.groups.drain(..).chain(wanted).collect();
            let mut pins = record.pins;
            if let (Pinning::Pinned, Some(identity)) = (pinning, &resolved.identity) {
                pins.push(identity.sha256);
            }
            let record =
                DeviceRecord::new(key.clone(), status, groups, record.rules, pins, record.limits).map_err(data)?;
            let mut plan = match before.as_ref() == Some(&record) {
                true => Plan::nothing(format!("device {key} is there already")),
                false if known => Plan::new(vec![Change::PutDevice(record)], format!("device {key} changed")),
                false => Plan::new(vec![Change::PutDevice(record)], format!("device {key} added")),
            };
            if status == DeviceStatus::Disabled {
                plan.notes.push(format!("device {key} is disabled: enable it with `certmq device enable`"));
            }
            if let Some(other) = self.reversed(&key)?.filter(|_| !known) {
                plan.notes
                    .push(format!("there is also '{other}', the same name in the opposite order: another device"));
            }
            Ok(plan)
        })
    }

    pub(super) fn unpin_device(
        &self,
        call: Call<'_>,
        device: &DeviceRef,
        sha256: Option<&str>,
    ) -> Result<Reply, AdminError> {
        self.change(call, |store| {
            let (resolved, record) = self.listed(store, device)?;
            let key = resolved.key;
            let pin = match (sha256, &resolved.identity) {
                (Some(text), _) => fleet::fingerprint(text).map_err(data)?,
                (None, Some(identity)) => identity.sha256,
                (None, None) => {
                    let message = "say which certificate: --cert FILE, or --sha256 as `certmq device show` prints it";
                    return Err(AdminError::new(Fault::Data, message));
                }
            };
            if !record.pins.contains(&pin) {
                let message =
                    format!("device {key} does not pin this certificate; `certmq device show` lists its pins");
                return Err(AdminError::new(Fault::Missing, message));
            }
            let pins: Vec<_> = record.pins.iter().copied().filter(|other| *other != pin).collect();
            let last = pins.is_empty();
            let record =
                DeviceRecord::new(key.clone(), record.status, record.groups, record.rules, pins, record.limits)
                    .map_err(data)?;
            let mut plan = Plan::new(vec![Change::PutDevice(record)], format!("device {key}: one certificate less"));
            if last {
                plan.notes.push(format!(
                    "that was its last pin: from now on {key} comes by any certificate of its name that a CA of trust \
                     block {} issued",
                    key.trust
                ));
            }
            Ok(plan)
        })
    }

    /// The full name that was given, whatever else is known.
    fn named_anyway(&self, device: &DeviceRef) -> Option<Resolved> {
        let Named::Name(text) = &device.named else { return None };
        let known_block = self.trust_blocks().contains(&device.trust);
        let name = self.canonical(text).ok().filter(|_| known_block)?;
        Some(Resolved { key: DeviceKey { trust: Arc::from(device.trust.as_str()), name }, identity: None })
    }

    pub(super) fn list_devices(&self) -> Result<Reply, AdminError> {
        let devices = self.store().devices().map(|record| Ok(DeviceView::from(&record?)));
        Ok(Reply::Devices(DevicesView { devices: devices.collect::<Result<_, AdminError>>()? }))
    }

    pub(super) fn show_device(&self, device: &DeviceRef) -> Result<Reply, AdminError> {
        let (resolved, record) = self.listed(self.store(), device)?;
        let mut view = DeviceView::from(&record);
        if let Some(running) = self.authority.live().running() {
            let seen = running.hub.certificates_of(&resolved.key);
            view.certificates_seen = seen.iter().map(SeenCertificateView::of).collect();
        }
        Ok(Reply::Device(view))
    }

    pub(super) fn set_device_status(
        &self,
        call: Call<'_>,
        device: &DeviceRef,
        status: DeviceStatus,
    ) -> Result<Reply, AdminError> {
        let unlisted = match status {
            DeviceStatus::Disabled => Unlisted::Accepted,
            DeviceStatus::Enabled => Unlisted::Missing,
        };
        let word = match status {
            DeviceStatus::Disabled => "disabled",
            DeviceStatus::Enabled => "enabled",
        };
        self.change(call, |store| {
            let key = self.resolve(device, unlisted)?.key;
            let before = store.device(&key)?;
            let unlisted = before.is_none();
            let record = before.map_or_else(|| blank(&key), Ok)?;
            if record.status == status && !unlisted {
                return Ok(Plan::nothing(format!("device {key} is {word} already")));
            }
            let mut plan =
                Plan::new(vec![Change::PutDevice(DeviceRecord { status, ..record })], format!("device {key} {word}"));
            if unlisted {
                plan.notes.push(format!("{key} had no record; it has one now, so that it stays {word}"));
            }
            Ok(plan)
        })
    }

    pub(super) fn remove_device(
        &self,
        call: Call<'_>,
        device: &DeviceRef,
        leftovers: Leftovers,
    ) -> Result<Reply, AdminError> {
        let target = DenyTarget::Device(self.listed(self.store(), device)?.0.key);
        let wills = self.wills_of(&target);
        let reply = self.change(call, |store| {
            let (resolved, _) = self.listed(store, device)?;
            let key = resolved.key;
            let mut plan = Plan::new(vec![Change::RemoveDevice(key.clone())], format!("device {key} removed"));
            for group in store.groups() {
                let group = group?;
                let principal = self.principal(&Resolved { key: key.clone(), identity: None }, None);
                if super::groups::matches(&group, &principal.attributes) {
                    let name = &group.name;
                    plan.notes.push(format!(
                        "group {name} still matches its certificate, so it stays known: `certmq device disable` keeps it out"
                    ));
                }
            }
            Ok(plan)
        })?;
        Ok(self.tell_leftovers(reply, &target, &wills, leftovers))
    }

    /// The record that `device` names.
    pub(super) fn listed(
        &self,
        store: &PolicyStore,
        device: &DeviceRef,
    ) -> Result<(Resolved, DeviceRecord), AdminError> {
        let resolved = self.resolve(device, Unlisted::Missing)?;
        match store.device(&resolved.key)? {
            Some(record) => Ok((resolved, record)),
            None => Err(AdminError::new(Fault::Missing, format!("no device {}", resolved.key))),
        }
    }
}

fn blank(key: &DeviceKey) -> Result<DeviceRecord, AdminError> {
    DeviceRecord::new(key.clone(), DeviceStatus::Enabled, Vec::new(), Vec::new(), Vec::new(), RecordLimits::default())
        .map_err(data)
}

pub(super) fn data(error: impl std::fmt::Display) -> AdminError {
    AdminError::new(Fault::Data, error.to_string())
}
