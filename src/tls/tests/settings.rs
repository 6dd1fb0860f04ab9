//! What stops the start, and what is only noticed: thing, place, remedy.

use super::fixture::{Site, block};
use crate::tls::TlsError;
use crate::tls::ca::{Leaf, TestCa};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use time::Duration;

#[track_caller]
fn says(error: &str, words: &[&str]) {
    for word in words {
        assert!(error.contains(word), "{error:?} does not say {word:?}");
    }
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let site = Site::new();
    for mode in [0o640, 0o604, 0o620, 0o644, 0o660, 0o777] {
        fs::set_permissions(&site.settings.private_key, Permissions::from_mode(mode)).unwrap();
        let error = site.try_load().unwrap_err();
        assert!(matches!(error, TlsError::ReadableKey(_)));
        says(&error.to_string(), &["server.key", &format!("{mode:04o}"), "chmod 600"]);
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&site.settings.private_key, Permissions::from_mode(mode)).unwrap();
        site.load();
    }
}

#[test]
fn certificate_and_key_must_belong_together() {
    let mut site = Site::new();
    site.settings.private_key = site.ca.server("other").private_key;
    says(&site.load_error(), &["other.key", "does not belong", "server.crt"]);
}

#[test]
fn files_that_are_missing_empty_or_damaged_are_named() {
    let mut site = Site::new();
    let good = site.settings.clone();
    site.settings.certificate = site.path("nowhere.crt");
    says(&site.load_error(), &["nowhere.crt", "cannot be read"]);

    site.settings = good.clone();
    fs::write(site.path("empty.pem"), "").unwrap();
    site.settings.trust[0].ca = vec![site.path("empty.pem")];
    says(&site.load_error(), &["empty.pem", "neither PEM nor DER"]);

    site.settings.trust[0].ca = vec![site.settings.private_key.clone()];
    says(&site.load_error(), &["server.key", "no certificate", "BEGIN CERTIFICATE"]);

    fs::write(site.path("text.key"), "no key").unwrap();
    fs::set_permissions(site.path("text.key"), Permissions::from_mode(0o600)).unwrap();
    site.settings = good.clone();
    site.settings.private_key = site.path("text.key");
    says(&site.load_error(), &["text.key", "no private key"]);

    fs::write(
        site.path("text.key"),
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
    )
    .unwrap();
    says(&site.load_error(), &["text.key", "encrypted", "openssl pkey"]);
}

#[test]
fn a_bad_block_in_a_bundle_is_named_by_file_and_line() {
    let mut site = Site::new();
    let good = fs::read_to_string(&site.ca.certificate).unwrap();
    let lines = good.lines().count();
    let bundle = site.path("bundle.pem");
    site.settings.trust[0].ca = vec![bundle.clone()];
    let unfinished = good.replace("-----END CERTIFICATE-----\n", "");
    let cases = [
        (good.replacen("MI", "M!", 1), "block 2", lines + 1),
        (unfinished.clone(), "has no end", lines + 1),
        (format!("{unfinished}{good}"), "has no end", 2 * lines),
        (good.replace("END CERTIFICATE", "END X509 CRL"), "ends what began", 2 * lines),
        ("-----END CERTIFICATE-----\n".to_owned(), "did not begin", lines + 1),
        (good.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), "openssl x509", lines + 1),
    ];
    for (bad, words, line) in cases {
        fs::write(&bundle, format!("{good}{bad}")).unwrap();
        says(&site.load_error(), &["bundle.pem", words, &format!("line {line}")]);
    }
    let shortened: String =
        good.lines().enumerate().filter(|(n, _)| *n != 2).map(|(_, line)| format!("{line}\n")).collect();
    fs::write(&bundle, format!("{good}{shortened}")).unwrap();
    says(&site.load_error(), &["bundle.pem", "block 2", "cannot be read"]);
}

#[test]
fn empty_folders_and_empty_blocks_are_refused() {
    let mut site = Site::new();
    let folder = site.path("empty");
    fs::create_dir(&folder).unwrap();
    site.settings.trust[0].crl = vec![folder.clone()];
    says(&site.load_error(), &["empty", "holds no CRL"]);
    site.settings.trust[0].ca = vec![folder];
    says(&site.load_error(), &["empty", "holds no certificate"]);
    site.settings.trust[0].ca.clear();
    says(&site.load_error(), &["\"default\"", "names no CA"]);
    site.settings.trust.clear();
    says(&site.load_error(), &["no CA is trusted", "tls.client_ca"]);
}

#[test]
fn a_bad_file_in_a_folder_is_not_passed_over() {
    let mut site = Site::new();
    let folder = site.path("cas");
    fs::create_dir(&folder).unwrap();
    fs::copy(&site.ca.certificate, folder.join("good.crt")).unwrap();
    site.settings.trust[0].ca = vec![folder.clone()];
    site.load();
    fs::write(folder.join("cut.crt"), "-----BEGIN CERTIFICATE-----\nMIIB").unwrap();
    says(&site.load_error(), &["cut.crt", "no end"]);
    let der = site.ca.der().to_vec();
    fs::write(folder.join("cut.crt"), &der[..der.len() / 2]).unwrap();
    says(&site.load_error(), &["cut.crt", "neither PEM nor DER"]);
    fs::remove_file(folder.join("cut.crt")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.join("link.crt")).unwrap();
    says(&site.load_error(), &["link.crt", "cannot be read"]);
}

#[test]
fn one_ca_in_two_blocks_is_refused() {
    let mut site = Site::new();
    site.settings.trust = vec![block("a", &[&site.ca]), block("b", &[&site.ca])];
    says(&site.load_error(), &["CN=ca,O=acme", "\"a\"", "\"b\"", "leave it in one"]);
    // Renewed under the same key it is still the same CA.
    let renewed = site.ca.reissued("renewed", -1, 100);
    site.settings.trust = vec![block("a", &[&site.ca]), block("b", &[&renewed])];
    says(&site.load_error(), &["renewed.crt", "leave it in one"]);
    site.settings.trust = vec![block("a", &[&site.ca, &renewed, &site.ca])];
    site.load();
    site.settings.trust = vec![block("a", &[&site.ca]), block("a", &[&TestCa::root(site.folder.path(), "c")])];
    says(&site.load_error(), &["two [[tls.trust]] blocks", "\"a\""]);
    site.settings.trust = vec![block("", &[&site.ca])];
    says(&site.load_error(), &["empty name"]);
}

#[test]
fn only_cas_become_trusted() {
    let mut site = Site::new();
    let device = site.ca.device("device-001");
    site.settings.trust[0].ca.push(device.certificate.clone());
    says(&site.load_error(), &["device-001.crt", "CN=device-001,O=acme is no CA"]);
    let old = site.ca.version_one("old-leaf");
    site.settings.trust[0].ca = vec![old.certificate];
    says(&site.load_error(), &["old-leaf.crt", "version 1"]);
}

#[test]
fn crls_that_cannot_be_used_are_named() {
    let mut site = Site::new();
    fs::write(site.path("bad.crl"), crate::tls::ca::pem_block("X509 CRL", &[0x30, 3, 2, 1, 1])).unwrap();
    site.settings.trust[0].crl = vec![site.path("bad.crl")];
    says(&site.load_error(), &["bad.crl, block 1 at line 1", "the CRL cannot be used"]);
    site.settings.trust[0].crl = vec![site.ca.certificate.clone()];
    says(&site.load_error(), &["ca.crt holds no CRL", "BEGIN X509 CRL"]);
}

#[test]
fn a_version_one_server_certificate_is_refused_with_the_remedy() {
    let mut site = Site::new();
    let old = site.ca.version_one("old-server");
    (site.settings.certificate, site.settings.private_key) = (old.certificate, old.private_key);
    says(&site.load_error(), &["old-server.crt", "version 1", "-extfile", "subjectAltName"]);
}

#[test]
fn what_clients_will_stumble_over_is_noticed() {
    let mut site = Site::new();
    assert_eq!(site.notices(), Vec::<String>::new());
    let use_server = |site: &mut Site, made: crate::tls::ca::TestCertificate| {
        (site.settings.certificate, site.settings.private_key) = (made.certificate, made.private_key);
        site.notices().join("\n")
    };
    let nameless = site.ca.device("nameless");
    says(&use_server(&mut site, nameless), &["nameless.crt", "no subjectAltName"]);
    let expired = site.ca.expired("expired-server");
    says(&use_server(&mut site, expired), &["server certificate of CN=expired-server,O=acme expired"]);
    let soon = site.ca.issue("soon", &Leaf { not_after: Duration::days(9), ..Leaf::device("soon") });
    says(&use_server(&mut site, soon), &["CN=soon,O=acme expires at"]);
    let stranger = TestCa::root(site.folder.path(), "stranger");
    let server = site.ca.server("mixed");
    let chain = [server.leaf().clone(), stranger.der().clone()];
    fs::write(&server.certificate, crate::tls::ca::pem(&chain)).unwrap();
    says(&use_server(&mut site, server), &["CN=stranger,O=acme is not the issuer of CN=mixed,O=acme"]);
    site.settings.trust[0].ca = vec![site.ca.reissued("soon-ca", -1, 5).certificate];
    says(&site.notices().join("\n"), &["CA certificate of CN=ca,O=acme expires at"]);
}
