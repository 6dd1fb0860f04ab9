mod fleet;

use super::*;
use crate::admin::authority::tests::{Recorder, authority};
use crate::admin::reply::ExplanationView;
use crate::admin::request::{DeviceRef, Leftovers, Named, Pinning, RuleText, Who};
use crate::config::TrustBlockSettings;
use crate::policy::record::{Attribute, DeviceStatus};
use crate::policy::{Action, Effect};
use std::collections::BTreeMap;

struct Fixture {
    service: Service,
    live: Arc<Recorder>,
    _folder: tempfile::TempDir,
}

/// Settings with blocks of these names.
pub(in crate::admin) fn tls(names: &[&str]) -> TlsSettings {
    let block = |name: &&str| TrustBlockSettings { name: (*name).to_owned(), ..TrustBlockSettings::default() };
    TlsSettings { trust: names.iter().map(block).collect(), ..TlsSettings::default() }
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let (authority, live) = authority(&folder.path().join("data"));
    let service = Service::new(authority, SubjectSelector::Dn, tls(&["default", "factory"]));
    Fixture { service, live, _folder: folder }
}

impl Fixture {
    fn ask(&self, request: Request) -> Result<Reply, AdminError> {
        self.service.execute(request, "test", 1_000)
    }

    fn change(&self, request: Request) -> ChangeView {
        match self.ask(request).unwrap() {
            Reply::Changed(view) => view,
            other => panic!("{other:?}"),
        }
    }

    fn refusal(&self, request: Request) -> AdminError {
        self.ask(request).expect_err("a refusal")
    }

    fn add(&self, name: &str, groups: &[&str]) -> ChangeView {
        let groups = groups.iter().map(ToString::to_string).collect();
        self.change(Request::AddDevice { device: device(name), groups, pinning: Pinning::Unpinned })
    }

    fn allow(&self, who: Who, action: Action, filter: &str) -> ChangeView {
        self.change(Request::AddRule { who, rule: rule(Effect::Allow, action, filter) })
    }

    fn explain(&self, name: &str, topic: &str) -> ExplanationView {
        let who = Who::Device(device(name));
        let request = Request::Explain { who, action: Action::Publish, topic: topic.into(), client_id: None };
        match self.ask(request).unwrap() {
            Reply::Explanation(view) => view,
            other => panic!("{other:?}"),
        }
    }
}

fn device(name: &str) -> DeviceRef {
    DeviceRef { trust: "default".into(), named: Named::Name(name.into()) }
}

fn rule(effect: Effect, action: Action, filter: &str) -> RuleText {
    RuleText { effect, action, filter: filter.into(), max_qos: None, retain: None, until: None }
}

#[test]
fn devices_are_added_once() {
    let fixture = fixture();
    let first = fixture.add("CN=dev-1,O=acme", &[]);
    assert_eq!((first.outcome, first.generation), (ChangeOutcome::Changed, 1));
    let again = fixture.add("cn=dev-1, o=acme", &[]);
    assert_eq!((again.outcome, again.generation), (ChangeOutcome::Unchanged, 1));
}

#[test]
fn adding_a_device_again_adds_groups() {
    let fixture = fixture();
    fixture.change(Request::AddGroup { name: "g".into(), matches: BTreeMap::new() });
    fixture.add("CN=dev-1", &[]);
    assert_eq!(fixture.add("CN=dev-1", &["g"]).outcome, ChangeOutcome::Changed);
    let Reply::Device(view) = fixture.ask(Request::ShowDevice { device: device("dev-1") }).unwrap() else { panic!() };
    assert_eq!(view.groups, ["g"]);
}

#[test]
fn new_devices_need_a_whole_name_a_known_block_and_known_groups() {
    let fixture = fixture();
    let add = |device, groups| Request::AddDevice { device, groups, pinning: Pinning::Unpinned };
    let bare = fixture.refusal(add(device("dev-1"), vec![]));
    assert_eq!(bare.fault, Fault::Data);
    assert!(bare.message.contains("'CN=dev-1'"), "{bare}");
    let block = fixture.refusal(add(DeviceRef { trust: "facotry".into(), ..device("CN=a") }, vec![]));
    assert_eq!(block.fault, Fault::Missing);
    assert!(block.message.contains("did you mean factory?"), "{block}");
    assert_eq!(fixture.refusal(add(device("CN=a"), vec!["g".into()])).fault, Fault::Missing);
    assert_eq!(fixture.refusal(add(device("CN=a,,"), vec![])).fault, Fault::Data);
}

#[test]
fn a_bare_name_means_the_one_record_with_that_common_name() {
    let fixture = fixture();
    fixture.add("CN=dev-1,O=acme", &[]);
    fixture.add("CN=dev-2,O=acme", &[]);
    fixture.add("CN=dev-2,O=other", &[]);
    let show = |name: &str| fixture.ask(Request::ShowDevice { device: device(name) });
    assert!(show("dev-1").is_ok());
    let none = show("dev-11").unwrap_err();
    assert_eq!(none.fault, Fault::Missing);
    assert!(none.message.contains("\n  CN=dev-1,O=acme"), "{none}");
    let several = show("dev-2").unwrap_err();
    assert_eq!(several.fault, Fault::Missing);
    assert!(several.message.contains("\n  CN=dev-2,O=acme\n  CN=dev-2,O=other"), "{several}");
}

#[test]
fn the_opposite_order_gets_a_hint() {
    let fixture = fixture();
    fixture.add("CN=dev-1,O=acme", &[]);
    for request in [
        Request::ShowDevice { device: device("O=acme,CN=dev-1") },
        Request::SetDeviceStatus { device: device("O=acme,CN=dev-1"), status: DeviceStatus::Disabled },
        Request::RemoveDevice { device: device("O=acme,CN=dev-1"), leftovers: Leftovers::Withhold },
    ] {
        let refusal = fixture.refusal(request);
        assert_eq!(refusal.fault, Fault::Missing);
        assert!(refusal.message.contains("did you mean 'CN=dev-1,O=acme'?"), "{refusal}");
    }
    let added = fixture.add("O=acme,CN=dev-1", &[]);
    assert_eq!(added.outcome, ChangeOutcome::Changed);
    assert!(added.notes[0].contains("'CN=dev-1,O=acme'"), "{added:?}");
}

#[test]
fn rules_never_make_a_record() {
    let fixture = fixture();
    let request =
        Request::AddRule { who: Who::Device(device("CN=dev-1")), rule: rule(Effect::Allow, Action::Publish, "a/#") };
    assert_eq!(fixture.refusal(request).fault, Fault::Missing);
    let request = Request::AddRule { who: Who::Group("g".into()), rule: rule(Effect::Allow, Action::Publish, "a") };
    assert_eq!(fixture.refusal(request).fault, Fault::Missing);
}

#[test]
fn disabling_makes_a_record_and_disconnects() {
    let fixture = fixture();
    let request = |status| Request::SetDeviceStatus { device: device("CN=dev-1"), status };
    assert_eq!(fixture.refusal(request(DeviceStatus::Enabled)).fault, Fault::Missing);
    let disabled = fixture.change(request(DeviceStatus::Disabled));
    assert!(disabled.notes[0].contains("had no record"), "{disabled:?}");
    assert_eq!(*fixture.live.swept.lock(), ["CN=dev-1"]);
    assert_eq!(fixture.change(request(DeviceStatus::Disabled)).outcome, ChangeOutcome::Unchanged);
    assert_eq!(fixture.change(request(DeviceStatus::Enabled)).outcome, ChangeOutcome::Changed);
}

#[test]
fn an_allow_takes_effect_and_a_deny_beats_it() {
    let fixture = fixture();
    fixture.add("CN=dev-1,O=acme", &[]);
    assert!(!fixture.explain("dev-1", "a/b").explanation.allowed);
    let allow = fixture.allow(Who::Device(device("dev-1")), Action::Publish, "a/#");
    assert!(fixture.explain("dev-1", "a/b").explanation.allowed);
    let who = Who::Device(device("dev-1"));
    let deny = fixture.change(Request::AddRule { who, rule: rule(Effect::Deny, Action::Publish, "a/b") });
    let view = fixture.explain("dev-1", "a/b");
    assert!(!view.explanation.allowed);
    assert_eq!(view.explanation.rule, deny.rule.as_ref().map(|rule| rule.id.clone()));
    fixture.change(Request::RemoveRule { rule: deny.rule.unwrap().id, who: None });
    let view = fixture.explain("dev-1", "a/b");
    assert_eq!(view.explanation.rule, allow.rule.map(|rule| rule.id));
}

#[test]
fn a_rule_that_several_hold_is_removed_from_one() {
    let fixture = fixture();
    fixture.change(Request::AddGroup { name: "g".into(), matches: BTreeMap::new() });
    fixture.add("CN=dev-1", &[]);
    let id = fixture.allow(Who::Group("g".into()), Action::Publish, "a").rule.unwrap().id;
    fixture.allow(Who::Device(device("dev-1")), Action::Publish, "a");
    let several = fixture.refusal(Request::RemoveRule { rule: id.clone(), who: None });
    assert_eq!(several.fault, Fault::Missing);
    assert!(several.message.contains(&format!("certmq acl remove {id} --group g")), "{several}");
    fixture.change(Request::RemoveRule { rule: id.clone(), who: Some(Who::Group("g".into())) });
    fixture.change(Request::RemoveRule { rule: id.clone(), who: None });
    assert_eq!(fixture.refusal(Request::RemoveRule { rule: id, who: None }).fault, Fault::Missing);
    assert_eq!(fixture.refusal(Request::RemoveRule { rule: "xyz".into(), who: None }).fault, Fault::Data);
}

#[test]
fn the_rules_of_a_device_are_its_own_and_those_of_its_groups() {
    let fixture = fixture();
    fixture.change(Request::AddGroup { name: "listed".into(), matches: BTreeMap::new() });
    let matches = BTreeMap::from([(Attribute::O, "acme".to_owned())]);
    fixture.change(Request::AddGroup { name: "matched".into(), matches });
    fixture.change(Request::AddGroup { name: "other".into(), matches: BTreeMap::new() });
    for group in ["listed", "matched", "other"] {
        fixture.allow(Who::Group(group.into()), Action::Publish, group);
    }
    fixture.add("CN=dev-1,O=acme", &["listed"]);
    fixture.allow(Who::Device(device("dev-1")), Action::Publish, "own");
    let sources = |name: &str| match fixture.ask(Request::ListRules { who: Who::Device(device(name)) }).unwrap() {
        Reply::Rules(view) => view.rules.into_iter().map(|rule| rule.source).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(sources("dev-1"), ["own", "group listed", "group matched"]);
    assert_eq!(sources("CN=unlisted,O=acme"), ["group matched"]);
}

#[test]
fn explain_says_unknown_device() {
    let fixture = fixture();
    fixture.add("CN=dev-1,O=acme", &[]);
    for name in ["nobody", "CN=nobody", "O=acme,CN=dev-1"] {
        let view = fixture.explain(name, "a");
        assert!(!view.explanation.allowed);
        assert!(view.explanation.lines[0].contains("unknown device"), "{view:?}");
    }
    let reversed = fixture.explain("O=acme,CN=dev-1", "a");
    assert!(reversed.explanation.lines.join("\n").contains("did you mean"), "{reversed:?}");
    let who = Who::Device(device("nobody"));
    let request = Request::Explain { who, action: Action::Publish, topic: "a/#".into(), client_id: None };
    assert_eq!(fixture.refusal(request).fault, Fault::Data);
}

#[test]
fn explain_judges_a_group_by_itself() {
    let fixture = fixture();
    fixture.change(Request::AddGroup { name: "g".into(), matches: BTreeMap::new() });
    fixture.allow(Who::Group("g".into()), Action::Subscribe, "news/#");
    let explain = |topic: &str| {
        let who = Who::Group("g".into());
        let request = Request::Explain { who, action: Action::Subscribe, topic: topic.into(), client_id: None };
        match fixture.ask(request).unwrap() {
            Reply::Explanation(view) => view.explanation,
            other => panic!("{other:?}"),
        }
    };
    assert!(explain("news/+").allowed);
    let denied = explain("olds/+");
    assert!(!denied.allowed);
    assert!(denied.lines.iter().all(|line| !line.contains("a member of the group")), "{denied:?}");
    // The question left no trace.
    let Reply::Devices(devices) = fixture.ask(Request::ListDevices {}).unwrap() else { panic!() };
    assert!(devices.devices.is_empty());
}

#[test]
fn groups_match_once_and_go_when_nobody_lists_them() {
    let fixture = fixture();
    let matches = BTreeMap::from([(Attribute::O, "acme".to_owned())]);
    let add = |matches| Request::AddGroup { name: "g".into(), matches };
    fixture.change(add(matches.clone()));
    assert_eq!(fixture.change(add(matches)).outcome, ChangeOutcome::Unchanged);
    let other = fixture.refusal(add(BTreeMap::new()));
    assert!(other.message.contains("o=acme"), "{other}");
    fixture.add("CN=dev-1", &["g"]);
    assert_eq!(fixture.refusal(Request::RemoveGroup { name: "g".into() }).fault, Fault::Data);
    fixture.change(Request::RemoveDevice { device: device("dev-1"), leftovers: Leftovers::Withhold });
    fixture.change(Request::RemoveGroup { name: "g".into() });
    let missing = fixture.refusal(Request::ShowGroup { name: "g".into() });
    assert_eq!(missing.fault, Fault::Missing);
}

#[test]
fn removing_a_device_that_a_group_still_matches_says_so() {
    let fixture = fixture();
    let matches = BTreeMap::from([(Attribute::O, "acme".to_owned())]);
    fixture.change(Request::AddGroup { name: "g".into(), matches });
    fixture.add("CN=dev-1,O=acme", &[]);
    let removed = fixture.change(Request::RemoveDevice { device: device("dev-1"), leftovers: Leftovers::Withhold });
    assert!(removed.notes[0].contains("group g still matches"), "{removed:?}");
}

#[test]
fn the_same_name_under_two_blocks_are_two_devices() {
    let fixture = fixture();
    let factory = DeviceRef { trust: "factory".into(), ..device("CN=dev-1") };
    fixture.change(Request::AddDevice { device: factory, groups: vec![], pinning: Pinning::Unpinned });
    let refusal = fixture.refusal(Request::ShowDevice { device: device("CN=dev-1") });
    assert!(refusal.message.contains("--trust factory"), "{refusal}");
}
