//! The past of the policy: snapshots and journals that gave way to newer ones, so that the generations they tell of can
//! be listed and brought back.
//!
//! ```text
//! policy.history/41.snapshot   the records at generation 41
//! policy.history/97.journal    the change sets up to generation 97
//! ```

use super::backup::Backup;
use super::encoding::{Kind, Write, decode_device, decode_group, describe};
use super::error::StoreError;
use super::folder::{Folder, make_private, sync_folder};
use super::journal::{self, Entry};
use super::{PolicyStore, snapshot};
use crate::policy::Records;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Snapshots that are kept besides the present one; each comes with the journals since.
const KEPT_SNAPSHOTS: usize = 30;

/// Bytes that the past may take together; the newest snapshot of it stays whatever its size.
const KEPT_BYTES: u64 = 1 << 30;

/// What goes without saying.
const IN_DEFAULT_BLOCK: &str = " of trust block \"default\"";

/// Records that one line of the history names.
const NAMED_RECORDS: usize = 3;

/// One generation of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its number.
    pub number: u64,
    /// When it was made, RFC 3339.
    pub time: String,
    /// By whom.
    pub author: String,
    /// How many records were added or changed.
    pub put: usize,
    /// How many records were removed.
    pub removed: usize,
    /// The first few of them, a few words each.
    pub records: Vec<String>,
}

impl PolicyStore {
    /// The newest `limit` generations, newest first, and the oldest that [`PolicyStore::records_at`] can give. What is
    /// held for want of room is not among them.
    ///
    /// # Errors
    /// A file of the backup or of the past that cannot be read or believed.
    pub fn history(&self, limit: usize) -> Result<(Vec<Generation>, u64), StoreError> {
        let _writer = self.shared.writer.lock();
        let folder = &self.shared.folder;
        let mut generations: Vec<Generation> = Vec::new();
        for journal in journals(folder)?.iter().rev() {
            let mut told = Vec::new();
            let oldest_known = generations.last().map_or(u64::MAX, |generation| generation.number);
            let reading = journal::read(journal, |entry| {
                if entry.generation < oldest_known {
                    told.push(Generation::of(entry)?);
                }
                Ok(())
            })?;
            if let Some(fault) = reading.fault {
                return Err(StoreError::damaged(journal, format!("line {}: {}", fault.line, fault.fault)));
            }
            generations.extend(told.into_iter().rev());
            if generations.len() >= limit {
                break;
            }
        }
        generations.truncate(limit);
        Ok((generations, oldest(folder)?))
    }

    /// The records as they were at a generation, without the deny list, which no rollback touches.
    ///
    /// # Errors
    /// [`StoreError::NoSuchGeneration`], or a file of the past that cannot be read or believed.
    pub fn records_at(&self, generation: u64) -> Result<Records, StoreError> {
        let writer = self.shared.writer.lock();
        let newest = writer.state.generation;
        let folder = &self.shared.folder;
        let missing = |oldest| StoreError::NoSuchGeneration { generation, oldest, newest };
        let snapshots = snapshots(folder)?;
        let Some((_, start)) = snapshots.iter().rev().find(|(of, _)| *of <= generation) else {
            return Err(missing(oldest(folder)?));
        };
        if generation > newest {
            return Err(missing(oldest(folder)?));
        }
        let past = Backup::at(generation, start, &journals(folder)?)?;
        let mut records = Records { generation, ..Records::default() };
        for Write { kind, key, value } in past.into_writes() {
            let value = value.unwrap_or_default();
            let unreadable = |fault| StoreError::damaged(start, fault);
            match kind {
                Kind::Device => {
                    let record = decode_device(&key, &value).map_err(unreadable)?;
                    records.devices.insert(record.key.clone(), record);
                }
                Kind::Group => {
                    let record = decode_group(&key, &value).map_err(unreadable)?;
                    records.groups.insert(Arc::clone(&record.name), record);
                }
                Kind::Denial => {}
            }
        }
        Ok(records)
    }
}

impl Generation {
    fn of(entry: &Entry) -> Result<Self, String> {
        let (mut put, mut removed) = (0, 0);
        let mut records = Vec::new();
        for change in &entry.changes {
            let write = Write::of(change).map_err(|fault| fault.to_string())?;
            let (count, word) = match (&write.value, write.kind) {
                (Some(_), Kind::Denial) => (&mut put, "revoke:"),
                (None, Kind::Denial) => (&mut removed, "lift:"),
                (Some(_), Kind::Device | Kind::Group) => (&mut put, "put"),
                (None, Kind::Device | Kind::Group) => (&mut removed, "remove"),
            };
            *count += 1;
            if records.len() < NAMED_RECORDS {
                let record = describe(write.kind, &write.key);
                records.push(format!("{word} {}", record.strip_suffix(IN_DEFAULT_BLOCK).unwrap_or(&record)));
            }
        }
        let Entry { generation, time, author, .. } = entry;
        Ok(Self { number: *generation, time: time.clone(), author: author.clone(), put, removed, records })
    }
}

/// Keeps snapshot and journal, which ends at `generation`, under names of their own: new ones are about to take theirs.
pub(super) fn keep(folder: &Folder, generation: u64) -> Result<(), StoreError> {
    let past = folder.history();
    make_private(&past)?;
    if let Ok(summary) = snapshot::summary(&folder.snapshot()) {
        link(&folder.snapshot(), &past.join(format!("{}.snapshot", summary.state.generation)))?;
    }
    link(&folder.journal(), &past.join(format!("{generation}.journal")))?;
    sync_folder(&past)
}

/// Removes what is too old or too large to be kept. A journal goes with the last snapshot that it could go on from.
pub(super) fn prune(folder: &Folder) -> Result<(), StoreError> {
    let snapshots = numbered(&folder.history(), "snapshot")?;
    let journals = numbered(&folder.history(), "journal")?;
    let mut bytes = 0_u64;
    let mut first_kept = u64::MAX;
    for (kept, (generation, path)) in snapshots.iter().rev().enumerate() {
        let since = journals.iter().filter(|(end, _)| (*generation..first_kept).contains(end));
        bytes += since.map(|(_, path)| path).chain([path]).map(|path| length(path)).sum::<u64>();
        if kept >= KEPT_SNAPSHOTS || kept > 0 && bytes > KEPT_BYTES {
            break;
        }
        first_kept = *generation;
    }
    let gone = snapshots.iter().chain(&journals).filter(|(generation, _)| *generation < first_kept);
    for (_, path) in gone {
        fs::remove_file(path).map_err(|source| StoreError::io(path, source))?;
    }
    Ok(())
}

/// Hard links cost nothing, and the file goes on where it is being written.
fn link(from: &Path, to: &Path) -> Result<(), StoreError> {
    match fs::hard_link(from, to) {
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked.map_err(|source| StoreError::io(to, source)),
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn oldest(folder: &Folder) -> Result<u64, StoreError> {
    Ok(snapshots(folder)?.first().map_or(0, |(generation, _)| *generation))
}

/// Every snapshot, the oldest first, the present one last.
fn snapshots(folder: &Folder) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let mut snapshots = numbered(&folder.history(), "snapshot")?;
    let present = folder.snapshot();
    snapshots.push((snapshot::summary(&present)?.state.generation, present));
    Ok(snapshots)
}

/// Every journal, the oldest first, the present one last.
fn journals(folder: &Folder) -> Result<Vec<PathBuf>, StoreError> {
    let past = numbered(&folder.history(), "journal")?;
    Ok(past.into_iter().map(|(_, path)| path).chain([folder.journal()]).collect())
}

/// Files `NUMBER.extension`, by number. Others are nobody's business here.
fn numbered(past: &Path, extension: &str) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let entries = match fs::read_dir(past) {
        Ok(entries) => entries,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StoreError::io(past, source)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|source| StoreError::io(past, source))?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (Some(number), true) = (number, path.extension().is_some_and(|found| found == extension)) {
            files.push((number, path));
        }
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests;
