use super::*;
use crate::policy::record::{DeviceStatus, QoSBound, RetainBound};
use crate::policy::{Action, Change, Effect, Rule};
use crate::protocol::QoS;
use proptest::prelude::*;

fn key(trust: &str, name: &str) -> DeviceKey {
    DeviceKey { trust: trust.into(), name: name.into() }
}

#[test]
fn the_stored_form_is_fixed() {
    let rule = Rule {
        effect: Effect::Deny,
        action: Action::Subscribe,
        filter: "a/{cn}/#".into(),
        max_qos: QoSBound(QoS::ExactlyOnce),
        retain: RetainBound::Retained,
        until: None,
    };
    let bounded = Rule {
        effect: Effect::Allow,
        action: Action::Publish,
        max_qos: QoSBound(QoS::AtMostOnce),
        retain: RetainBound::NotRetained,
        until: Some(-5),
        ..rule.clone()
    };
    let device = DeviceRecord {
        key: key("default", "CN=a"),
        status: DeviceStatus::Disabled,
        groups: vec!["g".into()],
        rules: vec![rule, bounded],
        pins: vec![[0xab; 32]],
        limits: Default::default(),
    };
    let write = Write::of(&StoredChange::from(&Change::PutDevice(device.clone()))).unwrap();
    assert_eq!(write.key, b"default\0CN=a");
    let value = String::from_utf8(write.value.clone().unwrap()).unwrap();
    let pin = "ab".repeat(32);
    let expected = format!(
        r#"{{"status":"disabled","groups":["g"],"rules":[{},{}],"pins":["{pin}"]}}"#,
        r#"{"effect":"deny","action":"subscribe","filter":"a/{cn}/#"}"#,
        r#"{"effect":"allow","action":"publish","filter":"a/{cn}/#","max_qos":0,"retain":false,"until":-5}"#,
    );
    assert_eq!(value, expected);
    assert_eq!(decode_device(&write.key, value.as_bytes()).unwrap(), device);
    let line = put_line(write.kind, &write.key, value.as_bytes()).unwrap();
    assert_eq!(Write::of(&serde_json::from_slice(&line).unwrap()).unwrap(), write);
}

#[test]
fn a_plain_device_costs_two_bytes() {
    let plain = DeviceRecord {
        key: key("default", "CN=a"),
        status: DeviceStatus::Enabled,
        groups: Vec::new(),
        rules: Vec::new(),
        pins: Vec::new(),
        limits: Default::default(),
    };
    let write = Write::of(&StoredChange::from(&Change::PutDevice(plain.clone()))).unwrap();
    assert_eq!(write.value.as_deref(), Some(&b"{}"[..]));
    assert_eq!(decode_device(&write.key, b"{}").unwrap(), plain);
}

#[test]
fn what_this_version_does_not_know_is_refused() {
    for value in [
        r#"{"deny_everything":true}"#,
        r#"{"status":"quarantined"}"#,
        r#"{"rules":[{"effect":"deny","action":"connect","filter":"a"}]}"#,
        r#"{"rules":[{"effect":"allow","action":"publish","filter":"a","from":"10.0.0.0/8"}]}"#,
        r#"{"pins":["abcd"]}"#,
        "",
    ] {
        let fault = decode_device(b"default\0CN=a", value.as_bytes()).unwrap_err();
        assert!(fault.contains("CN=a"), "{fault}");
    }
    assert!(decode_device(b"no separator", b"{}").unwrap_err().contains("no trust block"));
    assert!(decode_device(b"\xff\0a", b"{}").unwrap_err().contains("UTF-8"));
    assert!(decode_group(b"g", br#"{"matches":{"email":"x"}}"#).is_err());
}

#[test]
fn a_description_is_printable() {
    assert_eq!(describe(Kind::Device, b"lab\0CN=\x1b[2J"), r#"device "CN=\u{1b}[2J" of trust block "lab""#);
    assert_eq!(describe(Kind::Group, b"a\nb"), r#"group "a\nb""#);
}

proptest! {
    #[test]
    fn keys_sort_as_devices_do(left in ("[a-z-]{0,3}", "\\PC{0,4}"), right in ("[a-z-]{0,3}", "\\PC{0,4}")) {
        let (left, right) = (key(&left.0, &left.1), key(&right.0, &right.1));
        prop_assert_eq!(device_key(&left).cmp(&device_key(&right)), left.cmp(&right));
        prop_assert_eq!(parse_device_key(&device_key(&left)).unwrap(), left);
    }

    #[test]
    fn no_bytes_make_decoding_panic(key in any::<Vec<u8>>(), value in any::<Vec<u8>>()) {
        let _ = decode_device(&key, &value);
        let _ = decode_group(&key, &value);
    }
}
