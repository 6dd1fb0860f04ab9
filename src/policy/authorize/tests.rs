use super::super::fixture::*;
use super::super::record::Attribute;
use super::super::*;
use super::*;
use std::sync::Arc;

mod properties;

fn may_publish(policy: &Policy, principal: &Principal, topic: &str) -> bool {
    publish(policy, principal, topic, QoS::AtMostOnce, false).is_ok()
}

fn publish(policy: &Policy, principal: &Principal, topic: &str, qos: QoS, retain: bool) -> Result<(), Denied> {
    let topic = TopicName::parse(topic).expect(topic);
    let permit = policy.authorize_publish(principal, topic, qos, retain)?;
    assert_eq!((permit.topic(), permit.qos(), permit.retain(), permit.epoch()), (topic, qos, retain, policy.epoch()));
    Ok(())
}

fn subscribe(policy: &Policy, principal: &Principal, filter: &str, qos: QoS) -> Result<Grant, Denied> {
    policy.authorize_subscribe(principal, &TopicFilter::parse(filter).expect(filter), qos)
}

fn granted(policy: &Policy, principal: &Principal, filter: &str) -> bool {
    subscribe(policy, principal, filter, QoS::AtMostOnce).is_ok()
}

#[test]
fn a_publication_needs_an_allow_and_no_deny() {
    // Own rules, topic, allowed.
    for (rules, topic, allowed) in [
        (&[][..], "a", false),
        (&["allow publish a"], "a", true),
        (&["allow publish a"], "b", false),
        (&["allow publish a"], "a/b", false),
        (&["allow subscribe a"], "a", false),
        (&["allow publish a/#"], "a", true),
        (&["allow publish a/#"], "a/b/c", true),
        (&["allow publish +/b"], "a/b", true),
        (&["allow publish #"], "a/b", true),
        (&["allow publish #", "deny publish a/b"], "a/b", false),
        (&["allow publish a/b", "deny publish #"], "a/b", false),
        (&["allow publish #", "deny publish a/b"], "a/c", true),
        (&["allow publish #", "deny subscribe #"], "a", true),
        (&["deny publish a"], "a", false),
        (&["deny publish a"], "b", false),
        (&["allow publish #"], "$dev/x", false),
        (&["allow publish +/x"], "$dev/x", false),
        (&["allow publish $dev/x"], "$dev/x", true),
        (&["allow publish $dev/#", "deny publish #"], "$dev/x", true),
        (&["allow publish $dev/#"], "$SYS/x", false),
        (&["allow publish devices/{cn}/#"], "devices/dev/x", true),
        (&["allow publish devices/{cn}/#"], "devices/dev2/x", false),
        (&["allow publish devices/{cn}/#"], "devices/{cn}/x", false),
    ] {
        let policy = policy(vec![], vec![device("dev", &[], rules)]);
        assert_eq!(may_publish(&policy, &principal("dev"), topic), allowed, "{rules:?} {topic}");
    }
}

#[test]
fn bounds_belong_to_the_allow_that_matches() {
    let policy =
        policy(vec![], vec![device("dev", &[], &["allow publish a qos=1 retain=false", "allow publish b qos=0"])]);
    let dev = principal("dev");
    for (topic, qos, retain, allowed) in [
        ("a", QoS::AtLeastOnce, false, true),
        ("a", QoS::ExactlyOnce, false, false),
        ("a", QoS::AtMostOnce, true, false),
        ("b", QoS::AtMostOnce, true, true),
        ("b", QoS::AtLeastOnce, false, false),
    ] {
        assert_eq!(publish(&policy, &dev, topic, qos, retain).is_ok(), allowed, "{topic} {qos:?} {retain}");
    }
    // Two allows do not add up: one gives the QoS, the other the flag.
    let both =
        fixture::policy(vec![], vec![device("dev", &[], &["allow publish a qos=0", "allow publish a retain=false"])]);
    assert!(publish(&both, &dev, "a", QoS::ExactlyOnce, true).is_err());
    assert!(publish(&both, &dev, "a", QoS::ExactlyOnce, false).is_ok());
}

#[test]
fn the_deny_that_decides_is_named() {
    let policy = policy(vec![], vec![device("dev", &[], &["allow publish #", "deny publish a/+"])]);
    let denied = publish(&policy, &principal("dev"), "a/b", QoS::AtMostOnce, false);
    assert_eq!(denied, Err(Denied { rule: Some(written("deny publish a/+").id()) }));
    assert_eq!(publish(&policy, &principal("dev"), "$x", QoS::AtMostOnce, false), Err(Denied { rule: None }));
}

#[test]
fn nothing_is_published_to_the_brokers_own_topics() {
    // Such rules cannot be made; one that was smuggled in changes nothing.
    let mut policy = policy(vec![], vec![device("dev", &[], &[])]);
    let smuggled = Rule { filter: Arc::from("$SYS/#"), ..written("allow publish a") };
    let group = GroupRecord {
        name: Arc::from("g"),
        matches: Default::default(),
        rules: vec![smuggled],
        limits: Default::default(),
    };
    let mut groups = (*policy.groups).clone();
    groups.put(Group::of(&group).expect("small")).expect("small");
    let mut edits = device("dev", &["g"], &[]);
    edits.groups = vec![Arc::from("g")];
    policy.groups = Arc::new(groups);
    let change = ChangeSet { expected_generation: None, changes: vec![Change::PutDevice(edits)] };
    let policy = policy.with_changes(&change, NOW).expect("the group exists");
    assert!(!may_publish(&policy, &principal("dev"), "$SYS/broker/uptime"));
    assert!(!may_publish(&policy, &principal("dev"), "$SYS"));
}

#[test]
fn a_subscription_needs_one_allow_that_covers_it_and_no_deny_that_does() {
    for (rules, filter, allowed) in [
        (&[][..], "a", false),
        (&["allow publish a"], "a", false),
        (&["allow subscribe a/#"], "a/b", true),
        (&["allow subscribe a/#"], "a/+/c", true),
        (&["allow subscribe a/#"], "a/#", true),
        (&["allow subscribe a/#"], "#", false),
        (&["allow subscribe a/#"], "+/b", false),
        (&["allow subscribe a/+"], "a/#", false),
        (&["allow subscribe a/b", "allow subscribe a/c"], "a/+", false),
        (&["allow subscribe a/#"], "$share/g/a/b", true),
        (&["allow subscribe a/#"], "$share/a/b", false),
        (&["allow subscribe #", "deny subscribe a/#"], "a/b", false),
        (&["allow subscribe #", "deny subscribe a/#"], "$share/g/a/#", false),
        (&["allow subscribe #", "deny subscribe a/b"], "a/+", true),
        (&["allow subscribe #"], "$SYS/#", false),
        (&["allow subscribe $SYS/#"], "$SYS/broker/#", true),
        (&["allow subscribe $SYS/#"], "#", false),
        (&["allow subscribe c/{cn}/#"], "c/dev/+", true),
        (&["allow subscribe c/{cn}/#"], "c/+/x", false),
        (&["allow subscribe c/{cn}/#"], "c/#", false),
    ] {
        let policy = policy(vec![], vec![device("dev", &[], rules)]);
        assert_eq!(granted(&policy, &principal("dev"), filter), allowed, "{rules:?} {filter}");
    }
}

#[test]
fn the_granted_qos_is_the_lower_of_request_and_highest_bound() {
    let rules = ["allow subscribe a/# qos=0", "allow subscribe a/b qos=1", "allow subscribe c"];
    let policy = policy(vec![], vec![device("dev", &[], &rules)]);
    let qos = |filter, qos| subscribe(&policy, &principal("dev"), filter, qos).map(|grant| grant.qos);
    assert_eq!(qos("a/c", QoS::ExactlyOnce), Ok(QoS::AtMostOnce));
    assert_eq!(qos("a/b", QoS::ExactlyOnce), Ok(QoS::AtLeastOnce));
    assert_eq!(qos("a/b", QoS::AtMostOnce), Ok(QoS::AtMostOnce));
    assert_eq!(qos("c", QoS::ExactlyOnce), Ok(QoS::ExactlyOnce));
}

#[test]
fn a_deny_that_touches_a_part_leaves_a_hole() {
    let rules = ["allow subscribe #", "deny subscribe +/secret", "deny subscribe x/{cn}/#"];
    let policy = policy(vec![], vec![device("dev", &[], &rules)]);
    let grant = subscribe(&policy, &principal("dev"), "#", QoS::AtMostOnce).expect("a grant with holes");
    for (topic, holed) in
        [("a/secret", true), ("a/open", false), ("x/dev", true), ("x/dev/y", true), ("x/other", false)]
    {
        assert_eq!(grant.holes.contain(TopicName::parse(topic).expect(topic)), holed, "{topic}");
    }
    let free = subscribe(&policy, &principal("dev"), "y/open", QoS::AtMostOnce).expect("a grant");
    assert!(free.holes.is_empty());
}

#[test]
fn a_hole_keeps_its_meaning_whatever_fills_it() {
    // Written out and parsed again, the hole would be the shared subscription `y`.
    let rules = ["allow subscribe $share2/#", "allow subscribe #", "deny subscribe a/{cn}/y"];
    let policy = policy(vec![], vec![device("$share", &[], &rules)]);
    let grant = subscribe(&policy, &principal("$share"), "a/#", QoS::AtMostOnce).expect("a grant");
    assert!(grant.holes.contain(TopicName::parse("a/$share/y").expect("a topic")));
    assert!(!grant.holes.contain(TopicName::parse("y").expect("a topic")));
}

#[test]
fn a_value_that_cannot_fill_a_level_gives_nothing_and_takes_all() {
    let nobody = |change: fn(&mut Attributes)| {
        let mut attributes = attributes("dev");
        change(&mut attributes);
        principal_with("dev", attributes)
    };
    for (what, principal) in [
        ("missing", nobody(|attributes| attributes.common_names.clear())),
        ("twice", nobody(|attributes| attributes.common_names.push("dev".into()))),
        ("empty", nobody(|attributes| attributes.common_names = vec![String::new()])),
        ("+", nobody(|attributes| attributes.common_names = vec!["+".into()])),
        ("#", nobody(|attributes| attributes.common_names = vec!["#".into()])),
        ("a/b", nobody(|attributes| attributes.common_names = vec!["a/b".into()])),
        ("NUL", nobody(|attributes| attributes.common_names = vec!["a\0".into()])),
    ] {
        let allows = policy(vec![], vec![device("dev", &[], &["allow publish d/{cn}/#", "allow subscribe d/{cn}/#"])]);
        for topic in ["d/dev/x", "d/+/x", "d/a/b/x", "d", "d//x"] {
            if let Ok(topic) = TopicName::parse(topic) {
                assert!(!may_publish(&allows, &principal, topic.as_str()), "{what}: {topic:?}");
            }
        }
        for filter in ["d/dev/x", "d/+/x", "d/#", "#", "d/a/b/#"] {
            assert!(!granted(&allows, &principal, filter), "{what}: {filter}");
        }
        let rules = ["allow publish #", "deny publish d/{cn}/x", "allow subscribe #", "deny subscribe d/{cn}/x"];
        let denies = policy(vec![], vec![device("dev", &[], &rules)]);
        assert!(!may_publish(&denies, &principal, "d/dev/x"), "{what}");
        assert!(!may_publish(&denies, &principal, "d/any/x"), "{what}");
        assert!(may_publish(&denies, &principal, "d/any/y"), "{what}");
        assert!(!granted(&denies, &principal, "d/+/x"), "{what}");
        let grant = subscribe(&denies, &principal, "d/#", QoS::AtMostOnce).expect(what);
        assert!(grant.holes.contain(TopicName::parse("d/any/x").expect("a topic")), "{what}");
    }
}

#[test]
fn a_template_reaches_no_dollar_topic() {
    let sneaky = principal_with("dev", attributes("$SYS"));
    let allows = policy(vec![], vec![device("dev", &[], &["allow subscribe {cn}/#", "allow publish {cn}/#"])]);
    assert!(!granted(&allows, &sneaky, "$SYS/#"));
    assert!(!may_publish(
        &policy(vec![], vec![device("dev", &[], &["allow publish {cn}/x"])]),
        &principal_with("dev", attributes("$x")),
        "$x/x"
    ));
    // And a deny that nothing fills holds there, too, where `+` would not.
    let mut missing = attributes("dev");
    missing.common_names.clear();
    let missing = principal_with("dev", missing);
    let rules = ["allow publish $x/#", "deny publish {cn}/y", "allow subscribe $x/#", "deny subscribe {cn}/y"];
    let denies = policy(vec![], vec![device("dev", &[], &rules)]);
    assert!(!may_publish(&denies, &missing, "$x/y"));
    assert!(may_publish(&denies, &missing, "$x/z"));
    assert!(!granted(&denies, &missing, "$x/y"));
    let grant = subscribe(&denies, &missing, "$x/#", QoS::AtMostOnce).expect("a grant");
    assert!(grant.holes.contain(TopicName::parse("$x/y").expect("a topic")));
}

#[test]
fn every_template_fills_its_level() {
    let attributes = Attributes {
        units: vec!["unit".into()],
        san_uris: vec!["spiffe://acme/ns/prod/dev%2F1?x#y".into()],
        san_dns: vec!["dev.example".into()],
        ..attributes("dev")
    };
    let dev = principal_with("dev", attributes);
    for (template, value) in [
        ("{cn}", Some("dev")),
        ("{ou}", Some("unit")),
        ("{o}", Some("acme")),
        ("{serial}", Some("0102")),
        ("{subject}", Some("CN=dev,O=acme")),
        ("{san.uri}", None),
        ("{san.uri.path.1}", Some("ns")),
        ("{san.uri.path.2}", Some("prod")),
        ("{san.uri.path.3}", Some("dev%2F1")),
        ("{san.uri.path.4}", None),
        ("{san.dns}", Some("dev.example")),
    ] {
        let policy = policy(vec![], vec![device("dev", &[], &[&format!("allow publish t/{template}")])]);
        match value {
            Some(value) => assert!(may_publish(&policy, &dev, &format!("t/{value}")), "{template}"),
            None => {
                for topic in ["t/", "t/x", "t/spiffe:", "t/dev"] {
                    assert!(!may_publish(&policy, &dev, topic), "{template} {topic}");
                }
            }
        }
    }
    for (uri, first) in [
        ("urn:dev", Some("dev")),
        ("spiffe://acme", None),
        ("spiffe://acme/", None),
        ("dev", None),
        ("a:/b/c", Some("b")),
    ] {
        let dev = principal_with("dev", Attributes { san_uris: vec![uri.into()], ..fixture::attributes("dev") });
        let policy = policy(vec![], vec![device("dev", &[], &["allow publish {san.uri.path.1}"])]);
        for value in ["dev", "b", "acme", "c", "/"] {
            assert_eq!(may_publish(&policy, &dev, value), first == Some(value), "{uri} {value}");
        }
    }
}

#[test]
fn the_client_id_fills_a_template_only_where_it_is_the_common_name() {
    let mut settings = PolicySettings::default();
    let records = records(vec![], vec![device("dev", &[], &["allow publish c/{client_id}", "allow publish d"])]);
    let error = Policy::compile(&records, settings, NOW).expect_err("the client chooses it");
    assert!(error.to_string().contains("identity.client_id = \"cn\""), "{error}");
    settings.client_id = ClientIdRule::CommonName;
    let policy = Policy::compile(&records, settings, NOW).expect("now it is the common name");
    let right = Principal { client_id: Arc::from("dev"), ..principal("dev") };
    assert!(may_publish(&policy, &right, "c/dev"));
    for wrong in ["other", "", "Dev"] {
        let wrong = Principal { client_id: Arc::from(wrong), ..principal("dev") };
        assert!(matches!(policy.admit(&wrong, &[0; 32]), Err(Refusal::ClientId { .. })));
        assert!(!may_publish(&policy, &wrong, "c/dev"));
        assert!(!may_publish(&policy, &wrong, &format!("c/{}", wrong.client_id)));
        assert!(!may_publish(&policy, &wrong, "d"), "no right at all");
    }
}

#[test]
fn a_device_is_known_by_its_record_or_by_a_match() {
    let groups = vec![
        group("matched", &[(Attribute::O, "acme"), (Attribute::Ou, "sensors")], &["allow publish s/{cn}"]),
        group("listed", &[], &["allow publish l"]),
    ];
    let mut off = device("off", &["listed"], &["allow publish a"]);
    off.status = DeviceStatus::Disabled;
    let mut pinned = device("pinned", &["listed"], &[]);
    pinned.pins = vec![[1; 32], [2; 32]];
    let records = records(groups, vec![device("dev", &["listed"], &[]), off, pinned]);
    let policy = Policy::compile(&records, PolicySettings::default(), NOW).expect("a policy");
    let sensor =
        |cn: &str| principal_with(cn, Attributes { units: vec!["x".into(), "sensors".into()], ..attributes(cn) });
    let admitted = |policy: &Policy, principal: &Principal| policy.admit(principal, &[2; 32]).map(|_| ());
    assert_eq!(admitted(&policy, &principal("dev")), Ok(()));
    assert_eq!(admitted(&policy, &sensor("stranger")), Ok(()));
    assert!(matches!(admitted(&policy, &principal("stranger")), Err(Refusal::Unknown(_))));
    assert!(matches!(admitted(&policy, &sensor("off")), Err(Refusal::Disabled(_))));
    assert_eq!(admitted(&policy, &principal("pinned")), Ok(()));
    assert!(matches!(policy.admit(&principal("pinned"), &[3; 32]), Err(Refusal::NotPinned(_))));
    assert!(may_publish(&policy, &principal("dev"), "l"));
    assert!(!may_publish(&policy, &principal("dev"), "s/dev"));
    assert!(may_publish(&policy, &sensor("dev"), "s/dev"));
    assert!(may_publish(&policy, &sensor("stranger"), "s/stranger"));
    assert!(!may_publish(&policy, &sensor("stranger"), "l"));
    assert!(!may_publish(&policy, &sensor("off"), "a"), "a disabled device has no rights");
    let strict = PolicySettings { require_record: RecordRequirement::Record, ..PolicySettings::default() };
    let strict = Policy::compile(&records, strict, NOW).expect("a policy");
    assert!(matches!(admitted(&strict, &sensor("stranger")), Err(Refusal::Unknown(_))));
    assert!(!may_publish(&strict, &sensor("stranger"), "s/stranger"));
    assert!(may_publish(&strict, &sensor("dev"), "s/dev"));
    // The same subject under another trust block is a stranger.
    let mut foreign = principal("dev");
    foreign.key.trust = Arc::from("other");
    assert!(matches!(admitted(&policy, &foreign), Err(Refusal::Unknown(_))));
    assert!(!may_publish(&policy, &foreign, "l"));
}

#[test]
fn a_group_without_a_match_has_no_member_of_its_own() {
    let policy = policy(vec![group("g", &[], &["allow publish #"])], vec![]);
    assert!(policy.admit(&principal("dev"), &[0; 32]).is_err());
    assert!(!may_publish(&policy, &principal("dev"), "a"));
}

#[test]
fn the_empty_policy_denies() {
    let policy = Policy::deny_all();
    assert!(policy.admit(&principal("dev"), &[0; 32]).is_err());
    assert!(!may_publish(&policy, &principal("dev"), "a"));
    assert!(!granted(&policy, &principal("dev"), "a"));
}

#[test]
fn a_rule_counts_until_its_end() {
    let rules = ["allow publish a until=1800000010", "allow publish b", "deny publish b until=1800000020"];
    let policy = policy(vec![], vec![device("dev", &[], &rules)]);
    let dev = principal("dev");
    let rights = |policy: &Policy| (may_publish(policy, &dev, "a"), may_publish(policy, &dev, "b"));
    assert_eq!(rights(&policy), (true, false));
    assert_eq!(policy.next_expiry(), Some(NOW + 10));
    assert_eq!(policy.at(NOW + 9).epoch(), policy.epoch());
    let later = policy.at(NOW + 10);
    assert_eq!((rights(&later), later.next_expiry()), ((false, false), Some(NOW + 20)));
    assert!(later.epoch() > policy.epoch());
    let last = later.at(NOW + 20);
    assert_eq!((rights(&last), last.next_expiry()), ((false, true), None));
    let back = last.at(NOW);
    assert_eq!(rights(&back), (true, false), "a clock that is set back");
    assert!(back.epoch() > last.epoch());
}
