use super::super::fixture::*;
use super::super::record::{Attribute, DeviceStatus};
use super::super::*;
use std::sync::Arc;

fn lines(policy: &Policy, principal: &Principal, action: Action, topic: &str) -> Vec<String> {
    policy.explain(principal, action, topic).expect(topic).lines
}

#[test]
fn an_operator_reads_which_rule_did_what() {
    let groups = vec![
        group("sensors", &[], &["allow publish sensors/{cn}/# qos=1 retain=false", "allow publish u/{ou}"]),
        group("acme", &[(Attribute::O, "acme")], &["deny publish sensors/{cn}/config"]),
    ];
    let policy = policy(groups, vec![device("dev", &["sensors"], &["allow publish lab/+"])]);
    let id = |text: &str| written(text).id().to_string();
    let (lab, sensors) = (id("allow publish lab/+"), id("allow publish sensors/{cn}/# qos=1 retain=false"));
    let (unit, deny) = (id("allow publish u/{ou}"), id("deny publish sensors/{cn}/config"));
    let common = [
        "device CN=dev,O=acme: has a record, enabled, lists sensors".to_owned(),
        format!("own rule: {lab} allow publish \"lab/+\": does not match"),
    ];
    let (told, expected) = (
        lines(&policy, &principal("dev"), Action::Publish, "sensors/dev/t"),
        [
            format!(
                "group sensors (listed): {sensors} allow publish \"sensors/{{cn}}/#\" ({{cn}} = \"dev\"), that is \"sensors/dev/#\": matches, allows up to QoS 1, never retained"
            ),
            format!(
                "group sensors (listed): {unit} allow publish \"u/{{ou}}\" ({{ou}} fills nothing: the certificate has none): does not apply"
            ),
            format!(
                "group acme (matched by o = \"acme\"): {deny} deny publish \"sensors/{{cn}}/config\" ({{cn}} = \"dev\"), that is \"sensors/dev/config\": does not match"
            ),
            format!("allowed: publish \"sensors/dev/t\", by rule {sensors}"),
        ],
    );
    assert_eq!(told, [&common[..], &expected[..]].concat());
    let told = policy.explain(&principal("dev"), Action::Publish, "sensors/dev/config").expect("a topic");
    assert_eq!((told.allowed, told.rule), (false, Some(deny.clone())));
    assert_eq!(told.lines.last(), Some(&format!("remedy: certmq acl remove {deny}")));
    let told = lines(&policy, &principal("dev"), Action::Publish, "it's/x");
    assert_eq!(told.last().map(String::as_str), Some(r"remedy: certmq acl allow 'CN=dev,O=acme' publish 'it'\''s/x'"));
    let told = lines(&policy, &principal("dev"), Action::Subscribe, "a");
    assert_eq!(told[1], "no rule about subscribe is in force for it");
}

#[test]
fn strangers_are_denied_with_the_remedy() {
    let mut off = device("off", &[], &["allow publish a"]);
    off.status = DeviceStatus::Disabled;
    let policy = policy(vec![], vec![off, device("dev", &[], &[])]);
    let told = policy.explain(&principal("who"), Action::Publish, "a").expect("a topic");
    assert!(!told.allowed && told.lines[0].starts_with("unknown device CN=who,O=acme"));
    assert_eq!(told.lines.last().map(String::as_str), Some("remedy: certmq device add 'CN=who,O=acme'"));
    let told = lines(&policy, &principal("off"), Action::Publish, "a");
    assert_eq!(told.last().map(String::as_str), Some("remedy: certmq device enable 'CN=off,O=acme'"));
    let mut turned = principal("dev");
    turned.key.name = Arc::from("O=acme,CN=dev");
    assert!(lines(&policy, &turned, Action::Publish, "a").contains(&"did you mean CN=dev,O=acme?".to_owned()));
    turned.key.trust = Arc::from("other");
    assert!(lines(&policy, &turned, Action::Publish, "a").iter().all(|line| !line.contains("did you mean")));
}

#[test]
fn holes_and_covers_are_told() {
    let rules = ["allow subscribe a/# qos=0", "deny subscribe a/+/x"];
    let policy = policy(vec![], vec![device("dev", &[], &rules)]);
    let told = lines(&policy, &principal("dev"), Action::Subscribe, "$share/g/a/#");
    assert!(told[1].ends_with("covers it, allows QoS 0 only"), "{}", told[1]);
    assert!(told[2].ends_with("touches a part: what matches there is not delivered"), "{}", told[2]);
    let told = lines(&policy, &principal("dev"), Action::Subscribe, "$share/g/#");
    assert_eq!(told.last().map(String::as_str), Some("remedy: certmq acl allow 'CN=dev,O=acme' subscribe '#'"));
}

#[test]
fn what_is_no_topic_is_an_error_and_nothing_reaches_the_terminal_raw() {
    let policy = policy(vec![], vec![device("dev", &[], &[])]);
    assert!(policy.explain(&principal("dev"), Action::Publish, "a/+").is_err());
    assert!(policy.explain(&principal("dev"), Action::Subscribe, "a+").is_err());
    let told = lines(&policy, &principal("dev"), Action::Publish, "a\u{1b}[2J'\u{202e}");
    assert!(told.iter().all(|line| !line.contains(['\u{1b}', '\u{202e}'])), "{told:?}");
    assert!(told.last().is_some_and(|line| line.ends_with(r"$'a\U0000001b[2J\'\U0000202e'")), "{told:?}");
    let fault = policy.explain(&principal("dev"), Action::Publish, "\u{1b}+").expect_err("no topic");
    assert!(!fault.contains('\u{1b}'));
}

#[test]
fn a_name_alone_gives_no_more_than_its_certificate_would() {
    let rules = ["allow publish c/{cn}", "allow publish s/{serial}", "allow publish x/#", "deny publish x/{san.uri}"];
    let policy = policy(vec![], vec![device("dev", &[], &rules)]);
    let named = Principal::named(key("dev"), SubjectSelector::Dn);
    let allowed = |topic| policy.explain(&named, Action::Publish, topic).expect(topic).allowed;
    assert!(allowed("c/dev") && !allowed("s/0102") && !allowed("x/y") && allowed("x/y/z"));
}
