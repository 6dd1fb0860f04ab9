//! Resumed handshakes: as strict as full ones.

use super::fixture::{Client, Outcome, Site, block, handshake_with};
use crate::tls::ca::{Leaf, TestCa, TestCertificate};
use crate::tls::{HandshakeFailure, ServerTls, TicketKeys};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, SupportedProtocolVersion};
use std::sync::Arc;
use time::Duration;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A client that keeps its tickets.
fn keeper(site: &Site, device: &TestCertificate, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut config = Client::versions(site, device, &[version]).config;
    config.enable_early_data = true;
    Arc::new(config)
}

fn keys() -> Option<TicketKeys> {
    Some(TicketKeys::generate().unwrap())
}

#[track_caller]
fn full(tls: &ServerTls, client: &Arc<ClientConfig>) {
    let outcome = handshake_with(tls, Arc::clone(client));
    outcome.accepted();
    assert_eq!(outcome.server.handshake_kind(), Some(HandshakeKind::Full));
}

#[track_caller]
fn resumed(tls: &ServerTls, client: &Arc<ClientConfig>) -> Outcome {
    let outcome = handshake_with(tls, Arc::clone(client));
    assert_eq!(outcome.server_error, None);
    assert_eq!(outcome.server.handshake_kind(), Some(HandshakeKind::Resumed));
    outcome
}

#[track_caller]
fn refused(outcome: &Outcome, words: &str) {
    let Err(HandshakeFailure::Certificate(refusal)) = outcome.handshake.conclude(&outcome.server) else {
        panic!("a certificate that is no longer good was resumed");
    };
    assert!(refusal.cause.contains(words), "{refusal:?} does not say {words:?}");
    assert!(refusal.subject.contains("CN=device"), "{refusal:?}");
}

#[test]
fn a_client_comes_back_as_the_device_it_was() {
    let site = Site::new();
    let tls = site.load().with_tickets(keys());
    let device = site.ca.device("device-001");
    for version in VERSIONS {
        let client = keeper(&site, &device, version);
        let first = handshake_with(&tls, Arc::clone(&client)).accepted();
        for _ in 0..3 {
            let outcome = resumed(&tls, &client);
            let again = outcome.accepted();
            assert_eq!((&again.key, &again.chain), (&first.key, &first.chain));
            assert_eq!(format!("{:?}", again.identity), format!("{:?}", first.identity));
            assert!(!outcome.client.is_early_data_accepted(), "no early data");
        }
    }
}

#[test]
fn what_has_been_revoked_is_not_resumed() {
    let mut site = Site::new();
    let tickets = keys();
    let device = site.ca.device("device-001");
    for version in VERSIONS {
        let client = keeper(&site, &device, version);
        site.set_crls(&[]);
        full(&site.load().with_tickets(tickets.clone()), &client);
        let crl = site.ca.revoke(&[&device]);
        site.set_crls(&[&crl]);
        // The keys are still the same: the judgement alone refuses.
        refused(&resumed(&site.load().with_tickets(tickets.clone()), &client), "revoked");
    }
}

#[test]
fn a_removed_ca_resumes_nobody_even_under_the_same_keys() {
    let mut site = Site::new();
    let tickets = keys();
    let (old, other) = (site.settings.trust.clone(), TestCa::root(site.folder.path(), "other"));
    let device = site.ca.device("device-001");
    for version in VERSIONS {
        site.settings.trust = old.clone();
        let client = keeper(&site, &device, version);
        full(&site.load().with_tickets(tickets.clone()), &client);
        site.settings.trust = vec![block("default", &[&other])];
        refused(&resumed(&site.load().with_tickets(tickets.clone()), &client), "CA");
    }
}

#[test]
fn a_certificate_that_has_ended_since_is_not_resumed() {
    let site = Site::new();
    let tls = site.load().with_tickets(keys());
    let leaf = Leaf { not_after: Duration::seconds(3), ..Leaf::device("device-short") };
    let device = site.ca.issue("device-short", &leaf);
    let clients = VERSIONS.map(|version| keeper(&site, &device, version));
    clients.iter().for_each(|client| full(&tls, client));
    // Each comes back, and back again, until the clock itself has moved on.
    for client in &clients {
        let mut comes_back = std::iter::repeat_with(|| resumed(&tls, client));
        let ended = comes_back.find(|outcome| outcome.handshake.conclude(&outcome.server).is_err());
        refused(&ended.unwrap(), "expired");
    }
}

#[test]
fn a_ticket_of_another_listener_or_epoch_is_worthless() {
    let site = Site::new();
    let tls = site.load();
    let device = site.ca.device("device-001");
    for version in VERSIONS {
        let client = keeper(&site, &device, version);
        full(&tls.with_tickets(keys()), &client);
        full(&tls.with_tickets(keys()), &client);
    }
}

#[test]
fn without_keys_every_handshake_is_a_full_one() {
    let site = Site::new();
    let (with, without) = (site.load().with_tickets(keys()), site.load());
    let device = site.ca.device("device-001");
    for version in VERSIONS {
        let client = keeper(&site, &device, version);
        full(&without, &client);
        full(&with, &client);
        full(&without, &client);
    }
}
