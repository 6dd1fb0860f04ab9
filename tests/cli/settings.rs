//! Settings as the commands read them.

use super::{Desk, Outcome, root};
use serde_json::json;

#[test]
fn an_unknown_key_is_told_with_file_line_and_suggestion() {
    let desk = Desk::new();
    desk.write("my.toml", "[log]\n\nlevle = \"info\"\n");
    desk.run(&["check", "--config", "my.toml"])
        .refused(78, &["my.toml:3: log.levle: unknown key; did you mean log.level?"]);
    desk.run(&["serve", "--config", "my.toml"]).refused(78, &["my.toml:3"]);
    desk.run(&["status", "--config", "my.toml"]).refused(78, &["my.toml:3"]);
}

#[test]
fn a_silent_coercion_is_refused() {
    let desk = Desk::new();
    desk.write("my.toml", "[policy]\nrequire_record = \"no\"\n");
    desk.run(&["check", "--config", "my.toml"]).refused(78, &["my.toml:2: policy.require_record", "true or false"]);
}

#[test]
fn a_bad_environment_value_names_its_variable() {
    let desk = Desk::new();
    for (name, value, part) in [
        ("CERTMQ__LISTENERS__MQTTS", "8883", "not an address"),
        ("CERTMQ__MQTT__RECEIVE_MAXIMUM", "many", "whole number"),
        ("CERTMQ__TLS__CLIENT_CA", "ca.crt", "list of paths"),
        ("CERTMQ__LGO__LEVEL", "info", "did you mean CERTMQ__LOG"),
    ] {
        let outcome = Outcome::of(desk.command(&["check"]).env(name, value));
        outcome.refused(78, &[&format!("environment variable {name}: "), part]);
    }
}

#[test]
fn flags_beat_the_environment_which_beats_the_file() {
    let desk = Desk::new();
    desk.write("my.toml", "[storage]\npath = \"from-file\"\n");
    let store = |command: &mut std::process::Command| {
        let outcome = Outcome::of(command).expect(0);
        let document: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        document["policy"]["store"].as_str().unwrap().to_owned()
    };
    for (path, name) in [("from-file", "CN=a"), ("from-environment", "CN=b"), ("from-flag", "CN=c")] {
        desk.ok(&["device", "add", name, "--set", &format!("storage.path={path}")]);
    }
    let status = ["status", "--config", "my.toml", "--output", "json"];
    assert!(store(&mut desk.command(&status)).ends_with("from-file"));
    let mut environment = desk.command(&status);
    environment.env("CERTMQ__STORAGE__PATH", "from-environment");
    assert!(store(&mut environment).ends_with("from-environment"));
    let mut flag = desk.command(&status);
    flag.env("CERTMQ__STORAGE__PATH", "from-environment").args(["--set", "storage.path=from-flag"]);
    assert!(store(&mut flag).ends_with("from-flag"));
}

#[test]
fn a_missing_file_is_66_and_bad_flags_are_78() {
    let desk = Desk::new();
    desk.run(&["check", "--config", "nowhere.toml"]).refused(66, &["nowhere.toml: no such file"]);
    desk.run(&["status", "--set", "log.level"]).refused(78, &["SECTION.KEY=VALUE"]);
    desk.run(&["status", "--set", "log.level=loud"]).refused(78, &["--set log.level=loud", "is not a level"]);
}

/// The shipped file in its folder and no file at all mean the same places, so that the commands find quickstart's
/// store in a clone.
#[test]
fn the_shipped_file_means_the_folders_of_quickstart() {
    let desk = Desk::new();
    desk.ok(&["device", "add", "CN=dev-1"]);
    let bare = desk.json(&["device", "list"], 0);
    let shipped = std::fs::read_to_string(root().join("config/certmq.toml")).unwrap();
    desk.write("config/certmq.toml", &shipped);
    assert_eq!(desk.json(&["device", "list"], 0), bare);
    assert!(desk.path("data").is_dir());
    let places = desk.run(&["check", "--output", "json"]);
    let document: serde_json::Value = serde_json::from_str(&places.stdout).unwrap();
    assert_eq!(document["config"], json!("config/certmq.toml"));
    assert_eq!(document["store"], json!("config/../data"));
}

#[test]
fn check_says_what_would_be_served() {
    let desk = Desk::new();
    desk.ok(&["ca", "init"]);
    desk.ok(&["cert", "issue", "server", "--server"]);
    let document = desk.json(&["check"], 0);
    assert_eq!(document["mqtts"], json!(["0.0.0.0:8883"]));
    assert_eq!(document["faults"], json!([]));
    assert!(document["policy"].as_str().unwrap().starts_with("none yet"), "{document}");
    assert!(!desk.path("data").exists(), "check makes nothing");
    desk.ok(&["group", "add", "g", "--match", "o=acme"]);
    desk.ok(&["acl", "deny", "--group", "g", "publish", "a/{serial}"]);
    let document = desk.json(&["check"], 0);
    let notices = document["notices"].to_string();
    assert!(notices.contains("group g denies") && notices.contains("{serial}"), "{notices}");
    assert!(desk.ok(&["check"]).contains("ok"));
}

#[test]
fn check_says_whether_there_is_a_websocket_and_for_which_pages() {
    let desk = Desk::new();
    desk.ok(&["ca", "init"]);
    desk.ok(&["cert", "issue", "server", "--server"]);
    assert_eq!(desk.json(&["check"], 0)["wss"], json!(null));
    assert!(desk.ok(&["check"]).contains("closed"));
    let open =
        ["check", "--set", "listeners.wss=127.0.0.1:8884", "--set", "listeners.wss.origins=[\"https://app.example\"]"];
    let wanted = json!({ "bind": ["127.0.0.1:8884"], "alpn": ["http/1.1"], "origins": ["https://app.example"] });
    assert_eq!(desk.json(&open, 0)["wss"], wanted);
    assert!(desk.ok(&open).contains("https://app.example"));
}

#[test]
fn check_tells_every_fault_and_the_code_of_the_first() {
    let desk = Desk::new();
    let outcome = desk.run(&["check"]).expect(78);
    assert!(outcome.stderr.contains("device-certs/server.crt"), "{outcome:?}");
    desk.ok(&["ca", "init"]);
    desk.ok(&["cert", "issue", "server", "--server"]);
    expose(&desk.path("device-certs/server.key"));
    let outcome = desk.run(&["check"]).expect(77);
    assert!(outcome.stderr.contains("chmod"), "{outcome:?}");
    let outcome = desk.run(&["serve"]).expect(77);
    // Whatever the log said before: the last line is the error.
    let last = outcome.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: ") && last.contains("server.key"), "{outcome:?}");
}

fn expose(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}
