//! An operator ends a device while it is busy.

use crate::common::client::Endpoint;
use crate::common::fleet::{Fleet, enter, enter_at};
use crate::common::wire::{self, BOTH, Version};
use std::time::{Duration, Instant};

/// Every transport and version, with a word for each.
fn each(broker: &crate::common::broker::Broker) -> impl Iterator<Item = (Endpoint, Version, String)> {
    let pairs = broker.endpoints().into_iter().flat_map(|endpoint| BOTH.map(|version| (endpoint, version)));
    pairs.enumerate().map(|(number, (endpoint, version))| (endpoint, version, format!("busy-{number}")))
}

/// It takes nothing: 64 KiB wait for it in the broker, and more in the kernel.
#[test]
fn a_reader_that_stalls_is_ended_at_once_and_nobody_waits_for_it() {
    let fleet = Fleet::new();
    let (reader, writer) = (fleet.device("device-001"), fleet.device("device-002"));
    fleet.run(["acl", "allow", "CN=device-002", "publish", "devices/device-001/#"]);
    let broker = fleet.serve();
    let mut writer = enter(&broker, &writer, Version::V5, "writer");
    for (endpoint, version, id) in each(&broker) {
        let mut reader = enter_at(endpoint, &reader, version, &id);
        assert_eq!(reader.subscribe(&["devices/device-001/#"]), [1]);
        let payload = vec![7; 60_000];
        let dropped = |status: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix("messages_dropped_slow_reader")?.trim().parse::<u64>().ok())
        };
        let before = dropped(&fleet.run(["status"]));
        // Until the broker drops what the reader does not take.
        while dropped(&fleet.run(["status"])) == before {
            for _ in 0..100 {
                writer.send(&wire::publish(Version::V5, "devices/device-001/x", &payload, 0, false, 0));
            }
            writer.expect_silence();
        }
        let started = Instant::now();
        fleet.run(["session", "disconnect", "CN=device-001"]);
        broker.log.wait_for(&["disconnected: closed by the broker", &id]);
        assert!(started.elapsed() < Duration::from_secs(1), "{id}: {:?}", started.elapsed());
        // What the kernel had is whole packets up to where the broker cut; then the end.
        reader.expect_close();
    }
    writer.leave();
}

/// Its task is busy with thousands of packets that have come before the command.
#[test]
fn nothing_that_a_device_sent_is_routed_once_the_command_has_returned() {
    let fleet = Fleet::new();
    let (witness, writer) = (fleet.device("device-001"), fleet.device("device-002"));
    fleet.run(["acl", "allow", "CN=device-001", "subscribe", "devices/#"]);
    let broker = fleet.serve();
    let mut witness = enter(&broker, &witness, Version::V5, "witness");
    assert_eq!(witness.subscribe(&["devices/device-002/#"]), [1]);
    let packet = wire::publish(Version::V5, "devices/device-002/x", b"x", 0, false, 0);
    let older = wire::publish(Version::V3_1_1, "devices/device-002/x", b"x", 0, false, 0);
    for (endpoint, version, id) in each(&broker) {
        let mut writer = enter_at(endpoint, &writer, version, &id);
        let batch = if version == Version::V5 { packet.repeat(500) } else { older.repeat(500) };
        let sending = std::thread::spawn(move || {
            while writer.try_send(&batch).is_ok() {}
            writer
        });
        // It is under way.
        witness.expect_message();
        fleet.run(["device", "disable", "CN=device-002"]);
        // What was routed before now.
        witness.send(&wire::ping());
        assert!(witness.answers_ping());
        let mut writer = sending.join().expect("the sender");
        witness.expect_silence();
        writer.expect_close();
        witness.expect_silence();
        fleet.run(["device", "enable", "CN=device-002"]);
    }
}
