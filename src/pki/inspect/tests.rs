use super::*;
use crate::pki::{InitRequest, IssueRequest, Reason};

/// 2026-11-23, Unix seconds.
const NOW: i64 = 1_795_392_000;
const YEAR: i64 = 365 * 24 * 60 * 60;

#[test]
fn every_fault_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut authority = Authority::init(dir.path(), &InitRequest::default(), NOW).unwrap();
    let dev = authority.issue(&IssueRequest::device("dev"), NOW).unwrap().certificate;
    let server = authority.issue(&IssueRequest::server("server"), NOW).unwrap().certificate;
    let faults = |path: &Path, now| inspect(path, Some(&authority), now).unwrap().faults;
    assert_eq!(faults(&dev, NOW), []);
    assert_eq!(faults(&dev, NOW + 2 * YEAR), [Fault::Expired]);
    assert_eq!(faults(&dev, NOW - YEAR), [Fault::NotYetValid]);
    assert_eq!(faults(&server, NOW), [Fault::NoClientAuth]);
    assert_eq!(faults(&dir.path().join("ca.crt"), NOW), [Fault::Authority, Fault::NoDigitalSignature]);
    authority.revoke(&dev, Reason::Unspecified, NOW).unwrap();
    assert_eq!(inspect(&dev, Some(&authority), NOW).unwrap().faults, [Fault::Revoked]);
    assert_eq!(inspect(&dev, None, NOW).unwrap().faults, []);
}

#[test]
fn the_name_under_each_setting() {
    let dir = tempfile::tempdir().unwrap();
    let mut authority = Authority::init(dir.path(), &InitRequest::default(), NOW).unwrap();
    let request = IssueRequest {
        subject: Some("CN=a,CN=b,O=acme".into()),
        alternative_names: vec!["spiffe://acme/a".into(), "a.example".into()],
        ..IssueRequest::device("dev")
    };
    let path = authority.issue(&request, NOW).unwrap().certificate;
    let names = inspect(&path, None, NOW).unwrap().names;
    let named: Vec<_> = names.into_iter().map(|(_, name)| name.ok().map(|name| name.to_string())).collect();
    let expected = [Some("CN=a,CN=b,O=acme"), None, Some("spiffe://acme/a"), Some("a.example"), None];
    assert_eq!(named, expected.map(|name| name.map(str::to_owned)));
}

#[test]
fn what_is_no_certificate_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.crt");
    assert!(matches!(inspect(&path, None, NOW), Err(PkiError::Missing { .. })));
    for content in [&b""[..], b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&path, content).unwrap();
        assert!(matches!(inspect(&path, None, NOW), Err(PkiError::Invalid { .. })));
    }
}
