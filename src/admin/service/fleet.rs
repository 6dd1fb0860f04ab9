//! The whole policy as one file.

use super::devices::data;
use super::{Call, Service};
use crate::admin::reply::{AdminError, ChangeOutcome, ChangeView, Fault, Reply};
use crate::policy::Change;
use crate::policy::fleet::{self, FleetFile};
use std::fmt::Write;

impl Service {
    pub(super) fn export(&self) -> Result<Reply, AdminError> {
        Ok(Reply::Fleet(fleet::export(&self.store().records()?)))
    }

    pub(super) fn apply(&self, call: Call<'_>, text: &str) -> Result<Reply, AdminError> {
        let file = FleetFile::parse(text, self.selector).map_err(data)?;
        let blocks = self.trust_blocks();
        for key in file.records.devices.keys() {
            if !blocks.iter().any(|block| **block == *key.trust) {
                let blocks = blocks.join(", ");
                let message = format!("device {}: no trust block {:?} in the settings ({blocks})", key.name, key.trust);
                return Err(AdminError::new(Fault::Data, message));
            }
        }
        let (policy, changes) = self.authority.change(call.author, call.now, |store| {
            let generation = store.generation();
            if let Some(expected) = file.generation.filter(|expected| *expected != generation) {
                return Err(AdminError::new(
                    Fault::Data,
                    format!(
                        "the file was made for generation {expected} of the policy, which is at {generation}: \
                         export again and repeat your changes (or take the line `generation` out to overwrite)"
                    ),
                ));
            }
            let mut changes = fleet::difference(&store.records()?, &file.records);
            changes.expected_generation = Some(generation);
            let told = changes.changes.clone();
            Ok(((!told.is_empty()).then_some(changes), told))
        })?;
        Ok(Reply::Changed(told(&changes, policy.generation())))
    }
}

fn told(changes: &[Change], generation: u64) -> ChangeView {
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
        ChangeOutcome::Changed => "applied:".to_owned(),
        ChangeOutcome::Unchanged => "the policy is as the file says already".to_owned(),
    };
    let words = ["group(s) added or changed", "group(s) removed", "device(s) added or changed", "device(s) removed"];
    let mut separator = " ";
    for (count, word) in counts.iter().zip(words).filter(|(count, _)| **count > 0) {
        let _ = write!(summary, "{separator}{count} {word}");
        separator = ", ";
    }
    ChangeView { outcome, generation, summary, rule: None, notes: Vec::new() }
}
