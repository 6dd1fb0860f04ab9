//! `certmq store restore --policy`: whole again from whatever is whole.

use super::backup::Backup;
use super::database::Database;
use super::encoding::Kind;
use super::error::StoreError;
use super::folder::{Folder, Presence, rename_synced, sync_folder};
use super::journal::{self, Journal};
use super::state::{Hex32, State};
use super::{dated, snapshot, unix_now};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RestoreReport {
    /// Where the records came from.
    pub source: RestoreSource,
    /// The generation that is in force now.
    pub generation: u64,
    /// How many device records there are.
    pub devices: u64,
    /// How many group records there are.
    pub groups: u64,
    /// What was found damaged, under the names it has now. Nothing is deleted.
    pub kept_aside: Vec<PathBuf>,
    /// A last line of the journal that was never finished; no command was told that its change is in force.
    pub unfinished_line: Option<u64>,
}

/// Where the records of a restored store came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreSource {
    /// The store was whole and so was its backup: nothing was done.
    Unharmed,
    /// The backup was damaged and was written anew from the store.
    Store,
    /// The store was damaged and was rebuilt from snapshot and journal.
    Backup,
}

/// Makes the store in `folder` whole: from snapshot and journal when the database is damaged or behind, the other
/// way round when they are. What was damaged is kept under a dated name.
///
/// # Errors
///
/// [`StoreError::BackupDamaged`] names both faults when neither side is whole; nothing was changed then.
pub fn restore_policy(folder: &Path) -> Result<RestoreReport, StoreError> {
    let folder = existing(folder)?;
    let _lock = folder.lock()?;
    let now = unix_now();
    let sound = match Sound::open(&folder) {
        Ok(sound) => Ok(sound),
        Err(fault @ StoreError::Damaged { .. }) => Err(fault),
        // Not damage: a rebuilt store would have the same trouble, or hide what a newer version wrote.
        Err(other) => return Err(other),
    };
    match (sound, Backup::read(&folder)) {
        (Ok(sound), Ok(backup)) if sound.state == backup.state => Ok(sound.report(RestoreSource::Unharmed, Vec::new())),
        (Ok(sound), Ok(backup)) if sound.state.generation > backup.state.generation => {
            rewrite_backup(&folder, sound, now)
        }
        (_, Ok(backup)) => rebuild_database(&folder, backup, now),
        (Ok(sound), Err(_)) if sound.state.generation >= newest_claimed(&folder) => rewrite_backup(&folder, sound, now),
        (Ok(sound), Err(backup)) => {
            let store = format!("whole, but only up to generation {}", sound.state.generation);
            Err(StoreError::BackupDamaged { store, backup: backup.to_string() })
        }
        (Err(store), Err(backup)) => {
            Err(StoreError::BackupDamaged { store: store.to_string(), backup: backup.to_string() })
        }
    }
}

/// The folder of a store that is there.
pub(super) fn existing(folder: &Path) -> Result<Folder, StoreError> {
    let missing = || StoreError::io(folder, std::io::Error::new(ErrorKind::NotFound, "there is no policy store here"));
    if !folder.is_dir() {
        return Err(missing());
    }
    let folder = Folder::prepare(folder)?;
    match folder.presence() {
        Presence::Empty => Err(missing()),
        Presence::Present => Ok(folder),
    }
}

/// A database whose records add up.
struct Sound {
    database: Database,
    state: State,
    devices: u64,
    groups: u64,
}

impl Sound {
    fn open(folder: &Folder) -> Result<Self, StoreError> {
        let path = folder.database();
        if !path.join("db").exists() {
            return Err(StoreError::damaged(path, "the database is missing"));
        }
        let database = Database::open(&path)?;
        let verified = database.verify()?;
        Ok(Self { database, state: verified.state, devices: verified.devices, groups: verified.groups })
    }

    fn report(&self, source: RestoreSource, kept_aside: Vec<PathBuf>) -> RestoreReport {
        RestoreReport {
            source,
            generation: self.state.generation,
            devices: self.devices,
            groups: self.groups,
            kept_aside,
            unfinished_line: None,
        }
    }
}

/// Without a readable journal or snapshot nothing contradicts the database.
fn newest_claimed(folder: &Folder) -> u64 {
    let journal = journal::newest_generation_claimed(&folder.journal()).unwrap_or_default();
    let snapshot = snapshot::summary(&folder.snapshot()).map_or(0, |summary| summary.state.generation);
    journal.max(snapshot)
}

fn rewrite_backup(folder: &Folder, sound: Sound, now: i64) -> Result<RestoreReport, StoreError> {
    let mut kept_aside = Vec::new();
    for path in [folder.snapshot(), folder.journal()] {
        if path.exists() {
            let aside = dated(&path, now);
            rename_synced(&path, &aside)?;
            kept_aside.push(aside);
        }
    }
    snapshot::write(&folder.snapshot(), &sound.database, sound.state, now)?;
    Journal::start(&folder.journal(), sound.state, Hex32::default())?;
    Ok(sound.report(RestoreSource::Store, kept_aside))
}

/// The new database gets its name only when it is whole, and the old one keeps its files.
fn rebuild_database(folder: &Folder, backup: Backup, now: i64) -> Result<RestoreReport, StoreError> {
    let (state, unfinished) = (backup.state, backup.unfinished.clone());
    let (devices, groups) = (backup.count(Kind::Device), backup.count(Kind::Group));
    let fresh = folder.root.join("policy.restoring");
    match std::fs::remove_dir_all(&fresh) {
        Ok(()) => {}
        Err(source) if source.kind() == ErrorKind::NotFound => {}
        Err(source) => return Err(StoreError::io(fresh, source)),
    }
    let writes = backup.into_writes();
    folder.refuse_full(writes.iter().map(|write| write.value.as_ref().map_or(0, Vec::len) as u64).sum())?;
    let mut database = Database::open(&fresh)?;
    database.rebuild(&writes, &state)?;
    database.verify()?;
    drop(database);
    sync_folder(&fresh)?;

    let mut kept_aside = Vec::new();
    if folder.database().exists() {
        let aside = dated(&folder.database(), now);
        rename_synced(&folder.database(), &aside)?;
        kept_aside.push(aside);
    }
    rename_synced(&fresh, &folder.database())?;
    Ok(RestoreReport {
        source: RestoreSource::Backup,
        generation: state.generation,
        devices,
        groups,
        kept_aside,
        unfinished_line: unfinished.map(|fault| fault.line),
    })
}
