//! Where a test takes place: a broker, shared by the tests that run at the same time, and topics and client ids of
//! the test's own.

use crate::common::broker::Broker;
use crate::common::client::{Credentials, RawClient};
use crate::common::fleet::Fleet;
use crate::common::wire::{self, BOTH, Connect, Packet, Version};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// One device that may do nearly everything: what is tested here is the protocol, not the rights.
const POLICY: &str = r##"version = 1

[[devices]]
subject = "CN=conformance"
allow = [ { publish = "#" }, { subscribe = "#" }, { publish = "$test/#" }, { subscribe = "$test/#" } ]
deny = [ { publish = "denied/#" }, { subscribe = "denied/#" } ]
"##;

/// A topic that nobody may publish to or subscribe to.
pub(crate) const DENIED: &str = "denied/topic";

/// A broker with that one device.
struct Server {
    broker: Broker,
    device: Credentials,
    // Last: the broker must have ended before its folder goes.
    _fleet: Fleet,
}

impl Server {
    fn start(settings: &str) -> Self {
        let fleet = Fleet::with_settings("");
        fleet.add_settings(settings);
        fleet.run(["ca", "init"]);
        fleet.run(["cert", "issue", "server", "--server", "--san", "localhost"]);
        let device = fleet.unlisted_device("conformance");
        std::fs::write(fleet.path("fleet.toml"), POLICY).expect("a writable folder");
        fleet.run(["apply", "fleet.toml"]);
        Self { broker: fleet.serve(), device, _fleet: fleet }
    }

    /// The one that is running, or a new one. It ends with the last test that uses it.
    fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start(""));
            *shared = Arc::downgrade(&server);
            server
        })
    }
}

/// One test in one version.
pub(crate) struct Scene {
    server: Arc<Server>,
    pub(crate) version: Version,
    number: u32,
}

impl Scene {
    pub(crate) fn both() -> [Self; 2] {
        BOTH.map(Self::of)
    }

    pub(crate) fn of(version: Version) -> Self {
        Self::on(Server::shared(), version)
    }

    /// A broker of the test's own, with these sections in its settings.
    pub(crate) fn with_settings(version: Version, settings: &str) -> Self {
        Self::on(Arc::new(Server::start(settings)), version)
    }

    /// Another version, or the same once more, on the same broker.
    pub(crate) fn beside(&self, version: Version) -> Self {
        Self::on(Arc::clone(&self.server), version)
    }

    fn on(server: Arc<Server>, version: Version) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        Self { server, version, number: NUMBER.fetch_add(1, Ordering::Relaxed) }
    }

    /// A topic, or a filter, that no other scene uses.
    pub(crate) fn topic(&self, rest: &str) -> String {
        format!("scene{}/{rest}", self.number)
    }

    /// A client id that no other scene uses.
    pub(crate) fn id(&self, name: &str) -> String {
        format!("{name}{}", self.number)
    }

    /// A connection without a CONNECT.
    #[track_caller]
    pub(crate) fn handshake(&self) -> RawClient {
        let mut client =
            RawClient::handshake(self.server.broker.address, &self.server.device).expect("a handshake that succeeds");
        client.version = self.version;
        client
    }

    /// A connection that began with these bytes.
    #[track_caller]
    pub(crate) fn begin(&self, bytes: &[u8]) -> RawClient {
        let mut client = self.handshake();
        client.send(bytes);
        client
    }

    /// A connection that began with these bytes and was accepted.
    #[track_caller]
    pub(crate) fn accepted(&self, connect: &[u8]) -> RawClient {
        let mut client = self.begin(connect);
        assert_eq!(client.expect(wire::CONNACK).code(), 0, "CONNACK to {connect:02X?}");
        client
    }

    /// Connects with a session that ends with the connection.
    #[track_caller]
    pub(crate) fn enter(&self, name: &str) -> RawClient {
        self.accepted(&Connect::clean(&self.id(name)).encode(self.version))
    }

    /// Connects with a session that outlives the connection, and returns the CONNACK.
    #[track_caller]
    pub(crate) fn resume(&self, name: &str) -> (RawClient, Packet) {
        let mut client = self.begin(&Connect::lasting(&self.id(name)).encode(self.version));
        let answer = client.expect(wire::CONNACK);
        assert_eq!(answer.code(), 0);
        (client, answer)
    }

    /// A client that subscribed to everything of this scene.
    #[track_caller]
    pub(crate) fn reader(&self, qos: u8) -> RawClient {
        let mut reader = self.enter("reader");
        subscribe(&mut reader, &self.topic("#"), qos);
        reader
    }

    /// Whether the version is 5.0.
    pub(crate) fn is_v5(&self) -> bool {
        self.version == Version::V5
    }
}

/// Subscribes and expects what was asked for.
#[track_caller]
pub(crate) fn subscribe(client: &mut RawClient, filter: &str, options: u8) {
    client.send(&wire::subscribe(client.version, 0x5B5B, &[(filter, options)]));
    assert_eq!(client.expect(wire::SUBACK).codes(client.version), [options & 3], "{filter}");
}
