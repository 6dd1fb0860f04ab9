//! A change set turned into writes: what it does to the records, to their state, and to who lists which group.

use super::database::{Database, References, name_of};
use super::encoding::{Kind, Write, listed_groups};
use super::error::StoreError;
use super::state::State;
use super::stored::StoredChange;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What one transaction will do.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) writes: Vec<Write>,
    /// What takes the writes back.
    pub(super) undo: Vec<Write>,
    pub(super) after: State,
    deltas: HashMap<Arc<str>, i64>,
}

impl Plan {
    /// Works out `changes` on the records of `database`, which stand at `before`.
    pub(super) fn new(
        changes: &[StoredChange],
        database: &Database,
        before: State,
        references: &References,
    ) -> Result<Self, StoreError> {
        let after = State { generation: before.generation + 1, ..before };
        let mut plan =
            Self { writes: Vec::with_capacity(changes.len()), undo: Vec::new(), after, deltas: HashMap::new() };
        for change in changes {
            plan.push(Write::of(change)?, database)?;
        }
        plan.refuse_repeats()?;
        plan.refuse_dangling(database, references)?;
        Ok(plan)
    }

    fn push(&mut self, write: Write, database: &Database) -> Result<(), StoreError> {
        let old = database.value(write.kind, &write.key)?;
        if let Some(old) = &old {
            self.after.subtract(write.kind.tag(), &write.key, old);
            self.count_groups(&write, old, -1)?;
        }
        match &write.value {
            Some(value) => {
                self.after.add(write.kind.tag(), &write.key, value);
                self.count_groups(&write, value, 1)?;
            }
            None if old.is_none() => return Err(missing(&write)),
            None => {}
        }
        self.undo.push(Write { value: old.map(|old| old.to_vec()), key: write.key.clone(), ..write });
        self.writes.push(write);
        Ok(())
    }

    fn count_groups(&mut self, write: &Write, value: &[u8], step: i64) -> Result<(), StoreError> {
        if write.kind == Kind::Device {
            let listed = listed_groups(&write.key, value).map_err(|_| StoreError::BadRecord {
                record: name_of(write),
                fault: "its stored form is unreadable",
            })?;
            for group in listed {
                *self.deltas.entry(group).or_default() += step;
            }
        }
        Ok(())
    }

    fn refuse_repeats(&self) -> Result<(), StoreError> {
        let mut seen = HashSet::with_capacity(self.writes.len());
        match self.writes.iter().find(|write| !seen.insert((write.kind, &write.key))) {
            Some(write) => Err(StoreError::Repeated { record: name_of(write) }),
            None => Ok(()),
        }
    }

    /// No device may list a group that is not there afterwards.
    fn refuse_dangling(&self, database: &Database, references: &References) -> Result<(), StoreError> {
        let groups: HashMap<&[u8], bool> = self
            .writes
            .iter()
            .filter(|write| write.kind == Kind::Group)
            .map(|write| (write.key.as_slice(), write.value.is_some()))
            .collect();
        for (group, delta) in &self.deltas {
            let exists = match groups.get(group.as_bytes()) {
                Some(exists) => *exists,
                None => database.value(Kind::Group, group.as_bytes())?.is_some(),
            };
            if !exists && *delta > 0 {
                return Err(StoreError::NoSuchGroup { group: group.to_string() });
            }
        }
        for removed in groups.iter().filter(|(_, exists)| !**exists).map(|(key, _)| String::from_utf8_lossy(key)) {
            let listed = references.get(&*removed).copied().unwrap_or_default();
            let devices = listed.saturating_add_signed(self.deltas.get(&*removed).copied().unwrap_or_default());
            if devices > 0 {
                return Err(StoreError::GroupInUse { group: removed.into_owned(), devices });
            }
        }
        Ok(())
    }

    /// Brings the counts up to date once the writes are done.
    pub(super) fn count_into(&self, references: &mut References) {
        for (group, delta) in &self.deltas {
            let count = references.entry(group.clone()).or_default();
            *count = count.saturating_add_signed(*delta);
            if *count == 0 {
                references.remove(group);
            }
        }
    }
}

fn missing(write: &Write) -> StoreError {
    match write.kind {
        Kind::Device => StoreError::NoSuchDevice { device: name_of(write) },
        Kind::Group => StoreError::NoSuchGroup { group: String::from_utf8_lossy(&write.key).into_owned() },
        Kind::Denial => StoreError::NoSuchDenial { entry: name_of(write) },
    }
}
