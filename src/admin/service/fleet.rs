//! The whole policy as one file, and as it was.

use super::devices::data;
use super::{Call, Service};
use crate::admin::reply::{
    AdminError, ChangeOutcome, ChangeView, Fault, HistoryView, LiveImpactView, PlanCounts, PlanView, Reply,
};
use crate::admin::request::{FleetScope, PlanTarget};
use crate::policy::fleet::{self, FleetFile, Removals};
use crate::policy::{Change, ChangeSet, Records};
use crate::store::policy_store::PolicyStore;
use std::fmt::Write;

/// Records that a plan lists one by one.
const LISTED: usize = 1_000;

/// The most generations that one answer tells of.
const GENERATIONS: usize = 10_000;

impl Service {
    pub(super) fn export(&self) -> Result<Reply, AdminError> {
        Ok(Reply::Fleet(fleet::export(&self.store().records()?)))
    }

    pub(super) fn apply(
        &self,
        call: Call<'_>,
        text: &str,
        scope: FleetScope,
        allow_remove: Option<usize>,
    ) -> Result<Reply, AdminError> {
        let file = self.parse(text, scope)?;
        let (policy, changes) = self.authority.change(call.author, call.now, |store| {
            if let Some(fault) = outdated(&file, store.generation()) {
                return Err(AdminError::new(Fault::Data, fault));
            }
            let before = store.records()?;
            let changes = leading_to(&file, scope, &before);
            if let Some(fault) = unasked(Removals::of(&changes.changes, &before), allow_remove) {
                return Err(AdminError::new(Fault::Data, fault));
            }
            Ok(to_commit(changes))
        })?;
        Ok(Reply::Changed(told("applied", "the policy is as the file says already", &changes, policy.generation())))
    }

    pub(super) fn plan(&self, call: Call<'_>, target: &PlanTarget) -> Result<Reply, AdminError> {
        let before = self.store().records()?;
        let mut notes = Vec::new();
        let changes = match target {
            PlanTarget::File { text, scope } => {
                let file = self.parse(text, *scope)?;
                notes.extend(outdated(&file, before.generation).map(|fault| format!("apply would refuse: {fault}")));
                notes.extend(file.records.warnings());
                leading_to(&file, *scope, &before)
            }
            PlanTarget::Generation(generation) => fleet::difference(&before, &self.store().records_at(*generation)?),
        };
        let next = self.authority.policy().with_changes(&changes, call.now)?;
        let live = self.authority.live().running().map(|running| LiveImpactView::from(&running.hub.foresee(&next)));
        if matches!(target, PlanTarget::File { .. }) {
            notes.extend(unasked(Removals::of(&changes.changes, &before), None));
        }
        Ok(Reply::Plan(plan_view(&before, &changes.changes, live, notes)))
    }

    pub(super) fn history(&self, limit: usize) -> Result<Reply, AdminError> {
        let (generations, oldest) = self.store().history(limit.min(GENERATIONS))?;
        let generations = generations.into_iter().map(Into::into).collect();
        Ok(Reply::History(HistoryView { generations, oldest }))
    }

    /// Goes back with a change of its own, so that what is gone back from stays in the history. The deny list stays.
    pub(super) fn rollback(&self, call: Call<'_>, generation: u64) -> Result<Reply, AdminError> {
        let (policy, changes) = self.authority.change(call.author, call.now, |store: &PolicyStore| {
            let then = store.records_at(generation)?;
            Ok::<_, AdminError>(to_commit(fleet::difference(&store.records()?, &then)))
        })?;
        let done = format!("the policy is as it was at generation {generation}");
        let already = format!("{done} already");
        Ok(Reply::Changed(told(&done, &already, &changes, policy.generation())))
    }

    fn parse(&self, text: &str, scope: FleetScope) -> Result<FleetFile, AdminError> {
        let file = match scope {
            FleetScope::Whole => FleetFile::parse(text, self.selector),
            FleetScope::Addition => {
                let mut existing = Records::default();
                for group in self.store().groups() {
                    let group = group?;
                    existing.groups.insert(group.name.clone(), group);
                }
                FleetFile::parse_addition(text, self.selector, &existing)
            }
        }
        .map_err(data)?;
        let blocks = self.trust_blocks();
        for key in file.records.devices.keys() {
            if !blocks.iter().any(|block| **block == *key.trust) {
                let blocks = blocks.join(", ");
                let message = format!("device {}: no trust block {:?} in the settings ({blocks})", key.name, key.trust);
                return Err(AdminError::new(Fault::Data, message));
            }
        }
        Ok(file)
    }
}

fn leading_to(file: &FleetFile, scope: FleetScope, before: &Records) -> ChangeSet {
    match scope {
        FleetScope::Whole => fleet::difference(before, &file.records),
        FleetScope::Addition => fleet::additions(before, &file.records),
    }
}

/// What is to be committed, if anything, and the changes to tell of.
fn to_commit(changes: ChangeSet) -> (Option<ChangeSet>, Vec<Change>) {
    let told = changes.changes.clone();
    ((!told.is_empty()).then_some(changes), told)
}

fn outdated(file: &FleetFile, generation: u64) -> Option<String> {
    let expected = file.generation.filter(|expected| *expected != generation)?;
    Some(format!(
        "the file was made for generation {expected} of the policy, which is at {generation}: \
         export again and repeat your changes (or take the line `generation` out to overwrite)"
    ))
}

fn unasked(removals: Removals, allowed: Option<usize>) -> Option<String> {
    let Removals { removed, of } = removals;
    let enough = allowed.is_some_and(|allowed| allowed >= removed);
    (removals.need_consent() && !enough).then(|| {
        format!(
            "it would remove {removed} of {of} records: look at `certmq plan`, and if that is meant, \
             apply with --allow-remove {removed} (or with --merge, which removes none)"
        )
    })
}

fn plan_view(before: &Records, changes: &[Change], live: Option<LiveImpactView>, notes: Vec<String>) -> PlanView {
    let mut counts = PlanCounts::default();
    let mut records = Vec::new();
    for change in fleet::changed_records(before, changes) {
        counts.count(&change);
        if records.len() < LISTED {
            records.push(change.into());
        }
    }
    let outcome = if changes.is_empty() { ChangeOutcome::Unchanged } else { ChangeOutcome::Changed };
    let unlisted = changes.len() - records.len();
    PlanView { outcome, generation: before.generation, counts, records, unlisted, live, notes }
}

fn told(done: &str, already: &str, changes: &[Change], generation: u64) -> ChangeView {
    let outcome = if changes.is_empty() { ChangeOutcome::Unchanged } else { ChangeOutcome::Changed };
    let mut counts = [0_usize; 4];
    for change in changes {
        let kind = match change {
            Change::PutGroup(_) => 0,
            Change::RemoveGroup(_) => 1,
            Change::PutDevice(_) => 2,
            Change::RemoveDevice(_) => 3,
            // No fleet file holds any.
            Change::PutDenial(_) | Change::RemoveDenial(_) => continue,
        };
        if let Some(count) = counts.get_mut(kind) {
            *count += 1;
        }
    }
    let mut summary = match outcome {
        ChangeOutcome::Changed => format!("{done}:"),
        ChangeOutcome::Unchanged => already.to_owned(),
    };
    let words = ["group(s) added or changed", "group(s) removed", "device(s) added or changed", "device(s) removed"];
    let mut separator = " ";
    for (count, word) in counts.iter().zip(words).filter(|(count, _)| **count > 0) {
        let _ = write!(summary, "{separator}{count} {word}");
        separator = ", ";
    }
    ChangeView { outcome, generation, summary, rule: None, notes: Vec::new() }
}
