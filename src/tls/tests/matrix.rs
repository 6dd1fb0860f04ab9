//! Certificates, good and bad, in TLS 1.3 and 1.2.

use super::fixture::{Client, Site, handshake};
use crate::config::tls::ExtendedKeyUsage;
use crate::policy::SubjectSelector;
use crate::tls::ca::{Leaf, TestCa};
use crate::tls::certificate::CertificateFields;
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa};
use rustls::AlertDescription as Alert;
use rustls::version::{TLS12, TLS13};
use sha2::{Digest, Sha256};
use std::time::Instant;
use time::Duration;

#[test]
fn a_good_certificate_is_let_in_and_named() {
    let site = Site::new();
    let device = site.ca.device("device-001");
    for version in [&TLS12, &TLS13] {
        let outcome = handshake(&site.load(), Client::versions(&site, &device, &[version]));
        let client = outcome.accepted();
        assert_eq!((&*client.key.trust, &*client.key.name), ("default", "CN=device-001,O=acme"));
        assert_eq!(client.identity.common_names, ["device-001"]);
        assert_eq!(outcome.server.protocol_version(), Some(version.version));
    }
}

#[test]
fn facts_of_the_chain_are_those_of_its_path() {
    let site = Site::new();
    let intermediate = site.ca.intermediate("ca-2");
    let device = intermediate.device("device-001");
    let chain = &handshake(&site.load(), site.client(&device)).accepted().chain;

    let root = CertificateFields::from_der(site.ca.der()).unwrap();
    let middle = CertificateFields::from_der(intermediate.der()).unwrap();
    let leaf = CertificateFields::from_der(device.leaf()).unwrap();
    assert_eq!(chain.anchor, root.spki_sha256());
    assert_eq!(chain.not_after, leaf.not_after.min(middle.not_after).min(root.not_after));
    assert_eq!(chain.leaf_sha256, <[u8; 32]>::from(Sha256::digest(device.leaf())));
    let expected =
        [((middle.subject, middle.spki_sha256()), leaf.serial), ((root.subject, root.spki_sha256()), middle.serial)];
    assert_eq!(chain.certificates.len(), 2);
    for (path, (issuer, serial)) in chain.certificates.iter().zip(expected) {
        assert_eq!(path.certificate.issuer[..], Sha256::digest(issuer.0)[..16]);
        assert_eq!(path.issuer_key[..], issuer.1[..16]);
        assert_eq!(&*path.certificate.serial, serial);
    }
}

#[test]
fn the_earliest_end_in_the_path_counts() {
    let site = Site::new();
    let brief = site.ca.intermediate_with("brief", |params| {
        params.not_after = time::OffsetDateTime::now_utc() + Duration::days(3);
    });
    let chain = &handshake(&site.load(), site.client(&brief.device("device-001"))).accepted().chain;
    assert_eq!(chain.not_after, CertificateFields::from_der(brief.der()).unwrap().not_after);
}

#[test]
fn no_certificate_is_refused_and_said_so() {
    let site = Site::new();
    let outcome = handshake(&site.load(), site.client_without_certificate());
    let refusal = outcome.refused(Alert::CertificateRequired, "no certificate");
    assert!(refusal.remedy.contains("--cert"), "{refusal:?}");
    assert_eq!(outcome.handshake.refusal(), None, "the verifier was never asked");
}

#[test]
fn a_refusal_names_subject_issuer_cause_and_remedy() {
    let site = Site::new();
    let stranger = TestCa::root(site.folder.path(), "stranger");
    let refusal = handshake(&site.load(), site.client(&stranger.device("device-001")))
        .refused(Alert::UnknownCA, "its issuer is no trusted CA");
    assert_eq!(refusal.subject, "CN=device-001,O=acme");
    assert_eq!(refusal.issuer, "CN=stranger,O=acme");
    assert!(refusal.remedy.contains("tls.client_ca"), "{refusal:?}");
}

#[test]
fn a_foreign_ca_of_the_same_name_is_refused() {
    let site = Site::new();
    let foreign = site.ca.namesake("foreign");
    for version in [&TLS12, &TLS13] {
        let client = Client::versions(&site, &foreign.device("device-001"), &[version]);
        handshake(&site.load(), client).refused(Alert::UnknownCA, "another CA with the same name");
    }
    // Nor does it help to send the foreign root along, or to be the genuine CA's namesake as an intermediate.
    let mut device = foreign.device("device-002");
    device.chain.push(foreign.der().clone());
    handshake(&site.load(), site.client(&device)).refused(Alert::UnknownCA, "another CA with the same name");
}

#[test]
fn dates_are_enforced() {
    let site = Site::new();
    let tls = site.load();
    let refusal =
        handshake(&tls, site.client(&site.ca.expired("old"))).refused(Alert::CertificateExpired, "expired at");
    assert!(refusal.remedy.contains("renew"), "{refusal:?}");
    handshake(&tls, site.client(&site.ca.not_yet_valid("early")))
        .refused(Alert::CertificateExpired, "not valid before");
    let expired_ca = site.ca.intermediate_with("ended", |params| {
        params.not_before = time::OffsetDateTime::now_utc() - Duration::days(9);
        params.not_after = time::OffsetDateTime::now_utc() - Duration::days(1);
    });
    handshake(&tls, site.client(&expired_ca.device("below"))).refused(Alert::CertificateExpired, "a CA of its chain");
}

#[test]
fn an_expired_root_vouches_for_nobody_until_it_is_renewed_under_its_key() {
    let mut site = Site::new();
    let device = site.ca.device("device-001");
    let expired = site.ca.reissued("expired-root", -30, -1);
    site.settings.trust[0].ca = vec![expired.certificate.clone()];
    handshake(&site.load(), site.client(&device)).refused(Alert::CertificateExpired, "the trusted CA CN=ca,O=acme");
    assert!(site.notices().iter().any(|notice| notice.contains("CN=ca,O=acme expired at")));
    site.settings.trust[0].ca.push(site.ca.certificate.clone());
    handshake(&site.load(), site.client(&device)).accepted();
}

#[test]
fn the_extended_key_usage_must_include_client_auth_where_there_is_one() {
    let mut site = Site::new();
    let (wrong, none, good) = (site.ca.wrong_purpose("wrong"), site.ca.no_purpose("none"), site.ca.device("good"));
    let tls = site.load();
    handshake(&tls, site.client(&wrong)).refused(Alert::UnsupportedCertificate, "clientAuth");
    handshake(&tls, site.client(&none)).accepted();
    let both = Leaf {
        purposes: vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        ..Leaf::device("both")
    };
    handshake(&tls, site.client(&site.ca.issue("both", &both))).accepted();

    site.settings.extended_key_usage = ExtendedKeyUsage::Required;
    let strict = site.load();
    handshake(&strict, site.client(&none)).refused(Alert::UnsupportedCertificate, "tls.require_eku");
    handshake(&strict, site.client(&wrong)).refused(Alert::UnsupportedCertificate, "clientAuth");
    handshake(&strict, site.client(&good)).accepted();
    // The demand is on the device: its CAs have none.
    handshake(&strict, site.client(&site.ca.intermediate("ca-2").device("below"))).accepted();
}

#[test]
fn version_one_is_refused_with_the_remedy() {
    let site = Site::new();
    let refusal = handshake(&site.load(), site.client(&site.ca.version_one("old-style")))
        .refused(Alert::BadCertificate, "X.509 version 1");
    assert!(refusal.remedy.contains("-extfile"), "{refusal:?}");
    assert!(refusal.subject.contains("CN=old-style"), "{refusal:?}");
    assert!(refusal.issuer.contains("CN=ca"), "{refusal:?}");
}

#[test]
fn intermediates_are_followed_in_any_order_but_must_be_complete() {
    let site = Site::new();
    let tls = site.load();
    let two = site.ca.intermediate("ca-2");
    let three = two.intermediate("ca-3");
    let device = three.device("device-001");
    assert_eq!(device.chain.len(), 3);
    handshake(&tls, site.client(&device)).accepted();

    let [leaf, near, far] = <[_; 3]>::try_from(device.chain.clone()).unwrap();
    let root = site.ca.der().clone();
    for accepted in [vec![leaf.clone(), far.clone(), near.clone()], vec![leaf.clone(), root, far.clone(), near.clone()]]
    {
        handshake(&tls, site.client_with(accepted, device.key())).accepted();
    }
    for partial in [vec![leaf.clone()], vec![leaf.clone(), near.clone()], vec![leaf, far.clone()]] {
        handshake(&tls, site.client_with(partial, device.key())).refused(Alert::UnknownCA, "no chain to one was sent");
    }
    // The leaf must come first: the client signs with its key.
    let swapped = vec![near, device.chain[0].clone(), far];
    handshake(&tls, site.client_with(swapped, device.key())).refused(Alert::UnsupportedCertificate, "CA certificate");
}

#[test]
fn more_than_four_certificates_are_not_looked_at() {
    let site = Site::new();
    let tls = site.load();
    let deep = site.ca.intermediate("ca-2").intermediate("ca-3").intermediate("ca-4");
    let device = deep.device("device-001");
    assert_eq!(device.chain.len(), 4);
    handshake(&tls, site.client(&device)).accepted();
    let mut chain = device.chain.clone();
    chain.push(site.ca.der().clone());
    handshake(&tls, site.client_with(chain, device.key())).refused(Alert::AccessDenied, "sent 5 certificates");
}

/// Many CAs of one name, trusted and sent, are the worst case of path building: each must be tried with each.
#[test]
fn path_building_ends_soon_whatever_is_sent() {
    let mut site = Site::new();
    let mut cas: Vec<_> = (0..40).map(|n| site.ca.namesake(&format!("namesake-{n}")).certificate).collect();
    cas.push(site.ca.certificate.clone());
    site.settings.trust[0].ca = cas;
    let tls = site.load();
    let forged: Vec<_> = (0..3).map(|n| site.ca.namesake(&format!("forged-{n}")).der().clone()).collect();
    let stranger = site.ca.namesake("stranger").device("device-001");
    let chain = std::iter::once(stranger.leaf().clone()).chain(forged).collect();
    let start = Instant::now();
    let outcome = handshake(&tls, site.client_with(chain, stranger.key()));
    let refusal = match outcome.handshake.refusal() {
        Some(refusal) => refusal,
        None => panic!("let in"),
    };
    assert!(refusal.cause.contains("too many steps"), "{refusal:?}");
    assert!(start.elapsed() < std::time::Duration::from_secs(2), "{:?}", start.elapsed());
    handshake(&tls, site.client(&site.ca.device("device-002"))).accepted();
}

#[test]
fn a_ca_certificate_is_no_device_and_a_device_no_ca() {
    let site = Site::new();
    let tls = site.load();
    let ca_leaf = Leaf { is_ca: IsCa::Ca(BasicConstraints::Unconstrained), ..Leaf::device("ca-leaf") };
    let refusal = handshake(&tls, site.client(&site.ca.issue("ca-leaf", &ca_leaf)))
        .refused(Alert::UnsupportedCertificate, "CA:TRUE");
    assert!(refusal.remedy.contains("CA:FALSE"), "{refusal:?}");

    let device_as_ca = site.ca.intermediate_with("device-as-ca", |params| params.is_ca = IsCa::ExplicitNoCa);
    handshake(&tls, site.client(&device_as_ca.device("x"))).refused(Alert::UnknownCA, "no CA issued another");

    let narrow =
        site.ca.intermediate_with("narrow", |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    handshake(&tls, site.client(&narrow.device("y"))).accepted();
    let below = narrow.intermediate("below");
    handshake(&tls, site.client(&below.device("z"))).refused(Alert::UnknownCA, "pathLenConstraint");
}

#[test]
fn every_usual_kind_of_key_works_in_both_versions() {
    let site = Site::new();
    let tls = site.load();
    for (name, algorithm) in [
        ("rsa", &rcgen::PKCS_RSA_SHA256),
        ("p256", &rcgen::PKCS_ECDSA_P256_SHA256),
        ("p384", &rcgen::PKCS_ECDSA_P384_SHA384),
        ("p521", &rcgen::PKCS_ECDSA_P521_SHA512),
        ("ed25519", &rcgen::PKCS_ED25519),
    ] {
        let device = site.ca.issue(name, &Leaf { algorithm, ..Leaf::device(name) });
        for version in [&TLS12, &TLS13] {
            let outcome = handshake(&tls, Client::versions(&site, &device, &[version]));
            assert_eq!(outcome.key_name(), format!("CN={name},O=acme"));
        }
    }
}

#[test]
fn without_the_private_key_a_stolen_certificate_is_worthless() {
    let site = Site::new();
    let tls = site.load();
    let (victim, thief) = (site.ca.device("victim"), site.ca.device("thief"));
    for version in [&TLS12, &TLS13] {
        let mut client = Client::versions(&site, &victim, &[version]);
        client.config = {
            let stolen = site.client_with(victim.chain.clone(), thief.key());
            let mut config = stolen.config;
            config.alpn_protocols = client.config.alpn_protocols;
            config
        };
        let outcome = handshake(&tls, client);
        let refusal = outcome.refused(Alert::DecryptError, "does not hold the private key");
        assert_eq!(refusal.subject, "CN=victim,O=acme");
    }
}

#[test]
fn garbage_as_a_certificate_is_refused_in_words() {
    let site = Site::new();
    let tls = site.load();
    let device = site.ca.device("device-001");
    for garbage in [vec![0x30], vec![0; 100], b"\x30\x03\x02\x01\x01".to_vec()] {
        let refusal = handshake(&tls, site.client_with(vec![garbage.into()], device.key()))
            .refused(Alert::BadCertificate, "cannot be read");
        assert_eq!(refusal.subject, "(unreadable)");
    }
    // Junk beside a good chain harms nobody.
    let mut chain = device.chain.clone();
    chain.push(vec![0x30, 0x80, 1].into());
    handshake(&tls, site.client_with(chain, device.key())).accepted();
}

#[test]
fn a_damaged_certificate_is_refused_whatever_byte_it_is() {
    let site = Site::new();
    let tls = site.load();
    let device = site.ca.device("device-001");
    let now = rustls::pki_types::UnixTime::now();
    for position in 0..device.leaf().len() {
        let mut der = device.leaf().to_vec();
        der[position] ^= 0x04;
        assert!(tls.trust.judge(&der.into(), &[], now).is_err(), "byte {position}");
    }
}

#[test]
fn odd_names_are_refused_or_taken_literally() {
    let mut site = Site::new();
    site.selector = SubjectSelector::Cn;
    let by_cn = site.load();
    site.selector = SubjectSelector::Dn;
    let by_dn = site.load();
    for (word, certificate) in site.ca.odd_names() {
        let cn = handshake(&by_cn, site.client(&certificate));
        let dn = handshake(&by_dn, site.client(&certificate));
        match word {
            "plus" => assert_eq!((cn.key_name(), dn.key_name()), ("+".into(), r"CN=\+,O=acme".into())),
            "hash" => assert_eq!((cn.key_name(), dn.key_name()), ("#".into(), r"CN=\#,O=acme".into())),
            "slash" => assert_eq!((cn.key_name(), dn.key_name()), ("a/b".into(), "CN=a/b,O=acme".into())),
            "comma" => {
                assert_eq!((cn.key_name(), dn.key_name()), ("comma".into(), r"O=x\, CN=admin,CN=comma".into()));
            }
            "bmp" => assert_eq!(cn.key_name(), "b\u{e4}r"),
            "multi-valued" => assert_eq!(cn.key_name(), "device-001"),
            "two-names" => {
                cn.refused(Alert::BadCertificate, "more than one");
                assert_eq!(dn.key_name(), "CN=device-002,CN=device-001,O=acme");
            }
            "no-name" | "empty" => {
                cn.refused(Alert::BadCertificate, "");
                dn.refused(Alert::BadCertificate, "");
            }
            "nul" | "control" => {
                let refusal = dn.refused(Alert::BadCertificate, "");
                let shown = format!("{refusal:?}");
                assert!(!refusal.subject.contains(['\0', '\n']), "{shown}");
                cn.refused(Alert::BadCertificate, "");
            }
            // T.61 has no agreed meaning: either refused, or plain ASCII taken as it stands.
            "teletex" => {
                if cn.server_error.is_some() {
                    cn.refused(Alert::BadCertificate, "");
                } else {
                    assert_eq!(cn.key_name(), "t61");
                }
            }
            other => panic!("no expectation for {other}"),
        }
    }
}
