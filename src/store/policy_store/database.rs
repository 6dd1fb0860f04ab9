//! sled, kept at arm's length: its panics become errors, its `flush` is followed by an fsync.

use super::encoding::{Kind, SCHEMA, Write, describe, listed_groups};
use super::error::StoreError;
use super::folder;
use super::state::State;
use sled::transaction::{ConflictableTransactionError, TransactionError, Transactional};
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

/// sled's page cache. Records are read through once at start and then one by one, so there is little to keep.
const CACHE_BYTES: u64 = 16 << 20;

/// How long an earlier handle of this process may keep its lock on sled's file.
const LINGERING: Duration = Duration::from_secs(5);

const SCHEMA_KEY: &[u8] = b"schema";
const STATE_KEY: &[u8] = b"state";

/// How many devices list a group.
pub(super) type References = HashMap<Arc<str>, u64>;

/// The open database.
pub(super) struct Database {
    path: PathBuf,
    db: sled::Db,
    devices: sled::Tree,
    groups: sled::Tree,
    denials: sled::Tree,
    meta: sled::Tree,
    /// Of the audit trail; no part of the records and their state.
    audit: sled::Tree,
    /// Our own handle of `db`: what sled calls a flush is only `sync_file_range` on Linux, which leaves the size
    /// of the file and the cache of the disk out.
    file: File,
    /// Blobs (values that do not fit a segment) never change once written: each is synced once.
    synced_blobs: HashSet<OsString>,
}

/// What reading every record shows.
#[derive(Debug, Default)]
pub(super) struct Verified {
    pub(super) state: State,
    pub(super) devices: u64,
    pub(super) groups: u64,
    pub(super) denials: u64,
    pub(super) references: References,
}

impl Database {
    /// Opens or makes the database in `path`.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        folder::make_private(path)?;
        folder::refuse_full_to_open(path)?;
        Self::make_files(path)?;
        let mut database = Self::open_when_free(path)?;
        database.refuse_newer()?;
        folder::tighten_below(path)?;
        folder::sync_folder(path)?;
        database.sync()?;
        Ok(database)
    }

    /// What sled would do badly when it is killed half-way: it makes its file readable by all, and it never reads a
    /// `conf` again that it was still writing. While the file is empty there is nothing that `conf` describes.
    fn make_files(path: &Path) -> Result<(), StoreError> {
        let (file, conf) = (path.join("db"), path.join("conf"));
        let made = folder::private_options().open(&file).and_then(|file| file.metadata());
        if made.map_err(|source| StoreError::io(&file, source))?.len() == 0 && conf.exists() {
            std::fs::remove_file(&conf).map_err(|source| StoreError::io(&conf, source))?;
        }
        Ok(())
    }

    /// Our own lock is held, so a lock on sled's file is that of an earlier handle in this process: sled lets go of
    /// it a little after the handle is dropped, when its last deferred work has run, and gives no sign of it.
    fn open_when_free(path: &Path) -> Result<Self, StoreError> {
        let deadline = Instant::now() + LINGERING;
        loop {
            match guarded(path, || Self::open_unguarded(path)) {
                Err(StoreError::InUse { .. }) if Instant::now() < deadline => park_timeout(Duration::from_millis(5)),
                opened => return opened,
            }
        }
    }

    fn open_unguarded(path: &Path) -> Result<Self, StoreError> {
        let failed = |fault| sled_error(path, fault);
        // No background flusher: what is written when is ours to say.
        let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let db = config.open().map_err(failed)?;
        let devices = db.open_tree(Kind::Device.tree()).map_err(failed)?;
        let groups = db.open_tree(Kind::Group.tree()).map_err(failed)?;
        let denials = db.open_tree(Kind::Denial.tree()).map_err(failed)?;
        let meta = db.open_tree("meta").map_err(failed)?;
        let audit = db.open_tree("audit").map_err(failed)?;
        let data = path.join("db");
        let file = File::open(&data).map_err(|source| StoreError::io(data, source))?;
        let synced_blobs = HashSet::new();
        Ok(Self { path: path.to_owned(), db, devices, groups, denials, meta, audit, file, synced_blobs })
    }

    fn refuse_newer(&self) -> Result<(), StoreError> {
        let Some(value) = self.meta.get(SCHEMA_KEY).map_err(|fault| sled_error(&self.path, fault))? else {
            return Ok(());
        };
        match serde_json::from_slice::<u32>(&value) {
            Ok(found) if found > SCHEMA => Err(StoreError::Newer { path: self.path.clone(), found, known: SCHEMA }),
            Ok(_) => Ok(()),
            Err(fault) => Err(StoreError::damaged(&self.path, format!("its schema version is unreadable: {fault}"))),
        }
    }

    /// The state that the last transaction wrote; `None` in a database that never had one.
    pub(super) fn written_state(&self) -> Result<Option<State>, StoreError> {
        let Some(value) = self.meta.get(STATE_KEY).map_err(|fault| sled_error(&self.path, fault))? else {
            return Ok(None);
        };
        serde_json::from_slice(&value)
            .map(Some)
            .map_err(|fault| StoreError::damaged(&self.path, format!("its state is unreadable: {fault}")))
    }

    /// Reads every record and compares count and hash with what the last transaction wrote.
    pub(super) fn verify(&self) -> Result<Verified, StoreError> {
        guarded(&self.path, || {
            let written = self.written_state()?.ok_or_else(|| {
                StoreError::damaged(&self.path, "it has no state, so nothing was ever finished in it")
            })?;
            let verified = self.read_through(written.generation)?;
            if verified.state != written {
                let found = verified.state;
                let fault = format!(
                    "{} records with hash {:.16} were written, {} with {:.16} are there",
                    written.records,
                    written.hash.to_string(),
                    found.records,
                    found.hash.to_string()
                );
                return Err(StoreError::damaged(&self.path, fault));
            }
            Ok(verified)
        })
    }

    fn read_through(&self, generation: u64) -> Result<Verified, StoreError> {
        let mut verified = Verified { state: State { generation, ..State::default() }, ..Verified::default() };
        for entry in self.entries(Kind::Device) {
            let (key, value) = entry?;
            let listed = listed_groups(&key, &value).map_err(|fault| StoreError::damaged(&self.path, fault))?;
            for group in listed {
                *verified.references.entry(group).or_default() += 1;
            }
            verified.state.add(Kind::Device.tag(), &key, &value);
            verified.devices += 1;
        }
        for entry in self.entries(Kind::Group) {
            let (key, value) = entry?;
            verified.state.add(Kind::Group.tag(), &key, &value);
            verified.groups += 1;
        }
        for entry in self.entries(Kind::Denial) {
            let (key, value) = entry?;
            verified.state.add(Kind::Denial.tag(), &key, &value);
            verified.denials += 1;
        }
        Ok(verified)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Every record of a kind, in the order of the keys.
    pub(super) fn entries(
        &self,
        kind: Kind,
    ) -> impl Iterator<Item = Result<(sled::IVec, sled::IVec), StoreError>> + use<> {
        let path = self.path.clone();
        self.tree(kind).iter().map(move |entry| entry.map_err(|fault| sled_error(&path, fault)))
    }

    /// One record.
    pub(super) fn value(&self, kind: Kind, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        self.tree(kind).get(key).map_err(|fault| sled_error(&self.path, fault))
    }

    /// What the audit trail keeps under `key`.
    pub(super) fn audit_value(&self, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        guarded(&self.path, || self.audit.get(key).map_err(|fault| sled_error(&self.path, fault)))
    }

    /// Keeps it; on the disk after the next [`Database::sync`].
    pub(super) fn put_audit(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let put = || self.audit.insert(key, value).map_err(|fault| sled_error(&self.path, fault));
        guarded(&self.path, || put().map(|_| ()))
    }

    fn tree(&self, kind: Kind) -> &sled::Tree {
        match kind {
            Kind::Group => &self.groups,
            Kind::Device => &self.devices,
            Kind::Denial => &self.denials,
        }
    }

    /// Applies `writes` and the state after them in one transaction, and returns when they are on the disk.
    /// The records must be those of `before`.
    pub(super) fn apply(&mut self, writes: &[Write], before: &State, after: &State) -> Result<(), StoreError> {
        guarded(&self.path, || self.transact(writes, Some(before), after))?;
        self.sync()
    }

    /// Writes the first state into a new database.
    pub(super) fn initialise(&mut self) -> Result<(), StoreError> {
        guarded(&self.path, || self.transact(&[], None, &State::default()))?;
        self.sync()
    }

    /// Fills a new database with `records` and then, last of all, their state.
    pub(super) fn rebuild(&mut self, records: &[Write], state: &State) -> Result<(), StoreError> {
        guarded(&self.path, || {
            // One by one and sorted, as they come: sled's batches forget the order, which costs it three times the
            // work. Whole or not is decided by the state, which comes last.
            for write in records {
                let value = write.value.as_deref().unwrap_or_default();
                self.tree(write.kind).insert(&write.key, value).map_err(|fault| sled_error(&self.path, fault))?;
            }
            self.transact(&[], None, state)
        })?;
        self.sync()
    }

    fn transact(&self, writes: &[Write], before: Option<&State>, after: &State) -> Result<(), StoreError> {
        let json = |state: &State| {
            serde_json::to_vec(state).map_err(|fault| StoreError::damaged(&self.path, format!("no JSON: {fault}")))
        };
        let before = before.map(json).transpose()?;
        let after = json(after)?;
        let schema = SCHEMA.to_string();
        (&self.devices, &self.groups, &self.denials, &self.meta)
            .transaction(|(devices, groups, denials, meta)| {
                if before.is_some() && meta.get(STATE_KEY)?.as_deref() != before.as_deref() {
                    return Err(ConflictableTransactionError::Abort(()));
                }
                for write in writes {
                    let tree = match write.kind {
                        Kind::Device => devices,
                        Kind::Group => groups,
                        Kind::Denial => denials,
                    };
                    match &write.value {
                        Some(value) => tree.insert(write.key.as_slice(), value.as_slice())?,
                        None => tree.remove(write.key.as_slice())?,
                    };
                }
                meta.insert(SCHEMA_KEY, schema.as_bytes())?;
                meta.insert(STATE_KEY, after.as_slice())?;
                Ok(())
            })
            .map_err(|error| match error {
                TransactionError::Abort(()) => {
                    StoreError::damaged(&self.path, "its state changed behind the back of the program")
                }
                TransactionError::Storage(fault) => sled_error(&self.path, fault),
            })
    }

    /// Everything written so far is on the disk when this returns.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        guarded(&self.path, || self.db.flush().map_err(|fault| sled_error(&self.path, fault)))?;
        self.sync_blobs()?;
        self.file.sync_all().map_err(|source| StoreError::io(self.path.join("db"), source))
    }

    fn sync_blobs(&mut self) -> Result<(), StoreError> {
        let folder = self.path.join("blobs");
        let failed = |source| StoreError::io(&folder, source);
        let mut fresh = false;
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if self.synced_blobs.contains(&entry.file_name()) {
                continue;
            }
            File::open(entry.path())
                .and_then(|blob| blob.sync_all())
                .map_err(|source| StoreError::io(entry.path(), source))?;
            self.synced_blobs.insert(entry.file_name());
            fresh = true;
        }
        if fresh { folder::sync_folder(&folder) } else { Ok(()) }
    }
}

/// sled's own shows every record.
impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Runs what calls sled: a damaged file can make it panic, and that must refuse the store, not end the program.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(StoreError::damaged(path, format!("sled gave up on it: {}", message.escape_debug())))
    })
}

fn sled_error(path: &Path, fault: sled::Error) -> StoreError {
    match fault {
        sled::Error::Io(source) if source.to_string().contains("could not acquire lock") => {
            StoreError::InUse { path: path.to_owned() }
        }
        sled::Error::Io(source) => StoreError::io(path, source),
        other => StoreError::damaged(path, other),
    }
}

/// Names the record for a message.
pub(super) fn name_of(write: &Write) -> String {
    describe(write.kind, &write.key)
}
