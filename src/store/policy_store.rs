//! The policy on sled: verified when opened, durable before acknowledged, with a text backup beside it.

use crate::policy::{ChangeSet, DeviceKey, DeviceRecord, GroupRecord, Records};
use std::path::{Path, PathBuf};

/// An open policy store. Holds the lock of its folder: one process at a time.
#[derive(Debug)]
pub struct PolicyStore {
    folder: PathBuf,
}

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
}

impl PolicyStore {
    /// Opens or creates the store in `folder` (mode 0700) and verifies count and hash of all records.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let _ = folder;
        todo!()
    }

    /// The generation of the records.
    pub fn generation(&self) -> u64 {
        todo!()
    }

    /// Every device record, read one by one.
    pub fn devices(&self) -> impl Iterator<Item = Result<DeviceRecord, StoreError>> + '_ {
        let _ = &self.folder;
        std::iter::empty()
    }

    /// Every group record.
    pub fn groups(&self) -> impl Iterator<Item = Result<GroupRecord, StoreError>> + '_ {
        std::iter::empty()
    }

    /// One device's record.
    pub fn device(&self, key: &DeviceKey) -> Result<Option<DeviceRecord>, StoreError> {
        let _ = key;
        todo!()
    }

    /// Everything at once, for export and diff.
    pub fn records(&self) -> Result<Records, StoreError> {
        todo!()
    }

    /// Applies `changes` in one transaction and returns the new generation once they are on disk. `author` and
    /// `now` (Unix seconds) go into the journal.
    pub fn commit(&self, changes: &ChangeSet, author: &str, now: i64) -> Result<u64, StoreError> {
        let _ = (changes, author, now);
        todo!()
    }
}
