//! An operator changes rights on the running broker.

use crate::common::client::RawClient;
use crate::common::fleet::{Fleet, enter};
use crate::common::wire::{self, Connect, Version};

const REFUSED: u8 = 0x87;

#[test]
fn acl_allow_lets_the_next_publish_through_and_acl_deny_stops_the_one_after() {
    let fleet = Fleet::new();
    let (writer, reader) = (fleet.device("device-001"), fleet.device("device-002"));
    let broker = fleet.serve();
    let mut writer = enter(&broker, &writer, Version::V5, "writer");
    let mut reader = enter(&broker, &reader, Version::V5, "reader");
    assert_eq!(reader.subscribe(&["lab/report"]), [REFUSED]);
    assert_eq!(writer.publish("lab/report", b"0"), REFUSED);

    fleet.run(["acl", "allow", "CN=device-002", "subscribe", "lab/+"]);
    assert_eq!(reader.subscribe(&["lab/report"]), [1]);
    fleet.run(["acl", "allow", "CN=device-001", "publish", "lab/report"]);
    assert_eq!(writer.publish("lab/report", b"1"), 0);
    assert_eq!(reader.expect_message().payload, b"1");

    fleet.run(["acl", "deny", "CN=device-001", "publish", "lab/#"]);
    assert_eq!(writer.publish("lab/report", b"2"), REFUSED);
    reader.expect_silence();
}

#[test]
fn a_live_subscription_ends_with_its_right() {
    let fleet = Fleet::new();
    let (writer, reader) = (fleet.device("device-001"), fleet.device("device-002"));
    for (device, action) in [("device-001", "publish"), ("device-002", "subscribe")] {
        fleet.run(["acl", "allow", &format!("CN={device}"), action, "lab/report"]);
    }
    let broker = fleet.serve();
    let mut writer = enter(&broker, &writer, Version::V5, "writer");
    let mut reader = enter(&broker, &reader, Version::V5, "reader");
    assert_eq!(reader.subscribe(&["lab/report"]), [1]);
    assert_eq!(writer.publish("lab/report", b"1"), 0);
    assert_eq!(reader.expect_message().payload, b"1");
    fleet.run(["acl", "deny", "CN=device-002", "subscribe", "lab/report"]);
    assert!(writer.publish("lab/report", b"2") < 0x80);
    reader.expect_silence();
}

#[test]
fn a_rule_is_there_after_kill_9_right_behind_the_command() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    for round in 0..3 {
        let (allowed, denied) = (format!("lab/{round}/allowed"), format!("devices/device-001/{round}"));
        let broker = fleet.serve();
        fleet.run(["acl", "allow", "CN=device-001", "publish", &allowed]);
        broker.kill();
        let broker = fleet.serve();
        fleet.run(["acl", "deny", "CN=device-001", "publish", &denied]);
        broker.kill();

        let broker = fleet.serve();
        let mut client = enter(&broker, &device, Version::V5, "c");
        assert!(client.publish(&allowed, b"x") < 0x80, "round {round}");
        assert_eq!(client.publish(&denied, b"x"), REFUSED, "round {round}");
        broker.kill();
    }
}

#[test]
fn explain_says_the_same_with_and_without_a_broker() {
    let fleet = Fleet::new();
    fleet.device("device-001");
    let questions = [
        (["acl", "explain", "CN=device-001", "publish", "devices/device-001/x"], 0),
        (["acl", "explain", "device-001", "publish", "devices/device-002/x"], 1),
        (["acl", "explain", "CN=device-001", "subscribe", "devices/device-001/x"], 0),
        (["acl", "explain", "CN=nobody", "publish", "devices/nobody/x"], 1),
    ];
    let ask = || questions.map(|(question, _)| fleet.output(question));
    let offline = ask();
    let broker = fleet.serve();
    let online = ask();
    for (((question, code), offline), online) in questions.iter().zip(offline).zip(online) {
        assert_eq!(offline.status.code(), Some(*code), "{question:?}: {}", String::from_utf8_lossy(&offline.stderr));
        assert_eq!(online.status.code(), Some(*code), "{question:?}: {}", String::from_utf8_lossy(&online.stderr));
        assert_eq!(offline.stdout, online.stdout, "{question:?}");
        assert!(!online.stdout.is_empty(), "{question:?}");
    }
    drop(broker);
}

#[test]
fn a_disabled_device_is_disconnected_and_stays_out() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    let mut client = enter(&broker, &device, Version::V5, "c");
    fleet.run(["device", "disable", "CN=device-001"]);
    let goodbye = client.expect_close().map(|packet| (packet.kind(), packet.code()));
    assert_eq!(goodbye, Some((wire::DISCONNECT, 0x98)));
    let (_, answer) = RawClient::try_connect(broker.address, &device, Version::V5, &Connect::clean("c"));
    assert_eq!(answer.code(), REFUSED);
    fleet.run(["device", "enable", "CN=device-001"]);
    enter(&broker, &device, Version::V5, "c").leave();
}

#[test]
fn apply_changes_the_running_broker_whole_or_not_at_all() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    let mut client = enter(&broker, &device, Version::V5, "c");
    assert_eq!(client.publish("lab/report", b"x"), REFUSED);
    let exported = fleet.run(["export"]);
    let file = fleet.path("fleet.toml");
    let grown = exported.replace("[[devices]]\n", "[[devices]]\nallow = [ { publish = \"lab/report\" } ]\n");
    assert_ne!(grown, exported, "the export lists its device");
    std::fs::write(&file, grown).expect("a writable folder");
    fleet.run(["apply".into(), file.clone()]);
    assert!(client.publish("lab/report", b"x") < 0x80);
    let again = fleet.output(["apply".into(), file.clone()]);
    assert!(!again.status.success(), "the generation of the file is over");
    std::fs::write(
        &file,
        "version = 1\n[[devices]]\nsubject = \"CN=device-001\"\nallow = [ { publish = \"a/#/b\" } ]\n",
    )
    .expect("a writable folder");
    assert_eq!(fleet.output(["apply".into(), file]).status.code(), Some(65));
    assert!(client.publish("lab/report", b"x") < 0x80, "the old policy is in force");
}
