//! A reader too slow to have been sent everything when it loses a right: what was encoded for it goes no further.

use crate::common::broker::Broker;
use crate::common::client::{Credentials, Endpoint, RawClient};
use crate::common::fleet::{Fleet, enter};
use crate::common::wire::{self, BOTH, Connect, Version};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// More than the sockets of two readers and what the broker keeps for them hold.
const MESSAGES: usize = 400;
static PAYLOAD: [u8; 60_000] = [b'x'; 60_000];

/// One second, and what the command that asks takes.
const SOON: Duration = Duration::from_millis(1_200);

/// Subscribed to `lab/a`, and looks at nothing that comes.
fn slow(endpoint: Endpoint, device: &Credentials, version: Version) -> RawClient {
    let mut reader = RawClient::connect(endpoint, device, version, &Connect::lasting("slow"));
    assert_eq!(reader.subscribe(&["lab/a"]), [1]);
    reader
}

/// The devices with a living connection.
fn connected(fleet: &Fleet) -> BTreeSet<String> {
    let text = fleet.run(["session", "list", "--output", "json"]);
    let document: serde_json::Value = serde_json::from_str(&text).expect("one JSON document");
    let sessions = document["sessions"].as_array().expect("a list").iter();
    let here = sessions.filter(|session| session["state"] == "connected");
    here.map(|session| session["device"].as_str().expect("a name").to_owned()).collect()
}

fn flood(broker: &Broker, writer: &Credentials) -> RawClient {
    let mut writer = enter(broker, writer, Version::V5, "writer");
    for _ in 0..MESSAGES {
        writer.send(&wire::publish(Version::V5, "lab/a", &PAYLOAD, 0, false, 0));
        // One at a time, or most are dropped before the sockets of the readers are full.
        writer.send(&wire::ping());
        assert!(writer.answers_ping(), "no reader holds a writer up");
    }
    writer
}

#[test]
fn one_that_loses_what_it_reads_is_closed_within_a_second_and_the_others_stay() {
    for (version, nth_endpoint) in BOTH.into_iter().flat_map(|version| [(version, 0), (version, 1)]) {
        let fleet = Fleet::new();
        let [writer, loser, keeper] = ["device-001", "device-002", "device-003"].map(|name| fleet.device(name));
        fleet.run(["acl", "allow", "CN=device-001", "publish", "lab/a"]);
        for reader in ["CN=device-002", "CN=device-003"] {
            fleet.run(["acl", "allow", reader, "subscribe", "lab/#"]);
        }
        let broker = fleet.serve();
        let endpoint = broker.endpoints()[nth_endpoint];
        let (_loser, _keeper) = (slow(endpoint, &loser, version), slow(endpoint, &keeper, version));
        let _writer = flood(&broker, &writer);
        // This one loses nothing that it reads.
        fleet.run(["acl", "deny", "CN=device-003", "subscribe", "lab/other"]);
        fleet.run(["acl", "deny", "CN=device-002", "subscribe", "lab/a"]);
        let returned = Instant::now();
        while connected(&fleet).contains("CN=device-002") {
            assert!(returned.elapsed() < SOON, "{version:?} {endpoint:?}: still there");
        }
        assert!(connected(&fleet).contains("CN=device-003"), "{version:?} {endpoint:?}");
    }
}
