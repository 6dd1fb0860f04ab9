//! What one transaction does to the records.

use super::{DenyEntry, DenyId, DeviceKey, DeviceRecord, DeviceStatus, Effect, GroupRecord, Rule};
use std::sync::Arc;

/// One record's change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Insert or replace.
    PutDevice(DeviceRecord),
    /// Remove; it must exist.
    RemoveDevice(DeviceKey),
    /// Insert or replace.
    PutGroup(GroupRecord),
    /// Remove; it must exist, and no device may list it afterwards.
    RemoveGroup(Arc<str>),
    /// Insert or replace.
    PutDenial(DenyEntry),
    /// Remove; it must exist.
    RemoveDenial(DenyId),
}

impl Change {
    /// Whether the change takes access away and gives none, compared with the records before it: a device is disabled, or
    /// an existing record gets denies and loses allows. Anything less plain counts as giving.
    pub fn only_takes_away(&self, device: Option<&DeviceRecord>, group: Option<&GroupRecord>) -> bool {
        match (self, device, group) {
            (Self::PutDevice(after), Some(before), _) => {
                let DeviceRecord { key, status, groups, rules, pins, limits } = before;
                let less_status = *status == after.status || after.status == DeviceStatus::Disabled;
                less_status
                    && after.limits.is_within(limits)
                    && (key, groups, pins) == (&after.key, &after.groups, &after.pins)
                    && less_rules(rules, &after.rules)
            }
            // A record makes its device known, but for a disabled one.
            (Self::PutDevice(after), None, _) => {
                after.status == DeviceStatus::Disabled && after.groups.is_empty() && less_rules(&[], &after.rules)
            }
            (Self::PutGroup(after), _, Some(before)) => {
                before.matches == after.matches
                    && after.limits.is_within(&before.limits)
                    && less_rules(&before.rules, &after.rules)
            }
            // What goes may have denied, or kept a certificate out that a group matches.
            (Self::PutGroup(_) | Self::RemoveDevice(_) | Self::RemoveGroup(_) | Self::RemoveDenial(_), ..) => false,
            (Self::PutDenial(_), ..) => true,
        }
    }
}

fn less_rules(before: &[Rule], after: &[Rule]) -> bool {
    let lost = |effect| move |rule: &&Rule| rule.effect == effect;
    before.iter().filter(lost(Effect::Deny)).all(|rule| after.contains(rule))
        && after.iter().filter(lost(Effect::Allow)).all(|rule| before.contains(rule))
}

/// Changes that take effect together or not at all; together they raise the generation by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// The generation the author saw; a store at another one refuses.
    pub expected_generation: Option<u64>,
    /// At most one per record.
    pub changes: Vec<Change>,
}

#[cfg(test)]
mod tests;
