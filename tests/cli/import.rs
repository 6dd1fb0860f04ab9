//! Rules of other brokers, imported as their operators would; mosquitto itself is asked whether the meaning stayed.

use super::Desk;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ACL: &str = "topic read everybody/#\n\
                   user a\n\
                   topic write in/a/#\n\
                   topic deny in/a/closed/#\n\
                   topic readwrite both/+\n\
                   user b\n\
                   topic read both/+\n\
                   pattern write status/%u\n";

/// A mosquitto on a free port of loopback with an ACL file; ends with its drop.
struct Mosquitto {
    process: Child,
    port: u16,
}

impl Mosquitto {
    fn start(desk: &Desk, acl: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        desk.write("acl", acl);
        let acl = desk.path("acl");
        desk.write(
            "mosquitto.conf",
            &format!("listener {port} 127.0.0.1\nallow_anonymous true\nacl_file {}\nuser root\n", acl.display()),
        );
        let process = Command::new("mosquitto")
            .arg("-c")
            .arg(desk.path("mosquitto.conf"))
            .env("PATH", path())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed; tests/run does that");
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "mosquitto does not listen");
            std::thread::yield_now();
        }
        Self { process, port }
    }

    /// Whether `user` may publish to `topic`, by the reason code of the PUBACK.
    fn lets_publish(&self, user: &str, topic: &str) -> bool {
        let output = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-V", "mqttv5", "-q", "1", "-d"])
            .args(["-u", user, "-t", topic, "-m", "x"])
            .output()
            .expect("mosquitto_pub is installed; tests/run does that");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match (text.contains("RC:0)") || text.contains("RC:16)"), text.contains("RC:135)")) {
            (allowed, denied) if allowed != denied => allowed,
            _ => panic!("no PUBACK in {text}"),
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Debian keeps the broker outside the path of users.
fn path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

#[test]
fn what_mosquitto_decides_is_decided_the_same_after_the_import() {
    let desk = Desk::new();
    let mosquitto = Mosquitto::start(&desk, ACL);
    let fleet = desk.ok(&["import", "mosquitto", "--acl-file", "acl"]);
    desk.write("fleet.toml", &fleet);
    desk.ok(&["apply", "fleet.toml"]);
    let mut decisions = Vec::new();
    for user in ["a", "b"] {
        for topic in ["in/a/x", "in/a/closed/x", "in/b", "both/x", "both/x/y", "status/a", "status/b", "everybody/x"] {
            let there = mosquitto.lets_publish(user, topic);
            let explained = desk.run(&["acl", "explain", &format!("CN={user}"), "publish", topic]);
            assert_eq!(explained.code == Some(0), there, "{user} {topic}: {explained:?}");
            decisions.push(there);
        }
    }
    assert_eq!(decisions.iter().filter(|allowed| **allowed).count(), 4, "{decisions:?}");
}

#[test]
fn the_account_says_what_carried_over_and_what_differs() {
    let desk = Desk::new();
    desk.write("acl", ACL);
    desk.ok(&["ca", "init"]);
    let arguments = ["import", "mosquitto", "--acl-file", "acl", "--crl-file", "device-certs/ca.crl"];
    let outcome = desk.run(&arguments).expect(0);
    assert!(outcome.stdout.starts_with("version = 1\n") && !outcome.stdout.contains("generation"), "{outcome:?}");
    for word in ["line 1", "LEFT OUT", "DIFFERS", "carried over", "tls.crl = [", "certmq plan FILE"] {
        assert!(outcome.stderr.contains(word), "{word}: {outcome:?}");
    }
    let document = desk.json(&arguments, 0);
    assert_eq!(document["fleet"], outcome.stdout);
    assert_eq!(document["settings"].as_array().map(Vec::len), Some(1));
    let first = document["notes"].as_array().and_then(|notes| notes.first()).expect("an account");
    assert_eq!((&first["outcome"], &first["place"]), (&"left_out".into(), &"line 1".into()));
}

#[test]
fn files_that_are_not_what_they_should_be() {
    let desk = Desk::new();
    desk.write("acl", "user a\ntopik x\n");
    desk.write("acl.conf", "{allow, all}");
    desk.write("dynamic.json", "[]");
    desk.write("good", "user a\ntopic x\n");
    desk.run(&["import", "mosquitto", "--acl-file", "acl"]).refused(65, &["acl: line 2", "topik"]);
    desk.run(&["import", "emqx", "--acl-file", "acl.conf"]).refused(65, &["acl.conf: line 1", "full stop"]);
    desk.run(&["import", "mosquitto", "--dynamic-security", "dynamic.json"]).refused(65, &["dynamic.json: line 1"]);
    desk.run(&["import", "emqx", "--acl-file", "nothing"]).refused(66, &["nothing: no such file"]);
    desk.run(&["import", "mosquitto", "--acl-file", "good", "--crl-file", "acl"]).refused(65, &["acl: holds no CRL"]);
    let suffix = ["import", "mosquitto", "--acl-file", "good", "--subject-suffix", "acme"];
    desk.run(&suffix).refused(65, &["--subject-suffix \"acme\""]);
    desk.run(&["import", "mosquitto"]).expect(64);
}
