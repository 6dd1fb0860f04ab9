use super::*;
use crate::policy::record::{Attribute, DeviceStatus, QoSBound, RetainBound};
use crate::policy::{Action, Change, Compiler, Effect, Epoch, PolicySettings, RecordLimits, Rule};
use crate::protocol::QoS;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

pub(super) const NOW: i64 = 1_790_000_000;

pub(super) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

fn key(name: &str) -> DeviceKey {
    DeviceKey { trust: "default".into(), name: name.into() }
}

fn device(name: &str, groups: &[&str]) -> DeviceRecord {
    let groups = groups.iter().map(|group| Arc::from(*group)).collect();
    DeviceRecord {
        key: key(name),
        status: DeviceStatus::Enabled,
        groups,
        rules: Vec::new(),
        pins: Vec::new(),
        limits: RecordLimits::default(),
    }
}

fn group(name: &str) -> GroupRecord {
    let rule = Rule {
        effect: Effect::Allow,
        action: Action::Publish,
        filter: "sensors/{cn}/#".into(),
        max_qos: QoSBound(QoS::AtLeastOnce),
        retain: RetainBound::NotRetained,
        until: Some(NOW + 60),
    };
    let matches = BTreeMap::from([(Attribute::O, "acme".to_owned()), (Attribute::SanUri, "spiffe://a/b".to_owned())]);
    GroupRecord { name: name.into(), matches, rules: vec![rule], limits: RecordLimits::default() }
}

fn set(changes: impl IntoIterator<Item = Change>) -> ChangeSet {
    ChangeSet { expected_generation: None, changes: changes.into_iter().collect() }
}

pub(super) fn put(name: &str, groups: &[&str]) -> ChangeSet {
    set([Change::PutDevice(device(name, groups))])
}

pub(super) fn add(store: &PolicyStore, name: &str) -> u64 {
    store.commit(&put(name, &[]), "test", NOW).unwrap()
}

/// A store at generation 3 with a group and two devices, closed again.
fn three_generations(path: &Path) -> Records {
    let store = PolicyStore::open(path).unwrap();
    store.commit(&set([Change::PutGroup(group("sensors"))]), "root", NOW).unwrap();
    store.commit(&put("CN=a", &["sensors"]), "root", NOW).unwrap();
    store.commit(&put("CN=b", &[]), "root", NOW).unwrap();
    store.records().unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.metadata().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
}

fn fault_of(path: &Path) -> String {
    PolicyStore::open(path).unwrap_err().to_string()
}

mod damage;
mod refusals;

#[test]
fn a_new_store_is_private_empty_and_at_generation_zero() {
    let folder = folder();
    let root = folder.path().join("deep").join("data");
    let store = PolicyStore::open(&root).unwrap();
    assert_eq!(store.records().unwrap(), Records::default());
    assert_eq!(store.generation(), 0);
    assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o7777, 0o700);
    let mut pending = vec![root];
    while let Some(path) = pending.pop() {
        for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
            let metadata = entry.metadata().unwrap();
            let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(metadata.permissions().mode() & 0o7777, expected, "{:?}", entry.path());
            if metadata.is_dir() {
                pending.push(entry.path());
            }
        }
    }
}

#[test]
fn records_come_back_as_they_were_put() {
    let folder = folder();
    let mut full = device("CN=ü\\,x,O=acme", &["sensors"]);
    full.status = DeviceStatus::Disabled;
    full.pins = vec![[7; 32], [0xfe; 32]];
    full.rules = group("sensors").rules;
    let mut stranger = device("CN=a", &[]);
    stranger.key.trust = "lab".into();
    {
        let store = PolicyStore::open(folder.path()).unwrap();
        let changes = [
            Change::PutDevice(full.clone()),
            Change::PutDevice(device("CN=a", &[])),
            Change::PutDevice(stranger.clone()),
            Change::PutGroup(group("sensors")),
        ];
        assert_eq!(store.commit(&set(changes), "root", NOW).unwrap(), 1);
    }
    let store = PolicyStore::open(folder.path()).unwrap();
    let records = store.records().unwrap();
    assert_eq!(records.generation, 1);
    let expected = [device("CN=a", &[]), full.clone(), stranger];
    assert_eq!(records.devices.values().cloned().collect::<Vec<_>>(), expected);
    assert_eq!(records.groups.values().cloned().collect::<Vec<_>>(), [group("sensors")]);
    assert_eq!(store.devices().collect::<Result<Vec<_>, _>>().unwrap(), expected);
    assert_eq!(store.device(&full.key).unwrap(), Some(full));
    assert_eq!(store.device(&key("CN=nobody")).unwrap(), None);
    assert_eq!(store.group("sensors").unwrap(), Some(group("sensors")));
    assert_eq!(store.group("nothing").unwrap(), None);
}

#[test]
fn replacing_and_removing_keep_the_state_in_step() {
    let folder = folder();
    let records = {
        let store = PolicyStore::open(folder.path()).unwrap();
        store.commit(&set([Change::PutGroup(group("g"))]), "root", NOW).unwrap();
        store.commit(&put("CN=a", &["g"]), "root", NOW).unwrap();
        store.commit(&put("CN=a", &[]), "root", NOW).unwrap();
        store
            .commit(&set([Change::RemoveGroup("g".into()), Change::PutDevice(device("CN=b", &[]))]), "x", NOW)
            .unwrap();
        store.commit(&set([Change::RemoveDevice(key("CN=a"))]), "root", NOW).unwrap();
        store.records().unwrap()
    };
    assert_eq!((records.generation, records.devices.len(), records.groups.len()), (5, 1, 0));
    assert_eq!(PolicyStore::open(folder.path()).unwrap().records().unwrap(), records);
    assert_eq!(check(folder.path()).unwrap().faults, Vec::<String>::new());
}

#[test]
fn an_empty_change_set_raises_the_generation() {
    let folder = folder();
    let store = PolicyStore::open(folder.path()).unwrap();
    assert_eq!(store.commit(&ChangeSet::default(), "root", NOW).unwrap(), 1);
}

#[test]
fn the_journal_tells_who_did_what_when() {
    let folder = folder();
    three_generations(folder.path());
    let journal = fs::read_to_string(folder.path().join("policy.journal")).unwrap();
    let lines: Vec<serde_json::Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[2]["generation"], 2);
    assert_eq!(lines[2]["author"], "root");
    assert_eq!(lines[2]["time"], "2026-09-21T14:13:20Z");
    assert_eq!(lines[2]["changes"][0]["put_device"]["record"]["groups"][0], "sensors");
}

#[test]
fn a_snapshot_starts_the_journal_anew_and_both_rebuild_the_store() {
    let folder = folder();
    let expected = {
        let store = PolicyStore::open(folder.path()).unwrap();
        store.commit(&set([Change::PutGroup(group("sensors"))]), "root", NOW).unwrap();
        add(&store, "CN=a");
        store.snapshot_now(NOW).unwrap();
        store.commit(&set([Change::RemoveDevice(key("CN=a"))]), "root", NOW).unwrap();
        store.commit(&put("CN=b", &["sensors"]), "root", NOW).unwrap();
        store.records().unwrap()
    };
    assert_eq!(fs::read_to_string(folder.path().join("policy.journal")).unwrap().lines().count(), 3);
    let report = check(folder.path()).unwrap();
    assert_eq!((report.snapshot_generation, report.journal_entries, report.generation), (2, 2, 4));
    assert_eq!(report.faults, Vec::<String>::new());

    fs::remove_dir_all(folder.path().join("policy")).unwrap();
    assert!(fault_of(folder.path()).contains("certmq store restore --policy"));
    let report = restore_policy(folder.path()).unwrap();
    assert_eq!((report.source, report.generation, report.devices, report.groups), (RestoreSource::Backup, 4, 1, 1));
    assert_eq!(PolicyStore::open(folder.path()).unwrap().records().unwrap(), expected);
}

#[test]
fn a_snapshot_is_due_after_ten_thousand_changes_or_a_day() {
    let folder = folder();
    {
        let store = PolicyStore::open(folder.path()).unwrap();
        let many = (0..SNAPSHOT_EVERY_CHANGES).map(|n| Change::PutDevice(device(&format!("CN={n}"), &[])));
        // The first snapshot is as old as the real clock says; go on from there.
        let now = unix_now();
        store.commit(&set(many), "root", now).unwrap();
        drop(store);
        assert_eq!(check(folder.path()).unwrap().snapshot_generation, 1);
        let store = PolicyStore::open(folder.path()).unwrap();
        store.commit(&ChangeSet::default(), "root", now + 60).unwrap();
        drop(store);
        assert_eq!(check(folder.path()).unwrap().snapshot_generation, 1);
        let store = PolicyStore::open(folder.path()).unwrap();
        store.commit(&ChangeSet::default(), "root", now + SNAPSHOT_EVERY_SECONDS + 60).unwrap();
    }
    let report = check(folder.path()).unwrap();
    assert_eq!((report.snapshot_generation, report.journal_entries), (3, 0));
    assert_eq!(report.faults, Vec::<String>::new());
}

#[test]
fn readers_are_served_while_commits_run() {
    let folder = folder();
    let store = PolicyStore::open(folder.path()).unwrap();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|thread| {
                let store = &store;
                scope.spawn(move || (0..10).map(|n| add(store, &format!("CN={thread}-{n}"))).collect::<Vec<_>>())
            })
            .collect();
        while store.generation() < 40 {
            let records = store.records().unwrap();
            assert_eq!(records.devices.len() as u64, records.generation);
        }
        let mut generations: Vec<_> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        generations.sort_unstable();
        assert_eq!(generations, (1..=40).collect::<Vec<_>>());
    });
}

#[test]
fn a_policy_is_loaded_record_by_record() {
    let folder = folder();
    three_generations(folder.path());
    let store = PolicyStore::open(folder.path()).unwrap();
    let policy = load(&store, Compiler::new(PolicySettings::default(), NOW), Epoch(9)).unwrap();
    assert_eq!((policy.generation(), policy.epoch(), policy.device_count()), (3, Epoch(9), 2));
    assert!(policy.has_group("sensors"));
}
