//! CRLs in handshakes.

use super::fixture::{Outcome, Site, handshake};
use crate::config::tls::{CrlRequired, StaleCrl};
use crate::tls::ca::{Crl, Leaf, TestCa, TestCertificate};
use crate::tls::certificate::CertificateFields;
use rustls::AlertDescription as Alert;
use std::fs;
use std::path::PathBuf;
use time::Duration;

pub(super) fn numbered(number: u64) -> Crl {
    Crl { number, ..Crl::default() }
}

pub(super) fn stale(number: u64) -> Crl {
    Crl { number, this_update: Duration::days(-9), next_update: Duration::days(-2) }
}

impl Site {
    pub(super) fn set_crls(&mut self, crls: &[&PathBuf]) {
        self.settings.trust[0].crl = crls.iter().map(|path| (*path).clone()).collect();
    }

    fn connect(&self, certificate: &TestCertificate) -> Outcome {
        handshake(&self.load(), self.client(certificate))
    }
}

#[test]
fn a_revoked_device_is_refused_and_others_are_not() {
    let mut site = Site::new();
    let (revoked, good) = (site.ca.device("revoked"), site.ca.device("good"));
    let crl = site.ca.revoke(&[&revoked]);
    site.set_crls(&[&crl]);
    let refusal = site.connect(&revoked).refused(Alert::CertificateRevoked, "is revoked by CN=ca,O=acme");
    assert_eq!(refusal.subject, "CN=revoked,O=acme");
    site.connect(&good).accepted();
    assert_eq!(site.notices(), Vec::<String>::new());
}

#[test]
fn a_revoked_intermediate_takes_everything_below_it() {
    let mut site = Site::new();
    let (bad, good) = (site.ca.intermediate("bad"), site.ca.intermediate("good"));
    let serial = CertificateFields::from_der(bad.der()).unwrap().serial;
    let crl = site.ca.crl("root.crl", &numbered(1), &[serial]);
    site.set_crls(&[&crl]);
    site.connect(&bad.device("below")).refused(Alert::CertificateRevoked, "CN=bad,O=acme, serial");
    site.connect(&good.device("below-2")).accepted();
}

#[test]
fn of_several_lists_of_one_issuer_the_newest_counts_in_either_order() {
    let mut site = Site::new();
    let device = site.ca.device("device-001");
    let empty = site.ca.crl("empty.crl", &numbered(1), &[]);
    let revoking = site.ca.crl("revoking.crl", &numbered(2), &[&device.serial]);
    let forgiving = site.ca.crl("forgiving.crl", &numbered(300), &[]);
    for order in [[&empty, &revoking], [&revoking, &empty]] {
        site.set_crls(&order);
        site.connect(&device).refused(Alert::CertificateRevoked, "is revoked");
    }
    for order in [[&revoking, &forgiving], [&forgiving, &revoking]] {
        site.set_crls(&order);
        site.connect(&device).accepted();
    }
    // In one bundle, and in a folder.
    let bundle = site.path("bundle.crl");
    fs::write(&bundle, [fs::read(&empty).unwrap(), fs::read(&revoking).unwrap()].concat()).unwrap();
    site.set_crls(&[&bundle]);
    site.connect(&device).refused(Alert::CertificateRevoked, "is revoked");
    let folder = site.path("crls");
    fs::create_dir(&folder).unwrap();
    fs::copy(&empty, folder.join("1.crl")).unwrap();
    fs::copy(&revoking, folder.join("0.crl")).unwrap();
    site.set_crls(&[&folder]);
    site.connect(&device).refused(Alert::CertificateRevoked, "is revoked");
}

#[test]
fn der_is_read_as_well_as_pem() {
    let mut site = Site::new();
    let (revoked, good) = (site.ca.device("revoked"), site.ca.device("good"));
    let crl = site.ca.crl_der("ca.crl", &numbered(1), &[&revoked.serial]);
    site.set_crls(&[&crl]);
    site.connect(&revoked).refused(Alert::CertificateRevoked, "is revoked");
    site.connect(&good).accepted();
}

#[test]
fn a_stale_list_refuses_or_is_announced() {
    let mut site = Site::new();
    let (revoked, good) = (site.ca.device("revoked"), site.ca.device("good"));
    let crl = site.ca.crl("ca.crl", &stale(1), &[&revoked.serial]);
    site.set_crls(&[&crl]);
    let refusal = site.connect(&good).refused(Alert::UnknownCA, "is stale since");
    assert!(refusal.cause.contains("ca.crl") && refusal.remedy.contains("CRL"), "{refusal:?}");
    site.connect(&revoked).refused(Alert::CertificateRevoked, "is revoked");
    assert!(site.notices()[0].contains("stale") && site.notices()[0].contains("are refused"), "{:?}", site.notices());

    site.settings.stale_crl = StaleCrl::Allow;
    site.connect(&good).accepted();
    site.connect(&revoked).refused(Alert::CertificateRevoked, "is revoked");
    assert!(site.notices()[0].contains("still let in"), "{:?}", site.notices());
}

#[test]
fn a_list_that_goes_stale_while_the_broker_runs_refuses_from_then_on() {
    let mut site = Site::new();
    let device = site.ca.device("device-001");
    let crl = site.ca.revoke(&[]);
    site.set_crls(&[&crl]);
    let tls = site.load();
    let now = rustls::pki_types::UnixTime::now();
    let later = |days: u64| {
        rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.as_secs() + days * 86_400))
    };
    assert!(tls.trust.judge(device.leaf(), &[], later(29)).is_ok());
    let lasting = site.ca.issue("lasting", &Leaf { not_after: Duration::days(90), ..Leaf::device("lasting") });
    assert!(tls.trust.judge(lasting.leaf(), &[], later(29)).is_ok());
    let cause = tls.trust.judge(lasting.leaf(), &[], later(31)).unwrap_err();
    assert!(format!("{cause:?}").contains("Stale"), "{cause:?}");
}

#[test]
fn a_list_under_a_trusted_name_with_a_bad_signature_stops_the_start() {
    let mut site = Site::new();
    let forged = site.ca.namesake("foreign").crl("forged.crl", &numbered(9), &[]);
    site.set_crls(&[&forged]);
    let error = site.load_error();
    assert!(error.contains("forged.crl") && error.contains("CN=ca,O=acme") && error.contains("damaged"), "{error}");

    let genuine = site.ca.crl_der("genuine.crl", &numbered(1), &[&[0x55; 8]]);
    let mut der = fs::read(&genuine).unwrap();
    let at = der.windows(8).position(|window| window == [0x55; 8]).unwrap();
    der[at] ^= 1;
    fs::write(&genuine, der).unwrap();
    site.set_crls(&[&genuine]);
    assert!(site.load_error().contains("no trusted CA of that name signed it"), "{}", site.load_error());
}

#[test]
fn a_list_of_an_intermediate_counts_once_it_appears_and_is_verified_then() {
    let mut site = Site::new();
    let middle = site.ca.intermediate("middle");
    let (revoked, good) = (middle.device("revoked"), middle.device("good"));
    let crl = middle.revoke(&[&revoked]);
    site.set_crls(&[&crl]);
    let notices = site.notices();
    assert!(notices.iter().any(|n| n.contains("CN=middle,O=acme") && n.contains("of no trusted CA")), "{notices:?}");
    let tls = site.load();
    for _ in 0..2 {
        handshake(&tls, site.client(&revoked)).refused(Alert::CertificateRevoked, "is revoked by CN=middle");
        handshake(&tls, site.client(&good)).accepted();
    }
    // The same, once the intermediate is a trusted CA itself.
    site.settings.trust[0].ca.push(middle.certificate.clone());
    site.connect(&revoked).refused(Alert::CertificateRevoked, "is revoked by CN=middle");
}

#[test]
fn the_newest_list_of_an_intermediate_counts_and_a_forged_one_never() {
    let mut site = Site::new();
    let middle = site.ca.intermediate("middle");
    let (revoked, good) = (middle.device("revoked"), middle.device("good"));
    let old = middle.crl("old.crl", &numbered(1), &[]);
    let new = middle.crl("new.crl", &numbered(2), &[&revoked.serial]);
    let stranger = TestCa::root(site.folder.path(), "else").intermediate("middle");
    let forged = stranger.crl("forged.crl", &numbered(99), &[]);
    for order in [[&old, &new, &forged], [&forged, &new, &old]] {
        site.set_crls(&order);
        site.connect(&revoked).refused(Alert::CertificateRevoked, "is revoked");
        site.connect(&good).accepted();
    }
    site.set_crls(&[&forged]);
    let refusal = site.connect(&good).refused(Alert::UnknownCA, "is not signed by that CA");
    assert!(refusal.cause.contains("forged.crl"), "{refusal:?}");
}

#[test]
fn after_a_new_key_under_the_old_name_each_key_has_its_own_list() {
    let mut site = Site::new();
    let successor = site.ca.namesake("successor");
    site.settings.trust[0].ca.push(successor.certificate.clone());
    let (old, new) = (site.ca.device("old"), successor.device("new"));
    let (old_good, new_good) = (site.ca.device("old-good"), successor.device("new-good"));
    let of_old = site.ca.crl("of-old.crl", &numbered(1), &[&old.serial]);
    let of_new = successor.crl("of-new.crl", &numbered(50), &[&new.serial]);
    for order in [[&of_old, &of_new], [&of_new, &of_old]] {
        site.set_crls(&order);
        site.connect(&old).refused(Alert::CertificateRevoked, "is revoked");
        site.connect(&new).refused(Alert::CertificateRevoked, "is revoked");
        site.connect(&old_good).accepted();
        site.connect(&new_good).accepted();
    }
}

#[test]
fn serials_are_those_of_the_issuer() {
    let mut site = Site::new();
    let other = TestCa::root(site.folder.path(), "other");
    site.settings.trust[0].ca.push(other.certificate.clone());
    let device = site.ca.device("device-001");
    let crl = other.crl("other.crl", &numbered(1), &[&device.serial]);
    site.set_crls(&[&crl]);
    site.connect(&device).accepted();
}

#[test]
fn required_lists_are_for_listed_issuers_or_for_all() {
    let mut site = Site::new();
    let device = site.ca.device("device-001");
    let below = site.ca.intermediate("middle").device("below");
    site.settings.crl_required = CrlRequired::All;
    site.connect(&device).refused(Alert::UnknownCA, "CN=ca,O=acme has no CRL");
    assert!(site.notices()[0].contains("all its devices are refused"), "{:?}", site.notices());

    let crl = site.ca.revoke(&[]);
    site.set_crls(&[&crl]);
    site.connect(&device).accepted();
    site.connect(&below).refused(Alert::UnknownCA, "CN=middle,O=acme has no CRL");

    site.settings.crl_required = CrlRequired::Listed;
    site.connect(&below).accepted();
    let other = TestCa::root(site.folder.path(), "other");
    site.settings.trust[0].ca.push(other.certificate.clone());
    site.connect(&other.device("device-002")).accepted();
    let notices = site.notices();
    assert!(notices.iter().any(|n| n.contains("CN=other,O=acme has no CRL") && n.contains("nothing it issued")));
}

#[test]
fn a_ca_that_may_not_sign_lists_does_not() {
    let mut site = Site::new();
    let middle = site.ca.intermediate("middle");
    let barred = site.ca.recertify(&middle, "barred", |params| {
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    });
    let crl = middle.revoke(&[]);
    site.set_crls(&[&crl]);
    site.connect(&middle.device("device-001")).accepted();
    site.connect(&barred.device("device-002")).refused(Alert::UnknownCA, "is not signed by that CA");
    site.settings.trust[0].ca.push(barred.certificate.clone());
    assert!(site.load_error().contains("key usage forbids cRLSign"), "{}", site.load_error());
}

#[test]
fn lists_signed_with_every_usual_kind_of_key_are_verified() {
    let mut site = Site::new();
    for (name, algorithm) in [
        ("rsa", &rcgen::PKCS_RSA_SHA256),
        ("p384", &rcgen::PKCS_ECDSA_P384_SHA384),
        ("p521", &rcgen::PKCS_ECDSA_P521_SHA512),
        ("ed25519", &rcgen::PKCS_ED25519),
    ] {
        let ca = TestCa::root_with_key(site.folder.path(), name, algorithm);
        let (revoked, good) = (ca.device("revoked"), ca.device("good"));
        let crl = ca.revoke(&[&revoked]);
        site.settings.trust[0].ca = vec![ca.certificate.clone()];
        site.set_crls(&[&crl]);
        site.connect(&revoked).refused(Alert::CertificateRevoked, "is revoked");
        site.connect(&good).accepted();
    }
}
