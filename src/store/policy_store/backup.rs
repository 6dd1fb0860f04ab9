//! The text backup read as a whole: the snapshot, and the journal's change sets on top of it.

use super::encoding::{Kind, Write};
use super::error::StoreError;
use super::folder::Folder;
use super::journal::{self, Entry, LineFault};
use super::snapshot;
use super::state::State;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every record that the backup holds.
#[derive(Debug, Default)]
pub(super) struct Backup {
    records: BTreeMap<(Kind, Vec<u8>), Vec<u8>>,
    pub(super) state: State,
    pub(super) snapshot_generation: u64,
    /// Change sets in the journal.
    pub(super) journal_entries: u64,
    /// A last line that was never finished: its change was never acknowledged.
    pub(super) unfinished: Option<LineFault>,
}

impl Backup {
    /// Reads and verifies snapshot and journal. The error names the file and the line.
    pub(super) fn read(folder: &Folder) -> Result<Self, StoreError> {
        let mut backup = Self::default();
        let summary = snapshot::read(&folder.snapshot(), |write| {
            backup.records.insert((write.kind, write.key), write.value.unwrap_or_default());
        })?;
        backup.state = summary.state;
        backup.snapshot_generation = summary.state.generation;
        let path = folder.journal();
        let reading = journal::read(&path, |entry| backup.replay(entry))?;
        backup.journal_entries = reading.lines.saturating_sub(1);
        match reading.fault {
            Some(fault) if fault.unfinished && reading.lines > 0 => backup.unfinished = Some(fault),
            Some(fault) => return Err(StoreError::damaged(path, format!("line {}: {}", fault.line, fault.fault))),
            None => {}
        }
        let snapshot = backup.snapshot_generation;
        if reading.start.generation > snapshot || reading.end.generation < snapshot {
            let (start, end) = (reading.start.generation, reading.end.generation);
            let fault = format!("it goes from generation {start} to {end}, the snapshot is of {snapshot}");
            return Err(StoreError::damaged(path, fault));
        }
        Ok(backup)
    }

    /// The records at `generation`: those of the snapshot `start`, which is not newer, and what `journals` (the oldest
    /// first) did to them until then. The error names the file.
    pub(super) fn at(generation: u64, start: &Path, journals: &[PathBuf]) -> Result<Self, StoreError> {
        let mut backup = Self::default();
        let summary = snapshot::read(start, |write| {
            backup.records.insert((write.kind, write.key), write.value.unwrap_or_default());
        })?;
        backup.state = summary.state;
        for path in journals {
            if backup.state.generation == generation {
                break;
            }
            let until = |entry: &Entry| if entry.generation <= generation { backup.replay(entry) } else { Ok(()) };
            let reading = journal::read(path, until)?;
            if let Some(fault) = reading.fault {
                return Err(StoreError::damaged(path, format!("line {}: {}", fault.line, fault.fault)));
            }
        }
        let reached = backup.state.generation;
        if reached != generation {
            let fault = format!("generation {generation} lies in a gap: the journals go on to {reached} only");
            return Err(StoreError::damaged(start, fault));
        }
        Ok(backup)
    }

    /// The records in the form of the store.
    pub(super) fn into_writes(self) -> Vec<Write> {
        let put = |((kind, key), value)| Write { kind, key, value: Some(value) };
        self.records.into_iter().map(put).collect()
    }

    /// How many records of a kind there are.
    pub(super) fn count(&self, kind: Kind) -> u64 {
        self.records.keys().filter(|(of, _)| *of == kind).count() as u64
    }

    fn replay(&mut self, entry: &Entry) -> Result<(), String> {
        if entry.generation <= self.state.generation {
            return Ok(());
        }
        for change in &entry.changes {
            self.apply(Write::of(change).map_err(|fault| fault.to_string())?);
        }
        self.state.generation = entry.generation;
        if self.state != entry.state() {
            return Err("the records after it do not add up to what it says".to_owned());
        }
        Ok(())
    }

    fn apply(&mut self, Write { kind, key, value }: Write) {
        if let Some(value) = &value {
            self.state.add(kind.tag(), &key, value);
        }
        let place = (kind, key);
        let old = match value {
            Some(value) => self.records.insert(place.clone(), value),
            None => self.records.remove(&place),
        };
        if let Some(old) = old {
            self.state.subtract(kind.tag(), &place.1, &old);
        }
    }
}
