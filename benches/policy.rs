//! The policy with a million devices: `cargo bench --bench policy -- [DEVICES] [own]`; with `own`, each device has a
//! rule that no other device has.
//!
//! Prints the time to compile, bytes a device (counted and as resident memory), and the time of decisions and changes.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use certmq::policy::{
    Action, Attributes, Bounds, Change, ChangeSet, Compiler, DecisionMemory, DeviceKey, DeviceRecord, DeviceStatus,
    Effect, Epoch, GroupRecord, Policy, PolicySettings, Principal, RecordLimits, Rule,
};
use certmq::protocol::QoS;
use certmq::protocol::topic::{TopicFilter, TopicName};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const NOW: i64 = 1_800_000_000;

/// Which rules each device has of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    /// None: the group's templates serve all.
    Nothing,
    /// One that no other device has.
    OneRule,
}

fn main() -> Outcome<()> {
    let devices = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    // One fleet a process: memory that another one freed would be taken again and not show.
    let own = if std::env::args().any(|argument| argument == "own") { Own::OneRule } else { Own::Nothing };
    measure(devices, own)
}

fn measure(devices: usize, own: Own) -> Outcome<()> {
    let resident = resident_bytes()?;
    let started = Instant::now();
    let mut compiler = Compiler::new(PolicySettings::default(), NOW);
    compiler.group(&sensors(1)?)?;
    for number in 0..devices {
        compiler.device(&record(number, own)?)?;
    }
    let policy = compiler.finish(1, Epoch(1))?;
    let compiled = started.elapsed();
    let grown = resident_bytes()?.saturating_sub(resident);
    println!("{devices} devices, own rules: {own:?}");
    println!("  compile, records made and dropped one by one {:9.2} s", compiled.as_secs_f64());
    println!("  bytes a device, counted                      {:9.1}", policy.heap_bytes() as f64 / devices as f64);
    println!("  bytes a device, resident                     {:9.1}", grown as f64 / devices as f64);
    decisions(&policy, devices)?;
    changes(policy, devices, own)?;
    Ok(())
}

fn decisions(policy: &Policy, devices: usize) -> Outcome<()> {
    let scattered: Vec<Principal> = (0..20_000).map(|turn| principal(turn * 7_919 % devices)).collect();
    let topics: Vec<String> =
        (0..20_000).map(|turn| format!("sensors/{}/temperature", cn(turn * 7_919 % devices))).collect();
    let topics = topics.iter().map(|topic| TopicName::parse(topic)).collect::<Result<Vec<_>, _>>()?;
    let (Some(one), Some(topic)) = (scattered.get(1), topics.get(1).copied()) else { return Ok(()) };
    let filter = TopicFilter::parse(&format!("commands/{}/+", cn(7_919 % devices)))?;
    let stranger = principal(devices);
    let publish = |principal, topic| policy.authorize_publish(principal, topic, QoS::AtMostOnce, false);
    assert!(publish(one, topic).is_ok() && publish(&stranger, topic).is_err());
    assert!(policy.authorize_subscribe(one, &filter, QoS::AtLeastOnce).is_ok());
    per("decide a publication, the same device again", 1_000_000, |_| publish(one, topic).is_ok());
    per("decide a publication, another device each time", 20_000, |turn| {
        scattered.get(turn).zip(topics.get(turn)).is_some_and(|(principal, topic)| publish(principal, *topic).is_ok())
    });
    per("refuse a stranger's publication", 1_000_000, |_| publish(&stranger, topic).is_ok());
    let mut memory = DecisionMemory::default();
    per("remember a publication", 1_000_000, |_| {
        memory.authorize_publish(policy, one, topic, QoS::AtMostOnce, false).is_ok()
    });
    per("decide a subscription", 1_000_000, |_| policy.authorize_subscribe(one, &filter, QoS::AtLeastOnce));
    Ok(())
}

fn changes(mut policy: Policy, devices: usize, own: Own) -> Outcome<()> {
    let mut changed = Vec::new();
    for turn in 0..2_000 {
        let mut record = record(turn * 104_729 % devices, own)?;
        record.status = DeviceStatus::Disabled;
        changed.push(ChangeSet { expected_generation: None, changes: vec![Change::PutDevice(record)] });
    }
    let mut failed = None;
    per("change one device", changed.len(), |turn| {
        match changed.get(turn).map(|change| policy.with_changes(change, NOW)) {
            Some(Ok(after)) => policy = after,
            other => failed = other.and_then(Result::err),
        }
    });
    let of_all = ChangeSet { expected_generation: None, changes: vec![Change::PutGroup(sensors(2)?)] };
    per("change the group of all", 2_000, |_| match policy.with_changes(&of_all, NOW) {
        Ok(after) => policy = after,
        Err(error) => failed = Some(error),
    });
    per("ask when the next rule ends", 1_000, |_| policy.next_expiry());
    per("find a device by its common name", 3, |_| policy.devices_by_common_name(&cn(17)));
    println!("  bytes a device after these changes, counted  {:9.1}", policy.heap_bytes() as f64 / devices as f64);
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// The best of five rounds, per turn.
fn per<T>(what: &str, turns: usize, mut turn: impl FnMut(usize) -> T) {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let started = Instant::now();
        (0..turns).for_each(|number| drop(black_box(turn(number))));
        best = best.min(started.elapsed());
    }
    println!("  {what:<44} {:9.0} ns", best.as_nanos() as f64 / turns as f64);
}

fn cn(number: usize) -> String {
    format!("dev-{number:07}")
}

fn key(number: usize) -> DeviceKey {
    DeviceKey::in_default_trust(Arc::from(format!("CN={},OU=sensors,O=acme", cn(number))))
}

fn record(number: usize, own: Own) -> Outcome<DeviceRecord> {
    let rules = match own {
        Own::Nothing => Vec::new(),
        Own::OneRule => vec![allow(Action::Publish, &format!("lab/{}/report", cn(number)))?],
    };
    Ok(DeviceRecord::new(
        key(number),
        DeviceStatus::Enabled,
        vec![Arc::from("sensors")],
        rules,
        Vec::new(),
        RecordLimits::default(),
    )?)
}

fn sensors(version: usize) -> Outcome<GroupRecord> {
    let deny = Rule::new(Effect::Deny, Action::Publish, "sensors/{cn}/config", Bounds::default(), None)?;
    let rules = vec![
        allow(Action::Publish, "sensors/{cn}/#")?,
        allow(Action::Subscribe, "commands/{cn}/+")?,
        allow(Action::Subscribe, &format!("news/{version}"))?,
        deny,
    ];
    Ok(GroupRecord::new("sensors", BTreeMap::new(), rules, RecordLimits::default())?)
}

fn allow(action: Action, filter: &str) -> Outcome<Rule> {
    Ok(Rule::new(Effect::Allow, action, filter, Bounds::default(), None)?)
}

fn principal(number: usize) -> Principal {
    let key = key(number);
    let attributes = Attributes {
        subject: Arc::clone(&key.name),
        serial: "0102".into(),
        common_names: vec![cn(number)],
        organisations: vec!["acme".to_owned()],
        units: vec!["sensors".to_owned()],
        ..Attributes::default()
    };
    Principal { key, client_id: Arc::from(cn(number)), attributes: Arc::new(attributes), chain: None }
}

/// Resident memory of this process.
fn resident_bytes() -> Outcome<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<usize>()? * 1024)
}
