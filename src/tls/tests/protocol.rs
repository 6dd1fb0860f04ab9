//! Versions, groups, suites, ALPN, and that nothing is resumed where resumption is off.

use super::fixture::{Client, Outcome, Site, handshake, handshake_with};
use crate::config::tls::{ExtendedMasterSecret, TlsVersion};
use crate::tls::{HTTP_PROTOCOL, HandshakeFailure, MQTT_PROTOCOL, ServerTls};
use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription as Alert, Error, HandshakeKind, NamedGroup};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[track_caller]
fn failed_otherwise(outcome: &Outcome, alert: Alert, words: &str) {
    assert_eq!(outcome.client_error, Some(Error::AlertReceived(alert)));
    let error = outcome.server_error.clone().unwrap();
    let failure = outcome.handshake.explain(&error);
    let HandshakeFailure::Other { cause, remedy } = &failure else { panic!("{failure:?}") };
    assert!(cause.contains(words), "{failure:?}");
    assert!(!remedy.is_empty());
    let wrapped = io::Error::new(io::ErrorKind::InvalidData, error);
    assert_eq!(outcome.handshake.explain_io(&wrapped), failure);
}

#[test]
fn the_post_quantum_group_is_taken_when_offered() {
    let site = Site::new();
    let outcome = handshake(&site.load(), site.client(&site.ca.device("device-001")));
    outcome.accepted();
    let group = outcome.server.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);
}

#[test]
fn tls_1_2_means_ephemeral_keys_and_aead() {
    let site = Site::new();
    let tls = site.load();
    for suite in &tls.begin().config.crypto_provider().cipher_suites {
        let name = format!("{:?}", suite.suite());
        let modern = name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_");
        assert!(modern && (name.contains("_GCM_") || name.contains("CHACHA20_POLY1305")), "{name}");
    }
    let client = Client::versions(&site, &site.ca.device("device-001"), &[&TLS12]);
    handshake(&tls, client).accepted();
}

#[test]
fn minimum_version_is_a_minimum() {
    let mut site = Site::new();
    site.settings.minimum_version = TlsVersion::Tls13;
    let tls = site.load();
    let device = site.ca.device("device-001");
    let outcome = handshake(&tls, Client::versions(&site, &device, &[&TLS12]));
    failed_otherwise(&outcome, Alert::ProtocolVersion, "TLS version");
    handshake(&tls, Client::versions(&site, &device, &[&TLS13])).accepted();
}

#[test]
fn the_extended_master_secret_can_be_demanded() {
    let mut site = Site::new();
    let device = site.ca.device("device-001");
    let answer_without_it = |site: &Site| {
        let tls = site.load();
        handshake(&tls, Client::versions(site, &device, &[&TLS12])).accepted();
        let handshake = tls.begin();
        let mut server = rustls::ServerConnection::new(Arc::clone(&handshake.config)).unwrap();
        server.read_tls(&mut hello_without_extended_master_secret(site).as_slice()).unwrap();
        server.process_new_packets().map(|_| ()).map_err(|error| handshake.explain(&error))
    };
    assert_eq!(answer_without_it(&site), Ok(()));
    site.settings.extended_master_secret = ExtendedMasterSecret::Required;
    let Err(HandshakeFailure::Other { cause, remedy }) = answer_without_it(&site) else { panic!("accepted") };
    assert!(cause.contains("ExtendedMasterSecret") && remedy.contains("tls.require_ems"), "{cause}, {remedy}");
}

/// A ClientHello of TLS 1.2 whose extended_master_secret (RFC 7627) got a number that nobody knows.
fn hello_without_extended_master_secret(site: &Site) -> Vec<u8> {
    let client = Client::versions(site, &site.ca.device("device-002"), &[&TLS12]);
    let mut client = rustls::ClientConnection::new(Arc::new(client.config), "localhost".try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    let at = hello.windows(4).position(|bytes| bytes == [0, 0x17, 0, 0]).unwrap();
    hello[at..at + 2].copy_from_slice(&[0xfa, 0xfb]);
    hello
}

#[test]
fn alpn_is_mqtt_or_nothing_or_what_is_configured() {
    let site = Site::new();
    let device = site.ca.device("device-001");
    let tls = site.load();
    let negotiated = |tls: &ServerTls, offered: &[&str]| {
        let outcome = handshake(tls, site.client(&device).alpn(offered));
        outcome.accepted();
        outcome.server.alpn_protocol().map(<[u8]>::to_vec)
    };
    assert_eq!(negotiated(&tls, &[]), None);
    assert_eq!(negotiated(&tls, &["mqtt"]), Some(b"mqtt".to_vec()));
    assert_eq!(negotiated(&tls, &["h2", "mqtt"]), Some(b"mqtt".to_vec()));
    let outcome = handshake(&tls, site.client(&device).alpn(&["x-amzn-mqtt-ca"]));
    failed_otherwise(&outcome, Alert::NoApplicationProtocol, "ALPN");

    let wider = tls.with_alpn(MQTT_PROTOCOL, &["x-amzn-mqtt-ca".to_owned()]);
    assert_eq!(negotiated(&wider, &["mqtt"]), Some(b"mqtt".to_vec()));
    assert_eq!(negotiated(&wider, &["x-amzn-mqtt-ca"]), Some(b"x-amzn-mqtt-ca".to_vec()));
    let outcome = handshake(&wider, site.client(&device).alpn(&["http/1.1"]));
    failed_otherwise(&outcome, Alert::NoApplicationProtocol, "ALPN");

    let websocket = tls.with_alpn(HTTP_PROTOCOL, &[]);
    assert_eq!(negotiated(&websocket, &[]), None);
    assert_eq!(negotiated(&websocket, &["h2", "http/1.1"]), Some(b"http/1.1".to_vec()));
    for other in ["h2", "mqtt"] {
        let outcome = handshake(&websocket, site.client(&device).alpn(&[other]));
        failed_otherwise(&outcome, Alert::NoApplicationProtocol, "ALPN");
    }
}

#[test]
fn records_are_as_short_as_asked_for() {
    let mut site = Site::new();
    let device = site.ca.device("device-001");
    let longest_record = |site: &Site, tls: &ServerTls| {
        let mut outcome = handshake(tls, site.client(&device));
        outcome.accepted();
        outcome.server.writer().write_all(&[7; 40_000]).unwrap();
        let mut bytes = Vec::new();
        while outcome.server.wants_write() {
            outcome.server.write_tls(&mut bytes).unwrap();
        }
        let (mut rest, mut longest) = (bytes.as_slice(), 0);
        while let [_, _, _, high, low, after @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            longest = longest.max(length);
            rest = &after[length..];
        }
        longest
    };
    let unlimited = site.load();
    let (few, least) =
        (longest_record(&site, &unlimited.with_max_record(4096)), longest_record(&site, &unlimited.with_max_record(0)));
    assert!(longest_record(&site, &unlimited) > 16 * 1024);
    // The type byte and the tag of AEAD lie on top.
    assert!((4000..=4096 - 5 + 17).contains(&few), "{few}");
    assert!(least < 64, "{least}");
    site.settings.max_record = 1024;
    assert!(longest_record(&site, &site.load()) <= 1024 - 5 + 17);
}

/// Counts what a server gives a client to come back with, and keeps it.
#[derive(Debug)]
struct CountingStore {
    inner: rustls::client::ClientSessionMemoryCache,
    tickets: AtomicUsize,
}

impl ClientSessionStore for CountingStore {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.inner.set_kx_hint(name, group);
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.inner.kx_hint(name)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.tickets.fetch_add(1, Ordering::Relaxed);
        self.inner.set_tls12_session(name, session);
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.inner.tls12_session(name)
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.inner.remove_tls12_session(name);
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.tickets.fetch_add(1, Ordering::Relaxed);
        self.inner.insert_tls13_ticket(name, ticket);
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.inner.take_tls13_ticket(name)
    }
}

#[test]
fn no_ticket_is_sent_and_the_second_handshake_is_a_full_one() {
    let site = Site::new();
    let tls = site.load();
    let device = site.ca.device("device-001");
    for version in [&TLS12, &TLS13] {
        let store = Arc::new(CountingStore {
            inner: rustls::client::ClientSessionMemoryCache::new(8),
            tickets: AtomicUsize::new(0),
        });
        let mut config = Client::versions(&site, &device, &[version]).config;
        config.resumption = Resumption::store(Arc::clone(&store) as _);
        config.enable_early_data = true;
        let config = Arc::new(config);
        for _ in 0..2 {
            let outcome = handshake_with(&tls, Arc::clone(&config));
            outcome.accepted();
            assert_eq!(outcome.server.handshake_kind(), Some(HandshakeKind::Full));
        }
        assert_eq!(store.tickets.load(Ordering::Relaxed), 0, "{version:?}");
    }
}

#[test]
fn a_stranger_to_tls_is_told_apart_from_a_bad_certificate() {
    let site = Site::new();
    let handshake = site.load().begin();
    let mut server = rustls::ServerConnection::new(Arc::clone(&handshake.config)).unwrap();
    let mut connect: &[u8] = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04dev1";
    server.read_tls(&mut connect).unwrap();
    let error = server.process_new_packets().unwrap_err();
    let HandshakeFailure::Other { cause, .. } = handshake.explain(&error) else { panic!("{error:?}") };
    assert!(cause.contains("does not speak TLS"), "{cause}");

    let gone = io::Error::from(io::ErrorKind::UnexpectedEof);
    let HandshakeFailure::Other { cause, .. } = handshake.explain_io(&gone) else { panic!() };
    assert!(cause.contains("closed the connection"), "{cause}");
}

#[test]
fn a_client_that_refuses_our_certificate_is_explained() {
    let site = Site::new();
    let other = Site::new();
    let outcome = handshake(&site.load(), other.client(&site.ca.device("device-001")));
    let error = outcome.server_error.clone().unwrap();
    let HandshakeFailure::Other { cause, remedy } = outcome.handshake.explain(&error) else { panic!("{error:?}") };
    assert!(cause.contains("refused the server's certificate"), "{cause}");
    assert!(remedy.contains("--cafile"), "{remedy}");
    assert!(outcome.handshake.conclude(&outcome.server).is_err());
}

#[test]
fn every_handshake_has_its_own_outcome() {
    let site = Site::new();
    let tls = site.load();
    let first = handshake(&tls, site.client(&site.ca.device("device-001")));
    let second = handshake(&tls, site.client(&site.ca.device("device-002")));
    let third = handshake(&tls, site.client(&site.ca.expired("device-003")));
    assert_eq!((first.key_name(), second.key_name()), ("CN=device-001,O=acme".into(), "CN=device-002,O=acme".into()));
    third.refused(Alert::CertificateExpired, "expired");
}
