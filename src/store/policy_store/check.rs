//! `certmq store check`: is everything whole, the backup included?

use super::backup::Backup;
use super::database::Database;
use super::encoding::SCHEMA;
use super::error::StoreError;
use super::folder::size_below;
use super::restore::existing;
use std::path::{Path, PathBuf};

/// What was found. The store is whole when `faults` is empty.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CheckReport {
    /// The folder that was checked.
    pub folder: PathBuf,
    /// The version of the schema that this program writes.
    pub schema: u32,
    /// The generation of the records.
    pub generation: u64,
    /// How many device records there are.
    pub devices: u64,
    /// How many group records there are.
    pub groups: u64,
    /// How many entries the deny list has.
    #[serde(default)]
    pub denials: u64,
    /// The hash of all records, 64 hexadecimal digits: equal sets have equal hashes.
    pub hash: String,
    /// The generation of the snapshot.
    pub snapshot_generation: u64,
    /// How many change sets the journal holds.
    pub journal_entries: u64,
    /// Bytes that the database takes on the disk.
    pub database_bytes: u64,
    /// Each says the file, the place and the fault.
    pub faults: Vec<String>,
}

/// Reads the whole store and the whole backup, replays the backup, and compares the two.
///
/// # Errors
///
/// Only when it cannot be looked at: in use, exposed, missing, written by a newer version. Damage is a finding.
pub fn check(folder: &Path) -> Result<CheckReport, StoreError> {
    let folder = existing(folder)?;
    let _lock = folder.lock()?;
    let mut report = CheckReport {
        folder: folder.root.clone(),
        schema: SCHEMA,
        generation: 0,
        devices: 0,
        groups: 0,
        denials: 0,
        hash: String::new(),
        snapshot_generation: 0,
        journal_entries: 0,
        database_bytes: size_below(&folder.database()),
        faults: Vec::new(),
    };
    let found = match folder.database().join("db").exists() {
        true => finding(Database::open(&folder.database()).and_then(|database| database.verify()), &mut report)?,
        false => finding(Err(StoreError::damaged(folder.database(), "the database is missing")), &mut report)?,
    };
    if let Some(verified) = &found {
        report.generation = verified.state.generation;
        report.devices = verified.devices;
        report.groups = verified.groups;
        report.denials = verified.denials;
        report.hash = verified.state.hash.to_string();
    }
    if let Some(backup) = finding(Backup::read(&folder), &mut report)? {
        report.snapshot_generation = backup.snapshot_generation;
        report.journal_entries = backup.journal_entries;
        if let Some(verified) = found.filter(|verified| verified.state != backup.state) {
            report.faults.push(format!(
                "{}: the backup holds generation {}, the store generation {}{}",
                folder.root.display(),
                backup.state.generation,
                verified.state.generation,
                if backup.state.generation == verified.state.generation + 1 {
                    ": a crash interrupted a change, the next start finishes it"
                } else {
                    "; restore it with `certmq store restore --policy`"
                }
            ));
        }
    }
    Ok(report)
}

/// Turns damage into a finding; what kept us from looking stays an error.
fn finding<T>(result: Result<T, StoreError>, report: &mut CheckReport) -> Result<Option<T>, StoreError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(fault @ (StoreError::Damaged { .. } | StoreError::Io { .. })) => {
            report.faults.push(fault.to_string());
            Ok(None)
        }
        Err(other) => Err(other),
    }
}
