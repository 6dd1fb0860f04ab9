use super::*;
use crate::tls::ca::{Leaf, TestCa};
use crate::tls::certificate::CertificateFields;
use rcgen::{DistinguishedName, DnType, DnValue};

fn described(change: impl FnOnce(&mut DistinguishedName)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut leaf = Leaf::device("device-001");
    change(&mut leaf.subject);
    let made = TestCa::root(folder.path(), "ca").issue("x", &leaf);
    describe(CertificateFields::from_der(made.leaf()).unwrap().subject)
}

#[test]
fn names_are_shown_in_the_order_of_rfc_4514() {
    assert_eq!(described(|_| {}), "CN=device-001,O=acme");
    let full = described(|name| {
        name.push(DnType::CountryName, "DE");
        name.push(DnType::OrganizationalUnitName, "lab");
        name.push(DnType::CustomDnType(vec![1, 2, 3]), "x");
    });
    assert_eq!(full, "1.2.3=#0C0178,OU=lab,C=DE,CN=device-001,O=acme");
    assert_eq!(described(|name| *name = DistinguishedName::new()), "(empty name)");
    assert_eq!(describe(&[0x30, 1]), "(unreadable name)");
}

#[test]
fn a_value_never_looks_like_another_name_and_never_moves_the_cursor() {
    let with_organisation = |value: DnValue| {
        described(|name| {
            name.remove(DnType::OrganizationName);
            name.push(DnType::OrganizationName, value);
        })
    };
    assert_eq!(with_organisation("x, CN=admin".into()), r"O=x\, CN=admin,CN=device-001");
    let nasty = with_organisation("a\n\x1b[2J\0\u{202e}b".into());
    assert!(!nasty.contains(|shown: char| shown.is_control() || shown == '\u{202e}'), "{nasty:?}");
    assert_eq!(with_organisation(DnValue::BmpString("b\u{e4}r".try_into().unwrap())), "O=b\u{e4}r,CN=device-001");
}

#[test]
fn overlong_texts_are_cut() {
    let text = escaped(&"x".repeat(10_000));
    assert_eq!(text.chars().count(), SHOWN_CHARACTERS + 1);
    assert!(text.ends_with('…'));
}

#[test]
fn dates_are_rfc_3339() {
    assert_eq!(date(0), "1970-01-01T00:00:00Z");
    assert_eq!(date(i64::MAX), format!("{} s after 1970", i64::MAX));
}
