//! The policy on sled: verified when opened, durable before acknowledged, with a text backup beside it.
//!
//! ```text
//! commit: plan the writes -> journal line, synced -> sled transaction, flushed, synced -> acknowledged
//! open:   every record against count and hash -> their state against the end of the journal -> ready
//! ```
//!
//! The journal is written first. So it is never behind the database, and at most one line ahead: a crash in
//! between leaves a change that nobody was told about; `open` finishes it. Anything else means damage (sled, when
//! its log is cut short, comes up with an older state that is whole in itself), and is refused.

mod audit;
mod backup;
mod check;
mod database;
mod encoding;
mod error;
mod folder;
mod held;
mod history;
mod journal;
mod load;
mod plan;
mod restore;
mod snapshot;
mod state;
mod stored;

pub use check::{CheckReport, check};
pub use error::StoreError;
pub use history::Generation;
pub use load::{LoadError, load};
pub use restore::{RestoreReport, RestoreSource, restore_policy};

use crate::policy::{ChangeSet, DenyEntry, DeviceKey, DeviceRecord, GroupRecord, Records};
use crate::telemetry::audit::AuditStore;
use audit::AuditTree;
use database::{Database, References};
use encoding::{Kind, Write};
use folder::{Folder, Lock, Presence};
use held::{Held, HeldSet, overlaid};
use journal::{Entry, Journal, Mark};
use parking_lot::{Mutex, MutexGuard, RwLock};
use plan::Plan;
use snapshot::rfc3339;
use state::State;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use stored::StoredChange;

/// How many changes the journal may hold before a new snapshot is written.
const SNAPSHOT_EVERY_CHANGES: u64 = 10_000;

/// How old a snapshot may be, in seconds, when another change comes.
const SNAPSHOT_EVERY_SECONDS: i64 = 24 * 60 * 60;

/// An open policy store. Holds the lock of its folder: one process at a time.
#[derive(Debug)]
pub struct PolicyStore {
    shared: Arc<Shared>,
    /// Taken after the writer.
    held: RwLock<Held>,
    /// The snapshot being written, if one is.
    snapshot: Mutex<Option<JoinHandle<()>>>,
    _lock: Lock,
}

#[derive(Debug)]
struct Shared {
    folder: Folder,
    /// Taken first. Whoever holds it is the only one who changes anything.
    writer: Mutex<Writer>,
    /// Taken second. Empty after a fault of sled, which then refuses all work until it is opened again.
    database: RwLock<Option<Database>>,
}

#[derive(Debug)]
struct Writer {
    state: State,
    references: References,
    journal: Journal,
    snapshot_time: i64,
    /// A commit that met a fault of sled, which did not say whether its transaction stands.
    undecided: Option<Undecided>,
}

#[derive(Debug)]
struct Undecided {
    before: State,
    after: State,
    undo: Vec<Write>,
    mark: Mark,
}

impl PolicyStore {
    /// Opens or creates the store in `folder` (mode 0700): reads every record, compares count and hash with what
    /// the last transaction wrote, and that with the end of the journal.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] while another process has it open, [`StoreError::Exposed`] when others can read it,
    /// [`StoreError::Newer`] and [`StoreError::Damaged`] when its records cannot be believed.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let folder = Folder::prepare(folder)?;
        let lock = folder.lock()?;
        if folder.presence() == Presence::Present && !folder.database().join("db").exists() {
            return Err(StoreError::damaged(folder.database(), "the database is missing, its backup is there"));
        }
        let mut database = Database::open(&folder.database())?;
        let mut writer = match folder.journal().exists() {
            true => Self::resume(&folder, &mut database)?,
            false => Self::create(&folder, &mut database)?,
        };
        let rewrite = snapshot::summary(&folder.snapshot());
        if let Ok(summary) = &rewrite {
            writer.snapshot_time = summary.time;
        }
        let store = Self {
            shared: Arc::new(Shared { folder, writer: Mutex::new(writer), database: RwLock::new(Some(database)) }),
            held: RwLock::new(Held::default()),
            snapshot: Mutex::new(None),
            _lock: lock,
        };
        if let Err(fault) = rewrite {
            // The records are right, only their second copy is not: make a new one.
            tracing::error!(%fault, "the snapshot of the policy is unusable, a new one is written");
            store.snapshot_now(unix_now())?;
        }
        Ok(store)
    }

    /// Finishes a store that has no journal yet. One with records lost its journal: that is damage.
    fn create(folder: &Folder, database: &mut Database) -> Result<Writer, StoreError> {
        match database.written_state()? {
            None => database.initialise()?,
            Some(state) if state == State::default() => {}
            Some(_) => return Err(StoreError::damaged(folder.journal(), "the journal is missing")),
        }
        let verified = database.verify()?;
        let snapshot_time = unix_now();
        snapshot::write(&folder.snapshot(), database, verified.state, snapshot_time)?;
        let journal = Journal::start(&folder.journal(), verified.state, state::Hex32::default())?;
        Ok(Writer { state: verified.state, references: verified.references, journal, snapshot_time, undecided: None })
    }

    fn resume(folder: &Folder, database: &mut Database) -> Result<Writer, StoreError> {
        let verified = database.verify()?;
        let path = folder.journal();
        let reading = journal::read(&path, |_| Ok(()))?;
        if let Some(fault) = &reading.fault {
            // A line that was being written when the power went: sled never heard of its change.
            if reading.lines == 0 || fault.lines_after > 0 || verified.state != reading.end {
                return Err(StoreError::damaged(&path, format!("line {}: {}", fault.line, fault.fault)));
            }
            tracing::warn!(line = fault.line, "cut off the end of the journal: it was never finished");
        }
        let journal = Journal::resume(&path, &reading)?;
        let mut writer = Writer {
            state: verified.state,
            references: verified.references,
            journal,
            snapshot_time: 0,
            undecided: None,
        };
        if writer.state == reading.end {
            return Ok(writer);
        }
        match &reading.last {
            Some((entry, before)) if *before == writer.state => {
                writer.finish(entry, database)?;
                Ok(writer)
            }
            _ => {
                let (found, recorded) = (writer.state.generation, reading.end.generation);
                let fault = format!("its records are those of generation {found}, the journal ends at {recorded}");
                Err(StoreError::damaged(folder.database(), fault))
            }
        }
    }

    /// The generation of the records, what is held included.
    pub fn generation(&self) -> u64 {
        let writer = self.shared.writer.lock();
        writer.state.generation + self.held_changes()
    }

    /// How many change sets are held in memory: see [`PolicyStore::hold`].
    pub fn held_changes(&self) -> u64 {
        self.held.read().sets.len() as u64
    }

    /// Where the audit trail keeps its anchor. To be dropped before the store.
    pub fn audit(&self) -> Arc<dyn AuditStore> {
        Arc::new(AuditTree(Arc::clone(&self.shared)))
    }

    /// The folder that was opened.
    pub fn folder(&self) -> &Path {
        &self.shared.folder.root
    }

    /// Every device record, read one by one, by trust block and name.
    pub fn devices(&self) -> impl Iterator<Item = Result<DeviceRecord, StoreError>> + '_ {
        let stored = self.decoded(Kind::Device, encoding::decode_device);
        overlaid(stored, self.held.read().devices.clone(), |record| record.key.clone())
    }

    /// Every group record, by name.
    pub fn groups(&self) -> impl Iterator<Item = Result<GroupRecord, StoreError>> + '_ {
        let stored = self.decoded(Kind::Group, encoding::decode_group);
        overlaid(stored, self.held.read().groups.clone(), |record| Arc::clone(&record.name))
    }

    /// Every entry of the deny list, by number.
    pub fn denials(&self) -> impl Iterator<Item = Result<DenyEntry, StoreError>> + '_ {
        let stored = self.decoded(Kind::Denial, encoding::decode_denial);
        overlaid(stored, self.held.read().denials.clone(), |entry| entry.id)
    }

    fn decoded<T: 'static>(
        &self,
        kind: Kind,
        decode: fn(&[u8], &[u8]) -> Result<T, String>,
    ) -> impl Iterator<Item = Result<T, StoreError>> + '_ {
        let (entries, fault) = match self.shared.read(|database| Ok(database.entries(kind))) {
            Ok(entries) => (Some(entries), None),
            Err(fault) => (None, Some(Err(fault))),
        };
        let path = self.shared.folder.database();
        let decoded = entries.into_iter().flatten().map(move |entry| {
            let (key, value) = entry?;
            decode(&key, &value).map_err(|fault| StoreError::damaged(&path, fault))
        });
        fault.into_iter().chain(decoded)
    }

    /// One device's record.
    pub fn device(&self, key: &DeviceKey) -> Result<Option<DeviceRecord>, StoreError> {
        if let Some(held) = self.held.read().devices.get(key) {
            return Ok(Some(held.clone()));
        }
        self.one(Kind::Device, &encoding::device_key(key), encoding::decode_device)
    }

    /// One group's record.
    pub fn group(&self, name: &str) -> Result<Option<GroupRecord>, StoreError> {
        if let Some(held) = self.held.read().groups.get(name) {
            return Ok(Some(held.clone()));
        }
        self.one(Kind::Group, name.as_bytes(), encoding::decode_group)
    }

    fn one<T>(
        &self,
        kind: Kind,
        key: &[u8],
        decode: fn(&[u8], &[u8]) -> Result<T, String>,
    ) -> Result<Option<T>, StoreError> {
        let value = self.shared.read(|database| database.value(kind, key))?;
        let decoded = value.map(|value| decode(key, &value)).transpose();
        decoded.map_err(|fault| StoreError::damaged(self.shared.folder.database(), fault))
    }

    /// Everything at once, of one generation, for export and diff.
    pub fn records(&self) -> Result<Records, StoreError> {
        let writer = self.shared.writer.lock();
        let devices = self.devices().map(|record| record.map(|record| (record.key.clone(), record)));
        let groups = self.groups().map(|record| record.map(|record| (record.name.clone(), record)));
        Ok(Records {
            generation: writer.state.generation + self.held_changes(),
            devices: devices.collect::<Result<_, _>>()?,
            groups: groups.collect::<Result<_, _>>()?,
        })
    }

    /// Applies `changes` in one transaction and returns the new generation once they are on disk. `author` and
    /// `now` (Unix seconds) go into the journal. An empty set raises the generation like any other.
    ///
    /// # Errors
    ///
    /// After any error the records are what they were. When sled itself fails, that may take until the disk works
    /// again: reading is refused meanwhile, and the next commit sees to it first.
    pub fn commit(&self, changes: &ChangeSet, author: &str, now: i64) -> Result<u64, StoreError> {
        let mut writer = self.shared.writer.lock();
        self.shared.settle(&mut writer)?;
        self.write_held(&mut writer)?;
        let found = writer.state.generation;
        if let Some(expected) = changes.expected_generation.filter(|expected| *expected != found) {
            return Err(StoreError::Generation { expected, found });
        }
        let changes: Vec<_> = changes.changes.iter().map(StoredChange::from).collect();
        self.shared.commit(&mut writer, changes, author, now)?;
        let generation = writer.state.generation;
        if writer.snapshot_due(now) {
            writer.snapshot_time = now;
            self.snapshot_in_background(now);
        }
        Ok(generation)
    }

    /// Keeps `changes` in memory until there is room on the disk, and shows the records as if they were there. For changes
    /// that only take access away: whatever else a full disk refuses, these count. A restart forgets them.
    ///
    /// # Errors
    /// [`StoreError::Generation`].
    pub fn hold(&self, changes: &ChangeSet, author: &str, now: i64) -> Result<u64, StoreError> {
        let found = self.generation();
        if let Some(expected) = changes.expected_generation.filter(|expected| *expected != found) {
            return Err(StoreError::Generation { expected, found });
        }
        self.held.write().push(changes, author, now);
        Ok(found + 1)
    }

    /// Makes what is held durable, in the order it came. Returns how many change sets that were.
    ///
    /// # Errors
    /// [`StoreError::Full`] while there is no room; what was written until then is.
    pub fn make_durable(&self) -> Result<u64, StoreError> {
        let mut writer = self.shared.writer.lock();
        self.shared.settle(&mut writer)?;
        self.write_held(&mut writer)
    }

    fn write_held(&self, writer: &mut MutexGuard<'_, Writer>) -> Result<u64, StoreError> {
        let mut held = self.held.write();
        let mut written = 0;
        while let Some(HeldSet { changes, author, now }) = held.sets.first() {
            let changes = changes.iter().map(StoredChange::from).collect();
            self.shared.commit(writer, changes, author, *now)?;
            held.sets.remove(0);
            written += 1;
        }
        *held = Held::default();
        Ok(written)
    }

    /// Writes a snapshot and starts the journal anew. Commits wait meanwhile; reading goes on.
    pub fn snapshot_now(&self, now: i64) -> Result<(), StoreError> {
        self.shared.snapshot(now)
    }

    /// The command that was one too many for the journal need not wait for the snapshot; the next one does.
    fn snapshot_in_background(&self, now: i64) {
        let shared = Arc::clone(&self.shared);
        let work = move || {
            if let Err(fault) = shared.snapshot(now) {
                tracing::error!(%fault, "no snapshot of the policy: the journal grows until the next attempt");
            }
        };
        let mut running = self.snapshot.lock();
        if running.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return;
        }
        match std::thread::Builder::new().name("policy-snapshot".to_owned()).spawn(work) {
            Ok(thread) => *running = Some(thread),
            Err(fault) => tracing::error!(%fault, "no thread for the snapshot of the policy"),
        }
    }
}

impl Drop for PolicyStore {
    /// Waits for a snapshot that is being written: the lock of the folder goes last.
    fn drop(&mut self) {
        if let Some(thread) = self.snapshot.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn read<T>(&self, work: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match self.database.read().as_ref() {
            Some(database) => work(database),
            None => Err(StoreError::damaged(self.folder.database(), "sled failed, and the store was not opened since")),
        }
    }

    fn commit(
        &self,
        writer: &mut MutexGuard<'_, Writer>,
        changes: Vec<StoredChange>,
        author: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        let before = writer.state;
        let plan = self.read(|database| Plan::new(&changes, database, before, &writer.references))?;
        self.folder
            .refuse_full(plan.writes.iter().map(|write| write.value.as_ref().map_or(0, Vec::len) as u64).sum())?;
        let mark = writer.journal.mark();
        writer.journal.append(&Entry::new(plan.after, author, rfc3339(now), changes))?;
        let applied = match self.database.write().as_mut() {
            Some(database) => database.apply(&plan.writes, &before, &plan.after),
            None => Err(StoreError::damaged(self.folder.database(), "sled failed")),
        };
        if let Err(fault) = applied {
            tracing::error!(%fault, "sled failed in a commit: it is opened again");
            // At once, so that the failed change does not come back with a restart. To cut needs no room.
            let _ = writer.journal.retract(mark);
            writer.undecided = Some(Undecided { before, after: plan.after, undo: plan.undo, mark });
            if let Err(again) = self.settle(writer) {
                tracing::error!(fault = %again, "the next change of the policy tries it again");
            }
            return Err(fault);
        }
        writer.state = plan.after;
        plan.count_into(&mut writer.references);
        Ok(())
    }

    /// Opens sled again after a fault, and takes back what it may have kept of the commit that met it.
    fn settle(&self, writer: &mut MutexGuard<'_, Writer>) -> Result<(), StoreError> {
        let Some(Undecided { before, after, undo, mark }) = writer.undecided.take() else { return Ok(()) };
        let settled = self.reopen(&before, &after, &undo).and_then(|()| writer.journal.retract(mark));
        if settled.is_err() {
            writer.undecided = Some(Undecided { before, after, undo, mark });
        }
        settled
    }

    fn reopen(&self, before: &State, after: &State, undo: &[Write]) -> Result<(), StoreError> {
        let mut slot = self.database.write();
        // The old handle holds sled's lock.
        *slot = None;
        let mut database = Database::open(&self.folder.database())?;
        let found = database.verify()?.state;
        if found == *after {
            database.apply(undo, after, before)?;
        } else if found != *before {
            let fault = "a failed commit left neither the records before nor those after it";
            return Err(StoreError::damaged(self.folder.database(), fault));
        }
        *slot = Some(database);
        Ok(())
    }

    /// The journal starts anew only once the snapshot has its name: a crash in between leaves lines that the
    /// snapshot already covers, which `restore` skips.
    fn snapshot(&self, now: i64) -> Result<(), StoreError> {
        let mut writer = self.writer.lock();
        self.settle(&mut writer)?;
        let state = writer.state;
        let kept = history::keep(&self.folder, state.generation);
        self.read(|database| snapshot::write(&self.folder.snapshot(), database, state, now))?;
        writer.journal.restart(state)?;
        writer.snapshot_time = now;
        if let Err(fault) = kept.and_then(|()| history::prune(&self.folder)) {
            // The policy and its backup are whole; only `history` and `rollback` reach less far.
            tracing::warn!(%fault, "the past of the policy could not be kept");
        }
        Ok(())
    }
}

impl Writer {
    fn snapshot_due(&self, now: i64) -> bool {
        self.journal.changes >= SNAPSHOT_EVERY_CHANGES
            || now.saturating_sub(self.snapshot_time) >= SNAPSHOT_EVERY_SECONDS
    }

    /// Does in sled what the last line of the journal says, and believes it only when the result is as recorded.
    fn finish(&mut self, entry: &Entry, database: &mut Database) -> Result<(), StoreError> {
        let plan = Plan::new(&entry.changes, database, self.state, &self.references)?;
        if plan.after != entry.state() {
            return Err(StoreError::damaged(database.path(), "the last line of the journal does not fit its records"));
        }
        database.apply(&plan.writes, &self.state, &plan.after)?;
        plan.count_into(&mut self.references);
        self.state = plan.after;
        tracing::warn!(
            generation = self.state.generation,
            author = ?entry.author,
            "finished a change of the policy that a crash had interrupted"
        );
        Ok(())
    }
}

fn unix_now() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}

/// Names for what is put aside: `policy.damaged-2026-11-02T10-00-00Z`.
fn dated(path: &Path, now: i64) -> PathBuf {
    let stamp = rfc3339(now).replace(':', "-");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let candidates = std::iter::once(format!("{name}.damaged-{stamp}"))
        .chain((2..).map(|copy| format!("{name}.damaged-{stamp}-{copy}")));
    candidates
        .map(|name| path.with_file_name(name))
        .find(|path| !path.exists())
        .unwrap_or_else(|| path.with_extension("damaged"))
}

#[cfg(test)]
mod tests;
