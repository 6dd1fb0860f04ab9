use super::*;
use crate::policy::record::{Bounds, DeviceStatus};
use crate::policy::{
    Action, DeviceKey, DeviceRecord, Effect, GroupRecord, Principal, RecordLimits, Rule, SubjectSelector,
};
use crate::protocol::{QoS, TopicName};
use std::collections::BTreeMap;

/// A broker that only remembers what it was told.
#[derive(Default)]
pub(in crate::admin) struct Recorder {
    pub(in crate::admin) generations: Mutex<Vec<u64>>,
    pub(in crate::admin) swept: Mutex<Vec<String>>,
}

impl Live for Recorder {
    fn policy_changed(&self, policy: Arc<Policy>) {
        self.generations.lock().push(policy.generation());
    }

    fn sweep(&self, touched: &Touched) {
        if let Touched::Devices(devices) = touched {
            self.swept.lock().extend(devices.iter().map(|device| device.name.to_string()));
        }
    }

    fn status(&self) -> Option<BrokerView> {
        Some(BrokerView { version: "test".to_owned(), ..BrokerView::default() })
    }

    fn running(&self) -> Option<Running<'_>> {
        None
    }
}

pub(in crate::admin) fn authority(folder: &std::path::Path) -> (Arc<PolicyAuthority>, Arc<Recorder>) {
    let store = PolicyStore::open(folder).unwrap();
    let policy = PolicyAuthority::load(&store, PolicySettings::default(), 0).unwrap();
    let live = Arc::new(Recorder::default());
    (Arc::new(PolicyAuthority::new(store, policy, live.clone())), live)
}

fn key(name: &str) -> DeviceKey {
    DeviceKey::in_default_trust(Arc::from(name))
}

fn device(name: &str, status: DeviceStatus, groups: &[&str]) -> Change {
    let groups = groups.iter().map(|group| Arc::from(*group)).collect();
    Change::PutDevice(
        DeviceRecord::new(key(name), status, groups, Vec::new(), Vec::new(), RecordLimits::default()).unwrap(),
    )
}

fn group(until: Option<i64>) -> Change {
    let rule = Rule::new(Effect::Allow, Action::Publish, "a/{cn}", Bounds::default(), until).unwrap();
    Change::PutGroup(GroupRecord::new("g", BTreeMap::new(), vec![rule], RecordLimits::default()).unwrap())
}

fn changes(changes: Vec<Change>) -> ChangeSet {
    ChangeSet { expected_generation: None, changes }
}

fn may_publish(policy: &Policy, name: &str, topic: &str) -> bool {
    let principal = Principal::named(key(name), SubjectSelector::Dn);
    policy.authorize_publish(&principal, TopicName::parse(topic).unwrap(), QoS::AtMostOnce, false).is_ok()
}

#[test]
fn a_change_is_durable_in_force_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, live) = authority(&folder.path().join("data"));
    let set = changes(vec![group(None), device("CN=x", DeviceStatus::Enabled, &["g"])]);
    let policy = authority.commit(&set, "test", 1).unwrap();
    assert_eq!((policy.generation(), authority.store().generation()), (1, 1));
    assert!(may_publish(&authority.policy(), "CN=x", "a/x"));
    assert_eq!(*live.generations.lock(), [1]);
    assert_eq!(*live.swept.lock(), ["CN=x"]);
}

#[test]
fn a_change_that_does_not_compile_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, live) = authority(&folder.path().join("data"));
    let set = changes(vec![device("CN=x", DeviceStatus::Enabled, &["no-such-group"])]);
    assert!(matches!(authority.commit(&set, "test", 1), Err(CommitError::Compile(_))));
    assert_eq!((authority.policy().generation(), authority.store().generation()), (0, 0));
    assert!(authority.store().device(&key("CN=x")).unwrap().is_none());
    assert!(live.generations.lock().is_empty());
}

#[test]
fn a_change_for_another_generation_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, _) = authority(&folder.path().join("data"));
    let set = ChangeSet { expected_generation: Some(7), changes: vec![group(None)] };
    assert!(authority.commit(&set, "test", 1).is_err());
    assert_eq!(authority.policy().generation(), 0);
}

#[test]
fn whoever_a_change_names_is_judged_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, live) = authority(&folder.path().join("data"));
    for change in [
        device("CN=x", DeviceStatus::Enabled, &[]),
        device("CN=y", DeviceStatus::Enabled, &[]),
        device("CN=x", DeviceStatus::Disabled, &[]),
        Change::RemoveDevice(key("CN=y")),
    ] {
        authority.commit(&changes(vec![change]), "test", 1).unwrap();
    }
    assert_eq!(*live.swept.lock(), ["CN=x", "CN=y", "CN=x", "CN=y"]);
    assert_eq!(*live.generations.lock(), [1, 2, 3, 4]);
}

#[test]
fn a_rule_ends_at_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, live) = authority(&folder.path().join("data"));
    let set = changes(vec![group(Some(100)), device("CN=x", DeviceStatus::Enabled, &["g"])]);
    authority.commit(&set, "test", 1).unwrap();
    assert_eq!(authority.advance(99), Some(100));
    assert!(may_publish(&authority.policy(), "CN=x", "a/x"));
    assert_eq!(authority.advance(100), None);
    assert!(!may_publish(&authority.policy(), "CN=x", "a/x"));
    assert_eq!(live.generations.lock().len(), 2);
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let (first, _) = authority(&path);
    first.commit(&changes(vec![group(None), device("CN=x", DeviceStatus::Enabled, &["g"])]), "test", 1).unwrap();
    drop(first);
    let (second, _) = authority(&path);
    assert!(may_publish(&second.policy(), "CN=x", "a/x"));
    assert_eq!(second.policy().generation(), 1);
}

fn rule(effect: Effect, filter: &str) -> Rule {
    Rule::new(effect, Action::Publish, filter, Bounds::default(), None).unwrap()
}

#[test]
fn a_rule_that_ended_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, _) = authority(&folder.path().join("data"));
    let own = Rule::new(Effect::Deny, Action::Publish, "b", Bounds::default(), Some(150)).unwrap();
    let record = DeviceRecord::new(
        key("CN=x"),
        DeviceStatus::Enabled,
        vec![Arc::from("g")],
        vec![own],
        Vec::new(),
        RecordLimits::default(),
    );
    authority.commit(&changes(vec![group(Some(100)), Change::PutDevice(record.unwrap())]), "test", 1).unwrap();
    let told = |after| authority.policy().ended_since(after).into_iter().map(|ended| ended.whose).collect::<Vec<_>>();
    assert!(told(1).is_empty());
    authority.advance(100);
    assert_eq!(told(1), ["group g"]);
    assert!(told(100).is_empty());
    // A change lets rules end, too.
    authority.commit(&changes(vec![device("CN=y", DeviceStatus::Enabled, &[])]), "test", 200).unwrap();
    assert_eq!(told(100), ["device CN=x"]);
    assert_eq!(told(1), ["group g", "device CN=x"]);
}

/// What a store shows of a change that waits for room, as the authority asks for it.
#[test]
fn held_changes_show_in_the_records_and_become_durable_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let (authority, _) = authority(&path);
    let store = authority.store();
    authority.commit(&changes(vec![group(None), device("CN=x", DeviceStatus::Enabled, &["g"])]), "test", 1).unwrap();
    let denied = |rules: Vec<Rule>| {
        let record = DeviceRecord::new(
            key("CN=x"),
            DeviceStatus::Enabled,
            vec![Arc::from("g")],
            rules,
            Vec::new(),
            RecordLimits::default(),
        );
        changes(vec![Change::PutDevice(record.unwrap())])
    };
    let (one, two) = (rule(Effect::Deny, "a"), rule(Effect::Deny, "b"));
    assert!(store.hold(&ChangeSet { expected_generation: Some(7), ..denied(Vec::new()) }, "test", 2).is_err());
    assert_eq!(store.hold(&denied(vec![one.clone()]), "test", 2).unwrap(), 2);
    assert_eq!(store.device(&key("CN=x")).unwrap().unwrap().rules, std::slice::from_ref(&one));
    assert_eq!(store.hold(&denied(vec![one.clone(), two.clone()]), "test", 3).unwrap(), 3);
    assert_eq!((store.generation(), store.held_changes(), store.records().unwrap().generation), (3, 2, 3));
    assert_eq!(store.devices().map(|record| record.unwrap().rules.len()).collect::<Vec<_>>(), [2]);
    assert_eq!(authority.make_durable().unwrap(), 2);
    assert_eq!((store.generation(), store.held_changes()), (3, 0));
    store.hold(&denied(vec![one.clone(), two.clone(), rule(Effect::Deny, "c")]), "test", 4).unwrap();
    authority.store().commit(&changes(vec![device("CN=y", DeviceStatus::Enabled, &[])]), "test", 5).unwrap();
    assert_eq!((store.generation(), store.held_changes()), (5, 0), "what is held goes first");
    drop(authority);
    let again = PolicyStore::open(&path).unwrap();
    assert_eq!(again.device(&key("CN=x")).unwrap().unwrap().rules.len(), 3);
}
