//! The folder of the store: what lies where, who may read it, who has it open.
//!
//! ```text
//! <storage.path>/              0700
//!   policy/                    0700, sled: db, conf, snap.*, blobs/
//!   policy.snapshot            all records at one generation, text
//!   policy.journal             every change set since, text
//!   policy.lock                held while a process has the store open
//! ```

use super::error::StoreError;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Room that a commit needs on the disk beyond its own size: sled allocates whole segments, and its recovery
/// after a fault writes a snapshot of its page table.
const HEADROOM: u64 = 4 << 20;

/// Room that opening sled needs: a segment, and a snapshot of its page table.
const OPENING: u64 = 2 << 20;

/// How many bytes a changed byte may cost: the journal, sled's log, and the pages that sled rewrites.
const AMPLIFICATION: u64 = 8;

/// The paths of a store.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    pub(super) root: PathBuf,
}

/// Held while the store is open.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    /// To close the file is not enough: a process forked at this moment holds a copy of it until it executes.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Whether there is a store already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// Neither database nor backup.
    Empty,
    /// A database, or a backup of one.
    Present,
}

impl Folder {
    /// Makes the folder where it is missing, and refuses one that others can read.
    pub(super) fn prepare(root: &Path) -> Result<Self, StoreError> {
        let folder = Self { root: root.to_owned() };
        if let Some(parent) = root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(|source| StoreError::io(parent, source))?;
        }
        make_private(root)?;
        folder.refuse_exposed()?;
        Ok(folder)
    }

    pub(super) fn database(&self) -> PathBuf {
        self.root.join("policy")
    }

    pub(super) fn snapshot(&self) -> PathBuf {
        self.root.join("policy.snapshot")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.root.join("policy.journal")
    }

    /// What snapshot and journal were before.
    pub(super) fn history(&self) -> PathBuf {
        self.root.join("policy.history")
    }

    fn lock_file(&self) -> PathBuf {
        self.root.join("policy.lock")
    }

    /// Whether a store was ever made here. A journal is the last thing that creation writes, so a folder without
    /// one and with an empty database is a creation that was cut short.
    pub(super) fn presence(&self) -> Presence {
        let paths = [self.database().join("db"), self.snapshot(), self.journal()];
        if paths.iter().any(|path| path.exists()) { Presence::Present } else { Presence::Empty }
    }

    /// Takes the lock. It is free again when the process ends, however it does.
    pub(super) fn lock(&self) -> Result<Lock, StoreError> {
        let path = self.lock_file();
        let file = private_options().read(true).open(&path).map_err(|source| StoreError::io(&path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: self.root.clone() }),
            Err(TryLockError::Error(source)) => Err(StoreError::io(path, source)),
        }
    }

    /// Refuses before anything is written when the disk cannot take `bytes` more of changes.
    pub(super) fn refuse_full(&self, bytes: u64) -> Result<(), StoreError> {
        refuse_less_room(&self.root, HEADROOM.saturating_add(bytes.saturating_mul(AMPLIFICATION)))
    }

    fn refuse_exposed(&self) -> Result<(), StoreError> {
        let database = self.database();
        let kept = [self.root.clone(), database.clone(), database.join("db"), self.snapshot(), self.journal()];
        for path in kept.into_iter().chain([self.lock_file()]) {
            match fs::metadata(&path) {
                Ok(metadata) => {
                    let mode = metadata.permissions().mode() & 0o7777;
                    if mode & 0o077 != 0 {
                        return Err(StoreError::Exposed { path, mode });
                    }
                }
                Err(source) if source.kind() == ErrorKind::NotFound => {}
                Err(source) => return Err(StoreError::io(path, source)),
            }
        }
        Ok(())
    }
}

/// Refuses to open sled where the disk is full: it writes when it opens, and what it cannot finish then counts as damage
/// the next time.
pub(super) fn refuse_full_to_open(path: &Path) -> Result<(), StoreError> {
    refuse_less_room(path, OPENING)
}

fn refuse_less_room(path: &Path, bytes: u64) -> Result<(), StoreError> {
    let disk = nix::sys::statvfs::statvfs(path)
        .map_err(|errno| StoreError::io(path, io::Error::from_raw_os_error(errno as i32)))?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    if free < bytes { Err(StoreError::Full { path: path.to_owned() }) } else { Ok(()) }
}

/// Options that make a file nobody else can read.
pub(super) fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options
}

/// Makes a folder nobody else can enter; one that exists is left as it is.
pub(super) fn make_private(path: &Path) -> Result<(), StoreError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync_folder(parent)?;
            }
            Ok(())
        }
        Err(source) if source.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::io(path, source)),
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|source| StoreError::io(path, source))
}

/// Renames and makes the new name durable.
pub(super) fn rename_synced(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|source| StoreError::io(to, source))?;
    to.parent().map_or(Ok(()), sync_folder)
}

/// The bytes that the files below `path` hold.
pub(super) fn size_below(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Takes from others what sled gave them by the umask. Files that sled makes now and then (`snap.*`, `blobs/`) are
/// inside a folder that only we can enter, so this is the second bolt, not the first.
pub(super) fn tighten_below(path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::io(path, source);
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // A file that sled removed in the meantime is no fault.
        let Ok(metadata) = entry.metadata() else { continue };
        let mode = if metadata.is_dir() { 0o700 } else { 0o600 };
        if metadata.permissions().mode() & 0o7777 != mode {
            fs::set_permissions(entry.path(), Permissions::from_mode(mode))
                .map_err(|source| StoreError::io(entry.path(), source))?;
        }
        if metadata.is_dir() {
            tighten_below(&entry.path())?;
        }
    }
    Ok(())
}
