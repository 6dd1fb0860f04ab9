//! What a newcomer sees: one command, and lines that work in another terminal.

use crate::common::broker::Log;
use crate::common::fleet::certmq;
use crate::common::{PATIENCE, eventually};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use tempfile::TempDir;

/// A quickstart in a folder of its own, on a free port.
struct Quickstart {
    folder: TempDir,
    process: Child,
    /// The commands that it printed, in order.
    lines: Vec<String>,
}

impl Quickstart {
    fn begin() -> Self {
        let folder = TempDir::with_prefix("certmq-quickstart-").expect("a temporary folder");
        Self::begin_in(folder)
    }

    fn begin_in(folder: TempDir) -> Self {
        let mut process = certmq()
            .arg("quickstart")
            .current_dir(folder.path())
            .env("CERTMQ__LISTENERS__MQTTS", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("certmq");
        let log = Log::follow(process.stderr.take().expect("a pipe"));
        let stdout = process.stdout.take().expect("a pipe");
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut lines = Vec::new();
        while !lines.iter().any(|line: &String| line.contains("acl explain")) {
            match receiver.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line.trim().trim_start_matches("$ ").to_owned()),
                Err(error) => panic!("{error}: no line with `acl explain` in {lines:#?}\n{}", log.text()),
            }
        }
        lines.retain(|line| line.starts_with("mosquitto_") || line.contains("acl explain"));
        Self { folder, process, lines }
    }

    /// The `index`-th printed command that contains `part`.
    #[track_caller]
    fn line(&self, part: &str, index: usize) -> &str {
        let found = self.lines.iter().filter(|line| line.contains(part)).nth(index);
        found.unwrap_or_else(|| panic!("no line {index} with {part}: {:#?}", self.lines))
    }

    fn stop(mut self) -> TempDir {
        let _ = self.process.kill();
        let _ = self.process.wait();
        std::mem::replace(&mut self.folder, TempDir::new().expect("a temporary folder"))
    }
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a printed line as a person would: in another terminal, in another folder.
fn paste(line: &str) -> Output {
    Command::new("sh").args(["-c", line]).current_dir("/").output().expect("a shell")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

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
