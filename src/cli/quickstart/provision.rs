//! The two devices in the store, with a group that gives each its own topics.

use super::credentials::Credentials;
use crate::admin::{AdminError, Fault};
use crate::cli::ca::now;
use crate::cli::{Exit, Failure, backend};
use crate::config::Settings;
use crate::config::tls::DEFAULT_TRUST;
use crate::policy::record::{Bounds, DeviceStatus};
use crate::policy::{Action, Change, ChangeSet, DeviceKey, DeviceRecord, Effect, GroupRecord, RecordLimits, Rule};
use crate::store::policy_store::PolicyStore;
use std::collections::BTreeMap;
use std::sync::Arc;

const GROUP: &str = "devices";

/// Each device under its own name, and nowhere else.
const FILTER: &str = "devices/{cn}/#";

/// Adds what is missing, in one transaction. What an operator changed since the last time stays as it is.
pub(super) fn provision(settings: &Settings, credentials: &Credentials) -> Result<(), Failure> {
    backend::become_owner(&settings.storage.path)?;
    let service = backend::service(settings)?;
    let keys = keys(settings, credentials)?;
    service
        .authority()
        .change("quickstart", now(), |store| {
            let changes = missing(store, &keys)?;
            let changes = (!changes.is_empty()).then_some(ChangeSet { expected_generation: None, changes });
            Ok::<_, AdminError>((changes, ()))
        })
        .map_err(|error| backend::refused(&error))?;
    Ok(())
}

fn keys(settings: &Settings, credentials: &Credentials) -> Result<Vec<DeviceKey>, Failure> {
    // The CA of a first try is the one of the plain settings; with blocks, the operator knows better than we do.
    let trust = settings.tls.trust.first().map_or(DEFAULT_TRUST, |block| &block.name);
    let key = |device: &super::credentials::Device| {
        let name = device.identity.device_name(settings.identity.subject).map_err(|error| {
            let remedy = "quickstart's certificates have a subject only; leave identity.subject at \"dn\" or \"cn\"";
            Failure::new(Exit::Configuration, format!("{}: {error}; {remedy}", device.certificate.display()))
        })?;
        Ok(DeviceKey { trust: Arc::from(trust), name })
    };
    credentials.devices.iter().map(key).collect()
}

fn missing(store: &PolicyStore, keys: &[DeviceKey]) -> Result<Vec<Change>, AdminError> {
    let mut changes = Vec::new();
    let wrong = |error: &dyn std::fmt::Display| AdminError::new(Fault::Internal, error.to_string());
    if store.group(GROUP)?.is_none() {
        let rule = |action| Rule::new(Effect::Allow, action, FILTER, Bounds::default(), None);
        let rules = [Action::Publish, Action::Subscribe].map(rule).into_iter().collect::<Result<_, _>>();
        let rules = rules.map_err(|error| wrong(&error))?;
        let group =
            GroupRecord::new(GROUP, BTreeMap::new(), rules, RecordLimits::default()).map_err(|error| wrong(&error))?;
        changes.push(Change::PutGroup(group));
    }
    for key in keys {
        if store.device(key)?.is_none() {
            let groups = vec![Arc::from(GROUP)];
            let record = DeviceRecord::new(
                key.clone(),
                DeviceStatus::Enabled,
                groups,
                Vec::new(),
                Vec::new(),
                RecordLimits::default(),
            )
            .map_err(|error| wrong(&error))?;
            changes.push(Change::PutDevice(record));
        }
    }
    Ok(changes)
}
