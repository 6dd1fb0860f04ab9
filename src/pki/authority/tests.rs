use super::*;
use crate::pki::Reason;
use crate::pki::crl::LIFE;
use rcgen::{CertificateParams, DnType, IsCa, KeyUsagePurpose};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

/// 2026-11-23, Unix seconds.
const NOW: i64 = 1_795_392_000;

fn authority() -> (TempDir, Authority) {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::init(dir.path(), &InitRequest::default(), NOW).unwrap();
    (dir, authority)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn device(authority: &mut Authority, name: &str) -> Issued {
    authority.issue(&IssueRequest::device(name), NOW).unwrap()
}

fn revoke(authority: &mut Authority, name: &str, now: i64) -> ReissuedCrl {
    match authority.revoke(Path::new(name), Reason::KeyCompromise, now).unwrap() {
        Revoked::Now { crl, .. } => crl,
        Revoked::Already { .. } => panic!("{name} was revoked before"),
    }
}

fn list(authority: &Authority) -> RevocationList {
    authority.crl().unwrap().unwrap()
}

#[test]
fn a_new_authority_has_what_a_broker_needs() {
    let (dir, authority) = authority();
    assert_eq!(authority.identity().subject.as_str(), "CN=certmq development CA");
    assert_eq!(authority.identity().not_after, NOW + 3650 * DAY);
    assert_eq!(mode(&dir.path().join("ca.key")), 0o600);
    assert_eq!(mode(&dir.path().join("ca.crt")), 0o644);
    let summary = authority.summary().unwrap();
    let crl = summary.crl.unwrap();
    assert_eq!((crl.number.as_str(), crl.revoked, crl.next_update), ("01", 0, NOW + LIFE));
    assert_eq!((summary.key, summary.issued), (KeyFile::Present, 0));
}

#[test]
fn init_never_overwrites_any_of_its_files() {
    for name in ["ca.crt", "ca.key", "ca.crl", "ca.index"] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(name), b"precious").unwrap();
        let error = Authority::init(dir.path(), &InitRequest::default(), NOW).unwrap_err();
        assert!(matches!(error, PkiError::Exists { .. }), "{error}");
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"precious");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{name}");
    }
}

#[test]
fn an_issued_certificate_is_recorded_and_never_overwritten() {
    let (dir, mut authority) = authority();
    let issued = device(&mut authority, "dev-1");
    assert_eq!(issued.identity.subject.as_str(), "CN=dev-1");
    assert_eq!(issued.identity.serial.len(), 16);
    assert_eq!((issued.identity.not_before, issued.identity.not_after), (NOW - BACKDATED, NOW + 365 * DAY));
    assert_eq!(mode(&dir.path().join("dev-1.key")), 0o600);
    let before = fs::read(&issued.certificate).unwrap();
    let error = authority.issue(&IssueRequest::device("dev-1"), NOW).unwrap_err();
    assert!(matches!(error, PkiError::Exists { .. }) && error.to_string().contains("renew dev-1"), "{error}");
    assert_eq!(fs::read(&issued.certificate).unwrap(), before);
    // A key alone is in the way too: it may be the only copy.
    fs::remove_file(&issued.certificate).unwrap();
    assert!(matches!(authority.issue(&IssueRequest::device("dev-1"), NOW), Err(PkiError::Exists { .. })));
}

#[test]
fn serial_numbers_differ() {
    let (_dir, mut authority) = authority();
    let serials: std::collections::HashSet<_> =
        (0..8).map(|n| device(&mut authority, &format!("dev-{n}")).identity.serial_hex()).collect();
    assert_eq!(serials.len(), 8);
}

#[test]
fn names_that_would_leave_the_folder_or_hide_are_refused() {
    let (dir, mut authority) = authority();
    let long = "x".repeat(201);
    for name in
        ["", ".", "..", ".hidden", "-rf", "a/b", "/etc/x", "a\0b", "a\nb", "ca", "CA", "dev.crt", "dev.KEY", &long]
    {
        let error = authority.issue(&IssueRequest::device(name), NOW).unwrap_err();
        assert!(matches!(error, PkiError::Request(_)), "{name:?}: {error}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
}

#[test]
fn odd_names_are_exactly_themselves() {
    let (_dir, mut authority) = authority();
    for name in ["+", "#", "x, CN=admin", "a b", "ümlaut", "a=b", "quo\"te", "back\\slash"] {
        let issued = device(&mut authority, name);
        assert_eq!(issued.identity.common_names, [name]);
        assert_eq!(issued.certificate.file_name().unwrap().to_str().unwrap(), format!("{name}.crt"));
    }
}

#[test]
fn a_subject_keeps_every_attribute() {
    let (_dir, mut authority) = authority();
    for (name, subject) in [
        ("a", "CN=dev,OU=x,OU=y,OU=z,O=acme"),
        ("b", "CN=dev,DC=acme,DC=com"),
        ("c", "CN=dev+UID=7,O=acme"),
        ("d", "CN=dev,1.2.3.4=#0c0161"),
    ] {
        let request = IssueRequest { subject: Some(subject.into()), ..IssueRequest::device(name) };
        let issued = authority.issue(&request, NOW).unwrap();
        let wanted = crate::policy::DistinguishedName::parse(subject).unwrap();
        assert_eq!(issued.identity.subject, wanted);
        assert_eq!(issued.identity.issuer, authority.identity().subject);
    }
}

#[test]
fn subjects_that_name_nobody_are_refused_before_a_file_is_made() {
    let (dir, mut authority) = authority();
    for subject in ["", "nonsense", "CN=", "CN=a\\00b", "CN=certmq development CA"] {
        let request = IssueRequest { subject: Some(subject.into()), ..IssueRequest::device("dev") };
        assert!(matches!(authority.issue(&request, NOW), Err(PkiError::Request(_))), "{subject:?}");
    }
    assert!(!dir.path().join("dev.key").exists());
}

#[test]
fn a_ca_with_a_manifold_name_issues_under_exactly_that_name() {
    let dir = tempfile::tempdir().unwrap();
    let subject = "CN=root+UID=1,OU=one,OU=two,DC=acme,DC=com";
    let request = InitRequest { subject: subject.into(), ..InitRequest::default() };
    let mut authority = Authority::init(dir.path(), &request, NOW).unwrap();
    let issued = device(&mut authority, "dev");
    assert_eq!(issued.identity.issuer, authority.identity().subject);
    revoke(&mut authority, "dev", NOW);
    assert!(list(&authority).lists(&issued.identity.serial));
}

#[test]
fn nothing_outlives_the_ca() {
    let dir = tempfile::tempdir().unwrap();
    let mut authority = Authority::init(dir.path(), &InitRequest { days: 10, ..InitRequest::default() }, NOW).unwrap();
    let issued = device(&mut authority, "dev");
    assert_eq!(issued.identity.not_after, authority.identity().not_after);
    assert_eq!(issued.notices.len(), 1);
    let error = authority.issue(&IssueRequest::device("late"), NOW + 11 * DAY).unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
    for days in [0, 36_501] {
        let request = IssueRequest { days, ..IssueRequest::device("dev-2") };
        assert!(matches!(authority.issue(&request, NOW), Err(PkiError::Request(_))));
    }
}

#[test]
fn a_key_that_others_can_read_signs_nothing() {
    let (dir, mut authority) = authority();
    fs::set_permissions(dir.path().join("ca.key"), fs::Permissions::from_mode(0o640)).unwrap();
    let error = authority.issue(&IssueRequest::device("dev"), NOW).unwrap_err();
    assert!(matches!(error, PkiError::ExposedKey { mode: 0o640, .. }), "{error}");
    assert!(!dir.path().join("dev.crt").exists());
}

#[test]
fn the_key_must_belong_to_the_certificate() {
    let (dir, mut authority) = authority();
    let (other_dir, _other) = self::authority();
    fs::copy(other_dir.path().join("ca.key"), dir.path().join("ca.key")).unwrap();
    let error = authority.issue(&IssueRequest::device("dev"), NOW).unwrap_err();
    assert!(error.to_string().contains("is not the key of ca.crt"), "{error}");
}

#[test]
fn without_its_key_the_authority_still_shows_and_lists() {
    let (dir, mut authority) = authority();
    device(&mut authority, "dev");
    fs::remove_file(dir.path().join("ca.key")).unwrap();
    assert_eq!(authority.summary().unwrap().key, KeyFile::Absent);
    assert_eq!(authority.list(NOW).unwrap().len(), 1);
    assert!(matches!(authority.issue(&IssueRequest::device("b"), NOW), Err(PkiError::Missing { .. })));
    assert_eq!(authority.refresh_crl_if_due(NOW + LIFE).unwrap(), None);
}

#[test]
fn every_revocation_keeps_the_earlier_ones() {
    let (dir, mut authority) = authority();
    let serials: Vec<_> = (0..3).map(|n| device(&mut authority, &format!("dev-{n}")).identity.serial).collect();
    for (n, number) in [(0, "02"), (1, "03"), (2, "04")] {
        let crl = revoke(&mut authority, &format!("dev-{n}"), NOW + n);
        assert_eq!((crl.number.as_str(), crl.revoked), (number, usize::try_from(n).unwrap() + 1));
    }
    drop(authority);
    let mut authority = Authority::open(dir.path()).unwrap();
    let list = list(&authority);
    assert!(serials.iter().all(|serial| list.lists(serial)));
    assert_eq!((list.entries[0].at, list.entries[0].reason), (NOW, Reason::KeyCompromise));
    let again = authority.revoke(&dir.path().join("dev-1.crt"), Reason::Unspecified, NOW + 9).unwrap();
    assert!(matches!(again, Revoked::Already { .. }));
    assert_eq!(self::list(&authority), list);
}

#[test]
fn only_own_certificates_are_revoked() {
    let (dir, mut authority) = authority();
    let (other_dir, mut other) = self::authority();
    device(&mut other, "dev");
    // The same name of a CA is not the same CA.
    let error = authority.revoke(&other_dir.path().join("dev.crt"), Reason::Unspecified, NOW).unwrap_err();
    assert!(error.to_string().contains("was not issued by"), "{error}");
    let error = authority.revoke(&dir.path().join("ca.crt"), Reason::Unspecified, NOW).unwrap_err();
    assert!(error.to_string().contains("own certificate"), "{error}");
    assert!(matches!(authority.revoke(Path::new("nobody"), Reason::Unspecified, NOW), Err(PkiError::Missing { .. })));
    assert!(list(&authority).entries.is_empty());
}

#[test]
fn the_list_is_reissued_at_half_its_life_and_not_before() {
    let (dir, mut authority) = authority();
    let serial = device(&mut authority, "dev").identity.serial;
    revoke(&mut authority, "dev", NOW);
    drop(authority);
    let crl = dir.path().join("ca.crl");
    assert_eq!(refresh_crl_if_due(&crl, NOW + LIFE / 2 - 1).unwrap(), None);
    let half = NOW + LIFE / 2;
    for place in [crl.as_path(), dir.path()] {
        let reissued = refresh_crl_if_due(place, half).unwrap();
        if place == crl {
            let reissued = reissued.unwrap();
            assert_eq!((reissued.number.as_str(), reissued.next_update), ("03", half + LIFE));
        } else {
            assert_eq!(reissued, None);
        }
    }
    assert!(list(&Authority::open(dir.path()).unwrap()).lists(&serial));
    // Long expired is due as well.
    assert!(refresh_crl_if_due(&crl, half + 3 * LIFE).unwrap().is_some());
}

#[test]
fn a_list_without_its_key_beside_it_is_left_alone() {
    let (dir, authority) = authority();
    drop(authority);
    fs::rename(dir.path().join("ca.key"), dir.path().join("away.key")).unwrap();
    assert_eq!(refresh_crl_if_due(&dir.path().join("ca.crl"), NOW + 2 * LIFE).unwrap(), None);
    assert_eq!(refresh_crl_if_due(&dir.path().join("other.crl"), NOW + 2 * LIFE).unwrap(), None);
    assert_eq!(refresh_crl_if_due(&dir.path().join("nowhere"), NOW).unwrap(), None);
}

#[test]
fn a_lost_list_is_made_anew_from_the_index() {
    let (dir, mut authority) = authority();
    let serial = device(&mut authority, "dev").identity.serial;
    revoke(&mut authority, "dev", NOW);
    fs::remove_file(dir.path().join("ca.crl")).unwrap();
    let reissued = authority.refresh_crl_if_due(NOW + 1).unwrap().unwrap();
    assert_eq!((reissued.number.as_str(), reissued.revoked), ("03", 1));
    let list = list(&authority);
    assert!(list.lists(&serial));
    assert_eq!(list.entries[0].reason, Reason::KeyCompromise);
}

#[test]
fn an_older_list_that_was_put_back_regains_what_it_lacks() {
    let (dir, mut authority) = authority();
    let serial = device(&mut authority, "dev").identity.serial;
    let older = fs::read(dir.path().join("ca.crl")).unwrap();
    revoke(&mut authority, "dev", NOW);
    fs::write(dir.path().join("ca.crl"), older).unwrap();
    assert_eq!(authority.refresh_crl_if_due(NOW + 1).unwrap().unwrap().number, "03");
    assert!(list(&authority).lists(&serial));
}

#[test]
fn a_list_that_cannot_be_kept_whole_is_not_rewritten() {
    let (dir, mut authority) = authority();
    device(&mut authority, "dev");
    let path = dir.path().join("ca.crl");
    let (other_dir, _other) = self::authority();
    let foreign = fs::read(other_dir.path().join("ca.crl")).unwrap();
    for content in [&b"garbage"[..], b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", &foreign] {
        fs::write(&path, content).unwrap();
        let error = authority.revoke(Path::new("dev"), Reason::Unspecified, NOW).unwrap_err();
        assert!(matches!(error, PkiError::Invalid { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[test]
fn a_damaged_index_is_told_with_the_line() {
    let (dir, mut authority) = authority();
    device(&mut authority, "dev");
    drop(authority);
    let path = dir.path().join("ca.index");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"subject\"", "\"subj")).unwrap();
    let error = Authority::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("ca.index: line 2:"), "{error}");
}

#[test]
fn renewing_keeps_the_name_and_sets_the_old_files_aside() {
    let (dir, mut authority) = authority();
    let request = IssueRequest {
        subject: Some("CN=dev,OU=x,OU=y,O=acme".into()),
        days: 30,
        alternative_names: vec!["spiffe://acme/dev".into()],
        ..IssueRequest::device("dev")
    };
    let old = authority.issue(&request, NOW).unwrap();
    let old_key = fs::read(dir.path().join("dev.key")).unwrap();
    let new = authority.renew(&RenewRequest::new("dev"), NOW + 20 * DAY).unwrap();
    assert_eq!(new.identity.subject, old.identity.subject);
    assert_eq!(new.identity.san_uris, ["spiffe://acme/dev"]);
    assert_ne!(new.identity.serial, old.identity.serial);
    assert_ne!(new.identity.spki_sha256, old.identity.spki_sha256);
    assert_eq!(new.identity.not_after, NOW + 50 * DAY);
    assert_eq!(new.set_aside, [dir.path().join("dev.key.old"), dir.path().join("dev.crt.old")]);
    assert_eq!(fs::read(dir.path().join("dev.key.old")).unwrap(), old_key);
    assert_eq!((mode(&dir.path().join("dev.key.old")), mode(&dir.path().join("dev.key"))), (0o600, 0o600));

    let kept = RenewRequest { key: KeyChoice::Keep, days: Some(7), ..RenewRequest::new(dir.path().join("dev.crt")) };
    let third = authority.renew(&kept, NOW).unwrap();
    assert_eq!(third.identity.spki_sha256, new.identity.spki_sha256);
    assert_eq!(third.set_aside, [dir.path().join("dev.crt.old.2")]);
    // The first one can still be revoked by the file it was set aside in.
    revoke(&mut authority, dir.path().join("dev.crt.old").to_str().unwrap(), NOW);
    assert!(list(&authority).lists(&old.identity.serial));
}

#[test]
fn a_revoked_key_is_not_certified_again() {
    let (_dir, mut authority) = authority();
    device(&mut authority, "dev");
    revoke(&mut authority, "dev", NOW);
    let kept = RenewRequest { key: KeyChoice::Keep, ..RenewRequest::new("dev") };
    assert!(authority.renew(&kept, NOW).unwrap_err().to_string().contains("is revoked"));
    let renewed = authority.renew(&RenewRequest::new("dev"), NOW).unwrap();
    assert!(renewed.notices[0].contains("revoked"));
}

#[test]
fn a_server_gets_its_names() {
    let (_dir, mut authority) = authority();
    let issued = authority.issue(&IssueRequest::server("server"), NOW).unwrap();
    assert_eq!(issued.identity.san_dns, ["localhost"]);
    let named = IssueRequest { alternative_names: vec!["broker.example".into()], ..IssueRequest::server("named") };
    assert_eq!(authority.issue(&named, NOW).unwrap().identity.san_dns, ["broker.example"]);
    let renewed = authority.renew(&RenewRequest::new("named"), NOW).unwrap();
    assert_eq!(renewed.identity.san_dns, ["broker.example"]);
}

#[test]
fn rsa_keys_are_made_and_renewed_as_such() {
    let (dir, mut authority) = authority();
    let request = IssueRequest { key: KeyType::Rsa2048, ..IssueRequest::device("rsa") };
    authority.issue(&request, NOW).unwrap();
    authority.renew(&RenewRequest::new("rsa"), NOW).unwrap();
    for name in ["rsa.key", "rsa.key.old"] {
        let key = rcgen::KeyPair::from_pem(&fs::read_to_string(dir.path().join(name)).unwrap()).unwrap();
        assert_eq!(key.algorithm(), &rcgen::PKCS_RSA_SHA256, "{name}");
    }
}

/// A request as a device would make it, with `change` made to it.
fn request(dir: &Path, change: impl FnOnce(&mut CertificateParams)) -> PathBuf {
    let mut params = CertificateParams::new(vec!["dev.example".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "dev-7");
    change(&mut params);
    let csr = params.serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let path = dir.join("dev-7.csr");
    fs::write(&path, csr.pem().unwrap()).unwrap();
    path
}

#[test]
fn a_request_gets_its_name_and_nothing_that_widens() {
    let (dir, mut authority) = authority();
    let csr = request(dir.path(), |params| {
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.insert_extended_key_usage(rcgen::ExtendedKeyUsagePurpose::ServerAuth);
    });
    let issued = authority.sign(&SignRequest::new(&csr), NOW).unwrap();
    assert_eq!(issued.identity.subject.as_str(), "CN=dev-7");
    assert_eq!(issued.identity.san_dns, ["dev.example"]);
    assert_eq!((issued.certificate.clone(), issued.key), (dir.path().join("dev-7.crt"), None));
    assert_eq!(issued.notices.len(), 1);
    let der = read_certificate(&issued.certificate, "").unwrap();
    let extensions = x509::Certificate::parse(&der).unwrap().extensions;
    assert_eq!(extensions.role().unwrap(), Role::EndEntity);
    assert_eq!(extensions.purposes().unwrap().unwrap(), [Purpose::ClientAuth]);
    assert!(!extensions.key_usage().unwrap().allows_certificate_signing());
    let error = authority.sign(&SignRequest::new(&csr), NOW).unwrap_err();
    assert!(matches!(error, PkiError::Exists { .. }), "{error}");
    // The device has the key: renewing here needs --keep-key.
    assert!(matches!(authority.renew(&RenewRequest::new("dev-7"), NOW), Err(PkiError::Missing { .. })));
    let kept = RenewRequest { key: KeyChoice::Keep, ..RenewRequest::new("dev-7") };
    assert_eq!(authority.renew(&kept, NOW).unwrap().identity.spki_sha256, issued.identity.spki_sha256);
}

#[test]
fn a_request_whose_signature_is_wrong_is_refused() {
    let (dir, mut authority) = authority();
    let csr = request(dir.path(), |_| {});
    let mut der = read_request(&csr).unwrap().to_vec();
    let at = der.windows(5).position(|window| window == b"dev-7").unwrap();
    der[at + 4] = b'8';
    fs::write(&csr, &der).unwrap();
    let error = authority.sign(&SignRequest::new(&csr), NOW).unwrap_err().to_string();
    assert!(error.contains("signature"), "{error}");
    for content in
        [&b""[..], b"garbage", b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"]
    {
        fs::write(&csr, content).unwrap();
        assert!(matches!(authority.sign(&SignRequest::new(&csr), NOW), Err(PkiError::Invalid { .. })));
    }
    assert!(!dir.path().join("dev-7.crt").exists());
}

#[test]
fn the_list_tells_the_state_of_each() {
    let (dir, mut authority) = authority();
    for name in ["c", "a", "b"] {
        device(&mut authority, name);
    }
    revoke(&mut authority, "b", NOW);
    authority.renew(&RenewRequest::new("a"), NOW).unwrap();
    fs::set_permissions(dir.path().join("c.key"), fs::Permissions::from_mode(0o644)).unwrap();
    // What the index does not know is found by its file.
    fs::write(dir.path().join("stray.crt"), b"no certificate").unwrap();
    let rows = authority.list(NOW).unwrap();
    let states: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.state, row.key)).collect();
    assert_eq!(states.len(), 4);
    assert!(states.contains(&("b", State::Revoked, KeyFile::Present)));
    assert!(states.contains(&("c", State::Valid, KeyFile::Exposed)));
    assert_eq!(rows.iter().filter(|row| row.name == "a" && row.file.is_none()).count(), 1);
    assert!(authority.list(NOW + 400 * DAY).unwrap().iter().any(|row| row.state == State::Expired));
    assert!(authority.list(NOW - DAY).unwrap().iter().any(|row| row.state == State::NotYetValid));

    fs::remove_file(dir.path().join("ca.index")).unwrap();
    drop(authority);
    let authority = Authority::open(dir.path()).unwrap();
    let rows = authority.list(NOW).unwrap();
    assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(rows[1].state, State::Revoked);
}

#[test]
fn who_comes_second_waits_and_nothing_is_lost() {
    let (dir, authority) = authority();
    drop(authority);
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let dir = dir.path();
            scope.spawn(move || {
                for n in 0..3 {
                    let name = format!("dev-{worker}-{n}");
                    let mut authority = Authority::open(dir).unwrap();
                    authority.issue(&IssueRequest::device(&name), NOW).unwrap();
                    authority.revoke(Path::new(&name), Reason::Superseded, NOW).unwrap();
                }
            });
        }
    });
    let authority = Authority::open(dir.path()).unwrap();
    assert_eq!(authority.list(NOW).unwrap().len(), 12);
    let list = list(&authority);
    assert_eq!((list.entries.len(), list.number), (12, vec![13]));
}
