use super::super::fixture::*;
use super::super::record::{Attribute, DeviceStatus};
use super::super::*;
use super::*;
use proptest::prelude::*;
use std::sync::Arc;

fn parse(text: &str) -> Result<FleetFile, FleetError> {
    FleetFile::parse(text, SubjectSelector::Dn)
}

const EXAMPLE: &str = r#"version = 1
generation = 12

[groups.sensors]
match = { o = "acme", ou = "sensors" }            # every certificate with these attributes
allow = [ { publish = "sensors/{cn}/#", max_qos = 1 },
          { subscribe = "commands/{cn}/+" } ]
deny  = [ { publish = "sensors/{cn}/config", until = 2027-01-01T01:00:00+01:00 } ]

[groups."a.b"]

[[devices]]
subject = "cn = dev-0001, o = acme"
groups = ["sensors", "a.b", "sensors"]
allow = [ { publish = "lab/+/report", retain = false, until = "2027-01-01T00:00:00Z" } ]

[[devices]]
subject = 'CN=gate\,way,O=acme'
trust = "plant"
enabled = false
certificate_sha256 = "AB:CD:efabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcd"
"#;

#[test]
fn the_whole_language_is_read() {
    let file = parse(EXAMPLE).expect("the example");
    assert_eq!(file.generation, Some(12));
    let sensors = group(
        "sensors",
        &[(Attribute::O, "acme"), (Attribute::Ou, "sensors")],
        &[
            "allow publish sensors/{cn}/# qos=1",
            "allow subscribe commands/{cn}/+",
            "deny publish sensors/{cn}/config until=1798761600",
        ],
    );
    let mut gateway = device(r"gate\,way", &[], &[]);
    gateway.key.trust = Arc::from("plant");
    gateway.status = DeviceStatus::Disabled;
    gateway.pins = vec![std::array::from_fn(|index| [0xab, 0xcd, 0xef][index % 3])];
    let dev = device("dev-0001", &["a.b", "sensors"], &["allow publish lab/+/report retain=false until=1798761600"]);
    let expected = Records { generation: 0, ..records(vec![sensors, group("a.b", &[], &[])], vec![dev, gateway]) };
    assert_eq!(file.records, expected);
    assert_eq!(parse(&export(&file.records)).expect("its own export").records, expected);
}

#[test]
fn an_export_is_readable_and_stable() {
    let records = Records { generation: 12, ..parse(EXAMPLE).expect("the example").records };
    assert_eq!(
        export(&records),
        r#"version = 1
generation = 12

[groups."a.b"]

[groups.sensors]
match = { o = "acme", ou = "sensors" }
allow = [
    { publish = "sensors/{cn}/#", max_qos = 1 },
    { subscribe = "commands/{cn}/+" },
]
deny = [{ publish = "sensors/{cn}/config", until = 2027-01-01T00:00:00Z }]

[[devices]]
subject = "CN=dev-0001,O=acme"
groups = ["a.b", "sensors"]
allow = [{ publish = "lab/+/report", retain = false, until = 2027-01-01T00:00:00Z }]

[[devices]]
subject = 'CN=gate\,way,O=acme'
trust = "plant"
enabled = false
certificate_sha256 = "abcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcd"
"#
    );
}

#[test]
fn every_fault_has_its_line_and_remedy() {
    let device = "version = 1\n[[devices]]\nsubject = \"CN=a\"\n";
    for (text, line, part) in [
        (String::new(), 1, "has no version"),
        ("\nversion = 2".into(), 2, "reads version 1"),
        ("version = \"1\"".into(), 1, "a whole number is expected"),
        ("version = 1\n\ngroup = 1".into(), 3, "did you mean \"groups\"?"),
        ("version = 1\n[groups.g]\nlimits = { speed = 1 }".into(), 3, "unknown key \"speed\" in limits"),
        ("version = 1\n[groups.g]\nlimit = {}".into(), 3, "unknown key \"limit\" in group \"g\""),
        ("version = 1\n[groups.g]\nmatch = { ou = \"a\",\n cm = \"b\" }".into(), 4, "did you mean \"cn\"?"),
        ("version = 1\n[groups.g]\nmatch = { ou = \"\" }".into(), 2, "an empty value matches no certificate"),
        ("version = 1\n[groups.\"g h\"]".into(), 2, "letters, digits"),
        ("version = 1\n[[devices]]\n".into(), 2, "has no subject"),
        ("version = 1\n[[devices]]\nsubject = \"dev\"".into(), 3, "not a distinguished name at character 1"),
        ("version = 1\n[[devices]]\nsubject = \"CN=\"".into(), 3, "names no device"),
        (format!("{device}enabeld = false"), 4, "did you mean \"enabled\"?"),
        (format!("{device}enabled = \"no\""), 4, "true or false is expected"),
        (format!("{device}trust = \"\""), 4, "the name of a trust block"),
        (format!("{device}groups = \"g\""), 4, "a list is expected"),
        (format!("{device}groups = [\n\"g\"]"), 5, "add [groups.g]"),
        (format!("{device}allow = [\n{{ }}]"), 5, "either publish or subscribe"),
        (format!("{device}allow = [{{ publish = \"a\", subscribe = \"a\" }}]"), 4, "either publish or subscribe"),
        (format!("{device}allow = [{{ publish = \"a+\" }}]"), 4, "stand alone"),
        (format!("{device}allow = [{{ publish = \"a\", max_qos = 3 }}]"), 4, "3 is no QoS"),
        (format!("{device}allow = [{{ publish = \"a\", max_qos = -1 }}]"), 4, "no number from 0"),
        (format!("{device}deny = [{{ publish = \"a\", max_qos = 1 }}]"), 4, "leave max_qos and retain out"),
        (format!("{device}allow = [{{ publish = \"a\", until = \"tomorrow\" }}]"), 4, "RFC 3339"),
        (format!("{device}allow = [{{ publish = \"a\", until = 2027-01-01 }}]"), 4, "RFC 3339"),
        (format!("{device}allow = [{{ publish = \"a\", until = 2027-01-01T00:00:00.5Z }}]"), 4, "whole seconds"),
        (format!("{device}certificate_sha256 = \"ab\""), 4, "64 hexadecimal digits"),
        (format!("{device}certificate_sha256 = \"{}\"", "x".repeat(64)), 4, "64 hexadecimal digits"),
        (format!("{device}certificate_sha256 = \"{}\"", "a".repeat(65)), 4, "64 hexadecimal digits"),
        (format!("{device}[[devices]]\nsubject = \"cn=a\""), 4, "CN=a is named twice"),
        ("version = 1\nversion = 1".into(), 2, "duplicate key"),
        ("version = 1\n[groups.g]\n[groups.g]".into(), 3, "duplicate key"),
        ("version = 1\ndevices = {".into(), 2, ""),
    ] {
        let error = parse(&text).expect_err(&text);
        assert_eq!(error.line, line, "{text}\n{error}");
        assert!(error.message.contains(part), "{text}\n{error}");
    }
}

#[test]
fn other_selectors_take_subjects_as_they_are() {
    let text = "version = 1\n[[devices]]\nsubject = \"spiffe://acme/dev\"\n";
    let file = FleetFile::parse(text, SubjectSelector::SanUri).expect("a file");
    assert!(file.records.devices.keys().all(|key| &*key.name == "spiffe://acme/dev"));
    assert!(parse(text).is_err());
}

#[test]
fn an_export_shows_what_an_editor_would_hide() {
    let records = records(vec![], vec![device("dev", &[], &["allow publish a\u{202e}\u{200b}\u{7f}\\'\"b"])]);
    let text = export(&records);
    assert!(!text.contains(['\u{202e}', '\u{200b}', '\u{7f}']), "{text}");
    assert_eq!(parse(&text).expect("its own export").records.devices, records.devices);
}

fn any_records() -> impl Strategy<Value = Records> {
    let text = "[ab'\"\\\\,#\u{e9}\u{1}\n ]{1,6}";
    let filters = proptest::collection::vec(
        ("[ab'\"\\\\\u{e9}\u{1}]{1,4}", any::<u8>(), proptest::option::of(0i64..4_000_000_000)),
        0..3,
    );
    // Of each record the same, so that the generator stays simple: which are set, and to what.
    let limits = |bits: u32| RecordLimits {
        connections: (bits & 1 == 1).then_some(bits | 1),
        messages_per_second: (bits & 2 == 2).then_some(bits),
        queued_bytes: (bits & 4 == 4).then_some(u64::from(bits) << 7),
    };
    let device =
        (text, any::<bool>(), filters.clone(), proptest::collection::vec(any::<[u8; 32]>(), 0..3), any::<bool>());
    (proptest::collection::vec(device, 0..4), proptest::collection::vec(("[a-c.]{1,3}", text, filters), 0..3)).prop_map(
        move |(devices, groups)| {
            let rules = |filters: Vec<(String, u8, Option<i64>)>| {
                let rule = |(filter, bits, until): (String, u8, Option<i64>)| {
                    let effect = if bits & 1 == 0 { Effect::Allow } else { Effect::Deny };
                    let action = if bits & 2 == 0 { Action::Publish } else { Action::Subscribe };
                    Rule::new(effect, action, &filter, Bounds::default(), until).expect("plain")
                };
                filters.into_iter().map(rule).collect::<Vec<_>>()
            };
            let groups: Vec<GroupRecord> = groups
                .into_iter()
                .map(|(name, value, filters)| {
                    let bits = filters.first().map_or(0, |(_, bits, _)| u32::from(*bits));
                    GroupRecord::new(&name, [(Attribute::Ou, value)].into(), rules(filters), limits(bits))
                        .expect("a group")
                })
                .collect();
            let devices = devices.into_iter().filter_map(|(name, enabled, filters, pins, foreign)| {
                let status = if enabled { DeviceStatus::Enabled } else { DeviceStatus::Disabled };
                let name = SubjectSelector::SanUri.typed_name(&name).ok()?;
                let trust = Arc::from(if foreign { "it's" } else { "default" });
                let limits = limits(filters.first().map_or(0, |(_, bits, _)| u32::from(*bits)));
                let listed = groups.iter().map(|group| Arc::clone(&group.name)).collect();
                DeviceRecord::new(DeviceKey { trust, name }, status, listed, rules(filters), pins, limits).ok()
            });
            Records { generation: 0, ..records(groups.clone(), devices.collect()) }
        },
    )
}

proptest! {
    #[test]
    fn an_export_parses_to_the_same_records(records in any_records()) {
        let text = export(&records);
        let file = FleetFile::parse(&text, SubjectSelector::SanUri);
        prop_assert_eq!(file.as_ref().map(|file| &file.records), Ok(&records), "{}", text);
    }

    #[test]
    fn a_difference_leads_from_one_to_the_other(from in any_records(), to in any_records()) {
        let settings = PolicySettings::default();
        let changes = difference(&from, &to);
        prop_assert_eq!(difference(&from, &from).changes, vec![]);
        let policy = Policy::compile(&from, settings, NOW).expect("records").with_changes(&changes, NOW).expect("changes");
        prop_assert_eq!(policy.device_count(), to.devices.len());
        prop_assert!(to.devices.values().all(|device| policy.status_of(&device.key) == Some(device.status)));
        prop_assert!(from.groups.keys().all(|group| policy.has_group(group) == to.groups.contains_key(group)));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(version = 1\n)?[\\[\\]a-z={}\"'\n.# 0-9]{0,40}") {
        let _ = parse(&text);
    }
}

/// As the documentation of the fleet file shows it.
#[test]
fn a_file_with_everything_in_it_is_read() {
    let text = format!(
        r##"
version = 1

[groups.sensors]
match = {{ o = "acme", ou = "sensors" }}
allow = [ {{ publish = "sensors/{{cn}}/#", max_qos = 1 }},
          {{ subscribe = "commands/{{cn}}/+" }} ]
deny  = [ {{ publish = "sensors/{{cn}}/config" }} ]
limits = {{ connections = 1, messages_per_second = 50, queued_bytes = "1 MiB" }}

[[devices]]
subject = "CN=dev-0001,O=acme"
groups = ["sensors"]
allow = [ {{ publish = "lab/+/report", retain = false }} ]
limits = {{ connections = 4 }}

[[devices]]
subject = "CN=gateway-7,O=acme"
certificate_sha256 = "{}"
"##,
        "ab".repeat(32)
    );
    let file = FleetFile::parse(&text, SubjectSelector::Dn).expect("a good file");
    let group = file.records.groups.values().next().expect("a group");
    let limits = RecordLimits { connections: Some(1), messages_per_second: Some(50), queued_bytes: Some(1 << 20) };
    assert_eq!((group.limits, group.rules.len()), (limits, 3));
    let own: Vec<_> = file.records.devices.values().map(|device| device.limits.connections).collect();
    assert_eq!(own, [Some(4), None]);
}
