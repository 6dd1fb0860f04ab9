//! Pinned certificates: exactly those, whoever issued them, on both listeners.

use super::trust::ca::TestCa;
use crate::common::broker::Broker;
use crate::common::client::{Credentials, RawClient, refusal, refusal_of};
use crate::common::fleet::{Fleet, enter_at, openssl};
use crate::common::wire::{self, BOTH, Version};
use rustls::AlertDescription;
use std::fs;
use std::path::Path;

const ADMINISTRATIVE_ACTION: u8 = 0x98;

/// A self-signed certificate as `openssl req -x509` makes it: a CA, by its own account, for `CN=<subject>`.
fn self_signed(fleet: &Fleet, stem: &str, subject: &str) -> Credentials {
    let (certificate, key) = (format!("{stem}.crt"), format!("{stem}.key"));
    let name = format!("/CN={subject}");
    let request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", &name];
    let files = ["-days", "30", "-out", &certificate, "-keyout", &key];
    openssl(&fleet.path("."), request.into_iter().chain(files));
    fleet.presenting(fleet.path(&certificate), fleet.path(&key))
}

#[track_caller]
fn pin(fleet: &Fleet, certificate: &str) {
    let file = fleet.path(certificate);
    let arguments = ["device", "add", "--group", "devices", "--pin", "--cert"].map(AsRef::<Path>::as_ref);
    fleet.run(arguments.into_iter().chain([file.as_path()]));
}

#[track_caller]
fn served(broker: &Broker, device: &Credentials) {
    for endpoint in broker.endpoints() {
        for version in BOTH {
            enter_at(endpoint, device, version, "served").leave();
        }
    }
}

#[track_caller]
fn refused(broker: &Broker, device: &Credentials, alert: AlertDescription) {
    for endpoint in broker.endpoints() {
        assert_eq!(refusal(endpoint, device), alert, "{endpoint:?}");
    }
}

/// A certificate that no CA vouches for is refused; how exactly depends on what it is.
#[track_caller]
fn kept_out(broker: &Broker, device: &Credentials) {
    for endpoint in broker.endpoints() {
        let alert = refusal(endpoint, device);
        assert_ne!(alert, AlertDescription::InternalError, "{endpoint:?}");
    }
}

#[test]
fn a_self_signed_certificate_works_when_it_is_pinned_and_only_then() {
    let fleet = Fleet::new();
    let device = self_signed(&fleet, "own", "device-001");
    let namesake = self_signed(&fleet, "other", "device-001");
    let broker = fleet.serve();
    kept_out(&broker, &device);
    pin(&fleet, "own.crt");
    served(&broker, &device);
    kept_out(&broker, &namesake);
    // The certificate is no secret; its key is.
    let (own, other) = (fleet.path("own.crt"), fleet.path("other.key"));
    refused(&broker, &fleet.presenting(own, other), AlertDescription::DecryptError);
    let endpoint = broker.endpoints()[0];
    let mut client = enter_at(endpoint, &device, Version::V5, "works");
    assert_eq!(client.subscribe(&["devices/device-001/#"]), [1]);
    client.send(&wire::publish(Version::V5, "devices/device-001/x", b"hello", 0, false, 0));
    assert_eq!(client.expect_message().payload, b"hello");
}

#[test]
fn an_x509_v1_certificate_works_when_it_is_pinned_and_only_then() {
    let fleet = Fleet::new();
    let old = TestCa::root(&fleet.path("."), "stranger").version_one("device-001");
    let device = fleet.presenting(old.certificate, old.private_key);
    let broker = fleet.serve();
    kept_out(&broker, &device);
    let add = fleet.output(["device", "add", "--cert", "device-001.crt"]);
    assert_eq!(add.status.code(), Some(65), "{add:?}");
    assert!(String::from_utf8_lossy(&add.stderr).contains("--pin"), "{add:?}");
    pin(&fleet, "device-001.crt");
    served(&broker, &device);
    fleet.run(["revoke", "--cert", "device-001.crt"]);
    refused(&broker, &device, AlertDescription::CertificateRevoked);
}

#[test]
fn its_key_is_proved_in_both_versions_of_tls() {
    let fleet = Fleet::new();
    let device = self_signed(&fleet, "own", "device-001");
    self_signed(&fleet, "other", "device-001");
    pin(&fleet, "own.crt");
    let thief = fleet.presenting(fleet.path("own.crt"), fleet.path("other.key"));
    let broker = fleet.serve();
    for version in rustls::ALL_VERSIONS {
        let mut client = RawClient::tls(broker.address, device.config_for(&[version])).expect("a handshake");
        client.send(&wire::Connect::clean("c").encode(Version::V5));
        assert_eq!(client.expect(wire::CONNACK).code(), 0, "{version:?}");
        assert_eq!(refusal_of(broker.address, thief.config_for(&[version])), AlertDescription::DecryptError);
    }
}

#[test]
fn dates_still_count() {
    let fleet = Fleet::new();
    let expired = TestCa::root(&fleet.path("."), "stranger").expired("device-001");
    let device = fleet.presenting(expired.certificate, expired.private_key);
    pin(&fleet, "device-001.crt");
    let broker = fleet.serve();
    refused(&broker, &device, AlertDescription::CertificateExpired);
}

#[test]
fn two_pins_rotate_and_what_is_taken_out_ends_its_connections() {
    let fleet = Fleet::new();
    let [old, new, third] = ["old", "new", "third"].map(|stem| self_signed(&fleet, stem, "device-001"));
    pin(&fleet, "old.crt");
    let broker = fleet.serve();
    let endpoints = broker.endpoints();
    let mut by_old = enter_at(endpoints[0], &old, Version::V5, "old");
    kept_out(&broker, &new);
    pin(&fleet, "new.crt");
    by_old.send(&wire::ping());
    by_old.expect(wire::PINGRESP);
    let mut by_new = enter_at(endpoints[1], &new, Version::V5, "new");
    let full = fleet.output(["device", "add", "--pin", "--cert", "third.crt"]);
    assert_eq!(full.status.code(), Some(65), "{full:?}");
    assert!(String::from_utf8_lossy(&full.stderr).contains("two"), "{full:?}");
    kept_out(&broker, &third);
    fleet.run(["device", "unpin", "--cert", "old.crt"]);
    assert_eq!(by_old.expect(wire::DISCONNECT).code(), ADMINISTRATIVE_ACTION);
    by_old.expect_close();
    by_new.send(&wire::ping());
    by_new.expect(wire::PINGRESP);
    kept_out(&broker, &old);
    served(&broker, &new);
    let shown = fleet.run(["device", "unpin", "--cert", "new.crt"]);
    assert!(shown.contains("one certificate less"), "{shown}");
    // Without a pin nothing vouches for it any more.
    by_new.expect(wire::DISCONNECT);
    kept_out(&broker, &new);
}

#[test]
fn a_pin_lets_no_other_certificate_of_the_ca_in_and_no_revoked_one_back() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    fleet.run(["device", "add", "--pin", "--cert", "certs/device-001.crt"]);
    let broker = fleet.serve();
    served(&broker, &device);
    fs::copy(fleet.certificate("device-001.crt"), fleet.path("first.crt")).expect("a copy");
    fs::copy(fleet.certificate("device-001.key"), fleet.path("first.key")).expect("a copy");
    let first = fleet.presenting(fleet.path("first.crt"), fleet.path("first.key"));
    fleet.run(["cert", "renew", "device-001"]);
    for endpoint in broker.endpoints() {
        let (_, answer) = RawClient::try_connect(endpoint, &device, Version::V5, &wire::Connect::clean("renewed"));
        assert_eq!(answer.code(), 0x87, "valid, but not the pinned one");
    }
    served(&broker, &first);
    fleet.run(["cert".as_ref(), "revoke".as_ref(), fleet.path("first.crt").as_path()]);
    fleet.run(["reload"]);
    refused(&broker, &first, AlertDescription::CertificateRevoked);
}

#[test]
fn a_certificate_is_pinned_for_one_device_and_for_its_own_name() {
    let fleet = Fleet::new();
    let device = self_signed(&fleet, "own", "device-001");
    pin(&fleet, "own.crt");
    let broker = fleet.serve();
    served(&broker, &device);
    let exported = fleet.run(["export"]);
    let moved = exported.replace("CN=device-001", "CN=device-009");
    fs::write(fleet.path("fleet.toml"), moved).expect("a file");
    fleet.run(["apply", "fleet.toml"]);
    kept_out(&broker, &device);
    broker.log.wait_for(&["certificate refused", "pinned in the record of CN=device-009"]);
    let twice = exported
        .replace("[[devices]]", "[[devices]]\nsubject = \"CN=device-002\"\ncertificate_sha256 = PIN\n\n[[devices]]");
    let pin = exported.lines().find_map(|line| line.strip_prefix("certificate_sha256 = ")).expect("a pin");
    let twice = twice.replace("PIN", pin);
    let twice: String =
        twice.lines().filter(|line| !line.starts_with("generation")).map(|line| format!("{line}\n")).collect();
    fs::write(fleet.path("twice.toml"), twice).expect("a file");
    let output = fleet.output(["apply", "twice.toml"]);
    assert_eq!(output.status.code(), Some(65), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("pinned for"), "{output:?}");
}
