//! The same commands while a broker runs: they talk to it and never open its store.

use super::{Desk, Outcome};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

/// A running broker; ended, as by a crash, when it is dropped.
struct Broker(Child);

impl Broker {
    #[track_caller]
    fn start(desk: &Desk) -> Self {
        desk.ok(&["ca", "init"]);
        desk.ok(&["cert", "issue", "server", "--server"]);
        Self::start_again(desk)
    }

    #[track_caller]
    fn start_again(desk: &Desk) -> Self {
        let mut command = desk.command(&["serve", "--set", "listeners.mqtts=127.0.0.1:0", "--output", "json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("certmq");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut document = String::new();
        while !document.ends_with("}\n") {
            assert_ne!(stdout.read_line(&mut document).expect("a pipe"), 0, "the broker ended: {document}");
        }
        let document: serde_json::Value = serde_json::from_str(&document).expect("one JSON document");
        assert_ne!(document["mqtts"][0], "127.0.0.1:0", "the port that the system chose");
        Self(child)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn commands_work_on_the_running_broker() {
    let desk = Desk::new();
    let _broker = Broker::start(&desk);
    let mode = desk.path("data/admin.sock").metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    desk.ok(&["group", "add", "devices"]);
    desk.ok(&["acl", "allow", "--group", "devices", "publish", "devices/{cn}/#"]);
    desk.ok(&["device", "add", "CN=dev-1", "--group", "devices"]);
    desk.ok(&["acl", "explain", "dev-1", "publish", "devices/dev-1/x"]);
    desk.run(&["acl", "explain", "dev-1", "publish", "devices/dev-2/x"]).expect(1);
    desk.run(&["device", "show", "nobody"]).refused(66, &["nobody"]);
    let status = desk.json(&["status"], 0);
    assert_eq!(status["policy"]["generation"], json!(3));
    assert!(status["broker"]["pid"].is_u64(), "{status}");
    assert!(desk.json(&["check"], 0)["policy"].as_str().unwrap().contains("a broker serves it now"));
}

#[test]
fn a_fleet_file_is_applied_to_the_running_broker() {
    let desk = Desk::new();
    let _broker = Broker::start(&desk);
    desk.ok(&["device", "add", "CN=dev-1"]);
    desk.write("fleet.toml", &desk.ok(&["export"]).replace("CN=dev-1", "CN=dev-2"));
    desk.run(&["apply", "fleet.toml"]).refused(65, &["remove 1 of 1 records", "--allow-remove 1"]);
    assert_eq!(desk.json(&["apply", "fleet.toml", "--allow-remove", "1"], 0)["generation"], 2);
    assert_eq!(desk.json(&["device", "list"], 0)["devices"][0]["subject"], "CN=dev-2");
    desk.run(&["apply", "fleet.toml"]).refused(65, &["generation 1", "export again"]);
}

#[test]
fn nobody_else_gets_the_store_of_a_running_broker() {
    let desk = Desk::new();
    let _broker = Broker::start(&desk);
    desk.run(&["store", "check"]).refused(75, &["a broker runs on this store"]);
    desk.run(&["store", "restore", "--policy"]).refused(75, &["a broker runs on this store"]);
    desk.run(&["quickstart"]).refused(75, &["a broker runs on this store already"]);
    let second = desk.run(&["serve", "--set", "listeners.mqtts=127.0.0.1:0"]).expect(75);
    assert!(second.stderr.contains("in use by another certmq"), "{second:?}");
}

#[test]
fn after_a_crash_the_commands_work_on_the_store_again() {
    let desk = Desk::new();
    let broker = Broker::start(&desk);
    desk.ok(&["device", "add", "CN=dev-1"]);
    drop(broker);
    assert!(desk.path("data/admin.sock").exists(), "a crash leaves the file behind");
    let outcome: Outcome = desk.run(&["device", "list"]).expect(0);
    assert!(outcome.stdout.contains("CN=dev-1"), "{outcome:?}");
    desk.ok(&["device", "disable", "dev-1"]);
    let _broker = Broker::start_again(&desk);
    assert_eq!(desk.json(&["device", "show", "dev-1"], 0)["status"], "disabled");
}
