//! Resumed TLS sessions, with openssl as the client: judged like new ones, on every listener and in both versions.

use crate::common::broker::Broker;
use crate::common::client::Endpoint;
use crate::common::eventually;
use crate::common::fleet::Fleet;
use crate::common::wire::{Connect, Version};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const TLS: [&str; 2] = ["-tls1_3", "-tls1_2"];

/// How one run of `openssl s_client` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// By a full handshake, and was answered.
    Anew,
    /// By a resumed session, and was answered.
    Back,
    /// By a resumed session, and was closed before a word.
    BackAndOut,
    /// Not even through the handshake.
    Nowhere,
}

/// A device with openssl.
struct Client<'a> {
    fleet: &'a Fleet,
    name: &'static str,
    tls: &'static str,
    config: Option<PathBuf>,
}

impl<'a> Client<'a> {
    fn new(fleet: &'a Fleet, name: &'static str, tls: &'static str) -> Self {
        Self { fleet, name, tls, config: None }
    }

    fn session(&self) -> PathBuf {
        self.fleet.path(&format!("{}{}.session", self.name, self.tls))
    }

    /// A new connection whose session is kept.
    #[track_caller]
    fn comes(&self, endpoint: Endpoint) {
        let session = self.session();
        assert_eq!(self.run(endpoint, &["-sess_out".as_ref(), session.as_path()]), Came::Anew);
        eventually("the session on the disk", || session.metadata().ok().filter(|file| file.len() > 0));
    }

    /// A new connection that gives it nothing to come back with.
    #[track_caller]
    fn gets_no_ticket(&self, endpoint: Endpoint) {
        let session = self.session();
        assert_eq!(self.run(endpoint, &["-sess_out".as_ref(), session.as_path()]), Came::Anew);
        // openssl keeps a session without a ticket, or none at all.
        if session.exists() {
            assert_eq!(self.comes_back(endpoint), Came::Anew);
        }
    }

    /// With the session that was kept.
    fn comes_back(&self, endpoint: Endpoint) -> Came {
        self.run(endpoint, &["-sess_in".as_ref(), self.session().as_path()])
    }

    fn run(&self, endpoint: Endpoint, session: &[&Path]) -> Came {
        let file = |ending: &str| self.fleet.certificate(&format!("{}.{ending}", self.name));
        let mut command = Command::new("openssl");
        command.args(["s_client", "-nocommands", "-connect", &endpoint.address().to_string(), self.tls]);
        command.arg("-CAfile").arg(self.fleet.certificate("ca.crt"));
        command.arg("-cert").arg(file("crt")).arg("-key").arg(file("key")).args(session);
        if let Some(config) = &self.config {
            command.env("OPENSSL_CONF", config);
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("openssl");
        let (hello, answer) = words(endpoint);
        let mut input = child.stdin.take().expect("a pipe");
        // It may be gone already.
        let _ = input.write_all(&hello);
        let output = until_answered(&mut child, answer);
        drop(input);
        let _ = child.wait();
        let text = String::from_utf8_lossy(&output);
        match (text.contains("Reused, TLSv1"), output.windows(answer.len()).any(|part| part == answer)) {
            (true, true) => Came::Back,
            (true, false) => Came::BackAndOut,
            (false, true) => Came::Anew,
            (false, false) => Came::Nowhere,
        }
    }
}

/// What is said first on a listener, and how an answer to it begins.
fn words(endpoint: Endpoint) -> (Vec<u8>, &'static [u8]) {
    match endpoint {
        Endpoint::Mqtts(_) => (Connect::clean("openssl").encode(Version::V3_1_1), b"\x20\x02\x00\x00"),
        Endpoint::Wss(_) => (
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
              Sec-WebSocket-Protocol: mqtt\r\n\r\n"
                .to_vec(),
            b"HTTP/1.1 101",
        ),
    }
}

/// Everything it prints until the answer has come or it has ended.
fn until_answered(child: &mut Child, answer: &[u8]) -> Vec<u8> {
    let mut pipe = child.stdout.take().expect("a pipe");
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut chunk) {
            let _ = tell.send(chunk[..count].to_vec());
        }
    });
    collect(&told, answer)
}

fn collect(told: &Receiver<Vec<u8>>, answer: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    while let Ok(chunk) = told.recv_timeout(Duration::from_secs(10)) {
        output.extend(chunk);
        if output.windows(answer.len()).any(|part| part == answer) {
            break;
        }
    }
    output
}

/// Runs `test` for every listener and version of TLS, each with a fleet and a broker of its own.
fn everywhere(test: impl Fn(&Fleet, &Broker, Endpoint, &Client<'_>)) {
    for tls in TLS {
        for listener in 0..2 {
            let fleet = Fleet::new();
            fleet.device("device-001");
            let broker = fleet.serve();
            test(&fleet, &broker, broker.endpoints()[listener], &Client::new(&fleet, "device-001", tls));
        }
    }
}

#[test]
fn a_device_comes_back_by_its_ticket() {
    everywhere(|fleet, _broker, endpoint, client| {
        client.comes(endpoint);
        assert_eq!(client.comes_back(endpoint), Came::Back);
        assert!(
            fleet.run(["status"]).lines().any(|line| line.starts_with("handshakes_resumed") && line.ends_with(" 1"))
        );
    });
}

#[test]
fn revoked_by_an_operator_it_does_not_come_back() {
    everywhere(|fleet, broker, endpoint, client| {
        client.comes(endpoint);
        let certificate = fleet.certificate("device-001.crt");
        fleet.run(["revoke".as_ref(), "--cert".as_ref(), certificate.as_path()]);
        assert_eq!(client.comes_back(endpoint), Came::BackAndOut);
        broker.log.wait_for(&["certificate refused", "CN=device-001", "revokes it"]);
        let denials = fleet.run(["denials"]);
        assert!(denials.contains("device-001") && denials.contains("revokes it"), "{denials}");
    });
}

#[test]
fn listed_by_its_ca_it_does_not_come_back() {
    everywhere(|fleet, _broker, endpoint, client| {
        client.comes(endpoint);
        fleet.run(["cert", "revoke", "device-001"]);
        fleet.run(["reload"]);
        assert_eq!(client.comes_back(endpoint), Came::BackAndOut);
    });
}

#[test]
fn a_disabled_device_comes_back_to_be_told_so() {
    everywhere(|fleet, _broker, endpoint, client| {
        client.comes(endpoint);
        fleet.run(["device", "disable", "device-001"]);
        match endpoint {
            // CONNACK with a refusal, as after a full handshake.
            Endpoint::Mqtts(_) => assert_eq!(client.comes_back(endpoint), Came::BackAndOut),
            Endpoint::Wss(_) => assert_eq!(client.comes_back(endpoint), Came::Back),
        }
    });
}

#[test]
fn after_a_change_of_the_roots_or_of_the_servers_key_tickets_are_worthless() {
    everywhere(|fleet, _broker, endpoint, client| {
        client.comes(endpoint);
        fleet.run(["cert", "issue", "other", "--server", "--san", "localhost", "--san", "127.0.0.1"]);
        for ending in ["crt", "key"] {
            let (other, server) = (format!("other.{ending}"), format!("server.{ending}"));
            fs::rename(fleet.certificate(&other), fleet.certificate(&server)).expect("a rename");
        }
        fleet.run(["reload"]);
        assert_eq!(client.comes_back(endpoint), Came::Anew, "the server's key");
        client.comes(endpoint);
        assert_eq!(client.comes_back(endpoint), Came::Back);
        fleet.second_ca();
        fleet.write_settings("client_ca = [\"certs/ca.crt\", \"second/ca.crt\"]\ncrl = [\"certs/ca.crl\"]\n");
        fleet.run(["reload"]);
        assert_eq!(client.comes_back(endpoint), Came::Anew, "the roots");
    });
}

#[test]
fn a_removed_ca_resumes_nobody() {
    everywhere(|fleet, _broker, endpoint, client| {
        client.comes(endpoint);
        fleet.second_ca();
        fleet.write_settings("client_ca = [\"second/ca.crt\"]\ncrl = []\n");
        fleet.run(["reload"]);
        assert_eq!(client.comes_back(endpoint), Came::Nowhere);
    });
}

#[test]
fn a_ticket_of_one_listener_is_worthless_on_the_other() {
    for tls in TLS {
        let fleet = Fleet::new();
        fleet.device("device-001");
        let broker = fleet.serve();
        let client = Client::new(&fleet, "device-001", tls);
        let [mqtts, wss] = broker.endpoints();
        client.comes(mqtts);
        assert_eq!(client.comes_back(wss), Came::Anew);
        client.comes(wss);
        assert_eq!(client.comes_back(mqtts), Came::Anew);
    }
}

#[test]
fn without_the_extended_master_secret_nobody_gets_a_ticket() {
    let fleet = Fleet::new();
    fleet.device("device-001");
    let broker = fleet.serve();
    let config = fleet.path("openssl.cnf");
    let text = "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nOptions = -ExtendedMasterSecret\n";
    fs::write(&config, text).expect("a file");
    let client = Client { config: Some(config), ..Client::new(&fleet, "device-001", "-tls1_2") };
    for endpoint in broker.endpoints() {
        client.gets_no_ticket(endpoint);
    }
}

#[test]
fn where_the_settings_say_so_nothing_is_resumed() {
    let fleet = Fleet::with_settings("session_resumption = false\n");
    fleet.run(["ca", "init"]);
    fleet.run(["cert", "issue", "server", "--server", "--san", "localhost", "--san", "127.0.0.1"]);
    fleet.devices_group();
    fleet.device("device-001");
    let broker = fleet.serve();
    let client = Client::new(&fleet, "device-001", "-tls1_2");
    for endpoint in broker.endpoints() {
        client.gets_no_ticket(endpoint);
    }
}
