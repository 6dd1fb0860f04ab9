//! The policy store from outside: killed, traced, damaged, out of room. Real sled, real processes, real disks.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on fails, and prints its seed")]

mod child;
mod damage;
mod disk;
mod durable;
mod killed;

use certmq::policy::record::DeviceStatus;
use certmq::policy::{Change, ChangeSet, DeviceKey, DeviceRecord, GroupRecord, RecordLimits, Records};
use certmq::store::policy_store::PolicyStore;
use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Any time: it only stands in the journal.
const NOW: i64 = 1_790_000_000;

fn private_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

/// What the commit that makes `generation` does: a new device, an old one gone, one that is always rewritten.
fn changes_of(generation: u64) -> ChangeSet {
    let mut changes = vec![
        Change::PutDevice(device(generation, DeviceStatus::Enabled)),
        Change::PutDevice(device(
            0,
            if generation.is_multiple_of(2) { DeviceStatus::Disabled } else { DeviceStatus::Enabled },
        )),
    ];
    if generation == 1 {
        let (matches, rules) = (BTreeMap::new(), Vec::new());
        changes.push(Change::PutGroup(GroupRecord {
            name: "fleet".into(),
            matches,
            rules,
            limits: RecordLimits::default(),
        }));
    }
    if generation > 20 {
        changes.push(Change::RemoveDevice(key(generation - 20)));
    }
    ChangeSet { expected_generation: Some(generation - 1), changes }
}

/// What the records are at `generation` when nothing was lost.
fn records_at(generation: u64) -> Records {
    let mut records = Records { generation, ..Records::default() };
    for change in (1..=generation).flat_map(|generation| changes_of(generation).changes) {
        match change {
            Change::PutDevice(record) => drop(records.devices.insert(record.key.clone(), record)),
            Change::RemoveDevice(key) => drop(records.devices.remove(&key)),
            Change::PutGroup(record) => drop(records.groups.insert(record.name.clone(), record)),
            Change::RemoveGroup(name) => drop(records.groups.remove(&name)),
            Change::PutDenial(_) | Change::RemoveDenial(_) => unreachable!("no change set has one"),
        }
    }
    records
}

fn device(number: u64, status: DeviceStatus) -> DeviceRecord {
    DeviceRecord {
        key: key(number),
        status,
        groups: vec!["fleet".into()],
        rules: Vec::new(),
        pins: vec![[7; 32]],
        limits: RecordLimits::default(),
    }
}

fn key(number: u64) -> DeviceKey {
    DeviceKey { trust: "default".into(), name: format!("CN=device-{number:06},O=acme").into() }
}

fn commit_up_to(store: &PolicyStore, generation: u64) {
    while store.generation() < generation {
        store.commit(&changes_of(store.generation() + 1), "test", NOW).unwrap();
    }
}

/// Numbers from a seed that the failing run prints.
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let seed = RandomState::new().hash_one(0);
        println!("seed {seed}");
        Self(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.metadata().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
