//! [`Policy::with_changes`]: the next policy from this one and what changes.

use super::{CompileError, Policy, check_device, check_group, pin};
use crate::policy::devices::Edit;
use crate::policy::groups::Group;
use crate::policy::{Change, ChangeSet, DeviceRecord, Epoch};
use std::sync::Arc;

impl Policy {
    /// The policy after `changes`, one epoch and one generation later. Costs by what changed: a device copies one
    /// leaf of the tree, a group the table of groups; only removing a group looks at all devices.
    ///
    /// # Errors
    /// Changes that contradict the records or each other; `self` is as before.
    pub fn with_changes(&self, changes: &ChangeSet, now: i64) -> Result<Self, CompileError> {
        if let Some(expected) = changes.expected_generation.filter(|expected| *expected != self.generation) {
            return Err(CompileError::Generation { expected, found: self.generation });
        }
        let mut after = self.clone();
        after.change_deny_list(changes)?;
        let removed = after.change_groups(changes)?;
        after.change_pins(changes)?;
        after.change_limits(changes);
        after.change_devices(changes)?;
        after.remove_groups(&removed)?;
        after.now = now;
        after.generation = self.generation + 1;
        after.epoch = Epoch(self.epoch.0 + 1);
        Ok(after)
    }

    /// Puts groups; the numbers of those to be removed come back, because devices of the same change may still have
    /// to leave them.
    fn change_groups(&mut self, changes: &ChangeSet) -> Result<Vec<u32>, CompileError> {
        let mut removed = Vec::new();
        let mut named = Vec::new();
        let mut groups = None;
        for change in &changes.changes {
            let name = match change {
                Change::PutGroup(record) => {
                    check_group(record, self.settings)?;
                    groups.get_or_insert_with(|| (*self.groups).clone()).put(Group::of(record)?)?;
                    &record.name
                }
                Change::RemoveGroup(name) => {
                    let number = self.groups.number(name);
                    removed.push(number.ok_or_else(|| CompileError::UnknownGroup(name.to_string()))?);
                    name
                }
                Change::PutDevice(_) | Change::RemoveDevice(_) | Change::PutDenial(_) | Change::RemoveDenial(_) => {
                    continue;
                }
            };
            named.push(name);
        }
        named.sort_unstable();
        if let Some((twice, _)) = named.iter().zip(named.iter().skip(1)).find(|(left, right)| left == right) {
            return Err(CompileError::Twice(format!("group {twice:?}")));
        }
        if let Some(mut groups) = groups {
            groups.index();
            self.groups = Arc::new(groups);
        }
        Ok(removed)
    }

    /// Copies the whole list: entries are made by hand, one at a time.
    fn change_deny_list(&mut self, changes: &ChangeSet) -> Result<(), CompileError> {
        for change in &changes.changes {
            match change {
                Change::PutDenial(entry) => Arc::make_mut(&mut self.denied).put(entry.clone()),
                Change::RemoveDenial(id) => {
                    let removed = Arc::make_mut(&mut self.denied).remove(*id);
                    removed.ok_or(CompileError::NoSuchDenial(*id))?;
                }
                Change::PutDevice(_) | Change::RemoveDevice(_) | Change::PutGroup(_) | Change::RemoveGroup(_) => {}
            }
        }
        Ok(())
    }

    /// First what the records pinned before, so that a certificate can move from one to another.
    fn change_pins(&mut self, changes: &ChangeSet) -> Result<(), CompileError> {
        for change in &changes.changes {
            let (Change::PutDevice(DeviceRecord { key, .. }) | Change::RemoveDevice(key)) = change else { continue };
            let before = self.device(key).map(|record| record.pins().to_vec());
            before.iter().flatten().for_each(|sha256| self.pins.remove(sha256));
        }
        for change in &changes.changes {
            if let Change::PutDevice(record) = change {
                pin(&mut self.pins, record)?;
            }
        }
        Ok(())
    }

    fn change_limits(&mut self, changes: &ChangeSet) {
        for change in &changes.changes {
            match change {
                Change::PutDevice(record) => self.own_limits.put(&record.key, record.limits),
                Change::RemoveDevice(key) => self.own_limits.remove(key),
                Change::PutGroup(_) | Change::RemoveGroup(_) | Change::PutDenial(_) | Change::RemoveDenial(_) => {}
            }
        }
    }

    fn change_devices(&mut self, changes: &ChangeSet) -> Result<(), CompileError> {
        let mut edits = Vec::new();
        for change in &changes.changes {
            edits.push(match change {
                Change::PutDevice(record) => {
                    check_device(record, self.settings)?;
                    let trust = self.trusts.number_or_add(&record.key.trust)?;
                    Edit { trust, name: &record.key.name, put: Some((record, self.group_numbers(record)?)) }
                }
                Change::RemoveDevice(key) => match self.trusts.number(&key.trust) {
                    Some(trust) => Edit { trust, name: &key.name, put: None },
                    None => return Err(CompileError::NoSuchDevice(key.to_string())),
                },
                Change::PutGroup(_) | Change::RemoveGroup(_) | Change::PutDenial(_) | Change::RemoveDenial(_) => {
                    continue;
                }
            });
        }
        if !edits.is_empty() {
            self.devices = self.devices.with(edits).map_err(|error| self.trusts.explain(error))?;
        }
        Ok(())
    }

    fn group_numbers(&self, record: &DeviceRecord) -> Result<Vec<u32>, CompileError> {
        let number = |group: &Arc<str>| {
            self.groups
                .number(group)
                .ok_or_else(|| CompileError::NoSuchGroup { device: record.key.to_string(), group: group.to_string() })
        };
        record.groups.iter().map(number).collect()
    }

    fn remove_groups(&mut self, removed: &[u32]) -> Result<(), CompileError> {
        if removed.is_empty() {
            return Ok(());
        }
        if let Some(example) = self.devices.listing(removed).next() {
            let listed = removed.iter().find(|number| example.groups().contains(number)).copied().unwrap_or_default();
            return Err(CompileError::GroupInUse {
                group: self.groups.group(listed).map(|group| group.name.to_string()).unwrap_or_default(),
                devices: self.devices.listing(&[listed]).count(),
                example: self.key_of(example).map(|key| key.to_string()).unwrap_or_default(),
            });
        }
        let groups = Arc::make_mut(&mut self.groups);
        removed.iter().for_each(|number| groups.remove(*number));
        groups.index();
        Ok(())
    }
}
