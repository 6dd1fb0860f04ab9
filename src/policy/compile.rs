//! Records -> [`Policy`]: immutable, shared, under 200 bytes a device.

use super::{ChangeSet, DeviceKey, DeviceRecord, Epoch, GroupRecord, PolicySettings, Records};

/// The whole policy in its compiled form. Cheap to clone; a change copies one shard.
#[derive(Clone, Debug)]
pub struct Policy {
    epoch: Epoch,
    generation: u64,
    settings: PolicySettings,
}

/// A change that would leave the policy inconsistent; the old one stays in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CompileError {
    #[error("{device} lists group {group:?}, which does not exist: add it with `certmq group add {group}`")]
    NoSuchGroup { device: String, group: String },
    #[error("no device {0}")]
    NoSuchDevice(String),
    #[error("group {group:?} is still listed by {devices} device(s), {example} among them")]
    GroupInUse { group: String, devices: usize, example: String },
    #[error("rule {rule}: {fault}")]
    Rule { rule: String, fault: String },
    #[error("the policy is at generation {found}, the change was made for {expected}")]
    Generation { expected: u64, found: u64 },
}

/// Builds a [`Policy`] from records read one by one, so that a million need not stand in memory twice.
#[derive(Debug)]
pub struct Compiler {
    settings: PolicySettings,
}

impl Compiler {
    /// Starts empty. Rules whose `until` lies at or before `now` (Unix seconds) will not count.
    pub fn new(settings: PolicySettings, now: i64) -> Self {
        let _ = now;
        Self { settings }
    }

    /// Adds a group.
    pub fn group(&mut self, record: &GroupRecord) -> Result<(), CompileError> {
        let _ = record;
        todo!()
    }

    /// Adds a device; its groups may come later.
    pub fn device(&mut self, record: &DeviceRecord) -> Result<(), CompileError> {
        let _ = record;
        todo!()
    }

    /// Checks what only the whole shows, and compiles.
    pub fn finish(self, generation: u64, epoch: Epoch) -> Result<Policy, CompileError> {
        let _ = (generation, epoch, self.settings);
        todo!()
    }
}

impl Policy {
    /// Compiles all records. Rules whose `until` lies at or before `now` (Unix seconds) do not count.
    pub fn compile(records: &Records, settings: PolicySettings, now: i64) -> Result<Self, CompileError> {
        let _ = (records, settings, now);
        todo!()
    }

    /// The policy that denies everything: what stands before the store is read, and whenever it cannot be.
    pub fn deny_all() -> Self {
        Self { epoch: Epoch(0), generation: 0, settings: PolicySettings::default() }
    }

    /// The policy after `changes`, one epoch and one generation later. Costs by what changed.
    pub fn with_changes(&self, changes: &ChangeSet, now: i64) -> Result<Self, CompileError> {
        let _ = (changes, now);
        todo!()
    }

    /// When the next `until` passes, Unix seconds: then [`Policy::at`] must be called.
    pub fn next_expiry(&self) -> Option<i64> {
        todo!()
    }

    /// The policy at a later time, one epoch later when a rule ended.
    pub fn at(&self, now: i64) -> Self {
        let _ = now;
        todo!()
    }

    /// Its epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The generation of its records.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Its settings.
    pub fn settings(&self) -> PolicySettings {
        self.settings
    }

    /// Number of device records.
    pub fn device_count(&self) -> usize {
        todo!()
    }

    /// Bytes of heap the compiled form holds, as far as it can count them.
    pub fn heap_bytes(&self) -> usize {
        todo!()
    }

    /// The keys of devices whose name is `CN=<cn>` or has that common name, for names people type short.
    pub fn devices_by_common_name(&self, common_name: &str) -> Vec<DeviceKey> {
        let _ = common_name;
        todo!()
    }
}
