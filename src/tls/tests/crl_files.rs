//! Lists that openssl made, good and bad, as files and folders: each fault with its place and remedy.

use super::fixture::{Site, block, handshake};
use super::revocation::numbered;
use crate::tls::ca::{TestCa, TestCertificate, pem_block};
use crate::tls::name::hex;
use rustls::AlertDescription as Alert;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

const CONFIG: &str = "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ncrlnumber=number\n\
                      [plain]\nauthorityKeyIdentifier=keyid\n\
                      [delta]\n2.5.29.27=critical,DER:020101\n\
                      [users]\nissuingDistributionPoint=critical,@only_users\n[only_users]\nonlyuser=TRUE\n\
                      [cas]\nissuingDistributionPoint=critical,@only_cas\n[only_cas]\nonlyCA=TRUE\n\
                      [indirect]\nissuingDistributionPoint=critical,@other_issuers\n[other_issuers]\nindirectCRL=TRUE\n\
                      [place]\nissuingDistributionPoint=critical,@at\n[at]\nfullname=URI:http://a.example/1.crl\n\
                      [unknown]\n1.2.3.4=critical,DER:0500\n\
                      [ignorable]\n1.2.3.4=DER:0500\n";

/// `openssl ca -gencrl` with the CA `stem` of the folder.
fn gencrl(folder: &Path, stem: &str, extensions: &str, digest: &str, revoked: &[&TestCertificate]) -> PathBuf {
    fs::write(folder.join("openssl.cnf"), CONFIG).unwrap();
    fs::write(folder.join("number"), "1000\n").unwrap();
    let row = |certificate: &&TestCertificate| {
        format!(
            "R\t401231235959Z\t250101000000Z,keyCompromise\t{}\tunknown\t/CN=x\n",
            hex(&certificate.serial).to_uppercase()
        )
    };
    fs::write(folder.join("index.txt"), revoked.iter().map(row).collect::<String>()).unwrap();
    let file = folder.join(format!("{stem}-{extensions}.crl"));
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(["ca", "-gencrl", "-config", "openssl.cnf", "-crldays", "3", "-md", digest, "-crlexts", extensions])
        .args(["-keyfile", &format!("{stem}.key"), "-cert", &format!("{stem}.crt"), "-out"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    file
}

fn der_of(crl: &Path) -> PathBuf {
    let der = crl.with_extension("der");
    let output =
        Command::new("openssl").args(["crl", "-outform", "DER", "-in"]).arg(crl).arg("-out").arg(&der).output();
    assert!(output.unwrap().status.success());
    der
}

#[track_caller]
fn refused(site: &mut Site, crl: &Path, words: &[&str]) {
    site.settings.trust[0].crl = vec![crl.to_owned()];
    let error = site.load_error();
    let place = crl.display().to_string();
    for word in words.iter().copied().chain([place.as_str()]) {
        assert!(error.contains(word), "{error:?} does not say {word:?}");
    }
}

#[test]
fn what_openssl_makes_is_read_or_refused_by_name() {
    let mut site = Site::new();
    let folder = site.folder.path().to_owned();
    let (revoked, good) = (site.ca.device("revoked"), site.ca.device("good"));
    for extensions in ["plain", "ignorable"] {
        let pem = gencrl(&folder, "ca", extensions, "sha256", &[&revoked]);
        for file in [der_of(&pem), pem] {
            site.set_crls(&[&file]);
            let tls = site.load();
            handshake(&tls, site.client(&revoked)).refused(Alert::CertificateRevoked, "is revoked by CN=ca,O=acme");
            handshake(&tls, site.client(&good)).accepted();
        }
    }
    for (extensions, words) in [
        ("delta", &["a delta CRL", "give the complete CRL"][..]),
        ("users", &["onlyContainsUserCerts", "let the CA issue one complete CRL"]),
        ("cas", &["onlyContainsCACerts", "let the CA issue one complete CRL"]),
        ("indirect", &["an indirect CRL", "give each issuer's own CRL"]),
        ("place", &["a partitioned CRL", "let the CA issue one complete CRL"]),
        ("unknown", &["a critical extension that certmq does not know"]),
    ] {
        let pem = gencrl(&folder, "ca", extensions, "sha256", &[&revoked]);
        refused(&mut site, &pem, words);
        refused(&mut site, &der_of(&pem), words);
    }
    let weak = gencrl(&folder, "ca", "plain", "sha1", &[&revoked]);
    refused(&mut site, &weak, &["CN=ca,O=acme", "algorithm that is not supported", "SHA-256"]);
}

#[test]
fn a_signature_that_does_not_hold_says_why() {
    let mut site = Site::new();
    let folder = site.folder.path().to_owned();
    let crl = gencrl(&folder, "ca", "plain", "sha256", &[]);
    let mut der = fs::read(der_of(&crl)).unwrap();
    // Inside thisUpdate: still a date, no longer what was signed.
    let at = der.windows(2).position(|pair| pair == [0x17, 13]).unwrap() + 3;
    der[at] ^= 1;
    let altered = site.path("altered.crl");
    fs::write(&altered, &der).unwrap();
    refused(&mut site, &altered, &["CN=ca,O=acme", "no trusted CA of that name signed it", "fetch it again"]);

    let foreign = site.ca.namesake("foreign").crl("foreign.crl", &numbered(1), &[]);
    refused(&mut site, &foreign, &["no trusted CA of that name signed it", "another CA with the same name"]);

    let middle = site.ca.intermediate("middle");
    let barred = site.ca.recertify(&middle, "barred", |params| {
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    });
    site.settings.trust[0].ca.push(barred.certificate.clone());
    let unauthorised = middle.crl("barred.crl", &numbered(1), &[]);
    refused(&mut site, &unauthorised, &["CN=middle,O=acme", "forbids cRLSign", "certify that CA anew"]);
}

#[test]
fn a_folder_takes_every_list_in_it_and_passes_over_what_is_none() {
    let mut site = Site::new();
    let made = site.folder.path().to_owned();
    let other = TestCa::root(&made, "other");
    site.settings.trust[0].ca.push(other.certificate.clone());
    let (revoked, foreign) = (site.ca.device("revoked"), other.device("foreign"));
    let folder = site.path("crls");
    fs::create_dir(&folder).unwrap();
    fs::rename(gencrl(&made, "ca", "plain", "sha256", &[&revoked]), folder.join("0-ca.pem")).unwrap();
    // By a link, in DER, under a name that says nothing.
    symlink(der_of(&gencrl(&made, "other", "plain", "sha256", &[&foreign])), folder.join("other")).unwrap();
    fs::write(folder.join("README"), "lists of both CAs").unwrap();
    fs::write(folder.join("ca.crt"), pem_block("CERTIFICATE", site.ca.der())).unwrap();
    fs::write(folder.join(".0-ca.pem.swp"), "hidden").unwrap();
    fs::create_dir(folder.join("old")).unwrap();
    site.set_crls(&[&folder]);
    let tls = site.load();
    for device in [&revoked, &foreign] {
        handshake(&tls, site.client(device)).refused(Alert::CertificateRevoked, "is revoked");
    }
    assert_eq!(tls.trust().revocation_status(0).lists, 2);

    // One that cannot be read stops all of it, with its name.
    symlink("nowhere", folder.join("gone.crl")).unwrap();
    assert!(site.load_error().contains("gone.crl cannot be read"), "{}", site.load_error());
    fs::remove_file(folder.join("gone.crl")).unwrap();
    let cut = fs::read(folder.join("0-ca.pem")).unwrap();
    fs::write(folder.join("cut.crl"), &cut[..cut.len() / 2]).unwrap();
    assert!(site.load_error().contains("cut.crl, line 1") && site.load_error().contains("has no end"));
    let damaged = String::from_utf8(cut.clone()).unwrap().replacen("MII", "M!I", 1).replacen("MIH", "M!H", 1);
    fs::write(folder.join("cut.crl"), [cut.as_slice(), damaged.as_bytes()].concat()).unwrap();
    assert!(site.load_error().contains("cut.crl, block 2 at line"), "{}", site.load_error());
}

#[test]
fn what_is_neither_file_nor_folder_is_not_waited_for() {
    let mut site = Site::new();
    let pipe = site.path("pipe.crl");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    refused(&mut site, &pipe, &["neither a file nor a folder"]);
}

#[test]
fn two_lists_of_one_number_that_differ_are_noticed_and_the_later_counts() {
    let mut site = Site::new();
    let (revoked, good) = (site.ca.device("revoked"), site.ca.device("good"));
    let of = |name: &str, serials: &[&[u8]]| site.ca.crl(name, &numbered(7), serials);
    let (less, more) = (of("less.crl", &[]), of("more.crl", &[&revoked.serial]));
    let copy = site.path("copy.crl");
    fs::copy(&more, &copy).unwrap();
    for order in [[&less, &more], [&more, &less]] {
        site.set_crls(&order);
        let (tls, notices) = site.try_load().unwrap();
        let text = notices.join("\n");
        assert!(text.contains("two different CRLs of CN=ca,O=acme") && text.contains("less.crl"), "{text}");
        assert!(text.contains("more.crl") && text.contains("take the other out"), "{text}");
        handshake(&tls, site.client(&revoked)).refused(Alert::CertificateRevoked, "is revoked");
        handshake(&tls, site.client(&good)).accepted();
    }
    // Two copies of one list contradict nothing.
    site.set_crls(&[&more, &copy]);
    assert_eq!(site.notices(), Vec::<String>::new());
}

#[test]
fn warnings_begin_in_the_last_eighth_of_a_life() {
    let mut site = Site::new();
    let crl = site.ca.revoke(&[]);
    site.set_crls(&[&crl]);
    let tls = site.load();
    let status = tls.trust().revocation_status(0);
    let (issued, end) = (status.oldest_this_update.unwrap(), status.nearest_next_update.unwrap());
    let warned = |now: i64| tls.trust().list_warnings(now).iter().map(ToString::to_string).collect::<Vec<_>>();
    let eighth = (end - issued) / 8;
    assert_eq!(warned(end - eighth - 1), Vec::<String>::new());
    assert!(warned(end - eighth)[0].contains("goes stale at") && warned(end - eighth)[0].contains("are refused"));
    assert!(warned(end)[0].contains("is stale since"), "{:?}", warned(end));
    assert_eq!(tls.trust().next_stale(issued), Some(end));
    assert_eq!(tls.trust().next_stale(end), None);
    assert_eq!((status.lists, status.serials, status.stale), (1, 0, 0));
    assert_eq!(tls.trust().revocation_status(end).stale, 1);
}

#[test]
fn a_list_counts_whichever_block_names_its_file() {
    let mut site = Site::new();
    let other = TestCa::root(site.folder.path(), "other");
    let (revoked, theirs) = (site.ca.device("device-001"), other.device("device-001"));
    site.settings.trust = vec![block("a", &[&site.ca]), block("b", &[&other])];
    site.settings.trust[1].crl = vec![site.ca.revoke(&[&revoked])];
    let tls = site.load();
    handshake(&tls, site.client(&revoked)).refused(Alert::CertificateRevoked, "is revoked by CN=ca");
    handshake(&tls, site.client(&theirs)).accepted();
}
