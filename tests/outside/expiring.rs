//! Certificates that end while their clients are connected.

use super::odd_certificates::{below_brief_ca, brief};
use crate::common::client::{Credentials, RawClient, refusal};
use crate::common::fleet::{Fleet, enter, enter_at};
use crate::common::wire::{self, BOTH, Connect, Version};
use rustls::AlertDescription;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds that a certificate lives, so that its clients get in on a busy machine.
const LIFE: i64 = 6;

fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970")
}

fn end_of_life() -> i64 {
    i64::try_from(unix().as_secs()).expect("a date") + LIFE
}

/// Waits for the end of its connection: 5.0 is told why. It must come within a second of `end`.
#[track_caller]
fn expect_end(client: &mut RawClient, end: i64) {
    let goodbye = client.expect_close().map(|last| (last.kind(), last.code()));
    let after = unix().as_secs_f64() - end as f64;
    assert_eq!(goodbye, (client.version == Version::V5).then_some((wire::DISCONNECT, 0x87)));
    assert!((0.0..1.0).contains(&after), "{after} s after the end of the certificate");
}

#[track_caller]
fn each_transport_and_version_ends(make: fn(&Fleet, &str, i64) -> Credentials) {
    let fleet = Fleet::new();
    let lasting = fleet.device("device-001");
    fleet.run(["device", "add", "CN=device-002", "--group", "devices"]);
    let broker = fleet.serve();
    let end = end_of_life();
    let device = make(&fleet, "device-002", end);
    let mut stays = enter(&broker, &lasting, Version::V5, "stays");
    let mut clients: Vec<_> = broker
        .endpoints()
        .into_iter()
        .flat_map(|endpoint| BOTH.map(|version| (endpoint, version)))
        .map(|(endpoint, version)| enter_at(endpoint, &device, version, &format!("{endpoint:?} {version:?}")))
        .collect();
    for client in &mut clients {
        client.expect_silence();
        assert!(unix().as_secs() < end as u64, "too slow to show anything");
    }
    for client in &mut clients {
        expect_end(client, end);
    }
    for endpoint in broker.endpoints() {
        assert_eq!(
            refusal(endpoint, &device),
            AlertDescription::CertificateExpired,
            "who comes back in the same second"
        );
    }
    stays.expect_silence();
    assert!(fleet.run(["status"]).lines().any(|line| line.starts_with("connections_lapsed") && line.ends_with(" 4")));
}

#[test]
fn a_certificate_that_expires_ends_its_connections_within_a_second() {
    each_transport_and_version_ends(brief);
}

#[test]
fn a_ca_between_that_expires_ends_the_connections_below_it() {
    each_transport_and_version_ends(below_brief_ca);
}

#[test]
fn a_will_fires_when_its_certificate_expires_and_nothing_sent_later_is_routed() {
    let fleet = Fleet::new();
    let witness = fleet.device("device-001");
    fleet.run(["device", "add", "CN=device-002", "--group", "devices"]);
    fleet.run(["acl", "allow", "CN=device-001", "subscribe", "devices/#"]);
    let broker = fleet.serve();
    let mut witness = enter(&broker, &witness, Version::V5, "witness");
    assert_eq!(witness.subscribe(&["devices/device-002/#"]), [1]);
    let end = end_of_life();
    let device = brief(&fleet, "device-002", end);
    let will = Some(("devices/device-002/will", b"gone".as_slice()));
    let connect = Connect { will, ..Connect::clean("c") };
    let mut client = RawClient::connect(broker.address, &device, Version::V5, &connect);
    // Publishes until it is closed, as fast as it can.
    let mut sent = 0_u32;
    let mut last = 0;
    while client.try_send(&wire::publish(Version::V5, "devices/device-002/n", &sent.to_be_bytes(), 0, false, 0)).is_ok()
    {
        if unix().as_secs() < end as u64 {
            last = sent;
        }
        sent += 1;
        // Slow enough for the witness.
        std::thread::park_timeout(Duration::from_millis(1));
    }
    let mut received = Vec::new();
    loop {
        let message = witness.expect_message();
        if message.topic.ends_with("/will") {
            break;
        }
        received.push(u32::from_be_bytes(message.payload.as_slice().try_into().expect("a number")));
    }
    assert!(received.iter().copied().eq(0..received.len() as u32), "in order and without a gap");
    assert!(received.len() as u32 >= last, "{} of {last} that were sent in time", received.len());
    witness.expect_silence();
}

#[test]
fn status_says_when_the_certificates_of_the_broker_end() {
    let fleet = Fleet::new();
    fleet.run(["device", "add", "CN=device-002", "--group", "devices"]);
    let broker = fleet.serve();
    let device = brief(&fleet, "device-002", end_of_life() + 3 * 24 * 3600);
    let _client = enter(&broker, &device, Version::V5, "c");
    let status: serde_json::Value = serde_json::from_str(&fleet.run(["status", "--output", "json"])).expect("JSON");
    let certificates = status["broker"]["certificates"].as_array().expect("a list");
    let roles: Vec<_> = certificates.iter().map(|end| end["role"].as_str().expect("a role")).collect();
    assert_eq!(roles, ["server certificate", "CA certificate"]);
    let metric = |name: &str| status["broker"]["metrics"][name].as_u64().expect("a number");
    for (name, expires) in [("server_certificate_expires", 0), ("ca_certificate_expires", 1)] {
        let date = time::OffsetDateTime::from_unix_timestamp(metric(name) as i64).expect("a date");
        let written = date.format(&time::format_description::well_known::Rfc3339).expect("written");
        assert_eq!(certificates[expires]["expires"], written);
        assert!(certificates[expires]["days_left"].as_i64() > Some(30));
    }
    let counts =
        [30, 7, 1].map(|days| metric(&format!("connections_expiring_{days}_day{}", if days > 1 { "s" } else { "" })));
    assert_eq!(counts, [1, 1, 0]);
    assert!(fleet.run(["status"]).contains("days left"));
}
