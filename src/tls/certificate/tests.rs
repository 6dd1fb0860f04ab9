use super::*;
use crate::policy::identity::certificate_facts;
use crate::tls::ca::{TestCa, TestCertificate};

fn made() -> (tempfile::TempDir, TestCa, TestCertificate) {
    let folder = tempfile::tempdir().unwrap();
    let ca = TestCa::root(folder.path(), "ca");
    let device = ca.device("device-001");
    (folder, ca, device)
}

#[test]
fn reads_what_the_policy_reads() {
    let (_folder, ca, device) = made();
    let old = ca.version_one("old");
    for der in [ca.der(), device.leaf(), old.leaf()] {
        let (fields, facts) = (CertificateFields::from_der(der).unwrap(), certificate_facts(der).unwrap());
        assert_eq!((fields.not_before, fields.not_after), (facts.not_before, facts.not_after));
        assert_eq!(fields.serial, &*facts.certificate.serial);
        assert_eq!(fields.spki_sha256(), facts.spki_sha256);
    }
    let version = |der| CertificateFields::from_der(der).unwrap().version;
    assert_eq!((version(device.leaf()), version(old.leaf())), (Version::Three, Version::One));
}

#[test]
fn tells_cas_from_devices_and_purposes_from_none() {
    let (_folder, ca, device) = made();
    let (root, leaf) =
        (CertificateFields::from_der(ca.der()).unwrap(), CertificateFields::from_der(device.leaf()).unwrap());
    assert_eq!((root.authority, leaf.authority), (Authority::Ca, Authority::EndEntity));
    // A device's key usage is digitalSignature alone.
    assert_eq!((root.crl_signing, leaf.crl_signing), (CrlSigning::Allowed, CrlSigning::Forbidden));
    assert_eq!((root.extended_key_usage, leaf.extended_key_usage), (Presence::Absent, Presence::Present));
    let server = ca.server("server");
    let server = CertificateFields::from_der(server.leaf()).unwrap();
    assert_eq!((leaf.subject_alternative_name, server.subject_alternative_name), (Presence::Absent, Presence::Present));
}

/// What webpki reads as well as we do, it must read alike: revocation goes by our issuer and serial.
#[test]
fn mutations_never_panic_and_never_read_differently_than_webpki() {
    let (_folder, _ca, device) = made();
    let original = device.leaf().to_vec();
    let mut both = 0;
    for position in 0..original.len() {
        for value in 0..=255 {
            let mut der = original.clone();
            der[position] = value;
            let Ok(fields) = CertificateFields::from_der(&der) else { continue };
            let der = rustls::pki_types::CertificateDer::from(der.as_slice());
            let Ok(certificate) = webpki::EndEntityCert::try_from(&der) else { continue };
            both += 1;
            assert!(fields.issuer.ends_with(certificate.issuer()));
            assert!(fields.subject.ends_with(certificate.subject()));
            assert_eq!(fields.serial, crate::tls::der::without_leading_zeros(certificate.serial()));
            assert_eq!(fields.spki, &*certificate.subject_public_key_info());
        }
    }
    assert!(both > 10_000, "{both}");
    for length in 0..original.len() {
        assert!(CertificateFields::from_der(&original[..length]).is_err());
    }
}
