//! `certmq revoke` and rights that go: on every path, on both listeners.

use crate::common::broker::Broker;
use crate::common::client::{Credentials, Endpoint, RawClient, refusal};
use crate::common::fleet::{Fleet, enter_at};
use crate::common::wire::{self, BOTH, Connect, Version};
use rustls::AlertDescription;
use std::ffi::OsString;
use std::time::{Duration, Instant};

/// The ledger's promise: gone within one second of the command's return.
const AT_ONCE: Duration = Duration::from_secs(1);

#[track_caller]
fn gone(client: &mut RawClient, version: Version, since: Instant) {
    let goodbye = client.expect_close().map(|packet| (packet.kind(), packet.code()));
    assert!(since.elapsed() < AT_ONCE, "it took {:?}", since.elapsed());
    let told = (version == Version::V5).then_some((wire::DISCONNECT, 0x98));
    assert_eq!(goodbye, told, "3.1.1 knows no DISCONNECT from a server");
}

#[track_caller]
fn lifted(fleet: &Fleet) {
    let list: serde_json::Value =
        serde_json::from_str(&fleet.run(["revoke", "--list", "--output", "json"])).expect("JSON");
    let entry = list["revocations"][0]["id"].as_u64().unwrap_or_else(|| panic!("{list}"));
    fleet.run(["revoke", "--undo", &entry.to_string()]);
}

fn serial(fleet: &Fleet, name: &str) -> String {
    let file = fleet.certificate(&format!("{name}.crt")).display().to_string();
    let identity: serde_json::Value =
        serde_json::from_str(&fleet.run(["cert", "identity", &file, "--output", "json"])).expect("JSON");
    identity["serial"].as_str().expect("a serial number").to_owned()
}

#[test]
fn however_it_is_named_what_is_revoked_is_gone_within_a_second_and_comes_back_when_it_is_lifted() {
    let fleet = Fleet::new();
    let (victim, other) = (fleet.device("victim"), fleet.device("other"));
    let broker = fleet.serve();
    let serial = serial(&fleet, "victim");
    let certificate = fleet.certificate("victim.crt");
    let ways: [Vec<OsString>; 3] = [
        vec!["revoke".into(), "victim".into()],
        vec!["revoke".into(), "--cert".into(), certificate.into()],
        vec!["revoke".into(), "--serial".into(), serial.into()],
    ];
    for way in &ways {
        let everywhere = || broker.endpoints().into_iter().flat_map(|endpoint| BOTH.map(|version| (endpoint, version)));
        let mut clients: Vec<_> = everywhere()
            .enumerate()
            .map(|(number, (endpoint, version))| (enter_at(endpoint, &victim, version, &format!("c{number}")), version))
            .collect();
        let mut bystanders: Vec<_> = (broker.endpoints().into_iter().enumerate())
            .map(|(number, endpoint)| enter_at(endpoint, &other, Version::V5, &format!("b{number}")))
            .collect();
        fleet.run(way);
        let returned = Instant::now();
        for (client, version) in &mut clients {
            gone(client, *version, returned);
        }
        for endpoint in broker.endpoints() {
            assert_eq!(refusal(endpoint, &victim), AlertDescription::CertificateRevoked, "{way:?} {endpoint:?}");
        }
        for bystander in &mut bystanders {
            bystander.send(&wire::ping());
            assert!(bystander.answers_ping(), "nobody else is touched: {way:?}");
        }
        lifted(&fleet);
        for (endpoint, version) in everywhere() {
            enter_at(endpoint, &victim, version, "back").leave();
        }
    }
}

/// A writer, and a reader of what it writes, at one listener.
struct Pair {
    fleet: Fleet,
    broker: Broker,
    endpoint: Endpoint,
    writer: Credentials,
    reader: Credentials,
}

impl Pair {
    fn at(listener: usize) -> Self {
        let fleet = Fleet::new();
        let (writer, reader) = (fleet.device("writer"), fleet.device("reader"));
        fleet.run(["acl", "allow", "CN=reader", "subscribe", "devices/writer/#"]);
        let broker = fleet.serve();
        let endpoint = broker.endpoints()[listener];
        Self { fleet, broker, endpoint, writer, reader }
    }

    fn reader(&self, version: Version, client_id: &str) -> RawClient {
        RawClient::connect(self.endpoint, &self.reader, version, &Connect::lasting(client_id))
    }

    /// A session of the reader that subscribed and went away.
    fn leave_a_reader(&self, version: Version) {
        let mut reader = self.reader(version, "away");
        assert_eq!(reader.subscribe(&["devices/writer/queued"]), [1]);
        reader.leave();
    }
}

#[test]
fn what_a_revoked_writer_left_behind_is_frozen_and_comes_back_with_its_right() {
    for listener in 0..2 {
        for version in BOTH {
            let pair = Pair::at(listener);
            pair.leave_a_reader(version);
            let connect = Connect { will: Some(("devices/writer/will", b"will")), ..Connect::clean("w") };
            let mut writer = RawClient::connect(pair.endpoint, &pair.writer, version, &connect);
            writer.send(&wire::publish(version, "devices/writer/retained", b"retained", 1, true, 7));
            writer.expect(wire::PUBACK);
            assert!(writer.publish("devices/writer/queued", b"queued") < 0x80);
            let mut watcher = pair.reader(version, "watcher");
            assert_eq!(watcher.subscribe(&["devices/writer/will"]), [1]);
            pair.fleet.run(["revoke", "writer"]);
            writer.expect_close();
            watcher.expect_silence();

            let mut late = pair.reader(version, "late");
            assert_eq!(late.subscribe(&["devices/writer/retained"]), [1]);
            late.expect_silence();
            late.leave();
            let mut away = pair.reader(version, "away");
            away.expect_silence();
            away.leave();

            lifted(&pair.fleet);
            let mut away = pair.reader(version, "away");
            assert_eq!(away.expect_message().payload, b"queued", "frozen, not deleted");
            let mut later = pair.reader(version, "later");
            assert_eq!(later.subscribe(&["devices/writer/retained"]), [1]);
            assert_eq!(later.expect_message().payload, b"retained");
            watcher.expect_silence();
            pair.broker.kill();
        }
    }
}

#[test]
fn what_a_writer_leaves_behind_is_counted_and_deleted_on_request() {
    for (listener, command) in [(0, ["revoke", "writer"].to_vec()), (1, ["device", "remove", "writer"].to_vec())] {
        for version in BOTH {
            let pair = Pair::at(listener);
            let connect = Connect { will: Some(("devices/writer/will", b"will")), ..Connect::clean("w") };
            let leave_behind = || {
                let mut writer = RawClient::connect(pair.endpoint, &pair.writer, version, &connect);
                for topic in ["devices/writer/a", "devices/writer/b"] {
                    writer.send(&wire::publish(version, topic, b"retained", 1, true, 7));
                    writer.expect(wire::PUBACK);
                }
                writer
            };
            let mut reader = enter_at(pair.endpoint, &pair.reader, version, "other");
            assert!(reader.publish("devices/reader/x", b"x") < 0x80);
            let mut writer = leave_behind();
            let told = pair.fleet.output(&command);
            let told = String::from_utf8_lossy(&told.stderr).into_owned();
            assert!(told.contains("2 retained message(s) and 1 will(s) of it are withheld"), "{command:?}: {told}");
            writer.expect_close();
            match command[0] {
                "revoke" => lifted(&pair.fleet),
                _ => drop(pair.fleet.run(["device", "add", "CN=writer", "--group", "devices"])),
            }
            let mut late = pair.reader(version, "late");
            assert_eq!(late.subscribe(&["devices/writer/#"]), [1]);
            assert_eq!([late.expect_message().payload, late.expect_message().payload], [b"retained", b"retained"]);
            late.leave();

            let mut writer = leave_behind();
            let told = pair.fleet.output(command.iter().chain(&["--purge"]));
            let told = String::from_utf8_lossy(&told.stderr).into_owned();
            assert!(told.contains("2 retained message(s) and 1 will(s) of it deleted"), "{command:?}: {told}");
            writer.expect_close();
            match command[0] {
                "revoke" => lifted(&pair.fleet),
                _ => drop(pair.fleet.run(["device", "add", "CN=writer", "--group", "devices"])),
            }
            let mut later = pair.reader(version, "later");
            assert_eq!(later.subscribe(&["devices/writer/#"]), [1]);
            later.expect_silence();
            pair.broker.kill();
        }
    }
}

#[test]
fn what_waits_for_a_reader_without_its_right_waits_for_the_right() {
    for listener in 0..2 {
        for version in BOTH {
            let pair = Pair::at(listener);
            pair.leave_a_reader(version);
            let mut writer = enter_at(pair.endpoint, &pair.writer, version, "w");
            assert!(writer.publish("devices/writer/queued", b"before") < 0x80);
            pair.fleet.run(["acl", "deny", "CN=reader", "subscribe", "devices/writer/queued"]);
            writer.publish("devices/writer/queued", b"meanwhile");
            let mut away = pair.reader(version, "away");
            away.expect_silence();
            let rules = pair.fleet.run(["acl", "list", "CN=reader", "--output", "json"]);
            let rules: serde_json::Value = serde_json::from_str(&rules).expect("JSON");
            let deny = rules["rules"].as_array().and_then(|rules| rules.iter().find(|rule| rule["effect"] == "deny"));
            let id = deny.and_then(|rule| rule["id"].as_str()).unwrap_or_else(|| panic!("{rules}")).to_owned();
            pair.fleet.run(["acl", "remove", &id]);
            away.leave();
            let mut away = pair.reader(version, "away");
            assert_eq!(away.expect_message().payload, b"before", "what came before the right went");
        }
    }
}
