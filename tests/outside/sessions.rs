//! An operator looks at sessions and ends them: `certmq session`.

use crate::common::client::RawClient;
use crate::common::fleet::{Fleet, enter};
use crate::common::wire::{self, BOTH, Connect, Version};
use serde_json::Value;
use std::time::{Duration, Instant};

const ADMINISTRATIVE_ACTION: u8 = 0x98;

/// Within this of the command's return the connection is closed.
const AT_ONCE: Duration = Duration::from_secs(1);

fn json(fleet: &Fleet, arguments: &[&str]) -> Value {
    let text = fleet.run(arguments.iter().chain(&["--output", "json"]));
    let document: Value = serde_json::from_str(&text).expect("one JSON document");
    assert_eq!(document["version"], 1, "{document}");
    document
}

/// DISCONNECT 0x98 (5.0), then the end of the connection; measured from the return of the command.
#[track_caller]
fn expect_end(client: &mut RawClient, returned: Instant) {
    if client.version == Version::V5 {
        assert_eq!(client.expect(wire::DISCONNECT).code(), ADMINISTRATIVE_ACTION);
    }
    client.expect_close();
    let took = returned.elapsed();
    assert!(took < AT_ONCE, "closed {took:?} after the command returned");
}

#[test]
fn the_list_says_who_is_connected_and_what_waits_for_whom() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let other = fleet.device("device-002");
    let broker = fleet.serve();
    let mut away = RawClient::connect(broker.address, &device, Version::V5, &Connect::lasting("away"));
    assert_eq!(away.subscribe(&["devices/device-001/#"]), [1]);
    away.send(&wire::disconnect());
    away.expect_close();
    let mut here = enter(&broker, &device, Version::V3_1_1, "here");
    let _other = enter(&broker, &other, Version::V5, "other");
    assert_eq!(here.publish("devices/device-001/x", b"waits"), 0);

    let all = json(&fleet, &["session", "list"]);
    let names = |document: &Value| -> Vec<String> {
        let sessions = document["sessions"].as_array().expect("a list").iter();
        sessions.map(|session| format!("{} {}", session["device"], session["client_id"]).replace('"', "")).collect()
    };
    assert_eq!(names(&all), ["CN=device-001 away", "CN=device-001 here", "CN=device-002 other"]);
    let (away, here) = (&all["sessions"][0], &all["sessions"][1]);
    assert_eq!((&away["state"], &away["queued"], &away["subscriptions"]), (&"away".into(), &1.into(), &1.into()));
    assert_eq!((&here["state"], &here["version"]), (&"connected".into(), &"3.1.1".into()));
    assert!(here["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")), "{here}");
    assert!(here["since"].as_str().is_some_and(|since| since.starts_with("20") && since.ends_with('Z')), "{here}");

    assert_eq!(names(&json(&fleet, &["session", "list", "device-002"])), ["CN=device-002 other"]);
    assert_eq!(names(&json(&fleet, &["session", "list", "--group", "devices"])).len(), 3);
    let certificate = fleet.certificate("device-002.crt");
    let by_certificate = ["session", "list", "--cert", certificate.to_str().expect("a path in UTF-8")];
    assert_eq!(names(&json(&fleet, &by_certificate)), ["CN=device-002 other"]);
    let table = fleet.run(["session", "list"]);
    assert!(table.starts_with("DEVICE") && table.contains("CLIENT ID") && table.lines().count() == 4, "{table}");
}

#[test]
fn show_tells_subscriptions_queue_drops_will_and_certificate() {
    let fleet = Fleet::new();
    fleet.add_settings("[limits]\nqueued_messages = 2\n");
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    let will = Some(("devices/device-001/will", &b"gone"[..]));
    let connect = Connect { will, ..Connect::lasting("reader") };
    let mut reader = RawClient::connect(broker.address, &device, Version::V5, &connect);
    assert_eq!(reader.subscribe(&["devices/device-001/x"]), [1]);
    let shown = json(&fleet, &["session", "show", "device-001"]);
    assert_eq!(shown["session"]["client_id"], "reader");
    assert_eq!((&shown["expiry_seconds"], &shown["silence_seconds"]), (&3600.into(), &90.0.into()));
    assert_eq!(shown["will"]["topic"], "devices/device-001/will");
    assert_eq!(shown["certificate"]["subject"], "CN=device-001");
    assert!(shown["certificate"]["serial"].as_str().is_some_and(|serial| serial.len() > 8), "{shown}");
    assert_eq!(
        (&shown["subscriptions"][0]["filter"], &shown["subscriptions"][0]["qos"]),
        (&"devices/device-001/x".into(), &1.into())
    );

    reader.send(&wire::disconnect());
    reader.expect_close();
    let mut writer = enter(&broker, &device, Version::V5, "writer");
    for _ in 0..5 {
        assert_eq!(writer.publish("devices/device-001/x", b"12345"), 0);
    }
    let shown = json(&fleet, &["session", "show", "device-001", "reader"]);
    assert_eq!((&shown["queue"]["queued"], &shown["dropped"]["queue_full"]), (&2.into(), &3.into()), "{shown}");
    assert_eq!(shown["queue"]["queued_bytes"], 2 * ("devices/device-001/x".len() + 5));
    assert!(shown["expires"].is_string() && shown["will"].is_null(), "{shown}");
    let text = fleet.run(["session", "show", "device-001", "reader"]);
    for part in ["away since", "2 message(s), 50 bytes", "dropped, queue full   3", "devices/device-001/x  1"] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn disconnect_closes_at_once_with_0x98_and_the_session_stays() {
    let fleet = Fleet::new();
    let (device, witness) = (fleet.device("device-001"), fleet.device("device-002"));
    fleet.run(["acl", "allow", "CN=device-002", "subscribe", "devices/+/will"]);
    let broker = fleet.serve();
    let mut witness = enter(&broker, &witness, Version::V5, "witness");
    assert_eq!(witness.subscribe(&["devices/+/will"]), [1]);
    for version in BOTH {
        let will = Some(("devices/device-001/will", &b"gone"[..]));
        let connect = Connect { will, ..Connect::lasting("one") };
        let (mut one, _) = RawClient::try_connect(broker.address, &device, version, &connect);
        let mut two = enter(&broker, &device, version, "two");
        let told = fleet.run(["session", "disconnect", "device-001", "one"]);
        expect_end(&mut one, Instant::now());
        assert!(told.contains("1 connection(s)"), "{told}");
        assert_eq!(witness.expect_message().payload, b"gone", "an administrative disconnect fires the will");
        assert_eq!(
            two.publish("devices/device-001/x", b"the other one stays"),
            if version == Version::V5 { 0x10 } else { 0 }
        );

        let (mut one, answer) = RawClient::try_connect(broker.address, &device, version, &Connect::lasting("one"));
        assert!(answer.session_present(), "the session stayed");
        assert_eq!(json(&fleet, &["session", "disconnect", "CN=device-001"])["disconnected"], 2);
        let returned = Instant::now();
        expect_end(&mut one, returned);
        expect_end(&mut two, returned);
        assert_eq!(json(&fleet, &["session", "disconnect", "device-001"])["disconnected"], 0, "nobody is there");
    }
    broker.log.wait_for(&["an operator closed connections", "(uid ", "CN=device-001", "one"]);
}

#[test]
fn remove_ends_the_session_with_everything_in_it() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    for version in BOTH {
        let mut one = RawClient::connect(broker.address, &device, version, &Connect::lasting("one"));
        assert_eq!(one.subscribe(&["devices/device-001/x"]), [1]);
        fleet.run(["session", "remove", "device-001", "one"]);
        expect_end(&mut one, Instant::now());
        let (mut one, answer) = RawClient::try_connect(broker.address, &device, version, &Connect::lasting("one"));
        assert!(!answer.session_present(), "it was removed");
        one.send(&wire::disconnect());
        one.expect_close();
        let ended = json(&fleet, &["session", "remove", "device-001", "--all"]);
        assert_eq!((&ended["removed"], &ended["disconnected"]), (&1.into(), &0.into()), "{ended}");
        assert_eq!(json(&fleet, &["session", "list"])["sessions"], Value::Array(Vec::new()));
    }
    broker.log.wait_for(&["an operator removed sessions", "CN=device-001", "one"]);
}

#[test]
fn whoever_is_not_there_is_exit_66_with_the_candidates() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    fleet.device("device-002");
    let broker = fleet.serve();
    let _clients = ["pump-1", "pump-2"].map(|id| enter(&broker, &device, Version::V5, id));
    for (arguments, parts) in [
        (&["session", "show", "device-01"][..], &["did you mean", "CN=device-001"][..]),
        (&["session", "show", "device-001"], &["2 sessions", "pump-1", "pump-2"]),
        (&["session", "show", "device-001", "pump-3"], &["did you mean pump-"]),
        (&["session", "disconnect", "device-001", "valve"], &["no session with the client id", "pump-1", "pump-2"]),
        (&["session", "remove", "device-001", "valve"], &["pump-1"]),
        (&["session", "disconnect", "device-002"], &["device CN=device-002 has no session"]),
        (&["session", "list", "--group", "device"], &["no group", "did you mean devices"]),
    ] {
        let output = fleet.output(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(66), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty());
        for part in parts {
            assert!(stderr.contains(part), "{arguments:?}: no {part:?} in {stderr}");
        }
    }
    assert_eq!(json(&fleet, &["session", "list", "device-002"])["sessions"], Value::Array(Vec::new()));
}

#[test]
fn a_device_that_only_a_group_knows_is_found_by_its_common_name() {
    let fleet = Fleet::new();
    fleet.run(["group", "add", "everyone", "--match", "cn=stranger"]);
    let stranger = fleet.unlisted_device("stranger");
    let broker = fleet.serve();
    let mut client = enter(&broker, &stranger, Version::V5, "c");
    assert_eq!(json(&fleet, &["session", "show", "stranger"])["session"]["device"], "CN=stranger");
    fleet.run(["session", "disconnect", "stranger"]);
    expect_end(&mut client, Instant::now());
}

#[test]
fn without_a_broker_there_are_no_sessions_to_ask_for() {
    let fleet = Fleet::new();
    for arguments in [
        &["session", "list"][..],
        &["session", "show", "device-001"],
        &["session", "disconnect", "device-001"],
        &["session", "remove", "device-001", "--all"],
    ] {
        let output = fleet.output(arguments);
        assert_eq!(output.status.code(), Some(69), "{arguments:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("memory of a running broker") && stderr.contains("admin.sock"), "{stderr}");
    }
}
