use super::super::fixture::*;
use super::super::*;
use crate::protocol::QoS;
use crate::protocol::topic::TopicName;
use proptest::prelude::*;
use std::sync::Arc;

fn change(changes: Vec<Change>) -> ChangeSet {
    ChangeSet { expected_generation: None, changes }
}

fn may_publish(policy: &Policy, principal: &Principal, topic: &str) -> bool {
    policy.authorize_publish(principal, TopicName::parse(topic).expect(topic), QoS::AtMostOnce, false).is_ok()
}

#[test]
fn records_that_contradict_each_other_are_refused() {
    let error = |records: &Records| Policy::compile(records, PolicySettings::default(), NOW).expect_err("a fault");
    let missing = records(vec![], vec![device("dev", &["gone"], &[])]);
    assert_eq!(
        error(&missing).to_string(),
        "CN=dev,O=acme lists group \"gone\", which does not exist: add it with `certmq group add gone`"
    );
    let mut invalid = records(vec![group("g", &[], &["allow publish a"])], vec![]);
    invalid.groups.values_mut().for_each(|group| group.rules[0].filter = Arc::from("a/#/b"));
    assert!(matches!(error(&invalid), CompileError::Record { .. }));
    let mut invalid = records(vec![], vec![device("dev", &[], &["allow publish a"])]);
    invalid.devices.values_mut().for_each(|device| device.rules[0].filter = Arc::from("a{cn}"));
    assert!(matches!(error(&invalid), CompileError::Record { .. }));
}

#[test]
fn a_compiler_takes_each_record_once_and_groups_in_any_order() {
    let mut compiler = Compiler::new(PolicySettings::default(), NOW);
    compiler.device(&device("dev", &["g"], &[])).expect("its group may come later");
    compiler.group(&group("g", &[], &["allow publish a"])).expect("a group");
    assert!(matches!(compiler.group(&group("g", &[], &[])), Err(CompileError::Twice(_))));
    let policy = compiler.finish(41, Epoch(3)).expect("consistent");
    assert_eq!((policy.generation(), policy.epoch(), policy.device_count()), (41, Epoch(3), 1));
    assert!(may_publish(&policy, &principal("dev"), "a"));
    let mut compiler = Compiler::new(PolicySettings::default(), NOW);
    compiler.device(&device("dev", &[], &[])).expect("a device");
    compiler.device(&device("dev", &[], &["deny publish a"])).expect("seen at the end");
    assert!(matches!(compiler.finish(1, Epoch(1)), Err(CompileError::Twice(_))));
}

#[test]
fn a_change_is_all_or_nothing() {
    let policy = policy(vec![group("g", &[], &["allow publish a"])], vec![device("dev", &["g"], &[])]);
    let put = |record| Change::PutDevice(record);
    for (changes, wanted) in [
        (vec![put(device("x", &["gone"], &[]))], "does not exist"),
        (vec![Change::RemoveDevice(key("x"))], "no device CN=x,O=acme"),
        (vec![Change::RemoveGroup(Arc::from("gone"))], "no group \"gone\""),
        (vec![Change::RemoveGroup(Arc::from("g"))], "still listed by 1 device(s), CN=dev,O=acme among them"),
        (vec![put(device("dev", &[], &[])), put(device("dev", &["g"], &[]))], "named twice"),
        (vec![put(device("dev", &[], &[])), Change::RemoveDevice(key("dev"))], "named twice"),
        (vec![Change::PutGroup(group("h", &[], &[])), Change::PutGroup(group("h", &[], &[]))], "named twice"),
        (vec![Change::PutGroup(group("g", &[], &[])), Change::RemoveGroup(Arc::from("g"))], "named twice"),
    ] {
        let error = policy.with_changes(&change(changes), NOW).expect_err(wanted).to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let stale = ChangeSet { expected_generation: Some(6), changes: vec![] };
    assert_eq!(policy.with_changes(&stale, NOW).err(), Some(CompileError::Generation { expected: 6, found: 7 }));
    assert!(may_publish(&policy, &principal("dev"), "a"));
}

#[test]
fn a_group_goes_with_the_last_device_that_lists_it() {
    let before = policy(vec![group("g", &[], &["allow publish a"])], vec![device("dev", &["g"], &[])]);
    let both = change(vec![Change::RemoveGroup(Arc::from("g")), Change::PutDevice(device("dev", &[], &[]))]);
    let after = before.with_changes(&both, NOW).expect("the same change leaves the group");
    assert!(!after.has_group("g") && !may_publish(&after, &principal("dev"), "a"));
    // A group that takes its number takes none of its members.
    let put = change(vec![Change::PutGroup(group("h", &[], &["allow publish a"]))]);
    let again = after.with_changes(&put, NOW).expect("a new group");
    assert!(!may_publish(&again, &principal("dev"), "a"));
    assert!(may_publish(&before, &principal("dev"), "a"), "whoever holds the old policy still judges by it");
}

#[test]
fn a_change_raises_epoch_and_generation_and_leaves_the_rest_alone() {
    let before = policy(vec![], vec![device("a", &[], &["allow publish a"]), device("b", &[], &["allow publish b"])]);
    let after = before.with_changes(&change(vec![Change::PutDevice(device("a", &[], &[]))]), NOW).expect("a change");
    assert_eq!((after.epoch().0, after.generation()), (before.epoch().0 + 1, before.generation() + 1));
    assert!(!may_publish(&after, &principal("a"), "a") && may_publish(&after, &principal("b"), "b"));
    assert!(may_publish(&before, &principal("a"), "a"));
}

#[test]
fn devices_are_found_by_their_common_name() {
    let mut foreign = device("dev", &[], &[]);
    foreign.key.trust = Arc::from("other");
    let odd = r"x\, CN=dev";
    let mut records =
        records(vec![], vec![device("dev", &[], &[]), device("dev2", &[], &[]), foreign, device(odd, &[], &[])]);
    let nested = DeviceKey::in_default_trust(Arc::from("CN=dev+OU=x,O=acme"));
    let nested = DeviceKey { name: SubjectSelector::Dn.typed_name(&nested.name).expect("a name"), ..nested };
    records.devices.insert(nested.clone(), DeviceRecord { key: nested, ..device("dev", &[], &[]) });
    let policy = Policy::compile(&records, PolicySettings::default(), NOW).expect("a policy");
    let found: Vec<String> = policy.devices_by_common_name("dev").iter().map(ToString::to_string).collect();
    assert_eq!(found, ["CN=dev+OU=x,O=acme", "CN=dev,O=acme", "CN=dev,O=acme (trust block \"other\")"]);
    assert_eq!(policy.devices_by_common_name("x, CN=dev").len(), 1);
    assert!(policy.devices_by_common_name("de").is_empty() && policy.devices_by_common_name("").is_empty());
}

#[test]
fn many_devices_take_little_room() {
    let mut compiler = Compiler::new(PolicySettings::default(), NOW);
    compiler.group(&group("sensors", &[], &["allow publish s/{cn}/#"])).expect("a group");
    let names: Vec<String> = (0..20_000).map(|number| format!("dev-{number:07}")).collect();
    for name in &names {
        compiler.device(&device(name, &["sensors"], &[&format!("allow publish lab/{name}/#")])).expect("a device");
    }
    let policy = compiler.finish(1, Epoch(1)).expect("a policy");
    assert!(policy.heap_bytes() / names.len() < 200, "{} bytes a device", policy.heap_bytes() / names.len());
    for name in names.iter().step_by(997) {
        assert!(may_publish(&policy, &principal(name), &format!("lab/{name}/x")));
        assert!(may_publish(&policy, &principal(name), &format!("s/{name}")));
        assert!(!may_publish(&policy, &principal(name), "lab/dev-none/x"));
    }
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const GROUPS: [&str; 3] = ["g", "h", "i"];

#[derive(Clone, Debug)]
enum Step {
    Put(usize, Vec<&'static str>, bool, bool),
    Remove(usize),
    Group(usize, bool, bool),
    RemoveGroup(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let groups = prop::sample::subsequence(GROUPS.to_vec(), 0..=3);
    prop_oneof![
        3 => (0..NAMES.len(), groups, any::<bool>(), any::<bool>()).prop_map(|(name, groups, allow, deny)| Step::Put(name, groups, allow, deny)),
        1 => (0..NAMES.len()).prop_map(Step::Remove),
        2 => (0..GROUPS.len(), any::<bool>(), any::<bool>()).prop_map(|(group, allow, deny)| Step::Group(group, allow, deny)),
        1 => (0..GROUPS.len()).prop_map(Step::RemoveGroup),
    ]
}

fn rules(allow: bool, deny: bool) -> Vec<&'static str> {
    allow.then_some("allow publish t/#").into_iter().chain(deny.then_some("deny publish t/1")).collect()
}

impl Step {
    fn change(&self) -> Change {
        match self {
            Self::Put(name, groups, allow, deny) => {
                Change::PutDevice(device(NAMES[*name], groups, &rules(*allow, *deny)))
            }
            Self::Remove(name) => Change::RemoveDevice(key(NAMES[*name])),
            Self::Group(name, allow, deny) => Change::PutGroup(group(GROUPS[*name], &[], &rules(*allow, *deny))),
            Self::RemoveGroup(name) => Change::RemoveGroup(Arc::from(GROUPS[*name])),
        }
    }
}

fn apply(records: &mut Records, change: &Change) {
    match change.clone() {
        Change::PutDevice(record) => drop(records.devices.insert(record.key.clone(), record)),
        Change::RemoveDevice(key) => drop(records.devices.remove(&key)),
        Change::PutGroup(record) => drop(records.groups.insert(Arc::clone(&record.name), record)),
        Change::RemoveGroup(name) => drop(records.groups.remove(&name)),
        Change::PutDenial(_) | Change::RemoveDenial(_) => unreachable!("no step makes one"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Change by change or compiled at once: the same policy, and the same refusals.
    #[test]
    fn changes_lead_where_compiling_leads(steps in proptest::collection::vec(proptest::collection::vec(step(), 1..4), 1..8)) {
        let mut current = records(vec![], vec![]);
        let mut policy = Policy::compile(&current, PolicySettings::default(), NOW).expect("nothing");
        for steps in steps {
            let changes = ChangeSet { expected_generation: None, changes: steps.iter().map(Step::change).collect() };
            if let Ok(changed) = policy.with_changes(&changes, NOW) {
                changes.changes.iter().for_each(|change| apply(&mut current, change));
                policy = changed;
            }
            let compiled = Policy::compile(&current, PolicySettings::default(), NOW);
            let compiled = compiled.expect("accepted changes leave consistent records");
            prop_assert_eq!(policy.device_count(), compiled.device_count());
            for name in NAMES {
                prop_assert_eq!(policy.status_of(&key(name)), compiled.status_of(&key(name)));
                for topic in ["t/1", "t/2"] {
                    let (left, right) = (may_publish(&policy, &principal(name), topic), may_publish(&compiled, &principal(name), topic));
                    prop_assert_eq!(left, right, "{} {}", name, topic);
                }
            }
        }
    }
}
