//! What a newcomer sees: one command, and lines that work in another terminal.

use crate::common::broker::Log;
use crate::common::eventually;
use crate::common::fleet::certmq;
use crate::common::quickstart::{Quickstart, paste, said};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use tempfile::TempDir;

#[test]
fn the_printed_lines_deliver_a_message() {
    let quickstart = Quickstart::begin();
    // `exec`, so that ending the shell ends mosquitto_sub.
    let mut subscriber = Command::new("sh")
        .args(["-c", &format!("exec {}", quickstart.line("mosquitto_sub", 0))])
        .current_dir("/")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let received = Log::follow(subscriber.stdout.take().expect("a pipe"));
    // mosquitto_sub does not tell when its subscription stands, so the line is pasted until it does.
    eventually("a message at the printed mosquitto_sub", || {
        let output = paste(quickstart.line("mosquitto_pub", 0));
        assert!(output.status.success(), "{}", said(&output));
        (!received.text().is_empty()).then_some(())
    });
    let _ = subscriber.kill();
    let _ = subscriber.wait();
}

#[test]
fn the_printed_forbidden_publish_is_refused_and_explain_names_the_reason() {
    let quickstart = Quickstart::begin();
    let forbidden = quickstart.line("mosquitto_pub", 1);
    assert!(forbidden.contains("devices/device-002/hello") && forbidden.contains("-V mqttv5"), "{forbidden}");
    let refused = said(&paste(forbidden));
    assert!(refused.to_lowercase().contains("not authorized"), "{refused}");
    let explained = paste(quickstart.line("acl explain", 0));
    assert_eq!(explained.status.code(), Some(1), "{}", said(&explained));
    assert!(String::from_utf8_lossy(&explained.stdout).to_lowercase().contains("denied"), "{}", said(&explained));
}

#[test]
fn the_printed_lines_name_absolute_paths_that_exist() {
    let quickstart = Quickstart::begin();
    for line in &quickstart.lines {
        for word in line.split_whitespace().map(|word| word.trim_matches(['\'', '"'])) {
            let file = [".crt", ".key"].iter().any(|end| word.ends_with(end)) || word.ends_with("/certmq");
            assert!(!file || std::path::Path::new(word).is_absolute() && std::path::Path::new(word).exists(), "{line}");
        }
    }
}

#[test]
fn keys_are_readable_by_their_owner_alone() {
    let quickstart = Quickstart::begin();
    let folder = quickstart.folder.path().join("device-certs");
    let mut keys = 0;
    for entry in std::fs::read_dir(&folder).expect("device-certs") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "key") {
            keys += 1;
            let mode = path.metadata().expect("a file").permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", path.display());
        }
    }
    assert!(keys >= 5, "CA, server, two devices and an operator: {keys}");
    let store = quickstart.folder.path().join("data").metadata().expect("data").permissions().mode() & 0o777;
    assert_eq!(store, 0o700);
}

#[test]
fn a_second_quickstart_keeps_what_the_first_made() {
    let first = Quickstart::begin();
    let ca = first.folder.path().join("device-certs").join("ca.crt");
    let before = std::fs::read(&ca).expect("ca.crt");
    let folder = first.stop();
    let second = Quickstart::begin_in(folder);
    assert_eq!(std::fs::read(second.folder.path().join("device-certs").join("ca.crt")).expect("ca.crt"), before);
    let output = paste(second.line("mosquitto_pub", 0));
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_taken_port_is_one_sentence_that_says_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = TempDir::new().expect("a temporary folder");
    let output = certmq()
        .arg("quickstart")
        .current_dir(folder.path())
        .env("CERTMQ__LISTENERS__MQTTS", &address)
        .output()
        .expect("certmq");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&address) && !said.contains("panicked"), "{said}");
}
