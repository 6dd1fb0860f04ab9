//! Two sets of records compared: what has to change, and the same in the words of the file.

use super::export::{hexadecimal, rule};
use crate::policy::record::DeviceStatus;
use crate::policy::{Change, ChangeSet, DeviceRecord, GroupRecord, RecordLimits, Records, Rule};

/// Records that may go without being asked for, beside one in a hundred.
const UNASKED: usize = 10;

/// One record's change, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// What becomes of the record.
    pub part: Part,
    /// Which record: `device CN=dev-0001`, `group sensors`.
    pub record: String,
    /// A line each, in the words of a fleet file: `+ allow { publish = "a/b" }`.
    pub lines: Vec<String>,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// It is new.
    Add,
    /// It was there.
    Change,
    /// It goes.
    Remove,
}

/// How many records a change takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removals {
    /// They go.
    pub removed: usize,
    /// Of so many.
    pub of: usize,
}

/// What turns `from` into `to`; a store at another generation than `from` must refuse it.
pub fn difference(from: &Records, to: &Records) -> ChangeSet {
    let new_groups = to.groups.values().filter(|group| from.groups.get(&group.name) != Some(group));
    let new_devices = to.devices.values().filter(|device| from.devices.get(&device.key) != Some(device));
    let old_devices = from.devices.keys().filter(|key| !to.devices.contains_key(key));
    let old_groups = from.groups.keys().filter(|name| !to.groups.contains_key(*name));
    let changes = new_groups
        .map(|group| Change::PutGroup(group.clone()))
        .chain(new_devices.map(|device| Change::PutDevice(device.clone())))
        .chain(old_devices.map(|key| Change::RemoveDevice(key.clone())))
        .chain(old_groups.map(|name| Change::RemoveGroup(name.clone())));
    ChangeSet { expected_generation: Some(from.generation), changes: changes.collect() }
}

/// What adds the records of `file` to `from` and replaces those that are there; it removes none.
pub fn additions(from: &Records, file: &Records) -> ChangeSet {
    let mut set = difference(from, file);
    set.changes.retain(|change| !matches!(change, Change::RemoveDevice(_) | Change::RemoveGroup(_)));
    set
}

impl Removals {
    /// Those of `changes` among the records they start from.
    pub fn of(changes: &[Change], from: &Records) -> Self {
        let removes = |change: &&Change| matches!(change, Change::RemoveDevice(_) | Change::RemoveGroup(_));
        Self { removed: changes.iter().filter(removes).count(), of: from.devices.len() + from.groups.len() }
    }

    /// Whether they are so many that it may be a mistake: more than ten or one in a hundred, whichever is more; of ten
    /// records or fewer, more than half.
    pub fn need_consent(self) -> bool {
        match self.of {
            0..=UNASKED => self.removed * 2 > self.of,
            of => self.removed > UNASKED.max(of / 100),
        }
    }
}

/// `changes` in words, compared with the records that they start from. The deny list is not told of.
pub fn changed_records<'a>(from: &'a Records, changes: &'a [Change]) -> impl Iterator<Item = RecordChange> + 'a {
    changes.iter().filter_map(|change| match change {
        Change::PutGroup(after) => Some(put_group(from.groups.get(&after.name), after)),
        Change::RemoveGroup(name) => Some(removed(format!("group {name}"))),
        Change::PutDevice(after) => Some(put_device(from.devices.get(&after.key), after)),
        Change::RemoveDevice(key) => Some(removed(format!("device {key}"))),
        Change::PutDenial(_) | Change::RemoveDenial(_) => None,
    })
}

fn removed(record: String) -> RecordChange {
    RecordChange { part: Part::Remove, record, lines: Vec::new() }
}

fn put_group(before: Option<&GroupRecord>, after: &GroupRecord) -> RecordChange {
    let pairs = |group: &GroupRecord| -> Vec<String> {
        let matches =
            group.matches.iter().map(|(attribute, value)| format!("match {} = {value:?}", attribute.as_str()));
        matches.chain(told_limits(group.limits)).collect()
    };
    let mut lines = compared(&before.map(pairs).unwrap_or_default(), &pairs(after));
    lines.extend(compared(&rules(before.map(|group| &group.rules[..])), &rules(Some(&after.rules))));
    RecordChange { part: part(before), record: format!("group {}", after.name), lines }
}

fn put_device(before: Option<&DeviceRecord>, after: &DeviceRecord) -> RecordChange {
    let facts = |device: &DeviceRecord| -> Vec<String> {
        let disabled = (device.status == DeviceStatus::Disabled).then(|| "enabled = false".to_owned());
        let groups = device.groups.iter().map(|group| format!("group {group}"));
        let pins = device.pins.iter().map(|pin| format!("certificate_sha256 {}", hexadecimal(pin)));
        disabled.into_iter().chain(groups).chain(pins).chain(told_limits(device.limits)).collect()
    };
    let mut lines = compared(&before.map(facts).unwrap_or_default(), &facts(after));
    lines.extend(compared(&rules(before.map(|device| &device.rules[..])), &rules(Some(&after.rules))));
    RecordChange { part: part(before), record: format!("device {}", after.key), lines }
}

fn told_limits(of: RecordLimits) -> impl Iterator<Item = String> {
    of.entries().into_iter().map(|limit| format!("limit {limit}"))
}

fn part<T>(before: Option<T>) -> Part {
    if before.is_some() { Part::Change } else { Part::Add }
}

fn rules(rules: Option<&[Rule]>) -> Vec<String> {
    let text = |one: &Rule| format!("{} {}", one.effect.as_str(), rule(one));
    rules.unwrap_or_default().iter().map(text).collect()
}

fn compared(before: &[String], after: &[String]) -> Vec<String> {
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
    let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(new).collect()
}
