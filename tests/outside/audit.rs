//! What an operator finds in the audit trail and among the denials, and what nobody can take out of it unseen.

use crate::common::broker::{Broker, Log};
use crate::common::client::{Credentials, RawClient, refusal};
use crate::common::eventually;
use crate::common::fleet::{Fleet, enter, enter_at, openssl};
use crate::common::wire::{Connect, Version};
use crate::odd_certificates;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const REFUSED: u8 = 0x87;

/// The events of a kind, as `audit show` tells them.
#[track_caller]
fn events(fleet: &Fleet, name: &str) -> Vec<Value> {
    let shown = fleet.run(["audit", "show", "--output", "json"]);
    let mut shown: Value = serde_json::from_str(&shown).expect("JSON");
    let events: Vec<Value> = shown["events"].as_array_mut().expect("events").drain(..).collect();
    events.into_iter().filter(|event| event["event"] == name).collect()
}

/// Exit code and report of `audit verify`.
fn verify(fleet: &Fleet, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = fleet.output([&["audit", "verify", "--output", "json"], arguments].concat());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let errors = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{errors}"));
    (output.status.code(), report)
}

#[track_caller]
fn holds(fleet: &Fleet) -> Value {
    let (code, report) = verify(fleet, &[]);
    assert_eq!(code, Some(0), "{report:#}");
    report
}

#[track_caller]
fn denials(fleet: &Fleet, who: &[&str]) -> Vec<Value> {
    let shown = fleet.run([&["denials", "--output", "json"], who].concat());
    let mut shown: Value = serde_json::from_str(&shown).expect("JSON");
    shown["denials"].as_array_mut().expect("denials").drain(..).collect()
}

fn files(fleet: &Fleet) -> Vec<PathBuf> {
    let entries = fs::read_dir(fleet.path("data/audit")).expect("the trail");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn every_administrative_change_is_in_the_trail_with_its_author() {
    let fleet = Fleet::new();
    fleet.device("device-001");
    let broker = fleet.serve();
    fleet.run(["acl", "deny", "CN=device-001", "publish", "lab/#"]);
    fleet.run(["device", "disable", "device-001"]);
    fleet.run(["device", "disable", "device-001"]);
    assert_eq!(fleet.output(["device", "remove", "CN=nobody"]).status.code(), Some(66));
    fleet.run(["device", "list"]);
    let told: Vec<String> = events(&fleet, "admin.change")
        .iter()
        .map(|event| {
            let word = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
            assert!(word("who").contains("uid "), "{event}");
            format!("{} {} {} {}", word("place"), word("command"), word("outcome"), event["generation"])
        })
        .collect();
    let wanted = [
        "offline group add changed 1",
        "offline acl allow changed 2",
        "offline acl allow changed 3",
        "offline device add changed 4",
        "socket acl deny changed 5",
        "socket device disable changed 6",
        "socket device disable unchanged 6",
        "socket device remove refused 6",
    ];
    assert_eq!(told, wanted);
    let denied = &events(&fleet, "admin.change")[4];
    assert!(denied["summary"].as_str().unwrap_or_default().contains("deny publish lab/#"), "{denied}");
    assert_eq!(denied["rule"].as_str().map(str::len), Some(12), "{denied}");
    let report = holds(&fleet);
    let whole = report["lines"] == report["anchored"];
    assert!(whole, "an administrative change is anchored before the command returns: {report}");
    drop(broker);
    for file in files(&fleet) {
        assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    assert_eq!(fleet.path("data/audit").metadata().expect("a folder").permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_device_is_told_when_it_comes_first_with_a_new_certificate_and_when_it_is_thrown_out() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let mut broker = fleet.serve();
    for endpoint in broker.endpoints() {
        enter_at(endpoint, &device, Version::V5, "c").leave();
    }
    let before = fleet.run(["cert", "identity", &fleet.certificate("device-001.crt").display().to_string()]);
    fleet.run(["cert", "renew", "device-001"]);
    let mut client = enter(&broker, &fleet.credentials("device-001"), Version::V5, "c");
    fleet.run(["device", "disable", "device-001"]);
    client.expect_close();
    broker.terminate();
    let first = events(&fleet, "device.first_seen");
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!((&first[0]["device"], &first[0]["client_id"]), (&"CN=device-001".into(), &"c".into()));
    assert!(before.contains(first[0]["sha256"].as_str().expect("a hash")), "{before}");
    let renewed = events(&fleet, "device.new_certificate");
    assert_eq!(renewed.len(), 1, "{renewed:?}");
    assert_eq!(renewed[0]["previous_sha256"], first[0]["sha256"]);
    assert_ne!(renewed[0]["serial"], first[0]["serial"]);
    assert!(renewed[0]["not_after"].as_str().expect("a date").ends_with('Z'), "{renewed:?}");
    assert_eq!(events(&fleet, "device.disconnected")[0]["connections"], 1);
    assert_eq!((events(&fleet, "broker.started").len(), events(&fleet, "broker.stopped").len()), (1, 1));
    holds(&fleet);
}

#[test]
fn a_rule_that_ends_by_its_until_is_announced() {
    let fleet = Fleet::new();
    fleet.device("device-001");
    let broker = fleet.serve();
    fleet.run(["acl", "deny", "CN=device-001", "publish", "lab/#", "--until", "+1s"]);
    broker.log.wait_for(&["a deny has ended", "CN=device-001"]);
    let ended = eventually("the event", || events(&fleet, "rules.ended").pop());
    assert_eq!((&ended["count"], &ended["rules"][0]["effect"]), (&1.into(), &"deny".into()), "{ended}");
    assert_eq!(ended["rules"][0]["whose"], "device CN=device-001", "{ended}");
}

#[test]
fn refusals_are_shown_with_a_remedy_that_helps_when_it_is_pasted() {
    let fleet = Fleet::new();
    let (device, stranger) = (fleet.device("device-001"), fleet.unlisted_device("stranger"));
    let mut broker = fleet.serve();
    for (endpoint, topic) in broker.endpoints().into_iter().zip(["lab/1", "lab/2"]) {
        let (_, answer) = RawClient::try_connect(endpoint, &stranger, Version::V5, &Connect::clean("s"));
        assert_eq!(answer.code(), REFUSED);
        refusal(endpoint, &fleet.anonymous());
        let mut client = enter_at(endpoint, &device, Version::V5, "c");
        assert_eq!(client.publish(topic, b"x"), REFUSED);
        assert_eq!(client.subscribe(&[topic]), [REFUSED]);
        client.leave();
    }
    let shown = denials(&fleet, &[]);
    let kinds: Vec<&str> = shown.iter().filter_map(|denial| denial["kind"].as_str()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "handshake").count(), 2, "{shown:#?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "connect").count(), 2, "{shown:#?}");
    let of_device = denials(&fleet, &["CN=device-001"]);
    let told: Vec<String> = of_device
        .iter()
        .map(|denial| {
            assert_eq!((&denial["client_id"], &denial["reason_code"]), (&"c".into(), &REFUSED.into()), "{denial}");
            assert!(denial["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")), "{denial}");
            let word = |field: &str| denial[field].as_str().unwrap_or_default().to_owned();
            format!("{} {}: {}", word("kind"), word("topic"), word("remedy"))
        })
        .collect();
    let wanted =
        |action: &str, topic: &str| format!("{action} {topic}: certmq acl allow 'CN=device-001' {action} '{topic}'");
    let order = [("publish", "lab/1"), ("subscribe", "lab/1"), ("publish", "lab/2"), ("subscribe", "lab/2")];
    assert_eq!(told, order.map(|(action, topic)| wanted(action, topic)));
    assert_eq!(denials(&fleet, &["stranger"]).len(), 2, "a device that nobody knows is found by its common name");
    assert_eq!(denials(&fleet, &["--group", "devices"]).len(), 4);

    for denial in of_device.iter().chain(&denials(&fleet, &["CN=stranger"])) {
        paste(&fleet, denial["remedy"].as_str().expect("a remedy"));
    }
    let mut client = enter(&broker, &device, Version::V5, "c");
    assert!(client.publish("lab/1", b"x") < 0x80);
    assert_eq!(client.subscribe(&["lab/2"]), [1]);
    enter(&broker, &stranger, Version::V5, "s").leave();

    broker.terminate();
    let tallied = events(&fleet, "denials");
    for kind in ["handshake", "connect", "publish", "subscribe"] {
        let counts: Vec<&Value> =
            tallied.iter().filter(|event| event["kind"] == kind).map(|event| &event["count"]).collect();
        assert_eq!(counts, [2], "{kind}: {tallied:#?}");
    }
    holds(&fleet);
}

/// Runs a printed line in a shell, where `certmq` is the program under test with the settings of the fleet.
#[track_caller]
fn paste(fleet: &Fleet, line: &str) {
    let program = env!("CARGO_BIN_EXE_certmq");
    let script =
        format!("certmq() {{ '{program}' \"$@\" --config '{}'; }}; {line}", fleet.path("certmq.toml").display());
    let output = Command::new("bash").args(["-c", &script]).output().expect("bash");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// `certmq denials --follow`, ended when it is dropped.
struct Follower(Child);

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_follower_sees_refusals_as_they_come_and_ends_with_the_broker() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let mut broker = fleet.serve();
    let mut command = fleet.command(["denials", "--follow"]);
    let mut follower = Follower(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("certmq"));
    let shown = Log::follow(follower.0.stdout.take().expect("a pipe"));
    let mut client = enter(&broker, &device, Version::V5, "c");
    for topic in ["lab/1", "lab/2"] {
        assert_eq!(client.publish(topic, b"x"), REFUSED);
        shown.wait_for(&["publish", "CN=device-001", topic, "no rule allows it", "0x87"]);
        shown.wait_for(&["remedy: certmq acl allow", topic]);
    }
    assert!(broker.terminate().success());
    assert_eq!(eventually("the end of the follower", || follower.0.try_wait().expect("a child")).code(), Some(69));
}

#[test]
fn names_from_the_network_steer_neither_trail_nor_terminal() {
    let fleet = Fleet::new();
    let hostile = "evil\u{202e}\u{85}\",\"chain\":\"";
    let device = fleet.device("device-001");
    let key = fleet.certificate("odd.key");
    let odd = fleet.certificate("odd.crt");
    let subject = format!("/CN={hostile}");
    let arguments = ["req", "-x509", "-utf8", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let files = ["-keyout", "odd.key", "-out", "odd.crt", "-subj", &subject];
    openssl(&fleet.path("certs"), [&arguments[..], &files[..]].concat());
    let mut broker = fleet.serve();
    refusal(broker.address, &fleet.presenting(odd, key));
    // Control characters in a client id are refused; what turns the direction of text is not.
    let id = "\u{202e}\"}, {\u{2028}";
    let mut client = enter(&broker, &device, Version::V5, id);
    assert_eq!(client.publish("lab/\u{2067}x\"", b"x"), REFUSED);
    let steers =
        |text: &str| text.chars().any(|c| (c.is_control() && c != '\n') || "\u{202e}\u{2028}\u{2067}".contains(c));
    for shown in [fleet.run(["denials"]), fleet.run(["denials", "--output", "json"])] {
        assert!(shown.contains("evil") && shown.contains("lab/"), "{shown:?}");
        assert!(!steers(&shown), "{shown:?}");
    }
    broker.terminate();
    for shown in [fleet.run(["audit", "show"]), fleet.run(["audit", "show", "--output", "json"])] {
        assert!(shown.contains("evil") && !steers(&shown), "{shown:?}");
    }
    let written = fs::read_to_string(&self::files(&fleet)[0]).expect("UTF-8");
    assert!(!steers(&written), "{written:?}");
    assert_eq!(events(&fleet, "device.first_seen")[0]["client_id"], id, "what was said is told unchanged");
    holds(&fleet);
}

#[test]
fn after_kill_9_the_trail_holds_and_goes_on() {
    let fleet = Fleet::new();
    let devices: Vec<Credentials> = (0..3).map(|number| fleet.device(&format!("device-00{number}"))).collect();
    for (round, device) in devices.iter().enumerate() {
        let broker = fleet.serve();
        let mut client = enter(&broker, device, Version::V5, "c");
        client.publish("lab/x", b"x");
        fleet.run(["acl", "allow", "CN=device-000", "publish", &format!("lab/{round}")]);
        broker.kill();
        let report = holds(&fleet);
        assert!(report["anchored"].as_u64() > Some(0), "{report}");
        let told = events(&fleet, "admin.change");
        assert!(
            told.last().expect("an event")["summary"].as_str().unwrap_or_default().contains(&format!("lab/{round}"))
        );
    }
    assert_eq!(events(&fleet, "broker.started").len(), 3);
}

/// Lines of the only file, changed by `change`; `audit verify` must name `line`.
#[track_caller]
fn tamper(fleet: &Fleet, broker: Option<&Broker>, line: u64, change: impl FnOnce(&mut Vec<String>)) {
    let file = files(fleet).remove(0);
    let whole = fs::read_to_string(&file).expect("UTF-8");
    let mut lines: Vec<String> = whole.split_inclusive('\n').map(str::to_owned).collect();
    change(&mut lines);
    fs::write(&file, lines.concat()).expect("a writable file");
    let (code, report) = verify(fleet, &[]);
    fs::write(&file, &whole).expect("a writable file");
    assert_eq!(code, Some(1), "{report:#}");
    let fault = &report["faults"][0];
    assert_eq!(fault["line"], line, "{report:#}");
    assert!(fault["file"].as_str().unwrap_or_default().ends_with("00000001.jsonl"), "{report:#}");
    assert_eq!(verify(fleet, &[]).0, Some(0), "with the broker: {}", broker.is_some());
}

#[test]
fn whoever_alters_removes_swaps_or_cuts_lines_is_found_with_and_without_a_broker() {
    let fleet = Fleet::new();
    fleet.device("device-001");
    let broker = fleet.serve();
    fleet.run(["device", "disable", "device-001"]);
    let found = |broker: Option<&Broker>| {
        tamper(&fleet, broker, 3, |lines| lines[2] = lines[2].replace("allow", "deny"));
        tamper(&fleet, broker, 3, |lines| _ = lines.remove(2));
        tamper(&fleet, broker, 3, |lines| lines.swap(2, 3));
        let last = fs::read_to_string(&files(&fleet)[0]).expect("UTF-8").lines().count() as u64;
        tamper(&fleet, broker, last - 2, |lines| lines.truncate(lines.len() - 2));
    };
    found(Some(&broker));
    broker.kill();
    found(None);
    let head = holds(&fleet)["head"]["hash"].as_str().expect("a hash").to_owned();
    fleet.run(["group", "add", "another"]);
    assert_eq!(verify(&fleet, &["--head", &head]).0, Some(0));
    assert_eq!(verify(&fleet, &["--head", &"0".repeat(64)]).0, Some(1));
    assert_eq!(fleet.output(["audit", "verify", "--head", "xyz"]).status.code(), Some(64));
}

#[test]
fn a_page_of_another_origin_is_among_the_denials() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    let request = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
        Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    let mut client = RawClient::tls(broker.wss().address(), device.config()).expect("a handshake");
    client.try_send(request.as_bytes()).expect("a request");
    let denial = eventually("the refusal", || denials(&fleet, &["device-001"]).pop());
    let word = |field: &str| denial[field].as_str().unwrap_or_default().to_owned();
    assert!(word("cause").contains("evil.example") && word("remedy").contains("origins"), "{denial}");
}

#[test]
fn an_expired_certificate_is_among_the_denials_with_its_cause() {
    let fleet = Fleet::new();
    let stranger = odd_certificates::expired(&fleet, "device-001");
    let broker = fleet.serve();
    for endpoint in broker.endpoints() {
        refusal(endpoint, &stranger);
    }
    let shown =
        eventually("both refusals", || Some(denials(&fleet, &["CN=device-001"])).filter(|shown| shown.len() == 2));
    for denial in shown {
        let word = |field: &str| denial[field].as_str().unwrap_or_default().to_owned();
        assert!(word("cause").contains("expired") && word("remedy").contains("renew"), "{denial}");
    }
}
