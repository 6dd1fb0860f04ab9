use super::*;
use crate::tls::ca::{Crl, TestCa};
use crate::tls::certificate::CertificateFields;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const RULES: RevocationRules = RevocationRules { stale: StaleCrl::Deny, required: CrlRequired::Listed };

fn load(crl: PathBuf, ca: &TestCa) -> RevocationIndex {
    let block = TrustBlockSettings { crl: vec![crl], ..TrustBlockSettings::default() };
    RevocationIndex::load(&[block], &[issuer(ca)], algorithms()).unwrap()
}

fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all
}

fn issuer(ca: &TestCa) -> Issuer<'_> {
    let fields = CertificateFields::from_der(ca.der()).unwrap();
    Issuer {
        name: fields.subject,
        spki: fields.spki,
        id: IssuerId::new(fields.subject, &fields.spki_sha256()),
        crl_signing: fields.crl_signing,
    }
}

#[test]
fn a_list_without_number_competes_by_date() {
    let list = |number: Option<u8>, this_update: i64, place: &str| {
        Arc::new(RevocationList {
            issuer: String::new(),
            place: place.to_owned(),
            number: number.map(|number| vec![number].into_boxed_slice()),
            this_update,
            next_update: 1_000,
            serials: SerialSet::default(),
        })
    };
    let winner = |lists: &[&Arc<RevocationList>]| {
        let forth = newest(lists.iter().map(|list| Arc::clone(list))).unwrap().place.clone();
        let back = newest(lists.iter().rev().map(|list| Arc::clone(list))).unwrap().place.clone();
        assert_eq!(forth, back);
        forth
    };
    let (numbered_old, numbered_new) = (list(Some(9), 10, "old date, high number"), list(Some(2), 20, "new date"));
    let plain = list(None, 15, "no number");
    assert_eq!(winner(&[&numbered_old, &numbered_new]), "old date, high number");
    assert_eq!(winner(&[&numbered_old, &plain]), "no number");
    assert_eq!(winner(&[&numbered_old, &numbered_new, &plain]), "new date");
}

#[test]
fn appearing_issuers_are_verified_once_and_remembered_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let (root, other) = (TestCa::root(folder.path(), "root"), TestCa::root(folder.path(), "other"));
    let crl = other.crl("other.crl", &Crl::default(), &[&[5]]);
    let index = load(crl, &root);
    assert_eq!(index.check(&issuer(&root), &[5], RULES, 0), Ok(()));
    for _ in 0..3 {
        assert_eq!(index.check(&issuer(&other), &[5], RULES, 0), Err(RevocationFault::Revoked));
        assert_eq!(index.check(&issuer(&other), &[6], RULES, 0), Ok(()));
    }
    assert_eq!(index.appeared.read().len(), 1);
    for n in 0..REMEMBERED_ISSUERS + 10 {
        let mut stranger = issuer(&other);
        stranger.id.key[..8].copy_from_slice(&n.to_be_bytes());
        // The key is still the true one; only its identity differs, so that each is new to the index.
        assert_eq!(index.check(&stranger, &[5], RULES, 0), Err(RevocationFault::Revoked));
    }
    assert_eq!(index.appeared.read().len(), REMEMBERED_ISSUERS);
}

#[test]
fn a_large_list_answers_without_a_walk() {
    let folder = tempfile::tempdir().unwrap();
    let ca = TestCa::root(folder.path(), "ca");
    let serials: Vec<[u8; 16]> = (0..20_000_u128).map(|n| (n * 0x1_0000_0001 + (1 << 120)).to_be_bytes()).collect();
    let borrowed: Vec<&[u8]> = serials.iter().map(<[u8; 16]>::as_slice).collect();
    let crl = ca.crl_der("large.crl", &Crl::default(), &borrowed);
    let index = load(crl, &ca);
    let issuer = issuer(&ca);
    let start = Instant::now();
    for serial in &borrowed {
        assert_eq!(index.check(&issuer, serial, RULES, 0), Err(RevocationFault::Revoked));
    }
    assert!(start.elapsed() < Duration::from_secs(2), "20 000 look-ups took {:?}", start.elapsed());
}
