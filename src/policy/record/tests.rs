use super::super::fixture::*;
use super::*;
use crate::protocol::QoS;

fn new(effect: Effect, action: Action, filter: &str) -> Result<Rule, RuleError> {
    Rule::new(effect, action, filter, Bounds::default(), None)
}

#[test]
fn a_rule_is_valid_or_is_not_made() {
    for filter in ["a", "a/+/#", "+", "#", "/", "{cn}", "a/{san.uri.path.12}/{ou}", "$dev/x", "$SYStem", "$shared/x"] {
        assert!(new(Effect::Deny, Action::Publish, filter).is_ok(), "{filter}");
    }
    for (filter, part) in [
        ("", "at least one character"),
        ("a/#/b", "only in the last"),
        ("a+", "stand alone"),
        ("a\0", "U+0000"),
        ("$share/g/a", "$share/GROUP/"),
        ("$share", "$share/GROUP/"),
        ("a{cn}", "is no template"),
        ("{cn}x/a", "is no template"),
        ("{CN}", "is no template"),
        ("{}", "is no template"),
        ("{username}", "{cn} {ou} {o}"),
        ("{san.uri.path.0}", "is no template"),
        ("{san.uri.path.01}", "is no template"),
        ("{san.uri.path.}", "is no template"),
        ("{san.uri.path.-1}", "is no template"),
        ("{san.uri.path.256}", "is no template"),
    ] {
        let error = new(Effect::Deny, Action::Publish, filter).expect_err(filter).to_string();
        assert!(error.contains(part), "{filter}: {error}");
    }
    for filter in ["$SYS", "$SYS/x", "$SYS/#"] {
        assert!(matches!(new(Effect::Allow, Action::Publish, filter), Err(RuleError::SystemTopic(_))));
        assert!(new(Effect::Allow, Action::Subscribe, filter).is_ok());
    }
}

#[test]
fn bounds_stand_where_they_mean_something() {
    let low = Bounds { max_qos: QoSBound(QoS::AtMostOnce), ..Bounds::default() };
    let plain = Bounds { retain: RetainBound::NotRetained, ..Bounds::default() };
    let with = |effect, action, bounds, until| Rule::new(effect, action, "a", bounds, until);
    assert_eq!(with(Effect::Deny, Action::Publish, low, None), Err(RuleError::BoundedDeny));
    assert_eq!(with(Effect::Deny, Action::Publish, plain, None), Err(RuleError::BoundedDeny));
    assert_eq!(with(Effect::Allow, Action::Subscribe, plain, None), Err(RuleError::RetainOfSubscribe));
    assert!(with(Effect::Allow, Action::Subscribe, low, Some(0)).is_ok());
    assert_eq!(with(Effect::Deny, Action::Publish, Bounds::default(), Some(-1)), Err(RuleError::Until(-1)));
    assert!(with(Effect::Deny, Action::Publish, Bounds::default(), Some(i64::MAX)).is_err());
}

#[test]
fn the_id_is_the_content() {
    let rules = [
        "allow publish a",
        "deny publish a",
        "allow subscribe a",
        "allow publish b",
        "allow publish a qos=1",
        "allow publish a retain=false",
        "allow publish a until=5",
        "allow publish a until=6",
    ];
    let ids: std::collections::HashSet<RuleId> = rules.iter().map(|text| written(text).id()).collect();
    assert_eq!(ids.len(), rules.len());
    assert_eq!(written("allow publish a").id(), written("allow publish a").id());
    let id = written("allow publish a").id();
    assert_eq!(id.to_string().len(), 12);
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(id.to_string(), "51896fc10cb4", "stored and shown elsewhere: it must never change");
    for text in ["", "51896fc10cb", "51896fc10cb4a", "51896fc10cbx", "51896fc10cbé"] {
        assert_eq!(text.parse::<RuleId>(), Err(ParseRuleIdError));
    }
}

#[test]
fn records_are_put_in_order() {
    let record = device("dev", &[], &["deny publish b", "allow publish a", "deny publish b"]);
    assert_eq!(record.rules, [written("allow publish a"), written("deny publish b")]);
    let listed = vec!["b".into(), "a".into(), "b".into()];
    let pins = vec![[2; 32], [1; 32], [2; 32]];
    let record = DeviceRecord::new(key("dev"), DeviceStatus::Enabled, listed, vec![], pins, RecordLimits::default())
        .expect("a record");
    assert_eq!((record.groups, record.pins), (vec!["a".into(), "b".into()], vec![[1; 32], [2; 32]]));
}

#[test]
fn records_are_valid_or_are_not_made() {
    let pins = (0..3).map(|pin| [pin; 32]).collect();
    let device = DeviceRecord::new(key("dev"), DeviceStatus::Enabled, vec![], vec![], pins, RecordLimits::default());
    assert_eq!(device, Err(RecordError::Pins(3)));
    for (trust, name) in [("", "CN=a"), ("default", ""), ("default", "CN=a\n"), ("a\0", "CN=a")] {
        let odd = DeviceKey { trust: trust.into(), name: name.into() };
        let device = DeviceRecord::new(odd, DeviceStatus::Enabled, vec![], vec![], vec![], RecordLimits::default());
        assert!(matches!(device, Err(RecordError::Key { .. })), "{trust} {name}");
    }
    for name in ["", "a b", "ä", "a/b", &"x".repeat(65)] {
        assert!(
            matches!(
                GroupRecord::new(name, BTreeMap::new(), vec![], RecordLimits::default()),
                Err(RecordError::GroupName(_))
            ),
            "{name}"
        );
    }
    assert!(GroupRecord::new("A-z_0.9", BTreeMap::new(), vec![], RecordLimits::default()).is_ok());
    let matches = BTreeMap::from([(Attribute::Ou, String::new())]);
    assert!(matches!(
        GroupRecord::new("g", matches, vec![], RecordLimits::default()),
        Err(RecordError::EmptyMatch { attribute: "ou" })
    ));
}

#[test]
fn what_is_seldom_meant_is_pointed_out() {
    let matched = group("m", &[(Attribute::Ou, "x")], &["deny publish a", "allow publish b"]);
    let listed = group("l", &[], &["deny publish a"]);
    let warnings = records(vec![matched, listed], vec![device("dev", &[], &["allow publish {serial}/x"])]).warnings();
    let parts = [["group m: rule", "without the matched attribute"], ["device CN=dev,O=acme: rule", "renewed"]];
    assert_eq!(warnings.len(), parts.len(), "{warnings:?}");
    for (warning, parts) in warnings.iter().zip(parts) {
        assert!(parts.iter().all(|part| warning.contains(part)), "{warning}");
    }
}
