use super::*;
use crate::tls::ca::{Crl, TestCa};
use std::fs;
use std::process::Command;
use tempfile::TempDir;

fn made(serials: &[&[u8]]) -> (TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let crl = Crl { number: 0x0102, ..Crl::default() };
    let der = fs::read(TestCa::root(folder.path(), "ca").crl_der("ca.crl", &crl, serials)).unwrap();
    (folder, der)
}

#[test]
fn reads_what_rcgen_writes() {
    let (_folder, der) = made(&[&[1], &[0x80, 1], &[7; 20]]);
    let crl = CrlFields::from_der(&der).unwrap();
    assert_eq!(crl.serials, [&[1][..], &[0x80, 1], &[7; 20]]);
    assert_eq!(crl.number, Some(&[1, 2][..]));
    assert_eq!(crl.next_update - crl.this_update, 30 * 86_400 + 3_600);
    let (_folder, der) = made(&[]);
    assert!(CrlFields::from_der(&der).unwrap().serials.is_empty());
}

#[test]
fn agrees_with_webpki() {
    let (_folder, der) = made(&[&[1], &[0x80, 1], &[7; 20]]);
    let ours = CrlFields::from_der(&der).unwrap();
    let theirs = webpki::BorrowedCertRevocationList::from_der(&der).unwrap();
    let serials: Vec<_> = theirs.into_iter().map(|entry| entry.unwrap().serial_number.to_vec()).collect();
    let ours: Vec<_> = ours.serials.iter().map(|serial| serial.to_vec()).collect();
    let theirs: Vec<_> = serials.iter().map(|s| super::super::der::without_leading_zeros(s).to_vec()).collect();
    assert_eq!(ours, theirs);
}

/// What people make by hand: `openssl ca -gencrl`, with and without extensions.
#[test]
fn reads_what_openssl_writes() {
    let folder = tempfile::tempdir().unwrap();
    TestCa::root(folder.path(), "ca");
    let config = "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ncrlnumber=number\n[e]\n\
                  authorityKeyIdentifier=keyid\n";
    fs::write(folder.path().join("openssl.cnf"), config).unwrap();
    fs::write(folder.path().join("number"), "1000\n").unwrap();
    let index = "R\t401231235959Z\t250101000000Z,keyCompromise\tDEADBEEF\tunknown\t/CN=a\n\
                 R\t401231235959Z\t250101000000Z\t05\tunknown\t/CN=b\n";
    fs::write(folder.path().join("index.txt"), index).unwrap();
    for (extensions, number) in [(&["-crlexts", "e"][..], Some(&[0x10, 0][..])), (&[], Some(&[0x10, 1][..]))] {
        let output = Command::new("openssl")
            .current_dir(folder.path())
            .args(["ca", "-gencrl", "-config", "openssl.cnf", "-keyfile", "ca.key", "-cert", "ca.crt"])
            .args(["-crldays", "3", "-out", "made.crl"])
            .args(extensions)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let items =
            super::super::files::read(&folder.path().join("made.crl"), super::super::files::Wanted::Crls).unwrap();
        let crl = CrlFields::from_der(&items[0].der).unwrap();
        assert_eq!(crl.number, number);
        let mut serials = crl.serials.clone();
        serials.sort();
        assert_eq!(serials, [&[5][..], &[0xde, 0xad, 0xbe, 0xef]]);
    }
    // Version 1: no CRL number, no reasons.
    fs::write(folder.path().join("openssl.cnf"), config.replace("crlnumber=number\n", "")).unwrap();
    fs::write(folder.path().join("index.txt"), index.replace(",keyCompromise", "")).unwrap();
    let output = Command::new("openssl")
        .current_dir(folder.path())
        .args(["ca", "-gencrl", "-config", "openssl.cnf", "-keyfile", "ca.key", "-cert", "ca.crt"])
        .args(["-crldays", "3", "-out", "made.crl"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let items = super::super::files::read(&folder.path().join("made.crl"), super::super::files::Wanted::Crls).unwrap();
    let crl = CrlFields::from_der(&items[0].der).unwrap();
    assert_eq!((crl.number, crl.serials.len()), (None, 2));
}

/// DER, written by hand: what no tool would make.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut bytes = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => bytes.push(length),
        Ok(length) => bytes.extend([0x81, length]),
        Err(_) => {
            bytes.push(0x82);
            bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        }
    }
    bytes.extend(content);
    bytes
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(tag::SEQUENCE, parts)
}

fn extension(id: &[u8], critical: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&element(tag::OID, &[id]), critical, &element(tag::OCTET_STRING, &[value])])
}

const CRITICAL: &[u8] = &[tag::BOOLEAN, 1, 0xff];
const VERSION_2: &[u8] = &[2, 1, 1];

fn crl(version: &[u8], next_update: &[u8], entries: &[u8], extensions: &[u8]) -> Vec<u8> {
    let algorithm = sequence(&[&element(tag::OID, &[&[1, 2]])]);
    let time = element(tag::UTC_TIME, &[b"250101000000Z"]);
    let tbs = sequence(&[version, &algorithm, &sequence(&[]), &time, next_update, entries, extensions]);
    sequence(&[&tbs, &algorithm, &[3, 2, 0, 9]])
}

fn with_extension(id: &[u8], critical: &[u8], value: &[u8]) -> Vec<u8> {
    let list = element(tag::CONTEXT_0, &[&sequence(&[&extension(id, critical, value)])]);
    crl(VERSION_2, &element(tag::UTC_TIME, &[b"260101000000Z"]), &[], &list)
}

fn with_entry_extension(id: &[u8], critical: &[u8], value: &[u8]) -> Vec<u8> {
    let entry = sequence(&[
        &[2, 1, 5],
        &element(tag::UTC_TIME, &[b"250101000000Z"]),
        &sequence(&[&extension(id, critical, value)]),
    ]);
    crl(VERSION_2, &element(tag::UTC_TIME, &[b"260101000000Z"]), &sequence(&[&entry]), &[])
}

#[test]
fn half_lists_and_unknown_critical_extensions_are_refused() {
    let refused = |der: &[u8], words: &str| {
        let fault = CrlFields::from_der(der).unwrap_err();
        assert!(fault.0.contains(words), "{fault:?} does not say {words:?}");
    };
    assert!(CrlFields::from_der(&with_extension(CRL_NUMBER, &[], &[2, 1, 5])).is_ok());
    assert!(CrlFields::from_der(&with_extension(&[0x55, 0x1d, 0x63], &[], &[5, 0])).is_ok());
    refused(&with_extension(&[0x55, 0x1d, 0x63], CRITICAL, &[5, 0]), "critical extension");
    refused(&with_extension(DELTA_CRL_INDICATOR, CRITICAL, &[2, 1, 5]), "delta CRL");
    refused(&with_extension(ISSUING_DISTRIBUTION_POINT, CRITICAL, &[0x30, 0]), "partitioned");
    for (limit, words) in [
        (0x81, "onlyContainsUserCerts"),
        (0x82, "onlyContainsCACerts"),
        (0x85, "onlyContainsAttributeCerts"),
        (0x84, "an indirect CRL"),
    ] {
        refused(&with_extension(ISSUING_DISTRIBUTION_POINT, CRITICAL, &sequence(&[&[limit, 1, 0xff]])), words);
        refused(&with_extension(ISSUING_DISTRIBUTION_POINT, &[], &sequence(&[&[limit, 1, 0xff]])), words);
    }
    refused(
        &with_extension(ISSUING_DISTRIBUTION_POINT, CRITICAL, &sequence(&[&[0x83, 2, 1, 0x40]])),
        "onlySomeReasons",
    );
    refused(&with_extension(ISSUING_DISTRIBUTION_POINT, CRITICAL, &[0xff]), "partitioned");
    refused(&with_extension(CRL_NUMBER, &[], &element(tag::INTEGER, &[&[1; 21]])), "more than 20 octets");

    assert!(CrlFields::from_der(&with_entry_extension(REASON_CODE, &[], &[tag::ENUMERATED, 1, 1])).is_ok());
    assert!(CrlFields::from_der(&with_entry_extension(INVALIDITY_DATE, &[], &[5, 0])).is_ok());
    refused(&with_entry_extension(REASON_CODE, &[], &[tag::ENUMERATED, 1, 8]), "delta CRL");
    refused(&with_entry_extension(CERTIFICATE_ISSUER, CRITICAL, &[0x30, 0]), "indirect");
    refused(&with_entry_extension(&[0x55, 0x1d, 0x63], CRITICAL, &[5, 0]), "critical extension");

    let next_update = element(tag::UTC_TIME, &[b"260101000000Z"]);
    refused(&crl(VERSION_2, &[], &[], &[]), "no nextUpdate");
    refused(&crl(&[2, 1, 2], &next_update, &[], &[]), "unknown version");
    assert!(CrlFields::from_der(&crl(&[], &next_update, &[], &[])).is_ok());
    let extensions = element(tag::CONTEXT_0, &[&sequence(&[])]);
    refused(&crl(&[], &next_update, &[], &extensions), "version 1");
}

/// A length is believed only as far as there are bytes: nothing is allocated for it.
#[test]
fn lengths_that_promise_more_than_there_is_are_refused() {
    let (_folder, original) = made(&[&[1], &[7; 20]]);
    for at in 0..original.len() {
        for length in
            [&[0x84, 0xff, 0xff, 0xff, 0xff][..], &[0x84, 0x7f, 0xff, 0xff, 0xff], &[0x85, 1, 0, 0, 0, 0], &[0x80]]
        {
            let mut der = original.clone();
            der.splice(at..=at, length.iter().copied());
            let _ = CrlFields::from_der(&der);
            der.truncate(at + length.len());
            // Of the old length again: just another signature.
            assert!(CrlFields::from_der(&der).is_err() || der.len() == original.len());
        }
    }
}

#[test]
fn entries_may_repeat_and_carry_what_may_be_ignored() {
    let time = element(tag::UTC_TIME, &[b"250101000000Z"]);
    let plain = sequence(&[&[2, 1, 5], &time]);
    let padded = sequence(&[&[2, 2, 0, 5], &time]);
    let reason = sequence(&[&extension(REASON_CODE, &[], &[tag::ENUMERATED, 1, 6])]);
    let held = sequence(&[&[2, 1, 9], &time, &reason]);
    let next_update = element(tag::UTC_TIME, &[b"260101000000Z"]);
    let der = crl(VERSION_2, &next_update, &sequence(&[&plain, &plain, &padded, &held]), &[]);
    let set = super::super::crl::SerialSet::new(CrlFields::from_der(&der).unwrap().serials);
    assert_eq!(set.len(), 2);
    assert!(set.contains(&[5]) && set.contains(&[9]), "a certificate on hold is revoked");
}

/// Whatever is changed, cut or added, reading ends with an answer; and what webpki takes for a CRL with other serials
/// than ours never passes.
#[test]
fn mutations_never_panic_and_never_read_differently_than_webpki() {
    let (_folder, original) = made(&[&[1], &[0x80, 1], &[7; 20], &[0x7f]]);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % u64::try_from(bound).unwrap()).unwrap()
    };
    let mut read = 0;
    for round in 0..40_000 {
        let mut der = original.clone();
        for _ in 0..=round % 3 {
            let at = next(der.len());
            match next(4) {
                0 => der.truncate(at.max(1)),
                1 => der[at] = u8::try_from(next(256)).unwrap(),
                2 => der.insert(at, u8::try_from(next(256)).unwrap()),
                _ => der[at] ^= 1 << next(8),
            }
        }
        let Ok(ours) = CrlFields::from_der(&der) else { continue };
        read += 1;
        let Ok(theirs) = webpki::OwnedCertRevocationList::from_der(&der) else { continue };
        let theirs = webpki::CertRevocationList::Owned(theirs);
        for serial in ours.serials {
            // webpki keeps the octets as they stand, with the zeros that make a number positive.
            let found = (0..6).any(|zeros| theirs.find_serial(&[&vec![0; zeros], serial].concat()).unwrap().is_some());
            assert!(found, "{serial:02x?} in {der:02x?}");
        }
    }
    assert!(read > 1_000, "the mutations are too wild to prove anything: {read}");
}
