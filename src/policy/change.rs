//! What one transaction does to the records.

use super::{DenyEntry, DenyId, DeviceKey, DeviceRecord, GroupRecord};
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

/// Changes that take effect together or not at all; together they raise the generation by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// The generation the author saw; a store at another one refuses.
    pub expected_generation: Option<u64>,
    /// At most one per record.
    pub changes: Vec<Change>,
}
