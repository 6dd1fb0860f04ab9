use super::*;
use crate::policy::{Action, Attribute, Bounds, RecordLimits};
use std::collections::BTreeMap;
use std::slice::from_ref;

fn rule(effect: Effect, filter: &str, until: Option<i64>) -> Rule {
    Rule::new(effect, Action::Publish, filter, Bounds::default(), until).unwrap()
}

fn device(status: DeviceStatus, groups: &[&str], rules: &[Rule]) -> DeviceRecord {
    let key = DeviceKey::in_default_trust(Arc::from("CN=a"));
    DeviceRecord::new(
        key,
        status,
        groups.iter().map(|group| Arc::from(*group)).collect(),
        rules.to_vec(),
        Vec::new(),
        RecordLimits::default(),
    )
    .unwrap()
}

fn group(rules: &[Rule]) -> GroupRecord {
    GroupRecord::new("g", BTreeMap::from([(Attribute::O, "acme".to_owned())]), rules.to_vec(), RecordLimits::default())
        .unwrap()
}

#[test]
fn only_what_plainly_takes_access_away_does() {
    use DeviceStatus::{Disabled, Enabled};
    use Effect::{Allow, Deny};
    let (allow, deny) = (rule(Allow, "a/#", None), rule(Deny, "a/b", None));
    let before = device(Enabled, &["g"], &[allow.clone(), deny.clone()]);
    let takes = |after: DeviceRecord| Change::PutDevice(after).only_takes_away(Some(&before), None);
    let both = [allow.clone(), deny.clone()];
    for after in [
        device(Disabled, &["g"], &both),
        device(Enabled, &["g"], from_ref(&deny)),
        device(Enabled, &["g"], &[both.to_vec(), vec![rule(Deny, "c", Some(9))]].concat()),
        device(Disabled, &["g"], &[deny.clone(), rule(Deny, "c", None)]),
    ] {
        assert!(takes(after.clone()), "{after:?}");
    }
    for after in [
        device(Enabled, &["g"], from_ref(&allow)),
        device(Enabled, &["g"], &[both.to_vec(), vec![rule(Allow, "c", None)]].concat()),
        device(Enabled, &["g"], &[deny.clone(), rule(Allow, "a/#", Some(9))]),
        device(Enabled, &[], &both),
        device(Enabled, &["g", "h"], &both),
        device(Disabled, &["g"], from_ref(&allow)),
        DeviceRecord { pins: vec![[1; 32]], ..before.clone() },
    ] {
        assert!(!takes(after.clone()), "{after:?}");
    }
    let disabled = device(Disabled, &[], &[]);
    assert!(!Change::PutDevice(device(Enabled, &[], &[])).only_takes_away(Some(&disabled), None));
}

#[test]
fn a_new_record_makes_its_device_known_unless_it_is_disabled() {
    use DeviceStatus::{Disabled, Enabled};
    let new = |record| Change::PutDevice(record).only_takes_away(None, None);
    assert!(new(device(Disabled, &[], &[])));
    assert!(!new(device(Enabled, &[], &[rule(Effect::Deny, "#", None)])));
    assert!(!new(device(Disabled, &[], &[rule(Effect::Allow, "#", None)])));
    assert!(!new(device(Disabled, &["g"], &[])));
}

#[test]
fn a_group_loses_allows_and_gets_denies_and_nothing_is_removed() {
    let (allow, deny) = (rule(Effect::Allow, "a/#", None), rule(Effect::Deny, "a/b", None));
    let before = group(from_ref(&allow));
    let put = |after, before| Change::PutGroup(after).only_takes_away(None, before);
    assert!(put(group(&[allow.clone(), deny.clone()]), Some(&before)));
    assert!(put(group(&[]), Some(&before)));
    let denying = group(&[deny]);
    assert!(!put(group(&[allow]), Some(&denying)));
    assert!(!put(group(&[]), None));
    let wider = GroupRecord::new("g", BTreeMap::new(), Vec::new(), RecordLimits::default()).unwrap();
    assert!(!put(wider, Some(&before)));
    let record = device(DeviceStatus::Enabled, &[], &[]);
    assert!(!Change::RemoveDevice(record.key.clone()).only_takes_away(Some(&record), None));
    assert!(!Change::RemoveGroup(Arc::from("g")).only_takes_away(None, Some(&before)));
}
