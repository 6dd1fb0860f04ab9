//! Records -> [`Policy`]: immutable, shared, under 200 bytes a device.

use super::devices::{DeviceView, Devices, DevicesBuilder, DevicesError};
use super::groups::{Group, Groups};
use super::limits::OwnLimits;
use super::name::common_name_text;
use super::packed::Full;
use super::record::{DeviceStatus, Rule};
use super::{
    AsAccepted, ChainFacts, ClientIdRule, DenyEntry, DenyId, DenyList, DeviceKey, DeviceRecord, DistinguishedName,
    Epoch, GroupRecord, Lapse, LiveJudge, Pins, PolicySettings, Records,
};
use std::collections::HashMap;
use std::sync::Arc;

mod changes;
#[cfg(test)]
mod tests;

/// The whole policy in its compiled form. Cheap to clone; a change copies one shard. Each policy of a run must be
/// derived from the last one, because caches tell policies apart by their epoch.
#[derive(Clone, Debug)]
pub struct Policy {
    epoch: Epoch,
    generation: u64,
    settings: PolicySettings,
    /// The time for which `until` was judged, Unix seconds.
    pub(super) now: i64,
    pub(super) devices: Devices,
    pub(super) groups: Arc<Groups>,
    trusts: Trusts,
    pub(super) denied: Arc<DenyList>,
    pub(super) pins: Pins,
    pub(super) own_limits: OwnLimits,
    pub(super) judge: Arc<dyn LiveJudge>,
}

/// The names of trust blocks by number: they are few, so that each device holds a number only.
#[derive(Clone, Debug, Default)]
struct Trusts(Arc<Vec<Arc<str>>>);

/// A change that would leave the policy inconsistent; the old one stays in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CompileError {
    #[error("{device} lists group {group:?}, which does not exist: add it with `certmq group add {group}`")]
    NoSuchGroup { device: String, group: String },
    #[error("no device {0}")]
    NoSuchDevice(String),
    #[error("no group {0:?}; `certmq group list` shows those that exist")]
    UnknownGroup(String),
    #[error("no entry {0} in the deny list; `certmq revoke --list` shows them")]
    NoSuchDenial(DenyId),
    #[error("group {group:?} is still listed by {devices} device(s), {example} among them")]
    GroupInUse { group: String, devices: usize, example: String },
    #[error("rule {rule}: {fault}")]
    Rule { rule: String, fault: String },
    #[error("{record}: {fault}")]
    Record { record: String, fault: String },
    #[error("{0} is named twice; a record can change only once at a time")]
    Twice(String),
    #[error("device {device}: its certificate is pinned for {other} already: take it out of one of the two records")]
    PinnedTwice { device: String, other: String },
    #[error("the policy is larger than this program can hold in one part")]
    TooLarge,
    #[error("the policy is at generation {found}, the change was made for {expected}")]
    Generation { expected: u64, found: u64 },
}

/// Builds a [`Policy`] from records read one by one, so that a million need not stand in memory twice.
#[derive(Debug)]
pub struct Compiler {
    settings: PolicySettings,
    now: i64,
    devices: DevicesBuilder,
    groups: Groups,
    trusts: Trusts,
    denied: DenyList,
    pins: Pins,
    own_limits: OwnLimits,
    /// For each group number the first device that lists it.
    listed_by: HashMap<u32, String>,
}

impl Compiler {
    /// Starts empty. Rules whose `until` lies at or before `now` (Unix seconds) will not count.
    pub fn new(settings: PolicySettings, now: i64) -> Self {
        Self {
            settings,
            now,
            devices: DevicesBuilder::new(),
            groups: Groups::default(),
            trusts: Trusts::default(),
            denied: DenyList::default(),
            pins: Pins::default(),
            own_limits: OwnLimits::default(),
            listed_by: HashMap::new(),
        }
    }

    /// Adds a group.
    ///
    /// # Errors
    /// An invalid record, or a group of that name already.
    pub fn group(&mut self, record: &GroupRecord) -> Result<(), CompileError> {
        check_group(record, self.settings)?;
        if self.groups.number(&record.name).is_some() {
            return Err(CompileError::Twice(format!("group {:?}", record.name)));
        }
        Ok(self.groups.put(Group::of(record)?)?)
    }

    /// Adds a device; its groups may come later.
    ///
    /// # Errors
    /// An invalid record.
    pub fn device(&mut self, record: &DeviceRecord) -> Result<(), CompileError> {
        check_device(record, self.settings)?;
        let mut numbers = Vec::with_capacity(record.groups.len());
        for group in &record.groups {
            let number = self.groups.number_or_reserve(group)?;
            self.listed_by.entry(number).or_insert_with(|| record.key.to_string());
            numbers.push(number);
        }
        pin(&mut self.pins, record)?;
        self.own_limits.put(&record.key, record.limits);
        let trust = self.trusts.number_or_add(&record.key.trust)?;
        self.devices.push(trust, record, &numbers).map_err(|error| self.trusts.explain(error))
    }

    /// Adds an entry of the deny list.
    pub fn denial(&mut self, entry: DenyEntry) {
        self.denied.put(entry);
    }

    /// Checks what only the whole shows, and compiles. Two policies of one run must never have the same `epoch`.
    ///
    /// # Errors
    /// A listed group without a record, or a device added twice.
    pub fn finish(mut self, generation: u64, epoch: Epoch) -> Result<Policy, CompileError> {
        if let Some((group, number)) = self.groups.undefined() {
            let device = self.listed_by.get(&number).cloned().unwrap_or_default();
            return Err(CompileError::NoSuchGroup { device, group: group.to_owned() });
        }
        self.groups.index();
        let devices = self.devices.build().map_err(|error| self.trusts.explain(error))?;
        let Self { settings, now, groups, trusts, denied, pins, own_limits, .. } = self;
        let (groups, denied) = (Arc::new(groups), Arc::new(denied));
        let judge = Arc::new(AsAccepted);
        Ok(Policy { epoch, generation, settings, now, devices, groups, trusts, denied, pins, own_limits, judge })
    }
}

impl Policy {
    /// Compiles all records, at epoch 1. Rules whose `until` lies at or before `now` (Unix seconds) do not count.
    ///
    /// # Errors
    /// Records that contradict each other, or an invalid one.
    pub fn compile(records: &Records, settings: PolicySettings, now: i64) -> Result<Self, CompileError> {
        let mut compiler = Compiler::new(settings, now);
        records.groups.values().try_for_each(|group| compiler.group(group))?;
        records.devices.values().try_for_each(|device| compiler.device(device))?;
        compiler.finish(records.generation, Epoch(1))
    }

    /// The policy that denies everything: what stands before the store is read, and whenever it cannot be. Epoch 0.
    pub fn deny_all() -> Self {
        Self {
            epoch: Epoch(0),
            generation: 0,
            settings: PolicySettings::default(),
            now: i64::MIN,
            devices: Devices::empty(),
            groups: Arc::default(),
            trusts: Trusts::default(),
            denied: Arc::default(),
            pins: Pins::default(),
            own_limits: OwnLimits::default(),
            judge: Arc::new(AsAccepted),
        }
    }

    /// When the next `until` passes, Unix seconds: then [`Policy::at`] must be called.
    pub fn next_expiry(&self) -> Option<i64> {
        self.next_end(self.now)
    }

    /// The policy at another time, one epoch later when a rule ended (or, with a clock set back, counts again).
    pub fn at(&self, now: i64) -> Self {
        let (earlier, later) = (self.now.min(now), self.now.max(now));
        let differs = self.next_end(earlier).is_some_and(|end| end <= later);
        let epoch = if differs { Epoch(self.epoch.0 + 1) } else { self.epoch };
        Self { now, epoch, ..self.clone() }
    }

    /// Up to when, in Unix seconds, rules have ended in it.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// The policy under another judge of certificates, one epoch later: everything that was decided is judged anew.
    pub fn judged_by(&self, judge: Arc<dyn LiveJudge>) -> Self {
        Self { judge, epoch: Epoch(self.epoch.0 + 1), ..self.clone() }
    }

    /// Whether a chain that was accepted once is good for its device at `now` (Unix seconds), by the deny list, by what
    /// trust and revocation say, and by its dates.
    ///
    /// # Errors
    /// Why not; of several causes one whose [`Lapse::writings`] are withheld.
    pub fn judge_chain(&self, device: &DeviceKey, chain: &ChainFacts, now: i64) -> Result<(), Lapse> {
        if self.denied.find(device, chain).is_some() {
            return Err(Lapse::Revoked);
        }
        if chain.is_pinned() && self.pins.find(&chain.leaf_sha256) != Some(device) {
            return Err(Lapse::NotAdmitted);
        }
        // What takes the right away first: being expired does not.
        self.judge.judge(device, chain, now)?;
        if chain.not_after <= now { Err(Lapse::Expired) } else { Ok(()) }
    }

    /// Its epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The generation of its records.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What operators revoked here.
    pub fn deny_list(&self) -> &Arc<DenyList> {
        &self.denied
    }

    /// The certificates that records pin.
    pub fn pins(&self) -> &Pins {
        &self.pins
    }

    /// Its settings.
    pub fn settings(&self) -> PolicySettings {
        self.settings
    }

    /// Number of device records.
    pub fn device_count(&self) -> usize {
        self.devices.len()
    }

    /// Bytes of heap the compiled form holds, as far as it can count them. Walks all of it.
    pub fn heap_bytes(&self) -> usize {
        self.devices.heap_bytes() + self.groups.heap_bytes()
    }

    /// Whether the device has a record, and which status it gives.
    pub fn status_of(&self, key: &DeviceKey) -> Option<DeviceStatus> {
        self.device(key).map(DeviceView::status)
    }

    /// How many certificates the record of a device pins.
    pub fn pins_of(&self, key: &DeviceKey) -> usize {
        self.device(key).map_or(0, |record| record.pins().len())
    }

    /// Whether a group of that name exists.
    pub fn has_group(&self, name: &str) -> bool {
        self.groups.number(name).is_some()
    }

    /// The keys of devices whose name is `CN=<cn>` or has that common name, for names people type short. Looks at
    /// all devices.
    pub fn devices_by_common_name(&self, common_name: &str) -> Vec<DeviceKey> {
        let attribute = common_name_text(common_name);
        let named = |device: &DeviceView<'_>| {
            device.name().contains(&attribute)
                && DistinguishedName::parse(device.name())
                    .is_ok_and(|name| name.common_names().iter().any(|other| other == common_name))
        };
        let mut keys: Vec<DeviceKey> =
            self.devices.iter().filter(named).filter_map(|device| self.key_of(device)).collect();
        keys.sort_unstable();
        keys
    }

    pub(super) fn device(&self, key: &DeviceKey) -> Option<DeviceView<'_>> {
        self.devices.find(self.trusts.number(&key.trust)?, &key.name)
    }

    pub(super) fn key_of(&self, device: DeviceView<'_>) -> Option<DeviceKey> {
        let trust = self.trusts.0.get(device.trust() as usize)?;
        Some(DeviceKey { trust: Arc::clone(trust), name: Arc::from(device.name()) })
    }

    fn next_end(&self, after: i64) -> Option<i64> {
        self.devices.next_end(after).into_iter().chain(self.groups.next_end(after)).min()
    }
}

impl Trusts {
    fn number(&self, name: &str) -> Option<u32> {
        self.0.iter().position(|trust| &**trust == name).and_then(|number| u32::try_from(number).ok())
    }

    fn number_or_add(&mut self, name: &Arc<str>) -> Result<u32, Full> {
        if let Some(number) = self.number(name) {
            return Ok(number);
        }
        let number = u32::try_from(self.0.len()).map_err(|_| Full)?;
        Arc::make_mut(&mut self.0).push(Arc::clone(name));
        Ok(number)
    }

    fn explain(&self, error: DevicesError) -> CompileError {
        let device = |trust: u32, name: String| {
            let trust = self.0.get(trust as usize).cloned().unwrap_or_default();
            DeviceKey { trust, name: name.into() }.to_string()
        };
        match error {
            DevicesError::Full => CompileError::TooLarge,
            DevicesError::Twice(trust, name) => CompileError::Twice(format!("device {}", device(trust, name))),
            DevicesError::Missing(trust, name) => CompileError::NoSuchDevice(device(trust, name)),
        }
    }
}

impl From<Full> for CompileError {
    fn from(_: Full) -> Self {
        Self::TooLarge
    }
}

fn check_group(record: &GroupRecord, settings: PolicySettings) -> Result<(), CompileError> {
    let fault = |fault: super::RecordError| CompileError::Record {
        record: format!("group {:?}", record.name),
        fault: fault.to_string(),
    };
    record.validate().map_err(fault)?;
    check_client_id(&record.rules, settings)
}

fn check_device(record: &DeviceRecord, settings: PolicySettings) -> Result<(), CompileError> {
    let fault = |fault: super::RecordError| CompileError::Record {
        record: format!("device {}", record.key),
        fault: fault.to_string(),
    };
    record.validate().map_err(fault)?;
    check_client_id(&record.rules, settings)
}

fn pin(pins: &mut Pins, record: &DeviceRecord) -> Result<(), CompileError> {
    record.pins.iter().try_for_each(|sha256| {
        pins.put(*sha256, &record.key)
            .map_err(|other| CompileError::PinnedTwice { device: record.key.to_string(), other: other.to_string() })
    })
}

/// A device that chooses its client id must not choose its rights with it.
fn check_client_id(rules: &[Rule], settings: PolicySettings) -> Result<(), CompileError> {
    match rules.iter().find(|rule| settings.client_id == ClientIdRule::Free && rule.uses_client_id()) {
        None => Ok(()),
        Some(rule) => Err(CompileError::Rule {
            rule: format!("{} ({})", rule.id(), rule.filter),
            fault: "the client chooses {client_id} itself; set identity.client_id = \"cn\", or write {cn}".to_owned(),
        }),
    }
}
