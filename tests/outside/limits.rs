//! The limits of records: connections, messages a second, bytes that wait.

use crate::common::client::{Credentials, Endpoint, RawClient};
use crate::common::fleet::{Fleet, enter_at};
use crate::common::wire::{self, BOTH, Connect, Version};
use std::time::{Duration, Instant};

/// A fleet whose group `devices` has these limits.
fn limited(limits: &str) -> Fleet {
    let fleet = Fleet::new();
    fleet.devices_group();
    limit(&fleet, limits);
    fleet
}

#[track_caller]
fn limit(fleet: &Fleet, limits: &str) {
    let exported = fleet.run(["export"]);
    let kept = exported.lines().filter(|line| !line.starts_with("limits = "));
    let changed: String = kept
        .map(|line| match line {
            "[groups.devices]" => format!("{line}\nlimits = {{ {limits} }}\n"),
            line => format!("{line}\n"),
        })
        .collect();
    std::fs::write(fleet.path("limited.toml"), changed).expect("a writable folder");
    fleet.run(["apply", "limited.toml"]);
}

fn knock(endpoint: Endpoint, device: &Credentials, version: Version, client_id: &str) -> u8 {
    RawClient::try_connect(endpoint, device, version, &Connect::clean(client_id)).1.code()
}

#[test]
fn one_connection_more_than_the_record_allows_is_refused_and_the_others_stay() {
    let fleet = limited("connections = 2");
    assert!(fleet.run(["group", "show", "devices"]).contains("connections = 2"));
    let (device, other) = (fleet.device("device-001"), fleet.device("device-002"));
    let broker = fleet.serve();
    for endpoint in broker.endpoints() {
        for version in BOTH {
            let mut first = enter_at(endpoint, &device, version, "first");
            let second = enter_at(endpoint, &device, version, "second");
            let refused = if version == Version::V5 { 0x97 } else { 3 };
            assert_eq!(knock(endpoint, &device, version, "third"), refused);
            assert_eq!(knock(endpoint, &other, version, "third"), 0, "each device has its own");
            first.send(&wire::ping());
            assert!(first.answers_ping());
            let taken_over = enter_at(endpoint, &device, version, "second");
            drop(second);
            taken_over.leave();
            enter_at(endpoint, &device, version, "third").leave();
            first.leave();
        }
    }
    limit(&fleet, "connections = 3");
    let three: Vec<_> =
        ["a", "b", "c"].map(|id| enter_at(broker.endpoints()[0], &device, Version::V5, id)).into_iter().collect();
    assert_eq!(knock(broker.endpoints()[1], &device, Version::V5, "d"), 0x97, "both listeners together");
    three.into_iter().for_each(RawClient::leave);
}

#[test]
fn of_many_that_connect_at_once_no_more_stay_than_the_record_allows() {
    let fleet = limited("connections = 3");
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    let endpoint = broker.endpoints()[0];
    let mut clients: Vec<RawClient> = std::thread::scope(|scope| {
        let device = &device;
        let comes = |number: usize| {
            move || {
                let connect = Connect::clean(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"][number]);
                let (client, answer) = RawClient::try_connect(endpoint, device, Version::V5, &connect);
                (answer.code() == 0).then_some(client)
            }
        };
        let running: Vec<_> = (0..10).map(|number| scope.spawn(comes(number))).collect();
        running.into_iter().filter_map(|thread| thread.join().expect("it ends")).collect()
    });
    let mut stayed = 0;
    for client in &mut clients {
        stayed += usize::from(client.try_send(&wire::ping()).is_ok() && client.answers_ping());
    }
    assert_eq!(stayed, 3, "the first three, whoever they were");
}

#[test]
fn a_device_that_sends_faster_than_it_may_is_read_more_slowly_and_loses_nothing() {
    let fleet = limited("messages_per_second = 20");
    let (device, other) = (fleet.device("device-001"), fleet.device("device-002"));
    let broker = fleet.serve();
    for endpoint in broker.endpoints() {
        for version in BOTH {
            let mut clients = ["left", "right"].map(|id| enter_at(endpoint, &device, version, id));
            let start = Instant::now();
            // Twenty at once, then forty at twenty a second.
            for number in 0..30_u16 {
                for client in &mut clients {
                    client.send(&wire::publish(version, "devices/device-001/x", b"x", 1, false, number + 1));
                }
            }
            let mut quick = enter_at(endpoint, &other, version, "quick");
            assert!(quick.publish("devices/device-002/x", b"x") < 0x80);
            assert!(start.elapsed() < Duration::from_secs(1), "others are not held up: {:?}", start.elapsed());
            for client in &mut clients {
                (0..30).for_each(|_| drop(client.expect(wire::PUBACK)));
            }
            let took = start.elapsed();
            assert!(took > Duration::from_millis(1_500), "{took:?} is too fast for 60 messages");
            assert!(took < Duration::from_secs(8), "{took:?} is too slow for 60 messages");
            clients.into_iter().for_each(RawClient::leave);
        }
    }
}

#[test]
fn no_more_bytes_wait_than_the_record_allows() {
    let fleet = limited("queued_bytes = \"2 KiB\"");
    let (writer, reader) = (fleet.device("device-001"), fleet.device("device-002"));
    fleet.run(["acl", "allow", "CN=device-002", "subscribe", "devices/device-001/#"]);
    let broker = fleet.serve();
    for endpoint in broker.endpoints() {
        for version in BOTH {
            let mut away = RawClient::connect(endpoint, &reader, version, &Connect::lasting("away"));
            assert_eq!(away.subscribe(&["devices/device-001/#"]), [1]);
            away.leave();
            let mut writer = enter_at(endpoint, &writer, version, "w");
            for number in 0..10_u8 {
                writer.publish("devices/device-001/x", &[number; 500]);
            }
            let mut away = RawClient::connect(endpoint, &reader, version, &Connect::lasting("away"));
            for number in 7..10_u8 {
                assert_eq!(away.expect_message().payload, [number; 500], "the newest are kept");
            }
            away.expect_silence();
            away.leave();
            RawClient::connect(endpoint, &reader, version, &Connect::clean("away")).leave();
        }
    }
}

#[test]
fn limits_are_read_written_and_refused_with_their_place() {
    let fleet = limited("connections = 1, messages_per_second = 50, queued_bytes = \"1 MiB\"");
    fleet.device("device-001");
    let exported = fleet.run(["export"]);
    let line = "limits = { connections = 1, messages_per_second = 50, queued_bytes = \"1 MiB\" }";
    assert!(exported.contains(line), "{exported}");
    std::fs::write(fleet.path("same.toml"), &exported).expect("a writable folder");
    assert_eq!(fleet.output(["plan", "same.toml"]).status.code(), Some(0), "it comes back as it went");
    let broken = |limits: &str, parts: &[&str]| {
        let text = format!("version = 1\n[groups.devices]\nlimits = {{ {limits} }}\n");
        std::fs::write(fleet.path("broken.toml"), text).expect("a writable folder");
        let output = fleet.output(["apply", "--merge", "broken.toml"]);
        assert_eq!(output.status.code(), Some(65), "{limits}");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        parts.iter().for_each(|part| assert!(told.contains(part), "{limits}: {told}"));
    };
    broken("connections = 0", &["broken.toml", "line 2", "connections = 0"]);
    broken("connection = 1", &["line 3", "connections"]);
    broken("queued_bytes = 1024", &["line 3", "a string"]);
    broken("queued_bytes = \"1 MB\"", &["line 3", "MiB"]);
    broken("messages_per_second = -1", &["line 3"]);
}
