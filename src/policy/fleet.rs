//! The fleet file: the whole policy as one TOML text, for review and version control.
//!
//! ```toml
//! version = 1
//!
//! [groups.sensors]
//! match = { o = "acme", ou = "sensors" }
//! allow = [{ publish = "sensors/{cn}/#", max_qos = 1 }]
//!
//! [[devices]]
//! subject = "CN=dev-0001,O=acme"
//! groups = ["sensors"]
//! deny = [{ publish = "sensors/dev-0001/config", until = 2027-01-01T00:00:00Z }]
//! ```

mod export;
mod parse;
mod table;

#[cfg(test)]
mod tests;

pub use export::export;
pub use parse::fingerprint;

use super::{Change, ChangeSet, Records, SubjectSelector};

/// A fault of a fleet file with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct FleetError {
    /// From 1.
    pub line: usize,
    /// What was found and what to do.
    pub message: String,
}

/// A parsed fleet file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetFile {
    /// `generation = N`, where the file has one.
    pub generation: Option<u64>,
    /// Its records; their `generation` is 0.
    pub records: Records,
}

impl FleetFile {
    /// Parses and validates the text. Subjects are made canonical as `selector` demands.
    ///
    /// # Errors
    /// The first fault with its line: TOML, an unknown key, a wrong type, an invalid rule, a device or group named
    /// twice, a listed group that the file does not define.
    pub fn parse(text: &str, selector: SubjectSelector) -> Result<Self, FleetError> {
        parse::parse(text, selector)
    }
}

/// What turns `from` into `to`; a store at another generation than `from` must refuse it.
pub fn difference(from: &Records, to: &Records) -> ChangeSet {
    let new_groups = to.groups.values().filter(|group| from.groups.get(&group.name) != Some(group));
    let new_devices = to.devices.values().filter(|device| from.devices.get(&device.key) != Some(device));
    let old_devices = from.devices.keys().filter(|key| !to.devices.contains_key(key));
    let old_groups = from.groups.keys().filter(|name| !to.groups.contains_key(*name));
    let changes = new_groups
        .map(|group| Change::PutGroup(group.clone()))
        .chain(new_devices.map(|device| Change::PutDevice(device.clone())))
        .chain(old_devices.map(|key| Change::RemoveDevice(key.clone())))
        .chain(old_groups.map(|name| Change::RemoveGroup(name.clone())));
    ChangeSet { expected_generation: Some(from.generation), changes: changes.collect() }
}
