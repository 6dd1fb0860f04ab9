//! What the audit trail keeps in sled: its head, and which certificate each device last came with. A tree of its own,
//! beside the records and no part of their state.

use super::database::Database;
use super::error::StoreError;
use super::{Shared, Undecided};
use crate::telemetry::audit::{AuditStore, Head};
use std::sync::Arc;

const ANCHOR: &[u8] = b"anchor";
const SEEN: &[u8] = b"seen\0";

/// Bytes that one write may need.
const WRITTEN: u64 = 4096;

/// The tree of the audit trail in an open store. Drop it before the store is opened again.
pub(super) struct AuditTree(pub(super) Arc<Shared>);

/// Whether a write waits for the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sync {
    Now,
    Later,
}

impl AuditTree {
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let value = self.0.read(|database| database.audit_value(key)).map_err(|fault| fault.to_string())?;
        Ok(value.map(|value| value.to_vec()))
    }

    /// A fault of sled is settled here as after a commit that failed: sled takes nothing more until it is opened again.
    fn write(&self, key: &[u8], value: &[u8], sync: Sync) -> Result<(), StoreError> {
        let mut writer = self.0.writer.lock();
        self.0.settle(&mut writer)?;
        self.0.folder.refuse_full(WRITTEN)?;
        let put = |database: &mut Database| {
            database.put_audit(key, value)?;
            if sync == Sync::Now { database.sync() } else { Ok(()) }
        };
        let Some(Err(fault)) = self.0.database.write().as_mut().map(put) else { return Ok(()) };
        let (state, mark) = (writer.state, writer.journal.mark());
        writer.undecided = Some(Undecided { before: state, after: state, undo: Vec::new(), mark });
        if let Err(again) = self.0.settle(&mut writer) {
            tracing::error!(fault = %again, "the next change of the policy tries it again");
        }
        Err(fault)
    }
}

impl AuditStore for AuditTree {
    fn anchor(&self) -> Result<Option<Head>, String> {
        let Some(value) = self.read(ANCHOR)? else { return Ok(None) };
        serde_json::from_slice(&value).map(Some).map_err(|fault| format!("the anchor of the audit trail: {fault}"))
    }

    fn set_anchor(&self, head: Head) -> Result<(), String> {
        let value = serde_json::to_vec(&head).map_err(|fault| fault.to_string())?;
        self.write(ANCHOR, &value, Sync::Now).map_err(|fault| fault.to_string())
    }

    fn certificate_of(&self, trust: &str, device: &str) -> Result<Option<[u8; 32]>, String> {
        Ok(self.read(&seen_key(trust, device))?.and_then(|value| value.try_into().ok()))
    }

    fn remember_certificate(&self, trust: &str, device: &str, sha256: &[u8; 32]) -> Result<(), String> {
        self.write(&seen_key(trust, device), sha256, Sync::Later).map_err(|fault| fault.to_string())
    }
}

/// The name of a trust block holds no NUL.
fn seen_key(trust: &str, device: &str) -> Vec<u8> {
    [SEEN, trust.as_bytes(), b"\0", device.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use crate::policy::{Change, ChangeSet, GroupRecord};
    use crate::store::policy_store::{PolicyStore, restore_policy};
    use crate::telemetry::audit::{ChainHash, Head};
    use std::collections::BTreeMap;

    #[test]
    fn what_the_audit_trail_keeps_is_there_again_and_no_part_of_the_records() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let head = Head { count: 7, hash: ChainHash([9; 32]) };
        let store = PolicyStore::open(&path).unwrap();
        let group = GroupRecord::new("g", BTreeMap::new(), Vec::new(), crate::policy::RecordLimits::default()).unwrap();
        store.commit(&ChangeSet { expected_generation: None, changes: vec![Change::PutGroup(group)] }, "x", 1).unwrap();
        let audit = store.audit();
        assert_eq!(audit.anchor(), Ok(None));
        audit.remember_certificate("default", "CN=a", &[3; 32]).unwrap();
        audit.set_anchor(head).unwrap();
        assert_eq!(audit.certificate_of("default", "CN=a"), Ok(Some([3; 32])));
        assert_eq!(audit.certificate_of("other", "CN=a"), Ok(None));
        let generation = store.generation();
        drop((audit, store));
        let store = PolicyStore::open(&path).unwrap();
        assert_eq!(store.generation(), generation);
        assert_eq!(store.audit().anchor(), Ok(Some(head)));
        assert_eq!(store.audit().certificate_of("default", "CN=a"), Ok(Some([3; 32])));
        drop(store);
        restore_policy(&path).unwrap();
        assert_eq!(PolicyStore::open(&path).unwrap().audit().anchor(), Ok(Some(head)));
    }
}
