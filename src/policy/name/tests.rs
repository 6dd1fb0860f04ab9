use super::der::{Attribute, RelativeName, Value};
use super::*;
use proptest::prelude::*;

fn canonical(text: &str) -> String {
    match DistinguishedName::parse(text) {
        Ok(name) => name.as_str().to_owned(),
        Err(error) => panic!("{text}: {error}"),
    }
}

#[test]
fn people_type_names_in_many_ways() {
    for (typed, expected) in [
        ("CN=dev-0001,O=acme", "CN=dev-0001,O=acme"),
        ("  cn = dev-0001 ,  o = acme  ", "CN=dev-0001,O=acme"),
        ("CN=dev;O=acme", "CN=dev,O=acme"),
        ("commonName=dev,organizationName=acme", "CN=dev,O=acme"),
        ("OID.2.5.4.3=dev,2.5.4.10=acme", "CN=dev,O=acme"),
        (r#"CN="dev, the first",O=acme"#, r"CN=dev\, the first,O=acme"),
        (r#"CN="say \"hi\"",O=acme"#, r#"CN=say \"hi\",O=acme"#),
        (r"CN=\64\65\76", "CN=dev"),
        (r"CN=\C3\A9t\c3\a9", "CN=été"),
        ("CN=été", "CN=été"),
        (r"CN=\#1", r"CN=\#1"),
        ("CN=a#1", "CN=a#1"),
        (r"CN=\ a\ ", r"CN=\ a\ "),
        (r"CN=  a  ", "CN=a"),
        ("CN=a b", "CN=a b"),
        ("CN=a=b", "CN=a=b"),
        (r"CN=\00", r"CN=\00"),
        (r"CN=a\0Ab", r"CN=a\0Ab"),
        ("CN=#0C03646576", "CN=dev"),
        ("CN=#1303646576", "CN=dev"),
        ("1.2.3.4=#0c0161", "1.2.3.4=#0C0161"),
        ("CN=#0201FF", "CN=#0201FF"),
        ("STREET=x,GIVENNAME=y", "street=x,GN=y"),
        ("O=", "O="),
        ("O=,CN=a", "O=,CN=a"),
        (r"O=x\, CN\=admin", r"O=x\, CN=admin"),
    ] {
        assert_eq!(canonical(typed), expected, "{typed}");
        assert_eq!(canonical(expected), expected, "canonical text is a fixed point");
    }
}

#[test]
fn what_is_no_name_is_refused_with_its_place() {
    for (typed, position) in [
        ("", 1),
        ("dev-0001", 1),
        ("CN", 1),
        ("CN=a,", 6),
        ("CN=a,,O=b", 6),
        ("CN=a+", 6),
        ("XY=a", 1),
        ("CN=a\"b", 5),
        ("CN=\"a", 4),
        ("CN=\"a\"b", 7),
        ("CN=a<b", 5),
        ("CN=\\", 4),
        ("CN=\\4", 5),
        ("CN=\\q", 5),
        ("CN=\\FF", 4),
        ("CN=a\u{0}", 5),
        ("CN=#", 4),
        ("CN=#0", 4),
        ("CN=#0C0361", 4),
        ("CN=#0C01616", 11),
        ("CN=#0C01610C0161", 4),
        ("1.2.3.4=a", 9),
        ("1.2.03.4=#0C0161", 1),
        ("3.1=#0C0161", 1),
        ("1.40=#0C0161", 1),
        ("1=#0C0161", 1),
        ("OID.x=#0C0161", 1),
    ] {
        let error = DistinguishedName::parse(typed).expect_err(typed);
        assert_eq!(error.position, position, "{typed}: {error}");
    }
}

#[test]
fn the_order_inside_a_relative_name_does_not_count_and_the_order_of_them_does() {
    assert_eq!(canonical("CN=a+OU=b"), canonical("OU=b+CN=a"));
    assert_ne!(canonical("CN=a+OU=b"), canonical("CN=a,OU=b"));
    assert_ne!(canonical("CN=a,OU=b"), canonical("OU=b,CN=a"));
    assert_ne!(canonical("CN=a+CN=a"), canonical("CN=a"));
}

#[test]
fn nothing_is_folded() {
    let spellings = ["CN=a", "CN=A", r"CN=a\ ", r"CN=\ a", "CN=a  b", "CN=a b", "CN=e\u{301}", "CN=\u{e9}", r"CN=a\00"];
    let distinct: std::collections::HashSet<String> = spellings.iter().map(|typed| canonical(typed)).collect();
    assert_eq!(distinct.len(), spellings.len());
}

#[test]
fn a_name_shows_no_character_that_a_terminal_obeys_or_hides() {
    let shown = canonical(r"CN=a\1B[2J\E2\80\AE\C2\9B\E2\80\8B\EF\BB\BF");
    assert_eq!(shown, r"CN=a\1B[2J\E2\80\AE\C2\9B\E2\80\8B\EF\BB\BF");
    assert_eq!(canonical("CN=a\u{202e}b"), r"CN=a\E2\80\AEb");
}

#[test]
fn suffixes_are_compared_name_by_name() {
    let name = |text: &str| DistinguishedName::parse(text).expect(text);
    assert!(name("CN=a,OU=b,O=acme").ends_with(&name("O=acme")));
    assert!(name("CN=a,OU=b,O=acme").ends_with(&name("OU=b,O=acme")));
    assert!(name("O=acme").ends_with(&name("o=acme")));
    for (whole, suffix) in [
        (r"CN=a\,O=acme", "O=acme"),
        (r"CN=x\, O=acme", "O=acme"),
        ("CN=a,O=big acme", "O=acme"),
        ("CN=a,OU=b+O=acme", "O=acme"),
        ("O=acme,CN=a", "O=acme"),
        ("O=acme", "CN=a,O=acme"),
    ] {
        assert!(!name(whole).ends_with(&name(suffix)), "{whole} ends with {suffix}");
    }
    let empty = DistinguishedName::from_der(&[0x30, 0]).expect("an empty name");
    assert!(!name("O=acme").ends_with(&empty), "the empty name would let everyone in");
}

#[test]
fn a_name_tells_its_attributes_in_the_order_of_the_certificate() {
    let name = DistinguishedName::parse("CN=b,OU=inner,OU=outer,O=acme+CN=a").expect("a name");
    assert_eq!(name.common_names(), ["a", "b"]);
    assert_eq!(name.units(), ["outer", "inner"]);
    assert_eq!(name.organisations(), ["acme"]);
    assert_eq!(
        name.reversed().as_str(),
        "CN=a+O=acme,OU=outer,OU=inner,CN=b".replace("CN=a+O=acme", &canonical("CN=a+O=acme"))
    );
    let odd = DistinguishedName::parse("CN=#020101,CN=a").expect("a name");
    assert_eq!(odd.common_names(), ["a", ""], "an undecodable value still counts");
}

#[test]
fn der_that_is_not_der_is_refused() {
    for bytes in [
        &[][..],
        &[0x30],
        &[0x30, 0x01],
        &[0x30, 0x80, 0x00, 0x00],
        &[0x30, 0x81, 0x00],
        &[0x30, 0x00, 0x00],
        &[0x31, 0x00],
        &[0x30, 0x02, 0x31, 0x00],
        &[0x30, 0x02, 0x30, 0x00],
        &[0x30, 0x05, 0x31, 0x03, 0x30, 0x01, 0x00],
        // Object identifiers: empty, not minimal, cut off.
        &[0x30, 0x09, 0x31, 0x07, 0x30, 0x05, 0x06, 0x00, 0x0c, 0x01, 0x61],
        &[0x30, 0x0b, 0x31, 0x09, 0x30, 0x07, 0x06, 0x02, 0x80, 0x03, 0x0c, 0x01, 0x61],
        &[0x30, 0x0b, 0x31, 0x09, 0x30, 0x07, 0x06, 0x02, 0x55, 0x83, 0x0c, 0x01, 0x61],
    ] {
        assert!(DistinguishedName::from_der(bytes).is_err(), "{bytes:02x?}");
    }
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[ #,+\"\\\\<>;=a-c\u{0}\u{1f}\u{7f}\u{e9}\u{202e}]{0,6}", any::<String>(),]
}

fn attribute() -> impl Strategy<Value = Attribute> {
    let known = ("2\\.5\\.4\\.(3|10|11)", value()).prop_map(|(oid, text)| Attribute { oid, value: Value::Text(text) });
    let odd = ("1\\.2\\.[1-9][0-9]{0,8}", proptest::collection::vec(any::<u8>(), 0..5)).prop_map(|(oid, content)| {
        let mut der = vec![0x0c, content.len() as u8];
        der.extend(content);
        Attribute { oid, value: Value::Der(der.into()) }
    });
    prop_oneof![4 => known, 1 => odd]
}

fn relative_names() -> impl Strategy<Value = Vec<RelativeName>> {
    proptest::collection::vec(proptest::collection::vec(attribute(), 1..3), 1..4)
}

fn sorted(mut names: Vec<RelativeName>) -> Vec<RelativeName> {
    for relative in &mut names {
        relative.sort_by_key(Attribute::sort_key);
    }
    names
}

proptest! {
    /// The text holds the whole name, so that two names never share a text.
    #[test]
    fn text_and_relative_names_correspond_one_to_one(names in relative_names()) {
        let name = DistinguishedName::from_relative_names(names.clone());
        prop_assert_eq!(sorted(name.relative_names()), sorted(names));
        let again = DistinguishedName::parse(name.as_str());
        prop_assert_eq!(again.as_ref(), Ok(&name));
        prop_assert!(!name.as_str().contains(is_invisible));
        prop_assert_eq!(name.reversed().reversed(), name);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[CNO=,+;#\"\\\\ 0-9a-f.\u{e9}\u{0}]{0,24}") {
        if let Ok(name) = DistinguishedName::parse(&text) {
            prop_assert_eq!(DistinguishedName::parse(name.as_str()), Ok(name));
        }
    }

    #[test]
    fn no_octets_make_the_der_reader_panic(octets in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(name) = DistinguishedName::from_der(&octets) {
            prop_assert!(name.as_str().is_empty() || DistinguishedName::parse(name.as_str()) == Ok(name));
        }
    }
}
