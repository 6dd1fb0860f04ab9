//! Two devices with the rights of quickstart's group: each has its own topics, and only those.

use crate::common::broker::Broker;
use crate::common::client::{Credentials, RawClient};
use crate::common::fleet::{Fleet, enter};
use crate::common::wire::{self, BOTH, Connect, Version};

struct Pair {
    fleet: Fleet,
    first: Credentials,
    second: Credentials,
    broker: Broker,
}

fn pair() -> Pair {
    let fleet = Fleet::new();
    let (first, second) = (fleet.device("device-001"), fleet.device("device-002"));
    let broker = fleet.serve();
    Pair { fleet, first, second, broker }
}

#[test]
fn a_device_reads_and_writes_its_own_topics() {
    let Pair { fleet: _fleet, first, broker, .. } = pair();
    for version in BOTH {
        let mut client = enter(&broker, &first, version, "c");
        assert_eq!(client.subscribe(&["devices/device-001/#"]), [1]);
        let id = 40;
        client.send(&wire::publish(version, "devices/device-001/hello", b"hi", 1, false, id));
        let (first, second) = (client.receive(), client.receive());
        let (answer, message) = if first.kind() == wire::PUBACK { (first, second) } else { (second, first) };
        assert_eq!((answer.id(), answer.code()), (id, 0));
        assert_eq!(message.message(version).payload, b"hi");
    }
}

#[test]
fn a_device_cannot_write_another_ones_topics() {
    let Pair { fleet: _fleet, first, second, broker } = pair();
    for version in BOTH {
        let mut reader = enter(&broker, &second, version, "reader");
        assert_eq!(reader.subscribe(&["devices/device-002/#"]), [1]);
        let mut writer = enter(&broker, &first, version, "writer");
        let refused = if version == Version::V5 { 0x87 } else { 0 };
        assert_eq!(writer.publish("devices/device-002/hello", b"x"), refused, "{version:?}");
        writer.send(&wire::publish(version, "devices/device-002/hello", b"x", 0, true, 0));
        writer.expect_silence();
        reader.expect_silence();
        let mut late = enter(&broker, &second, version, "late");
        assert_eq!(late.subscribe(&["devices/device-002/#"]), [1]);
        late.expect_silence();
    }
}

#[test]
fn a_device_cannot_leave_a_will_on_another_ones_topics() {
    let Pair { fleet: _fleet, first, broker, .. } = pair();
    for version in BOTH {
        let connect = Connect { will: Some(("devices/device-002/hello", b"x")), ..Connect::clean("c") };
        let (mut client, answer) = RawClient::try_connect(broker.address, &first, version, &connect);
        assert_eq!(answer.code(), version.refused());
        client.expect_close();
    }
}

#[test]
fn a_device_cannot_read_another_ones_topics() {
    let Pair { fleet: _fleet, first, second, broker } = pair();
    for version in BOTH {
        let mut reader = enter(&broker, &first, version, "reader");
        let filters = [
            "devices/device-002/#",
            "devices/device-002/hello",
            "devices/+/hello",
            "devices/#",
            "+/device-002/#",
            "#",
            "$share/g/devices/device-002/#",
            "$SYS/#",
        ];
        let codes = reader.subscribe(&filters);
        assert_eq!(codes, vec![version.filter_refused(); filters.len()], "{version:?}: {filters:?}");
        let mut writer = enter(&broker, &second, version, "writer");
        assert!(writer.publish("devices/device-002/hello", b"secret") < 0x80);
        reader.expect_silence();
    }
}

#[test]
fn a_refused_filter_leaves_the_others_of_its_packet_standing() {
    let Pair { fleet: _fleet, first, broker, .. } = pair();
    for version in BOTH {
        let mut client = enter(&broker, &first, version, "c");
        let codes = client.subscribe(&["devices/device-001/a", "#", "devices/device-001/b"]);
        assert_eq!(codes, [1, version.filter_refused(), 1]);
    }
}

#[test]
fn mosquitto_sub_on_everything_is_refused_in_suback() {
    let Pair { fleet, broker, .. } = pair();
    for version in BOTH {
        let output = fleet
            .mosquitto("mosquitto_sub", &broker)
            .args(["-V", version.mosquitto(), "-t", "#", "-W", "20"])
            .output()
            .expect("mosquitto_sub");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("denied"), "{version:?}: {} {said}", output.status);
    }
}

#[test]
fn user_name_and_password_change_nothing() {
    let Pair { fleet, broker, .. } = pair();
    let output = fleet
        .mosquitto("mosquitto_pub", &broker)
        .args([
            "-V",
            "mqttv5",
            "-q",
            "1",
            "-u",
            "device-002",
            "-P",
            "admin",
            "-t",
            "devices/device-002/hello",
            "-m",
            "x",
        ])
        .output()
        .expect("mosquitto_pub");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.to_lowercase().contains("not authorized"), "{} {said}", output.status);
}
