//! Who may stay, and what a reload changes.

use super::fixture::{Site, block, handshake};
use super::revocation::{numbered, stale};
use crate::config::tls::{CrlRequired, StaleCrl};
use crate::policy::{Certificate, ChainFacts, DeviceKey};
use crate::tls::ca::{TestCa, TestCertificate};
use crate::tls::certificate::CertificateFields;
use crate::tls::{BlockChangeKind, LiveFault, ServerTls, TrustDifference, VerifiedClient};
use std::sync::Arc;
use time::OffsetDateTime;

fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

impl Site {
    fn enter(&self, tls: &ServerTls, device: &TestCertificate) -> Arc<VerifiedClient> {
        handshake(tls, self.client(device)).accepted()
    }
}

fn judge(tls: &ServerTls, client: &VerifiedClient) -> Result<(), LiveFault> {
    tls.trust().judge_live(&client.key, &client.chain, now())
}

fn between(old: &ServerTls, new: &ServerTls) -> TrustDifference {
    TrustDifference::between(old.trust(), new.trust(), now())
}

fn serial_of(ca: &TestCa) -> Vec<u8> {
    CertificateFields::from_der(ca.der()).unwrap().serial.to_vec()
}

#[test]
fn who_was_let_in_stays_under_the_same_settings() {
    let mut site = Site::new();
    let middle = site.ca.intermediate("middle");
    let (crl, of_middle) = (site.ca.revoke(&[]), middle.revoke(&[]));
    site.set_crls(&[&crl, &of_middle]);
    let (old, new) = (site.load(), site.load());
    for device in [site.ca.device("device-001"), middle.device("device-002")] {
        let client = site.enter(&old, &device);
        assert_eq!(judge(&old, &client), Ok(()));
        assert_eq!(judge(&new, &client), Ok(()));
    }
    assert!(between(&old, &new).is_empty(), "{}", between(&old, &new));
    assert_eq!(between(&old, &new).to_string(), "");
}

#[test]
fn a_revoked_serial_ends_its_device_and_no_other() {
    let mut site = Site::new();
    let (revoked, good) = (site.ca.device("revoked"), site.ca.device("good"));
    let earlier = site.ca.device("earlier");
    let other = TestCa::root(site.folder.path(), "other");
    site.settings.trust[0].ca.push(other.certificate.clone());
    let before = site.ca.crl("before.crl", &numbered(1), &[&earlier.serial]);
    site.set_crls(&[&before]);
    let old = site.load();
    let after = site.ca.crl("after.crl", &numbered(2), &[&earlier.serial, &revoked.serial]);
    // Of another CA: the same number is another certificate.
    let of_other = other.crl("other.crl", &numbered(2), &[&good.serial]);
    site.set_crls(&[&after, &of_other]);
    let new = site.load();

    let (bad, fine) = (site.enter(&old, &revoked), site.enter(&old, &good));
    let serial = crate::tls::name::hex(&bad.chain.certificates[0].certificate.serial);
    assert_eq!(judge(&new, &bad), Err(LiveFault::Revoked { serial, depth: 0 }));
    assert_eq!(judge(&new, &fine), Ok(()));
    let difference = between(&old, &new);
    let revoked_now: Vec<_> = difference.revoked_certificates().collect();
    let expected = [Certificate::clone(&bad.chain.certificates[0].certificate), {
        Certificate {
            issuer: Certificate::issuer_digest(CertificateFields::from_der(other.der()).unwrap().subject),
            ..Certificate::clone(&fine.chain.certificates[0].certificate)
        }
    }];
    assert_eq!(revoked_now, expected);
    let text = difference.to_string();
    assert_eq!(text, "1 serial revoked by CN=ca,O=acme\n1 serial revoked by CN=other,O=acme");
    let text = between(&new, &old).to_string();
    assert_eq!(text, "1 serial no longer revoked by CN=ca,O=acme\n1 serial no longer revoked by CN=other,O=acme");
}

#[test]
fn a_namesake_with_another_key_revokes_nothing_of_ours() {
    let mut site = Site::new();
    let successor = site.ca.namesake("successor");
    let device = site.ca.device("device-001");
    site.settings.trust[0].ca.push(successor.certificate.clone());
    let old = site.load();
    let crl = successor.crl("successor.crl", &numbered(1), &[&device.serial]);
    site.set_crls(&[&crl]);
    let new = site.load();
    let client = site.enter(&old, &device);
    assert_eq!(judge(&new, &client), Ok(()));
    // The index knows names and serials only, so the sweep is pointed at it and finds it good.
    let pointed: Vec<_> = between(&old, &new).revoked_certificates().collect();
    assert_eq!(pointed, [Certificate::clone(&client.chain.certificates[0].certificate)]);
}

#[test]
fn a_revoked_intermediate_ends_everything_below_it() {
    let mut site = Site::new();
    let middle = site.ca.intermediate("middle");
    let old = site.load();
    let (below, beside) = (site.enter(&old, &middle.device("below")), site.enter(&old, &site.ca.device("beside")));
    let crl = site.ca.crl("root.crl", &numbered(1), &[&serial_of(&middle)]);
    site.set_crls(&[&crl]);
    let new = site.load();
    assert!(matches!(judge(&new, &below), Err(LiveFault::Revoked { depth: 1, .. })), "{:?}", judge(&new, &below));
    assert_eq!(judge(&new, &beside), Ok(()));
    let pointed: Vec<_> = between(&old, &new).revoked_certificates().collect();
    assert_eq!(pointed, [Certificate::clone(&below.chain.certificates[1].certificate)]);
}

/// The key of an intermediate is not kept, so its list counts for live connections before anyone can verify it; a
/// handshake settles it.
#[test]
fn the_list_of_an_intermediate_ends_its_devices_even_before_it_is_verified() {
    let mut site = Site::new();
    let middle = site.ca.intermediate("middle");
    let (revoked, good) = (middle.device("revoked"), middle.device("good"));
    let old = site.load();
    let (bad, fine) = (site.enter(&old, &revoked), site.enter(&old, &good));
    let crl = middle.crl("middle.crl", &numbered(1), &[&revoked.serial]);
    site.set_crls(&[&crl]);
    let new = site.load();
    assert!(matches!(judge(&new, &bad), Err(LiveFault::Revoked { depth: 0, .. })));
    assert_eq!(judge(&new, &fine), Ok(()));
    assert_eq!(between(&old, &new).revoked_certificates().count(), 1);
    assert!(between(&new, &site.load()).is_empty());

    // A list that its issuer never signed has no force, once its issuer appeared.
    let stranger = TestCa::root(site.folder.path(), "else").intermediate("middle");
    let forged = stranger.crl("forged.crl", &numbered(9), &[&good.serial]);
    site.set_crls(&[&forged]);
    let with_forged = site.load();
    assert!(judge(&with_forged, &fine).is_err(), "in doubt, out");
    let outcome = handshake(&with_forged, site.client(&good));
    assert!(outcome.handshake.conclude(&outcome.server).is_err());
    assert_eq!(judge(&with_forged, &fine), Ok(()));
    // What a forged list named counts as new when the true one names it.
    let genuine = middle.crl("genuine.crl", &numbered(10), &[&good.serial]);
    site.set_crls(&[&genuine]);
    let last = site.load();
    assert_eq!(between(&with_forged, &last).revoked_certificates().count(), 1);
    assert!(judge(&last, &fine).is_err());
}

#[test]
fn a_removed_ca_ends_its_devices_and_a_renewed_one_does_not() {
    let mut site = Site::new();
    let (other, renewed) = (TestCa::root(site.folder.path(), "other"), site.ca.reissued("renewed", -1, 90));
    site.settings.trust[0].ca.push(other.certificate.clone());
    let old = site.load();
    let (kept, gone) = (site.enter(&old, &site.ca.device("kept")), site.enter(&old, &other.device("gone")));
    site.settings.trust[0].ca = vec![renewed.certificate.clone()];
    let new = site.load();
    assert_eq!(judge(&new, &kept), Ok(()));
    assert_eq!(judge(&new, &gone), Err(LiveFault::AnchorRemoved { block: "default".to_owned() }));
    let difference = between(&old, &new);
    assert!(difference.anchors_added.is_empty() && difference.anchors_removed.len() == 1, "{difference:?}");
    assert_eq!(difference.anchors_removed[0].spki_sha256, gone.chain.anchor);
    assert_eq!(difference.to_string(), "CA CN=other,O=acme went (trust block default)");
    assert_eq!(between(&new, &old).to_string(), "CA CN=other,O=acme came (trust block default)");
}

#[test]
fn a_ca_of_the_same_name_or_in_another_block_is_not_the_one_that_vouched() {
    let mut site = Site::new();
    let namesake = site.ca.namesake("namesake");
    let old = site.load();
    let client = site.enter(&old, &site.ca.device("device-001"));
    site.settings.trust = vec![block("default", &[&namesake])];
    assert_eq!(judge(&site.load(), &client), Err(LiveFault::AnchorRemoved { block: "default".to_owned() }));

    // The CA moves to another block: the device would be another one there.
    site.settings.trust = vec![block("default", &[&namesake]), block("moved", &[&site.ca])];
    let new = site.load();
    assert_eq!(judge(&new, &client), Err(LiveFault::AnchorRemoved { block: "default".to_owned() }));
    let text = between(&old, &new).to_string();
    assert!(text.contains("trust block moved came") && text.contains("went (trust block default)"), "{text}");
    site.settings.trust = vec![block("renamed", &[&site.ca])];
    assert_eq!(judge(&site.load(), &client), Err(LiveFault::BlockRemoved { block: "default".to_owned() }));
}

#[test]
fn subjects_that_change_end_those_who_no_longer_pass() {
    let mut site = Site::new();
    let device = site.ca.device("device-001");
    let open = site.load();
    site.settings.trust[0].subjects = vec!["O=acme".parse().unwrap(), "O=else".parse().unwrap()];
    let acme = site.load();
    let (unlimited, passed) = (site.enter(&open, &device), site.enter(&acme, &device));
    assert_eq!(judge(&open, &passed), Ok(()));
    assert_eq!(judge(&acme, &passed), Ok(()));
    // What passed without an entry is judged in full when it reconnects.
    assert_eq!(judge(&acme, &unlimited), Err(LiveFault::SubjectRemoved { block: "default".to_owned() }));
    site.settings.trust[0].subjects.remove(0);
    let fewer = site.load();
    assert_eq!(judge(&fewer, &passed), Err(LiveFault::SubjectRemoved { block: "default".to_owned() }));
    assert_eq!(between(&acme, &fewer).blocks[0].kind, BlockChangeKind::Subjects);
}

#[test]
fn only_disconnect_ends_live_connections_when_a_list_goes_stale() {
    let mut site = Site::new();
    let middle = site.ca.intermediate("middle");
    let fresh = site.ca.crl("fresh.crl", &numbered(1), &[]);
    let of_middle = middle.crl("of-middle.crl", &numbered(1), &[]);
    site.set_crls(&[&fresh, &of_middle]);
    let old = site.load();
    let clients = [site.enter(&old, &site.ca.device("direct")), site.enter(&old, &middle.device("below"))];
    let due = now() + 60 * 24 * 3600;
    for rule in [StaleCrl::Deny, StaleCrl::Allow, StaleCrl::Disconnect] {
        site.settings.trust[0].stale_crl = Some(rule);
        let tls = site.load();
        for client in &clients {
            assert_eq!(judge(&tls, client), Ok(()));
            let mut unending = ChainFacts::clone(&client.chain);
            unending.not_after = i64::MAX;
            let later = tls.trust().judge_live(&client.key, &unending, due);
            match rule {
                StaleCrl::Disconnect => assert!(matches!(later, Err(LiveFault::StaleList { .. })), "{later:?}"),
                StaleCrl::Deny | StaleCrl::Allow => assert_eq!(later, Ok(())),
            }
        }
        let pointed = tls.trust().lists_to_disconnect(now(), due).len();
        assert_eq!(pointed, if rule == StaleCrl::Disconnect { 2 } else { 0 });
        assert!(tls.trust().lists_to_disconnect(due, due + 1).is_empty(), "each is told once");
    }
    // A reload may bring a list that is stale already.
    let overdue = site.ca.crl("overdue.crl", &stale(2), &[]);
    site.set_crls(&[&overdue]);
    let new = site.load();
    assert!(matches!(judge(&new, &clients[0]), Err(LiveFault::StaleList { .. })));
    let difference = between(&old, &new);
    assert_eq!(difference.stale.len(), 1);
    assert!(difference.to_string().contains("overdue.crl, block 1 at line 1 is stale since"), "{difference}");
    assert!(difference.to_string().contains("trust block default has another stale_crl"), "{difference}");
    assert!(between(&new, &site.load()).is_empty());
}

#[test]
fn each_block_has_its_own_rules() {
    let mut site = Site::new();
    let other = TestCa::root(site.folder.path(), "other");
    site.settings.trust = vec![block("strict", &[&site.ca]), block("lax", &[&other])];
    let (of_ca, of_other) = (site.ca.crl("a.crl", &stale(1), &[]), other.crl("b.crl", &stale(1), &[]));
    site.settings.trust[0].crl = vec![of_ca];
    site.settings.trust[1].crl = vec![of_other];
    site.settings.trust[1].stale_crl = Some(StaleCrl::Allow);
    let (ours, theirs) = (site.ca.device("device-001"), other.device("device-001"));
    let tls = site.load();
    handshake(&tls, site.client(&ours)).refused(rustls::AlertDescription::UnknownCA, "is stale since");
    handshake(&tls, site.client(&theirs)).accepted();
    let notices = site.notices().join("\n");
    assert!(notices.contains("CN=ca,O=acme") && notices.contains("are refused"), "{notices}");
    assert!(notices.contains("CN=other,O=acme") && notices.contains("still let in"), "{notices}");

    site.settings.trust[0].crl.clear();
    site.settings.trust[1].crl.clear();
    site.settings.trust[1].crl_required = Some(CrlRequired::All);
    let tls = site.load();
    handshake(&tls, site.client(&ours)).accepted();
    handshake(&tls, site.client(&theirs)).refused(rustls::AlertDescription::UnknownCA, "has no CRL");
}

#[test]
fn an_ended_certificate_may_not_stay() {
    let mut site = Site::new();
    let tls = site.load();
    let client = site.enter(&tls, &site.ca.device("device-001"));
    let end = client.chain.not_after;
    assert_eq!(tls.trust().judge_live(&client.key, &client.chain, end), Ok(()));
    let after = tls.trust().judge_live(&client.key, &client.chain, end + 1);
    assert_eq!(after, Err(LiveFault::Expired { not_after: end }));
    // Who is revoked as well lost the right; who merely ended did not.
    let revoked = site.ca.crl("all.crl", &numbered(1), &[&client.chain.certificates[0].certificate.serial]);
    site.set_crls(&[&revoked]);
    let after = site.load().trust().judge_live(&client.key, &client.chain, end + 1);
    assert!(matches!(after, Err(LiveFault::Revoked { depth: 0, .. })), "{after:?}");
}

#[test]
fn facts_that_prove_nothing_are_refused() {
    let site = Site::new();
    let tls = site.load();
    let client = site.enter(&tls, &site.ca.device("device-001"));
    let mut empty = client.chain.clone();
    empty.certificates = Box::default();
    let mut foreign = client.chain.clone();
    foreign.anchor = [0; 32];
    for chain in [empty, foreign] {
        assert!(matches!(tls.trust().judge_live(&client.key, &chain, now()), Err(LiveFault::AnchorRemoved { .. })));
    }
    let key = DeviceKey { trust: "else".into(), name: Arc::clone(&client.key.name) };
    assert!(matches!(tls.trust().judge_live(&key, &client.chain, now()), Err(LiveFault::BlockRemoved { .. })));
}
