//! What can be wrong with the store; each message says the thing, the place and the remedy.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What can be wrong with the store; each message ends with the remedy.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum StoreError {
    #[error("{path}: in use by another certmq; stop it, or use the commands while it runs")]
    InUse { path: PathBuf },
    #[error("{path}: damaged: {fault}; restore it with `certmq store restore --policy`")]
    Damaged { path: PathBuf, fault: String },
    #[error("the policy is at generation {found}, the change was made for {expected}; export again")]
    Generation { expected: u64, found: u64 },
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: others can read it (mode {mode:o}); run `chmod go-rwx` on it")]
    Exposed { path: PathBuf, mode: u32 },
    #[error("{path}: no room left on the disk; free some and repeat the command")]
    Full { path: PathBuf },
    #[error("{path}: the file system is read-only; mount it writable and repeat the command")]
    ReadOnly { path: PathBuf },
    #[error(
        "{path}: written by a newer certmq (schema {found}, this one knows {known}); use that version or a newer one"
    )]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("no device {device}: list them with `certmq device list`")]
    NoSuchDevice { device: String },
    #[error("no group {group:?}: add it with `certmq group add`")]
    NoSuchGroup { group: String },
    #[error("no {entry}: `certmq revoke --list` shows them")]
    NoSuchDenial { entry: String },
    #[error("no generation {generation}: those from {oldest} to {newest} are kept, `certmq history` shows them")]
    NoSuchGeneration { generation: u64, oldest: u64, newest: u64 },
    #[error("group {group:?} is still listed by {devices} device(s): take them out of it first")]
    GroupInUse { group: String, devices: u64 },
    #[error("{record} is changed twice in one change set: merge the two changes")]
    Repeated { record: String },
    #[error("{record} cannot be stored: {fault}")]
    BadRecord { record: String, fault: &'static str },
    #[error(
        "neither the store nor its backup is whole: the store: {store}; the backup: {backup}; \
             put back the files of a copy, or take out the faulty lines by hand (keep a copy) and restore again"
    )]
    BackupDamaged { store: String, backup: String },
}

impl StoreError {
    /// Whether the disk takes nothing now, but may again: full, or mounted read-only.
    pub fn is_no_room(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::ReadOnly { .. })
    }

    /// An error of the file system at `path`; a full and a read-only disk have names of their own.
    pub(super) fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        let path = path.as_ref().to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path },
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            _ => Self::Io { path, source },
        }
    }

    pub(super) fn damaged(path: impl AsRef<Path>, fault: impl ToString) -> Self {
        Self::Damaged { path: path.as_ref().to_owned(), fault: fault.to_string() }
    }
}
