//! A broker whose disk is full: a small tmpfs in a mount namespace of its own. Traffic goes on, access can be taken away
//! at once, nothing is given and nothing half-made, and all of it is told when there is room.

use crate::common::client::RawClient;
use crate::common::eventually;
use crate::common::fleet::{Fleet, enter_at};
use crate::common::wire::{self, Connect, Version};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MOUNT: &str = "CERTMQ_TEST_MOUNT";
const REFUSED: u8 = 0x87;
const ROOM: usize = 24 << 20;

/// Runs a test of this file as root of a new mount namespace.
fn in_namespace(test: &str) {
    let program = std::env::current_exe().expect("the path of this program");
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount"]).arg(program).args([test, "--exact", "--nocapture"]).env(MOUNT, "yes");
    let output = command.output().expect("unshare (util-linux)");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

/// A fleet whose store lies on a disk of [`ROOM`] bytes; inside the namespace only.
fn small_fleet() -> Option<Fleet> {
    std::env::var(MOUNT).ok()?;
    let fleet = Fleet::new();
    let (disk, store) = (fleet.path("disk"), fleet.path("data"));
    fs::create_dir(&disk).expect("a writable folder");
    let size = format!("size={ROOM}");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&disk).status();
    assert!(mounted.expect("mount").success());
    let moved = Command::new("mv").arg(&store).arg(disk.join("data")).status();
    assert!(moved.expect("mv").success());
    std::os::unix::fs::symlink(disk.join("data"), &store).expect("a writable folder");
    Some(fleet)
}

/// Fills the disk to its last byte.
fn fill(fleet: &Fleet) -> PathBuf {
    let ballast = fleet.path("disk").join("ballast");
    fs::write(&ballast, vec![1; ROOM]).expect_err("the disk is smaller");
    ballast
}

fn exit(fleet: &Fleet, arguments: &[&str]) -> (Option<i32>, String) {
    let output = fleet.output(arguments);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn generation(fleet: &Fleet) -> (u64, u64) {
    let status: Value = serde_json::from_str(&fleet.run(["status", "--output", "json"])).expect("JSON");
    let number = |field: &str| status["policy"][field].as_u64().expect("a number");
    (number("generation"), number("not_durable"))
}

fn trail(fleet: &Fleet) -> Vec<Value> {
    let shown: Value = serde_json::from_str(&fleet.run(["audit", "show", "--output", "json"])).expect("JSON");
    shown["events"].as_array().expect("events").clone()
}

#[track_caller]
fn holds(fleet: &Fleet) {
    let output = fleet.output(["audit", "verify"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn with_a_full_disk_access_can_be_taken_and_not_given_and_traffic_goes_on() {
    let Some(fleet) = small_fleet() else {
        return in_namespace("full_disk::with_a_full_disk_access_can_be_taken_and_not_given_and_traffic_goes_on");
    };
    let devices = ["device-001", "device-002", "device-003"].map(|name| fleet.device(name));
    fleet.run(["acl", "allow", "CN=device-001", "publish", "lab/#"]);
    let mut broker = fleet.serve();
    let [tcp, wss] = broker.endpoints();
    let mut one = enter_at(tcp, &devices[0], Version::V5, "c");
    let mut two = enter_at(wss, &devices[1], Version::V5, "c");
    let before = generation(&fleet).0;
    let ballast = fill(&fleet);

    // Nothing is given, and what is not done leaves nothing behind.
    for refused in [
        &["acl", "allow", "CN=device-002", "publish", "lab/#"][..],
        &["device", "add", "CN=device-009"],
        &["device", "remove", "CN=device-003"],
        &["group", "add", "another"],
    ] {
        let (code, said) = exit(&fleet, refused);
        assert_eq!(code, Some(73), "{refused:?}: {said}");
        assert!(said.contains("no room left") && !said.contains("in force"), "{refused:?}: {said}");
    }
    assert_eq!(generation(&fleet), (before, 0));
    assert_eq!(two.publish("lab/x", b"x"), REFUSED);

    // What takes access away counts at once; two on one record add up.
    assert!(one.publish("lab/x", b"x") < 0x80);
    for (denied, topic) in [("lab/x", "lab/x"), ("lab/y", "lab/y")] {
        let (code, said) = exit(&fleet, &["acl", "deny", "CN=device-001", "publish", denied]);
        assert_eq!(code, Some(73), "{said}");
        assert!(said.contains("in force, not yet durable"), "{said}");
        assert_eq!(one.publish(topic, b"x"), REFUSED);
    }
    assert_eq!(one.publish("lab/x", b"x"), REFUSED, "the first deny is still there");
    assert!(one.publish("lab/z", b"x") < 0x80, "traffic goes on");
    assert_eq!(exit(&fleet, &["device", "disable", "device-002"]).0, Some(73));
    assert_eq!(two.expect_close().map(|packet| (packet.kind(), packet.code())), Some((wire::DISCONNECT, 0x98)));
    for endpoint in [tcp, wss] {
        let (_, answer) = RawClient::try_connect(endpoint, &devices[1], Version::V5, &Connect::clean("c"));
        assert_eq!(answer.code(), REFUSED);
    }
    enter_at(wss, &devices[2], Version::V5, "c").leave();
    assert_eq!(generation(&fleet), (before + 3, 3));
    // Enabling it again would give.
    assert_eq!(exit(&fleet, &["device", "enable", "device-002"]).0, Some(73));
    assert_eq!(generation(&fleet), (before + 3, 3));
    assert!(fleet.run(["status"]).contains("wait for room"));

    // With room it becomes durable by itself, and the trail says what it missed.
    fs::remove_file(ballast).expect("our own file");
    eventually("durable changes", || (generation(&fleet) == (before + 3, 0)).then_some(()));
    let durable =
        eventually("the event", || trail(&fleet).into_iter().find(|event| event["event"] == "policy.durable"));
    assert_eq!(durable["changes"], 3);
    fleet.run(["acl", "deny", "CN=device-003", "publish", "lab/#"]);
    let told = trail(&fleet);
    let of = |kind: &str, outcome: &str| {
        told.iter().filter(|event| event["event"] == kind && event["outcome"] == outcome).count() as u64
    };
    let lost: u64 = told.iter().filter_map(|event| event["events"].as_u64()).sum();
    let missed = 8 - of("admin.change", "in_memory") - of("admin.change", "refused");
    assert!(lost >= missed, "{lost} are said to be lost, {missed} are missing: {told:#?}");
    holds(&fleet);
    broker.signal("KILL");
    broker.wait();
    let broker = fleet.serve();
    let mut one = enter_at(broker.endpoints()[1], &devices[0], Version::V5, "c");
    assert_eq!((one.publish("lab/x", b"x"), one.publish("lab/y", b"x")), (REFUSED, REFUSED));
    assert!(one.publish("lab/z", b"x") < 0x80);
    let (_, answer) = RawClient::try_connect(broker.address, &devices[1], Version::V5, &Connect::clean("c"));
    assert_eq!(answer.code(), REFUSED, "disabled for good");
    holds(&fleet);
}

#[test]
fn without_a_broker_a_full_disk_refuses_what_takes_access_away_too() {
    let Some(fleet) = small_fleet() else {
        return in_namespace("full_disk::without_a_broker_a_full_disk_refuses_what_takes_access_away_too");
    };
    fleet.device("device-001");
    let ballast = fill(&fleet);
    let (code, said) = exit(&fleet, &["device", "disable", "device-001"]);
    assert_eq!(code, Some(73), "{said}");
    assert!(said.contains("no room left") && !said.contains("in force"), "{said}");
    let (code, said) = exit(&fleet, &["serve"]);
    assert_eq!(code, Some(73), "a broker does not start without room: {said}");
    fs::remove_file(ballast).expect("our own file");
    assert!(fleet.run(["device", "show", "device-001"]).contains("enabled"));
    holds(&fleet);
}

#[test]
fn a_change_that_never_became_durable_is_gone_after_a_restart_and_the_log_says_so() {
    let Some(fleet) = small_fleet() else {
        return in_namespace(
            "full_disk::a_change_that_never_became_durable_is_gone_after_a_restart_and_the_log_says_so",
        );
    };
    let device = fleet.device("device-001");
    let mut broker = fleet.serve();
    let ballast = fill(&fleet);
    assert_eq!(exit(&fleet, &["device", "disable", "device-001"]).0, Some(73));
    broker.terminate();
    assert!(broker.log.text().contains("never made durable"), "{}", broker.log.text());
    fs::remove_file(ballast).expect("our own file");
    let broker = fleet.serve();
    for endpoint in broker.endpoints() {
        enter_at(endpoint, &device, Version::V5, "c").leave();
    }
    holds(&fleet);
}

#[test]
fn only_the_namespace_of_a_test_is_mounted_on() {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("procfs");
    let ours = |line: &&str| {
        line.split(' ').nth(1).is_some_and(|at| Path::new(at).ends_with("disk") && at.contains("certmq-"))
    };
    assert_eq!(mounts.lines().filter(ours).count(), 0, "{mounts}");
}
