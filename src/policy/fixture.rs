//! Short spellings of records and principals for the tests of this room.

use super::record::{Attribute, DeviceStatus};
use super::*;
use crate::protocol::QoS;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const NOW: i64 = 1_800_000_000;

pub(super) fn rule(effect: Effect, action: Action, filter: &str) -> Rule {
    Rule::new(effect, action, filter, Bounds::default(), None).expect(filter)
}

/// `"allow publish a/#"`, with `qos=N`, `retain=false` and `until=N` after it.
pub(super) fn written(text: &str) -> Rule {
    let mut words = text.split(' ');
    let effect = match words.next() {
        Some("allow") => Effect::Allow,
        Some("deny") => Effect::Deny,
        other => panic!("{other:?} in {text}"),
    };
    let action = match words.next() {
        Some("publish") => Action::Publish,
        Some("subscribe") => Action::Subscribe,
        other => panic!("{other:?} in {text}"),
    };
    let filter = words.next().expect("a filter");
    let (mut bounds, mut until) = (Bounds::default(), None);
    for word in words {
        match word.split_once('=') {
            Some(("qos", "0")) => bounds.max_qos = QoSBound(QoS::AtMostOnce),
            Some(("qos", "1")) => bounds.max_qos = QoSBound(QoS::AtLeastOnce),
            Some(("retain", "false")) => bounds.retain = RetainBound::NotRetained,
            Some(("until", time)) => until = Some(time.parse().expect("a number")),
            other => panic!("{other:?} in {text}"),
        }
    }
    Rule::new(effect, action, filter, bounds, until).expect(text)
}

pub(super) fn key(cn: &str) -> DeviceKey {
    let name = SubjectSelector::Dn.typed_name(&format!("CN={cn},O=acme")).expect(cn);
    DeviceKey::in_default_trust(name)
}

pub(super) fn device(cn: &str, groups: &[&str], rules: &[&str]) -> DeviceRecord {
    let groups = groups.iter().map(|group| Arc::from(*group)).collect();
    let rules = rules.iter().map(|text| written(text)).collect();
    DeviceRecord::new(key(cn), DeviceStatus::Enabled, groups, rules, Vec::new(), RecordLimits::default()).expect(cn)
}

pub(super) fn group(name: &str, matches: &[(Attribute, &str)], rules: &[&str]) -> GroupRecord {
    let matches: BTreeMap<_, _> = matches.iter().map(|(attribute, value)| (*attribute, (*value).to_owned())).collect();
    GroupRecord::new(name, matches, rules.iter().map(|text| written(text)).collect(), RecordLimits::default())
        .expect(name)
}

pub(super) fn records(groups: Vec<GroupRecord>, devices: Vec<DeviceRecord>) -> Records {
    Records {
        generation: 7,
        devices: devices.into_iter().map(|device| (device.key.clone(), device)).collect(),
        groups: groups.into_iter().map(|group| (Arc::clone(&group.name), group)).collect(),
    }
}

pub(super) fn policy(groups: Vec<GroupRecord>, devices: Vec<DeviceRecord>) -> Policy {
    Policy::compile(&records(groups, devices), PolicySettings::default(), NOW).expect("a consistent policy")
}

pub(super) fn attributes(cn: &str) -> Attributes {
    Attributes {
        subject: Arc::from(format!("CN={cn},O=acme")),
        serial: "0102".into(),
        common_names: vec![cn.to_owned()],
        organisations: vec!["acme".to_owned()],
        ..Attributes::default()
    }
}

pub(super) fn principal_with(cn: &str, attributes: Attributes) -> Principal {
    Principal { key: key(cn), client_id: Arc::from("client"), attributes: Arc::new(attributes), chain: None }
}

pub(super) fn principal(cn: &str) -> Principal {
    principal_with(cn, attributes(cn))
}
