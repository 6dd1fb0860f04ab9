//! [`PolicyAuthority`]: the store and the policy in force, changed together or not at all.

use super::reply::BrokerView;
use crate::hub::{Hub, Touched};
use crate::policy::{
    Change, ChangeSet, CompileError, Compiler, DenyTarget, DeviceRecord, Epoch, GroupRecord, LiveJudge, Policy,
    PolicySettings,
};
use crate::session::Moment;
use crate::store::policy_store::{self, LoadError, PolicyStore, StoreError};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
pub(super) mod tests;

/// The part of a broker that lives by the policy. The hub implements it; offline nobody does.
pub trait Live: Send + Sync {
    /// Another policy is in force from now on. Must not block: the change has been acknowledged to nobody yet.
    fn policy_changed(&self, policy: Arc<Policy>);

    /// Judges the live connections that a change touches anew, and closes those that may not stay.
    fn sweep(&self, touched: &Touched);

    /// How the broker is; none where there is none.
    fn status(&self) -> Option<BrokerView>;

    /// Its sessions; none where there is no broker.
    fn running(&self) -> Option<Running<'_>>;
}

/// The hub of a running broker, and its clock.
#[derive(Clone, Copy, Debug)]
pub struct Running<'a> {
    /// The hub.
    pub hub: &'a Hub,
    /// The hub's present moment.
    pub now: Moment,
    /// The same by the calendar, Unix seconds.
    pub unix: i64,
}

impl Running<'_> {
    /// A moment of the hub by the calendar, Unix seconds.
    pub fn unix_time(&self, moment: Moment) -> i64 {
        let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        self.unix.saturating_sub(seconds(self.now.since(moment))).saturating_add(seconds(moment.since(self.now)))
    }
}

/// No broker: a command works on the store itself.
#[derive(Clone, Copy, Debug)]
pub struct Offline;

impl Live for Offline {
    fn policy_changed(&self, _policy: Arc<Policy>) {}

    fn sweep(&self, _touched: &Touched) {}

    fn status(&self) -> Option<BrokerView> {
        None
    }

    fn running(&self) -> Option<Running<'_>> {
        None
    }
}

/// The one place where the policy changes: compiled first, durable second, in force third.
pub struct PolicyAuthority {
    store: PolicyStore,
    policy: ArcSwap<Policy>,
    live: Arc<dyn Live>,
    /// Held from reading the records that a change depends on until it is in force.
    changing: Mutex<()>,
}

/// Why a change was not made; the old policy stays in force.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// It would leave the policy inconsistent.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It cannot be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It only takes access away and is in force, but there is no room to make it durable.
    #[error(
        "in force, not yet durable: {0}. The broker makes it durable as soon as there is room; a restart before that \
         would undo it"
    )]
    NotDurable(StoreError),
}

impl PolicyAuthority {
    /// Compiles what is in the store. `now` in Unix seconds.
    ///
    /// # Errors
    /// [`LoadError`]: nothing is in force then.
    pub fn load(store: &PolicyStore, settings: PolicySettings, now: i64) -> Result<Arc<Policy>, LoadError> {
        policy_store::load(store, Compiler::new(settings, now), Epoch(1)).map(Arc::new)
    }

    /// The authority over `store`, whose compiled form is `policy` (see [`PolicyAuthority::load`]).
    pub fn new(store: PolicyStore, policy: Arc<Policy>, live: Arc<dyn Live>) -> Self {
        Self { store, policy: ArcSwap::new(policy), live, changing: Mutex::new(()) }
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// The store below.
    pub fn store(&self) -> &PolicyStore {
        &self.store
    }

    /// The broker around it.
    pub fn live(&self) -> &dyn Live {
        &*self.live
    }

    /// Makes `changes` durable and puts them in force. `author` and `now` (Unix seconds) go into the journal.
    ///
    /// # Errors
    /// [`CommitError`]; nothing was changed then, but for [`CommitError::NotDurable`].
    pub fn commit(&self, changes: &ChangeSet, author: &str, now: i64) -> Result<Arc<Policy>, CommitError> {
        let _changing = self.changing.lock();
        self.commit_locked(changes, author, now)
    }

    /// As [`PolicyAuthority::commit`], with changes that `plan` makes from the records: no other change comes between
    /// its reading and the commit. `None` from `plan` changes nothing.
    ///
    /// # Errors
    /// What `plan` says, and [`CommitError`] through `E`.
    pub fn change<T, E: From<CommitError>>(
        &self,
        author: &str,
        now: i64,
        plan: impl FnOnce(&PolicyStore) -> Result<(Option<ChangeSet>, T), E>,
    ) -> Result<(Arc<Policy>, T), E> {
        let _changing = self.changing.lock();
        let (changes, told) = plan(&self.store)?;
        let policy = match changes {
            Some(changes) => self.commit_locked(&changes, author, now)?,
            None => self.policy(),
        };
        Ok((policy, told))
    }

    /// Judges certificates by `judge` from now on: every decision is made anew. [`Live::sweep`] what differs next.
    pub fn judge_by(&self, judge: Arc<dyn LiveJudge>) -> Arc<Policy> {
        let _changing = self.changing.lock();
        let next = Arc::new(self.policy().judged_by(judge));
        self.put_in_force(&next);
        next
    }

    /// Lets rules end whose time has come; returns when it must be called next, Unix seconds.
    pub fn advance(&self, now: i64) -> Option<i64> {
        let _changing = self.changing.lock();
        let policy = self.policy();
        if policy.next_expiry().is_none_or(|expiry| expiry > now) {
            return policy.next_expiry();
        }
        let later = Arc::new(policy.at(now));
        self.put_in_force(&later);
        self.live.sweep(&Touched::Everyone);
        later.next_expiry()
    }

    fn commit_locked(&self, changes: &ChangeSet, author: &str, now: i64) -> Result<Arc<Policy>, CommitError> {
        let before = self.policy();
        let next = Arc::new(before.with_changes(changes, now)?);
        let durable = match self.store.commit(changes, author, now) {
            Err(fault) if fault.is_no_room() && self.may_be_held(changes)? => {
                self.store.hold(changes, author, now)?;
                Err(CommitError::NotDurable(fault))
            }
            committed => committed.map(|_| Ok(()))?,
        };
        self.put_in_force(&next);
        touched(changes, &before).iter().for_each(|touched| self.live.sweep(touched));
        durable.map(|()| next)
    }

    /// Without a broker nobody would hold it.
    fn may_be_held(&self, changes: &ChangeSet) -> Result<bool, StoreError> {
        for change in &changes.changes {
            let (device, group) = match change {
                Change::PutDevice(DeviceRecord { key, .. }) => (self.store.device(key)?, None),
                Change::PutGroup(GroupRecord { name, .. }) => (None, self.store.group(name)?),
                Change::RemoveDevice(_) | Change::RemoveGroup(_) | Change::PutDenial(_) | Change::RemoveDenial(_) => {
                    (None, None)
                }
            };
            if !change.only_takes_away(device.as_ref(), group.as_ref()) {
                return Ok(false);
            }
        }
        Ok(self.live.running().is_some())
    }

    /// Makes durable what is held for want of room. Returns how many changes that were.
    ///
    /// # Errors
    /// [`StoreError::Full`] while there is none.
    pub fn make_durable(&self) -> Result<u64, StoreError> {
        let _changing = self.changing.lock();
        self.store.make_durable()
    }

    fn put_in_force(&self, policy: &Arc<Policy>) {
        self.policy.store(Arc::clone(policy));
        self.live.policy_changed(Arc::clone(policy));
    }
}

/// Whose connections may have to end: those of devices whose record was changed or removed or that were revoked, those that hang
/// on a revoked certificate, and everybody's where a group may no longer match them.
fn touched(changes: &ChangeSet, before: &Policy) -> Vec<Touched> {
    let mut devices = Vec::new();
    let mut certificates = Vec::new();
    let mut leaves = Vec::new();
    let mut groups = false;
    for change in &changes.changes {
        match change {
            Change::RemoveDevice(key) => devices.push(key.clone()),
            Change::PutDevice(record) => devices.push(record.key.clone()),
            Change::PutDenial(entry) => match &entry.target {
                DenyTarget::Device(key) => devices.push(key.clone()),
                DenyTarget::Certificate(denied) => {
                    certificates.push(denied.certificate.clone());
                    leaves.extend(denied.sha256);
                }
            },
            Change::PutGroup(record) => groups |= before.has_group(&record.name),
            Change::RemoveGroup(_) => groups = true,
            Change::RemoveDenial(_) => {}
        }
    }
    if groups {
        return vec![Touched::Everyone];
    }
    let mut touched = Vec::new();
    touched.extend((!devices.is_empty()).then_some(Touched::Devices(devices)));
    touched.extend((!certificates.is_empty()).then_some(Touched::Certificates(certificates)));
    touched.extend((!leaves.is_empty()).then_some(Touched::Leaves(leaves)));
    touched
}

impl fmt::Debug for PolicyAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyAuthority").field("store", &self.store).finish_non_exhaustive()
    }
}
