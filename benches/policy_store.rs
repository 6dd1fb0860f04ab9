//! What a store of a million devices costs: filling, opening, one change, memory, bytes on the disk.
//!
//! `cargo bench --bench policy_store [-- DEVICES [FOLDER]]`; the folder decides which disk is measured.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot go on ends; it prints figures")]

use certmq::policy::record::{DeviceStatus, QoSBound, RetainBound};
use certmq::policy::{
    Action, Change, ChangeSet, Compiler, DeviceKey, DeviceRecord, Effect, Epoch, GroupRecord, PolicySettings, Rule,
};
use certmq::protocol::QoS;
use certmq::store::policy_store::{PolicyStore, check, load, restore_policy};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const DEVICES: u64 = 1_000_000;
const PER_COMMIT: u64 = 100_000;
const SINGLE_COMMITS: u64 = 2_000;
const NOW: i64 = 1_790_000_000;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let first = arguments.next();
    let folder = arguments.next().map(PathBuf::from);
    match (first.as_deref(), folder) {
        (Some("open"), Some(folder)) => open(&folder),
        (devices, folder) => measure(devices.map_or(DEVICES, |number| number.parse().unwrap()), folder),
    }
}

fn measure(devices: u64, parent: Option<PathBuf>) {
    let scratch = tempfile::tempdir_in(parent.unwrap_or_else(std::env::temp_dir)).unwrap();
    let folder = scratch.path().join("data");
    fill(&folder, devices);
    print_sizes(&folder);

    // A process of its own, so that its memory is that of a broker that has just started.
    let status = Command::new(std::env::current_exe().unwrap()).arg("open").arg(&folder).status().unwrap();
    assert!(status.success());

    single_commits(&folder, devices);
    print_sizes(&folder);
    let faults = timed("check of store and backup", || check(&folder).unwrap().faults);
    assert!(faults.is_empty(), "{faults:?}");
    fs::remove_dir_all(folder.join("policy")).unwrap();
    let report = timed("rebuild from snapshot and journal", || restore_policy(&folder).unwrap());
    assert_eq!(report.devices, devices);
}

fn fill(folder: &Path, devices: u64) {
    let store = PolicyStore::open(folder).unwrap();
    let group = Change::PutGroup(GroupRecord {
        name: "sensors".into(),
        matches: BTreeMap::new(),
        rules: vec![rule("sensors/{cn}/#")],
        limits: Default::default(),
    });
    store.commit(&ChangeSet { expected_generation: None, changes: vec![group] }, "bench", NOW).unwrap();
    let (started, cpu) = (Instant::now(), cpu_seconds());
    for first in (0..devices).step_by(PER_COMMIT as usize) {
        let changes =
            (first..devices.min(first + PER_COMMIT)).map(|number| Change::PutDevice(device(number))).collect();
        store.commit(&ChangeSet { expected_generation: None, changes }, "bench", NOW).unwrap();
    }
    let (wall, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!("{devices} devices in commits of {PER_COMMIT}: {wall:.1} s, {cpu:.1} s of CPU");
    // Waits for the snapshot that the last commit made due.
    drop(store);
    let store = PolicyStore::open(folder).unwrap();
    timed("snapshot", || store.snapshot_now(NOW).unwrap());
}

fn open(folder: &Path) {
    let before = resident_kib();
    let store = timed("open, every record verified", || PolicyStore::open(folder).unwrap());
    println!("resident memory: {} MiB, {} MiB of it the store", resident_kib() >> 10, (resident_kib() - before) >> 10);
    let compiler = Compiler::new(PolicySettings::default(), NOW);
    let policy = timed("every record read again and compiled", || load(&store, compiler, Epoch(1)).unwrap());
    println!("devices: {}, resident memory with the policy {} MiB", policy.device_count(), resident_kib() >> 10);
}

fn single_commits(folder: &Path, devices: u64) {
    let store = PolicyStore::open(folder).unwrap();
    let mut times: Vec<Duration> = (0..SINGLE_COMMITS)
        .map(|number| {
            let mut record = device(number * 7_919 % devices);
            record.status = DeviceStatus::Disabled;
            let changes = ChangeSet { expected_generation: None, changes: vec![Change::PutDevice(record)] };
            let started = Instant::now();
            store.commit(&changes, "bench", NOW).unwrap();
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |share: f64| times[(share * (times.len() - 1) as f64) as usize].as_secs_f64() * 1e3;
    println!(
        "one change, durable: median {:.2} ms, p99 {:.2} ms, worst {:.2} ms, fastest {:.2} ms",
        at(0.5),
        at(0.99),
        at(1.0),
        at(0.0)
    );
}

fn device(number: u64) -> DeviceRecord {
    let rules = if number.is_multiple_of(10) { vec![rule("lab/+/report")] } else { Vec::new() };
    DeviceRecord {
        key: DeviceKey { trust: "default".into(), name: format!("CN=dev-{number:07},OU=sensors,O=acme").into() },
        status: DeviceStatus::Enabled,
        groups: vec!["sensors".into()],
        rules,
        pins: Vec::new(),
        limits: Default::default(),
    }
}

fn rule(filter: &str) -> Rule {
    Rule {
        effect: Effect::Allow,
        action: Action::Publish,
        filter: filter.into(),
        max_qos: QoSBound(QoS::AtLeastOnce),
        retain: RetainBound::Retained,
        until: None,
    }
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let result = work();
    println!("{what}: {:.2} s, {:.2} s of CPU", started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    result
}

fn print_sizes(folder: &Path) {
    let mib = |path: PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len()) >> 20;
    println!(
        "on the disk: database {} MiB, snapshot {} MiB, journal {} MiB",
        mib(folder.join("policy").join("db")),
        mib(folder.join("policy.snapshot")),
        mib(folder.join("policy.journal"))
    );
}

/// All threads of this process; Linux counts in hundredths.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
