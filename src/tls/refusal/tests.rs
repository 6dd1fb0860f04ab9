use super::*;

fn all_causes() -> Vec<Cause> {
    let revocation = |fault| Cause::Revocation {
        fault,
        subject: "CN=a".to_owned(),
        serial: "01".to_owned(),
        issuer: "CN=ca".to_owned(),
    };
    vec![
        Cause::TooManyCertificates(9),
        Cause::OldVersion,
        Cause::Unreadable("bad".to_owned()),
        Cause::UnknownIssuer,
        Cause::ForeignIssuer,
        Cause::Expired { not_after: 0 },
        Cause::NotYetValid { not_before: 0 },
        Cause::CaOutOfDate { ca: "CN=ca".to_owned(), not_before: 0, not_after: 1 },
        Cause::WrongPurpose,
        Cause::NoPurpose,
        Cause::CaAsDevice,
        Cause::PathConstraint("a constraint"),
        Cause::UnsupportedAlgorithm,
        Cause::CriticalExtension,
        Cause::PathTooComplex,
        revocation(RevocationFault::Revoked),
        revocation(RevocationFault::Stale { next_update: 0, place: "ca.crl".to_owned() }),
        revocation(RevocationFault::Unverified { place: "ca.crl".to_owned() }),
        revocation(RevocationFault::Missing),
        Cause::Identity(IdentityError::Ambiguous("CN")),
        Cause::NoProofOfPossession,
        Cause::Other("else".to_owned()),
    ]
}

#[test]
fn every_cause_has_its_own_words_and_a_remedy() {
    let mut texts: Vec<_> = all_causes().iter().map(Cause::text).collect();
    let count = texts.len();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), count);
    assert!(all_causes().iter().all(|cause| cause.remedy().len() > 10 || matches!(cause, Cause::Other(_))));
}

#[test]
fn texts_from_certificates_are_escaped() {
    let hostile = "x\n2026 INFO all is well\x1b[2J";
    for cause in [Cause::Unreadable(hostile.to_owned()), Cause::Other(hostile.to_owned())] {
        let refusal = CertificateRefusal::new(&[], &cause);
        assert!(!refusal.cause.contains(['\n', '\x1b']), "{refusal:?}");
    }
}

#[test]
fn webpki_errors_become_causes() {
    use webpki::Error;
    let now = rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(50));
    for (error, cause) in [
        (Error::UnknownIssuer, Cause::UnknownIssuer),
        (Error::CertExpired { time: now, not_after: now }, Cause::Expired { not_after: 50 }),
        (Error::CertNotValidYet { time: now, not_before: now }, Cause::NotYetValid { not_before: 50 }),
        (Error::UnsupportedCertVersion, Cause::OldVersion),
        (Error::MaximumSignatureChecksExceeded, Cause::PathTooComplex),
        (Error::EmptyEkuExtension, Cause::WrongPurpose),
        (Error::BadDer, Cause::Unreadable("BadDer".to_owned())),
    ] {
        assert_eq!(Cause::from_webpki(&error), cause);
    }
}
