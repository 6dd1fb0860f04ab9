//! What the broker says of itself on `$SYS`.

use crate::common::broker::Broker;
use crate::common::eventually;
use crate::common::fleet::{Fleet, enter};
use crate::common::wire::{self, Version};
use std::collections::HashMap;
use std::process::Command;

fn fleet() -> Fleet {
    let fleet = Fleet::new();
    fleet.device("device-001");
    fleet.run(["acl", "allow", "CN=device-001", "subscribe", "$SYS/#"]);
    fleet
}

/// What `mosquitto_sub -v` gets within a second: topic and value of each line.
fn read(command: &mut Command) -> HashMap<String, String> {
    let output = command.args(["-v", "-W", "1"]).output().expect("mosquitto_sub");
    // Time-out is how it ends.
    assert_eq!(output.status.code(), Some(27), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let line = |line: &str| {
        // One name has a space in it, and so has the uptime.
        let place = match line.starts_with("$SYS/broker/retained messages/") {
            true => line.rfind(' '),
            false => line.find(' '),
        };
        let (topic, value) = line.split_at(place.expect("a topic and a value"));
        (topic.to_owned(), value.trim().to_owned())
    };
    text.lines().map(line).collect()
}

fn number(values: &HashMap<String, String>, name: &str) -> f64 {
    let value = values.get(&format!("$SYS/broker/{name}")).unwrap_or_else(|| panic!("no {name} in {values:?}"));
    value.split(' ').next().expect("a word").parse().unwrap_or_else(|error| panic!("{name}: {error}: {value}"))
}

#[test]
fn mosquitto_sub_reads_how_the_broker_is() {
    let fleet = fleet();
    fleet.add_settings("[mqtt]\nsys_interval = \"100 ms\"\n");
    let broker = fleet.serve();
    let mut client = enter(&broker, &fleet.credentials("device-001"), Version::V5, "other");
    assert_eq!(client.subscribe(&["devices/device-001/x", "$share/g/devices/device-001/y"]), [1, 1]);
    client.send(&wire::publish(Version::V5, "devices/device-001/kept", b"1234567", 0, true, 0));
    client.expect_silence();
    let read_all = |broker: &Broker| read(fleet.mosquitto("mosquitto_sub", broker).args(["-t", "$SYS/#"]));
    let values = eventually("what the client did, on $SYS", || {
        let values = read_all(&broker);
        (number(&values, "publish/messages/received") >= 1.0 && number(&values, "clients/connected") >= 2.0)
            .then_some(values)
    });
    assert_eq!(values["$SYS/broker/version"], concat!("certmq version ", env!("CARGO_PKG_VERSION")));
    assert!(values["$SYS/broker/uptime"].ends_with(" seconds"), "{values:?}");
    for (name, value) in [
        ("clients/connected", 2.0),
        ("clients/total", 2.0),
        ("clients/maximum", 2.0),
        ("clients/disconnected", 0.0),
        ("publish/messages/received", 1.0),
        ("publish/bytes/received", 7.0),
        ("publish/messages/dropped", 0.0),
        ("retained messages/count", 1.0),
        ("store/messages/count", 1.0),
        ("subscriptions/count", 3.0),
        ("shared_subscriptions/count", 1.0),
    ] {
        assert_eq!(number(&values, name), value, "{name}: {values:?}");
    }
    for name in ["messages/received", "messages/sent", "bytes/received", "bytes/sent", "publish/bytes/sent"] {
        assert!(number(&values, name) > 0.0, "{name}: {values:?}");
        assert!(name.starts_with("publish") || number(&values, &format!("load/{name}/1min")) > 0.0, "{name}");
    }
    assert!(number(&values, "load/connections/15min") > 0.0 && number(&values, "load/sockets/1min") > 0.0);
}

#[test]
fn it_can_be_turned_off() {
    let fleet = fleet();
    fleet.add_settings("[mqtt]\nsys_interval = \"0 s\"\n");
    let broker = fleet.serve();
    let values = read(fleet.mosquitto("mosquitto_sub", &broker).args(["-t", "$SYS/#"]));
    assert!(values.is_empty(), "{values:?}");
}

#[test]
fn everything_else_is_denied_with_a_reason() {
    let fleet = fleet();
    fleet.run(["acl", "allow", "CN=device-001", "publish", "#"]);
    let other = fleet.device("device-002");
    fleet.run(["acl", "allow", "CN=device-002", "subscribe", "#"]);
    let broker = fleet.serve();
    let mut writer = enter(&broker, &fleet.credentials("device-001"), Version::V5, "w");
    assert_eq!(writer.publish("$SYS/broker/uptime", b"forged"), 0x87);
    let mut reader = enter(&broker, &other, Version::V5, "r");
    assert_eq!(reader.subscribe(&["$SYS/#", "#"]), [0x87, 1]);
    reader.expect_silence();
    let why = fleet.output(["acl", "explain", "device-001", "publish", "$SYS/broker/uptime"]);
    assert_eq!(why.status.code(), Some(1));
    let why = String::from_utf8_lossy(&why.stdout).into_owned();
    assert!(why.contains("$SYS"), "{why}");
    let rule = fleet.output(["acl", "allow", "device-001", "publish", "$SYS/#"]);
    assert_eq!(rule.status.code(), Some(65), "no rule can say otherwise");
}
