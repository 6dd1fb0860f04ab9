//! Who is refused before a byte of MQTT is read, and what the operator reads about it.

use crate::common::PATIENCE;
use crate::common::broker::Broker;
use crate::common::client::{Credentials, Endpoint, RawClient, refusal, refusal_of};
use crate::common::fleet::{Fleet, enter_at};
use crate::common::wire::{BOTH, Connect, Version};
use crate::odd_certificates;
use rustls::AlertDescription;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};

/// On each listener the stranger is refused with one of `alerts`, the log line holds every one of `parts`, and a
/// device of the fleet is served before and after.
#[track_caller]
fn refused(fleet: &Fleet, stranger: &Credentials, alerts: &[AlertDescription], parts: &[&str]) {
    let device = fleet.device("device-001");
    for listener in [0, 1] {
        // A broker for each, or the log of the first would speak for the second.
        let mut broker = fleet.serve();
        let endpoint = broker.endpoints()[listener];
        enter_at(endpoint, &device, Version::V5, "before").leave();
        let alert = refusal(endpoint, stranger);
        assert!(alerts.contains(&alert), "{endpoint:?}: the alert was {alert:?}, not one of {alerts:?}");
        says_what_and_why(&broker, parts);
        enter_at(endpoint, &device, Version::V5, "after").leave();
        broker.assert_unharmed();
    }
}

fn says_what_and_why(broker: &Broker, parts: &[&str]) {
    let line = broker.log.wait_for(&["cause="]);
    for part in ["remedy="].iter().chain(parts) {
        assert!(line.contains(part), "no {part} in the log line: {line}");
    }
}

#[test]
fn no_certificate_is_refused_in_the_handshake() {
    let fleet = Fleet::new();
    let alerts = [AlertDescription::CertificateRequired, AlertDescription::HandshakeFailure];
    refused(&fleet, &fleet.anonymous(), &alerts, &["certificate"]);
}

#[test]
fn a_foreign_ca_is_refused_in_the_handshake() {
    let fleet = Fleet::new();
    let stranger = odd_certificates::foreign(&fleet, "device-001");
    refused(
        &fleet,
        &stranger,
        &[AlertDescription::UnknownCA],
        &["subject=\"CN=device-001\"", "issuer=", "Somebody else's CA"],
    );
}

#[test]
fn a_foreign_ca_with_the_same_name_is_refused_in_the_handshake() {
    let fleet = Fleet::new();
    let stranger = odd_certificates::same_name(&fleet, "device-001");
    let alerts = [AlertDescription::UnknownCA, AlertDescription::DecryptError, AlertDescription::BadCertificate];
    refused(&fleet, &stranger, &alerts, &["subject=\"CN=device-001\"", "issuer="]);
}

#[test]
fn an_expired_certificate_is_refused_in_the_handshake() {
    let fleet = Fleet::new();
    let stranger = odd_certificates::expired(&fleet, "device-001");
    refused(
        &fleet,
        &stranger,
        &[AlertDescription::CertificateExpired],
        &["subject=\"CN=device-001\"", "issuer=", "expired"],
    );
}

#[test]
fn a_certificate_revoked_by_the_crl_is_refused_in_the_handshake() {
    let fleet = Fleet::new();
    let stranger = fleet.unlisted_device("stolen");
    fleet.run(["cert".into(), "revoke".into(), fleet.certificate("stolen.crt")]);
    refused(
        &fleet,
        &stranger,
        &[AlertDescription::CertificateRevoked],
        &["subject=\"CN=stolen\"", "issuer=", "revoked"],
    );
}

#[test]
fn an_x509_v1_certificate_is_refused_in_the_handshake() {
    let fleet = Fleet::new();
    let stranger = odd_certificates::version_1(&fleet, "device-001");
    let alerts = [AlertDescription::UnsupportedCertificate, AlertDescription::BadCertificate];
    refused(&fleet, &stranger, &alerts, &["subject=\"CN=device-001\"", "issuer=", "-extfile"]);
}

#[test]
fn a_valid_certificate_that_nobody_knows_gets_a_connack() {
    let fleet = Fleet::new();
    let stranger = fleet.unlisted_device("stranger");
    let broker = fleet.serve();
    for (endpoint, version) in
        broker.endpoints().into_iter().flat_map(|endpoint| BOTH.map(|version| (endpoint, version)))
    {
        let connect = Connect::clean("stranger");
        let (mut client, answer) = RawClient::try_connect(endpoint, &stranger, version, &connect);
        assert_eq!(answer.code(), version.refused(), "{endpoint:?} {version:?}");
        assert!(!answer.session_present());
        assert_eq!(client.expect_close(), None);
    }
    broker.log.wait_for(&["CN=stranger", "unknown"]);
}

#[test]
fn strangers_who_say_nothing_do_not_delay_a_device_and_are_closed_at_the_deadline() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    fleet.add_settings("[limits]\nhandshake_timeout = \"3 s\"\n");
    let mut broker = fleet.serve();
    let mut silent = Vec::new();
    for endpoint in broker.endpoints() {
        let connect = || TcpStream::connect(endpoint.address()).expect("the port is open");
        silent.extend((0..100).map(|_| connect()));
        let mut talker = connect();
        talker.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a socket that takes bytes");
        enter_at(endpoint, &device, Version::V5, "c").leave();
        silent.push(talker);
    }
    for stranger in &mut silent {
        stranger.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let end = stranger.read_to_end(&mut Vec::new());
        let closed = end.as_ref().err().is_none_or(|error| error.kind() == ErrorKind::ConnectionReset);
        assert!(closed, "not closed: {end:?}");
    }
    broker.assert_unharmed();
}

/// What openssl sees as device-001.
fn s_client(fleet: &Fleet, endpoint: Endpoint, options: &[&str]) -> Output {
    Command::new("openssl")
        .args(["s_client", "-connect", &endpoint.address().to_string()])
        .arg("-cert")
        .arg(fleet.certificate("device-001.crt"))
        .arg("-key")
        .arg(fleet.certificate("device-001.key"))
        .args(options)
        .stdin(Stdio::null())
        .output()
        .expect("openssl")
}

#[test]
fn tls_below_1_2_is_refused() {
    let fleet = Fleet::new();
    fleet.device("device-001");
    let broker = fleet.serve();
    for endpoint in broker.endpoints() {
        let output = s_client(&fleet, endpoint, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]);
        assert!(!output.status.success(), "TLS 1.1 was spoken: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn alpn_is_what_the_listener_speaks_or_nothing() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    let offering = |names: &[&str]| {
        let mut config = device.config();
        config.alpn_protocols = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    };
    let [mqtts, wss] = broker.endpoints();
    for (endpoint, own, foreign) in [(mqtts, "mqtt", "http/1.1"), (wss, "http/1.1", "mqtt")] {
        for offered in [&[][..], &[own], &["h2", own]] {
            let client = RawClient::tls(endpoint.address(), offering(offered)).expect("a handshake");
            let wanted = (!offered.is_empty()).then_some(own.as_bytes());
            assert_eq!(client.alpn(), wanted, "{endpoint:?} {offered:?}");
        }
        for offered in [&[foreign][..], &["h2"], &["x-amzn-mqtt-ca", "h3"]] {
            let alert = refusal_of(endpoint, offering(offered));
            assert_eq!(alert, AlertDescription::NoApplicationProtocol, "{endpoint:?} {offered:?}");
        }
    }
}

#[test]
fn more_alpn_names_are_accepted_where_the_settings_say_so() {
    let fleet = Fleet::with_listeners(
        "mqtts = { bind = [\"127.0.0.1:0\"], alpn = [\"x-amzn-mqtt-ca\"] }\n\
         wss = { bind = [\"127.0.0.1:0\"], alpn = [\"acme-http\"] }",
    );
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    let [mqtts, wss] = broker.endpoints();
    for (endpoint, name) in [(mqtts, "mqtt"), (mqtts, "x-amzn-mqtt-ca"), (wss, "http/1.1"), (wss, "acme-http")] {
        let mut config = device.config();
        config.alpn_protocols = vec![name.as_bytes().to_vec()];
        let client = RawClient::tls(endpoint.address(), config).expect("a handshake");
        assert_eq!(client.alpn(), Some(name.as_bytes()), "{endpoint:?}");
    }
}

/// Whatever name a client asks for, it gets the certificate there is, and learns of no other.
#[test]
fn an_unknown_server_name_gets_the_one_certificate() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    for endpoint in broker.endpoints() {
        let known = RawClient::tls(endpoint.address(), device.config()).expect("a handshake").server_certificate();
        for name in ["elsewhere.example", "admin.localhost", "xn--elswhere-b1a.example"] {
            let output = s_client(&fleet, endpoint, &["-servername", name]);
            let shown = String::from_utf8_lossy(&output.stdout).into_owned();
            let block: String = shown
                .lines()
                .skip_while(|line| !line.starts_with("-----BEGIN CERTIFICATE"))
                .skip(1)
                .take_while(|line| !line.starts_with("-----END"))
                .collect();
            let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, block).expect("Base64");
            assert_eq!(der, known, "{endpoint:?} {name}");
        }
    }
}
