//! The whole policy: what a change of it would do, and what it was.

use super::ChangeOutcome;
use crate::hub::Foreseen;
use crate::policy::DeviceKey;
use crate::policy::fleet::{Part, RecordChange};
use crate::store::policy_store::Generation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Devices that are named where only their number matters.
const EXAMPLES: usize = 5;

/// What a change of the whole policy would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    /// Whether it would change anything.
    pub outcome: ChangeOutcome,
    /// The generation in force.
    pub generation: u64,
    /// How many records.
    pub counts: PlanCounts,
    /// The first of them: groups before devices.
    pub records: Vec<PlannedView>,
    /// How many records more would change.
    pub unlisted: usize,
    /// What it would do to the sessions there are; none where no broker runs.
    pub live: Option<LiveImpactView>,
    /// What the operator should know besides.
    pub notes: Vec<String>,
}

/// Records by what becomes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PlanCounts {
    pub groups_added: usize,
    pub groups_changed: usize,
    pub groups_removed: usize,
    pub devices_added: usize,
    pub devices_changed: usize,
    pub devices_removed: usize,
}

/// One record of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedView {
    /// What becomes of it.
    pub change: Part,
    /// `device NAME` or `group NAME`.
    pub record: String,
    /// What goes (`-`) and what comes (`+`).
    pub lines: Vec<String>,
}

/// What a policy would do to the sessions there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveImpactView {
    /// Sessions looked at.
    pub sessions: usize,
    /// Devices whose connections would be closed.
    pub devices_closed: usize,
    /// Subscriptions that would end.
    pub subscriptions_cut: usize,
    /// Subscriptions that would bring less.
    pub subscriptions_narrowed: usize,
    /// Devices that could publish less.
    pub devices_losing_publish: usize,
    /// Devices that could publish more.
    pub devices_gaining_publish: usize,
    /// Devices that could publish or subscribe to `#`, and cannot now.
    pub devices_gaining_everything: usize,
    /// A few of the devices, by what happens to them.
    pub examples: Vec<String>,
}

/// The past of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryView {
    /// The newest first.
    pub generations: Vec<GenerationView>,
    /// The oldest that `rollback` can bring back.
    pub oldest: u64,
}

/// One generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationView {
    /// Its number.
    pub generation: u64,
    /// When it was made, RFC 3339.
    pub time: String,
    /// By whom.
    pub author: String,
    /// Records added or changed.
    pub put: usize,
    /// Records removed.
    pub removed: usize,
    /// The first few of them.
    pub records: Vec<String>,
}

impl PlanCounts {
    /// Counts one record.
    pub(in crate::admin) fn count(&mut self, change: &RecordChange) {
        let of_group = change.record.starts_with("group ");
        let count = match (change.part, of_group) {
            (Part::Add, true) => &mut self.groups_added,
            (Part::Change, true) => &mut self.groups_changed,
            (Part::Remove, true) => &mut self.groups_removed,
            (Part::Add, false) => &mut self.devices_added,
            (Part::Change, false) => &mut self.devices_changed,
            (Part::Remove, false) => &mut self.devices_removed,
        };
        *count += 1;
    }
}

impl From<RecordChange> for PlannedView {
    fn from(change: RecordChange) -> Self {
        Self { change: change.part, record: change.record, lines: change.lines }
    }
}

impl From<&Foreseen> for LiveImpactView {
    fn from(foreseen: &Foreseen) -> Self {
        let told = [
            ("closed", &foreseen.closed),
            ("publish less", &foreseen.lose_publish),
            ("publish more", &foreseen.gain_publish),
            ("gain #", &foreseen.gain_everything),
        ];
        Self {
            sessions: foreseen.sessions,
            devices_closed: foreseen.closed.len(),
            subscriptions_cut: foreseen.subscriptions_cut,
            subscriptions_narrowed: foreseen.subscriptions_narrowed,
            devices_losing_publish: foreseen.lose_publish.len(),
            devices_gaining_publish: foreseen.gain_publish.len(),
            devices_gaining_everything: foreseen.gain_everything.len(),
            examples: told.iter().flat_map(|(what, devices)| examples(what, devices)).collect(),
        }
    }
}

fn examples(what: &str, devices: &BTreeSet<DeviceKey>) -> Vec<String> {
    let mut examples: Vec<String> =
        devices.iter().take(EXAMPLES).map(|device| format!("{what}: device {device}")).collect();
    if devices.len() > EXAMPLES {
        examples.push(format!("{what}: {} more", devices.len() - EXAMPLES));
    }
    examples
}

impl From<Generation> for GenerationView {
    fn from(generation: Generation) -> Self {
        let Generation { number, time, author, put, removed, records } = generation;
        Self { generation: number, time, author, put, removed, records }
    }
}
