//! Unknown but valid certificates wait for approval, and renewals show; on both listeners, in both versions.

use crate::common::client::{Credentials, Endpoint, RawClient};
use crate::common::fleet::{Fleet, enter, enter_at};
use crate::common::wire::{BOTH, Connect, Version};
use serde_json::{Value, json};

/// The code of the CONNACK that refuses.
fn knock(endpoint: Endpoint, device: &Credentials, version: Version, client_id: &str) -> u8 {
    RawClient::try_connect(endpoint, device, version, &Connect::clean(client_id)).1.code()
}

fn not_authorized(version: Version) -> u8 {
    if version == Version::V5 { 0x87 } else { 5 }
}

fn asked(fleet: &Fleet, words: &[&str]) -> Value {
    serde_json::from_str(&fleet.run(words.iter().copied().chain(["--output", "json"]))).expect("JSON")
}

fn pending(fleet: &Fleet) -> Vec<Value> {
    asked(fleet, &["device", "list", "--pending"])["devices"].as_array().expect("a list").clone()
}

fn subjects(pending: &[Value]) -> Vec<&str> {
    pending.iter().map(|device| device["subject"].as_str().expect("a name")).collect()
}

#[test]
fn an_unknown_device_is_refused_all_the_same_until_it_is_approved() {
    let fleet = Fleet::new();
    fleet.add_settings("[policy]\nunknown_devices = \"quarantine\"\n");
    fleet.devices_group();
    let stranger = fleet.unlisted_device("stranger");
    let broker = fleet.serve();
    let mut attempts = 0;
    for endpoint in broker.endpoints() {
        for version in BOTH {
            assert_eq!(knock(endpoint, &stranger, version, "first"), not_authorized(version), "{endpoint:?}");
            attempts += 1;
        }
    }
    let waiting = pending(&fleet);
    assert_eq!(subjects(&waiting), ["CN=stranger"]);
    let device = &waiting[0];
    assert_eq!(device["attempts"], json!(attempts));
    assert_eq!((&device["trust"], &device["client_id"]), (&json!("default"), &json!("first")));
    assert!(device["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")), "{device}");
    let identity = asked(&fleet, &["cert", "identity", &fleet.certificate("stranger.crt").display().to_string()]);
    assert_eq!(device["certificate"]["sha256"], identity["sha256"], "{identity}");
    assert_eq!(asked(&fleet, &["device", "list"])["devices"], json!([]), "waiting is no record");

    let wrong = fleet.output(["device", "approve", "CN=nobody"]);
    assert_eq!(wrong.status.code(), Some(66));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("device list --pending"), "{wrong:?}");
    let wrong = fleet.output(["device", "approve", "stranger", "--group", "none"]);
    assert_eq!(wrong.status.code(), Some(66), "{wrong:?}");
    assert_eq!(subjects(&pending(&fleet)), ["CN=stranger"], "a refused approval changes nothing");
    fleet.run(["device", "approve", "stranger", "--group", "devices"]);
    assert!(pending(&fleet).is_empty());
    for endpoint in broker.endpoints() {
        for version in BOTH {
            let mut client = enter_at(endpoint, &stranger, version, "first");
            assert!(client.publish("devices/stranger/hello", b"x") < 0x80, "it has the rights of its group");
            client.leave();
        }
    }
}

#[test]
fn who_waits_is_bounded_and_goes_when_it_becomes_known_another_way() {
    let fleet = Fleet::new();
    fleet.add_settings("[policy]\nunknown_devices = \"quarantine\"\n[limits]\npending_devices = 2\n");
    fleet.devices_group();
    let devices: Vec<Credentials> = (1..=3).map(|number| fleet.unlisted_device(&format!("new-{number}"))).collect();
    let broker = fleet.serve();
    for device in [&devices[0], &devices[1], &devices[0], &devices[2]] {
        assert_eq!(knock(broker.address.into(), device, Version::V5, "c"), 0x87);
    }
    assert_eq!(subjects(&pending(&fleet)), ["CN=new-3", "CN=new-1"], "who tried longest ago went");
    fleet.run(["device", "add", "CN=new-3"]);
    assert_eq!(subjects(&pending(&fleet)), ["CN=new-1"]);
    fleet.run(["device", "disable", "CN=new-1"]);
    assert_eq!(knock(broker.address.into(), &devices[0], Version::V5, "c"), 0x87);
    assert!(pending(&fleet).is_empty(), "a disabled device is known");
}

#[test]
fn by_default_nothing_is_kept_of_a_stranger() {
    let fleet = Fleet::new();
    let stranger = fleet.unlisted_device("stranger");
    let broker = fleet.serve();
    assert_eq!(knock(broker.address.into(), &stranger, Version::V5, "c"), 0x87);
    assert!(pending(&fleet).is_empty());
    let list = fleet.output(["device", "list", "--pending"]);
    assert!(String::from_utf8_lossy(&list.stderr).contains("policy.unknown_devices"), "{list:?}");
    broker.kill();
    let offline = fleet.output(["device", "list", "--pending"]);
    assert_eq!(offline.status.code(), Some(69), "{offline:?}");
}

#[test]
fn renewals_show_in_the_record() {
    let fleet = Fleet::new();
    let before = fleet.device("device-001");
    let broker = fleet.serve();
    enter(&broker, &before, Version::V5, "c").leave();
    let serial_of = |index: usize| asked(&fleet, &["device", "show", "device-001"])["certificates_seen"][index].clone();
    let old = serial_of(0);
    fleet.run(["cert", "renew", "device-001"]);
    enter(&broker, &fleet.credentials("device-001"), Version::V5, "c").leave();
    let (new, kept) = (serial_of(0), serial_of(1));
    assert_eq!((&kept["serial"], &kept["first_seen"]), (&old["serial"], &old["first_seen"]));
    assert_ne!(new["serial"], old["serial"]);
    for key in ["not_before", "not_after", "first_seen", "last_seen"] {
        assert!(new[key].as_str().is_some_and(|time| time.ends_with('Z')), "{key}: {new}");
    }
    let text = fleet.run(["device", "show", "device-001"]);
    assert_eq!(text.matches("came with").count(), 2, "{text}");
}
