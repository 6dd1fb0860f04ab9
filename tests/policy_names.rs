//! Our names against OpenSSL's: `openssl x509 -subject -nameopt RFC2253,-esc_msb,utf8` on names as authorities and
//! attackers make them. Where the two differ, the test says how.

#![allow(clippy::expect_used, reason = "a test may stop where openssl does not do its part")]

#[path = "../src/policy/identity/forged.rs"]
mod forged;

use certmq::policy::identity::name_from_der;
use forged::{Attribute, BMP, CN, Forged, IA5, O, OU, PRINTABLE, TELETEX, UNIVERSAL, UTF8};
use std::io::Write;
use std::process::{Command, Stdio};

fn openssl(der: &[u8]) -> String {
    let mut child = Command::new("openssl")
        .args(["x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "RFC2253,-esc_msb,utf8"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    child.stdin.take().expect("piped").write_all(der).expect("openssl reads the certificate");
    let output = child.wait_with_output().expect("openssl ends");
    assert!(output.status.success(), "openssl refused the certificate");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.trim_end_matches('\n').strip_prefix("subject=").expect("a subject").to_owned()
}

fn ours(forged: &Forged) -> String {
    name_from_der(&forged.subject).expect("a name").as_str().to_owned()
}

fn assert_same(subject: &[&[Attribute<'_>]]) {
    let forged = Forged::of(subject).with_alternative_name(0x82, b"other.example");
    assert_eq!(ours(&forged), openssl(&forged.der()));
}

fn assert_differ(subject: &[&[Attribute<'_>]], own: &str, theirs: &str) {
    let forged = Forged::of(subject);
    assert_eq!((&ours(&forged)[..], &openssl(&forged.der())[..]), (own, theirs));
}

#[test]
fn plain_names_and_every_escape() {
    assert_same(&[&[(O, UTF8, b"acme")], &[(OU, UTF8, b"sensors")], &[(CN, UTF8, b"dev-0001")]]);
    for value in [
        "dev",
        "a,b",
        "a+b",
        "a\"b",
        "a\\b",
        "a<b>c",
        "a;b",
        "a=b",
        "a/b",
        "a#b",
        "#1",
        "##",
        "+",
        ",",
        " a",
        "a ",
        "  a  ",
        " ",
        "  ",
        "a\0b",
        "\0",
        "a\nb",
        "\x1b[2J",
        "\x7f",
        "x, CN=admin",
        "été",
        "日本",
        "😀",
        "a  b",
        "'",
        "*",
        "$x",
        "",
    ] {
        assert_same(&[&[(O, UTF8, b"acme")], &[(CN, UTF8, value.as_bytes())]]);
    }
}

#[test]
fn every_string_type() {
    for (tag, content) in [
        (PRINTABLE, &b"dev 1"[..]),
        (TELETEX, b"dev"),
        (IA5, b"dev@acme"),
        (BMP, b"\0d\x00\xe9\x65\xe5"),
        (UNIVERSAL, b"\0\0\0d\0\x01\xf6\0"),
        (0x12, b"0123"),
        (0x03, b"\0\xff"),
        (0x30, b""),
    ] {
        assert_same(&[&[(CN, tag, content)]]);
    }
}

#[test]
fn relative_names_with_several_attributes() {
    // In the order of DER, as `openssl req -multivalue-rdn` and every sound authority writes them.
    assert_same(&[&[(O, UTF8, b"acme")], &[(OU, UTF8, b"b"), (CN, UTF8, b"dev")]]);
    assert_same(&[&[(CN, UTF8, b"a"), (OU, UTF8, b"b"), (CN, UTF8, b"ab")]]);
    assert_same(&[&[(CN, UTF8, b"a")], &[(CN, UTF8, b"a")]]);
}

#[test]
fn every_attribute_type_with_a_short_name() {
    for last in (3..=20).chain([41, 42, 43, 44, 45, 46, 65, 72, 97]) {
        assert_same(&[&[(&[0x55, 4, last], UTF8, b"x")]]);
    }
    for last in [1, 3, 25] {
        assert_same(&[&[(&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, last], UTF8, b"x")]]);
    }
    for last in [1, 2, 8] {
        assert_same(&[&[(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, last], IA5, b"x")]]);
    }
    for last in [1, 2, 3] {
        assert_same(&[&[(&[0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x3c, 2, 1, last], UTF8, b"x")]]);
    }
}

#[test]
fn types_that_nobody_names() {
    assert_same(&[&[(&[0x2a, 3, 4], UTF8, b"x")]]);
    assert_same(&[&[(&[0x2a, 3, 4], PRINTABLE, b"x")], &[(CN, UTF8, b"dev")]]);
    assert_same(&[&[(&[0x88, 0x37, 3], 0x03, b"\0\x01")]]);
}

#[test]
fn where_we_differ() {
    // RFC 4514 section 2.4 wants a leading '#' escaped; OpenSSL forgets it where nothing follows.
    assert_differ(&[&[(CN, UTF8, b"#")]], r"CN=\#", "CN=#");
    // Eight-bit T61 has no one meaning: we keep its octets (and admit no device with it).
    assert_differ(&[&[(CN, TELETEX, b"\xe9")]], "CN=#1401E9", "CN=é");
    // Characters that terminals obey or hide are written as octets.
    assert_differ(&[&[(CN, UTF8, "a\u{202e}b".as_bytes())]], r"CN=a\E2\80\AEb", "CN=a\u{202e}b");
    assert_differ(&[&[(CN, UTF8, "a\u{9b}b".as_bytes())]], r"CN=a\C2\9Bb", "CN=a\u{9b}b");
    // A set out of DER order is still the same set: one order for all.
    assert_differ(&[&[(OU, UTF8, b"b"), (CN, UTF8, b"a")]], "OU=b+CN=a", "CN=a+OU=b");
    // A type that OpenSSL knows by a name of its own which no distinguished name uses.
    assert_differ(&[&[(&[0x55, 4, 36], UTF8, b"x")]], "2.5.4.36=#0C0178", "userCertificate=x");
}
