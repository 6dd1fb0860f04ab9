use super::forged::{BMP, CN, Forged, IA5, O, OU, PRINTABLE, TELETEX, UNIVERSAL, UTF8, name, tlv};
use super::*;
use proptest::prelude::*;

fn read(forged: &Forged) -> Result<Identity, IdentityError> {
    Identity::from_der(&forged.der())
}

fn named(subject: &[&[forged::Attribute<'_>]]) -> Result<String, IdentityError> {
    read(&Forged::of(subject))
        .and_then(|identity| identity.device_name(SubjectSelector::Dn))
        .map(|name| name.to_string())
}

fn fault(result: Result<String, IdentityError>) -> &'static str {
    match result {
        Err(IdentityError::BadValue { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_fact_is_read() {
    let forged = Forged::of(&[&[(O, PRINTABLE, b"acme")], &[(OU, UTF8, b"sensors")], &[(CN, UTF8, b"dev-0001")]])
        .with_alternative_name(0x86, b"spiffe://acme/sensors/dev-0001")
        .with_alternative_name(0x82, b"dev-0001.acme.example")
        .with_alternative_name(0x81, b"dev@acme.example")
        .with_alternative_name(0x87, &[127, 0, 0, 1]);
    let identity = read(&forged).expect("a good certificate");
    assert_eq!(identity.subject.as_str(), "CN=dev-0001,OU=sensors,O=acme");
    assert_eq!(identity.issuer.as_str(), "CN=test CA,O=acme");
    assert_eq!((&identity.common_names[..], &identity.units[..]), (&["dev-0001".into()][..], &["sensors".into()][..]));
    assert_eq!(identity.organisations, ["acme"]);
    assert_eq!(identity.san_uris, ["spiffe://acme/sensors/dev-0001"]);
    assert_eq!(identity.san_dns, ["dev-0001.acme.example"]);
    assert_eq!(identity.san_emails, ["dev@acme.example"]);
    assert_eq!(identity.serial_hex(), "0102");
    assert_eq!((identity.not_before, identity.not_after), (1_767_225_600, 2_082_758_400));
    let name = |selector| identity.device_name(selector).map(|name| name.to_string());
    assert_eq!(name(SubjectSelector::Cn).as_deref(), Ok("dev-0001"));
    assert_eq!(name(SubjectSelector::SanUri).as_deref(), Ok("spiffe://acme/sensors/dev-0001"));
    assert_eq!(name(SubjectSelector::SanDns).as_deref(), Ok("dev-0001.acme.example"));
    assert_eq!(name(SubjectSelector::SanEmail).as_deref(), Ok("dev@acme.example"));
}

#[test]
fn the_string_type_does_not_name_a_device() {
    let expected = Ok("CN=dev".to_owned());
    assert_eq!(named(&[&[(CN, UTF8, b"dev")]]), expected);
    assert_eq!(named(&[&[(CN, PRINTABLE, b"dev")]]), expected);
    assert_eq!(named(&[&[(CN, TELETEX, b"dev")]]), expected);
    assert_eq!(named(&[&[(CN, IA5, b"dev")]]), expected);
    assert_eq!(named(&[&[(CN, BMP, b"\0d\0e\0v")]]), expected);
    assert_eq!(named(&[&[(CN, UNIVERSAL, b"\0\0\0d\0\0\0e\0\0\0v")]]), expected);
    assert_eq!(named(&[&[(CN, BMP, b"\x00\xe9")]]), Ok("CN=é".to_owned()));
}

#[test]
fn odd_names_are_matched_exactly_or_refused() {
    assert_eq!(named(&[&[(CN, UTF8, b"+")]]).as_deref(), Ok(r"CN=\+"));
    assert_eq!(named(&[&[(CN, UTF8, b"#")]]).as_deref(), Ok(r"CN=\#"));
    assert_eq!(named(&[&[(CN, UTF8, b"a/b")]]).as_deref(), Ok("CN=a/b"));
    assert_eq!(named(&[&[(O, UTF8, b"x, CN=admin")]]).as_deref(), Ok(r"O=x\, CN=admin"));
    assert_eq!(named(&[&[(CN, UTF8, b"a")], &[(CN, UTF8, b"b")]]).as_deref(), Ok("CN=b,CN=a"));
    assert_eq!(fault(named(&[&[(CN, UTF8, b"")]])), "is empty");
    assert_eq!(fault(named(&[&[(CN, UTF8, b"a\0b")]])), "contains NUL");
    assert_eq!(fault(named(&[&[(CN, UTF8, b"a\x1b[2J")]])), "contains a control character");
    assert_eq!(fault(named(&[&[(CN, UTF8, "a\u{85}".as_bytes())]])), "contains a control character");
    assert_eq!(fault(named(&[&[(CN, UTF8, b"\xff")]])), "cannot be decoded");
    assert_eq!(fault(named(&[&[(CN, TELETEX, b"\xe9")]])), "cannot be decoded");
    assert_eq!(fault(named(&[&[(CN, PRINTABLE, b"\xe9")]])), "cannot be decoded");
    assert_eq!(fault(named(&[&[(CN, BMP, b"\0")]])), "cannot be decoded");
    assert_eq!(fault(named(&[&[(CN, BMP, b"\xd8\x00\xdc\x00")]])), "cannot be decoded");
    assert_eq!(fault(named(&[&[(CN, UNIVERSAL, b"\0\x11\0\0")]])), "cannot be decoded");
    assert_eq!(fault(named(&[&[(CN, 0x02, b"\x01")]])), "cannot be decoded");
    assert_eq!(fault(named(&[&[(CN, 0x2c, &tlv(UTF8, b"dev"))]])), "cannot be decoded");
    assert_eq!(named(&[]), Err(IdentityError::Missing("subject")));
}

#[test]
fn the_selected_attribute_occurs_exactly_once() {
    let plain = || Forged::of(&[&[(O, UTF8, b"acme")]]);
    let name = |forged: &Forged, selector| read(forged).and_then(|identity| identity.device_name(selector));
    for (selector, tag) in
        [(SubjectSelector::SanUri, 0x86), (SubjectSelector::SanDns, 0x82), (SubjectSelector::SanEmail, 0x81)]
    {
        assert!(matches!(name(&plain(), selector), Err(IdentityError::Missing(_))));
        let once = plain().with_alternative_name(tag, b"a");
        assert_eq!(name(&once, selector).as_deref(), Ok("a"));
        let twice = once.clone().with_alternative_name(tag, b"a");
        assert!(matches!(name(&twice, selector), Err(IdentityError::Ambiguous(_))));
        let empty = plain().with_alternative_name(tag, b"");
        assert!(matches!(name(&empty, selector), Err(IdentityError::BadValue { fault: "is empty", .. })));
        let nul = plain().with_alternative_name(tag, b"good\0.evil");
        assert!(matches!(name(&nul, selector), Err(IdentityError::BadValue { fault: "contains NUL", .. })));
        let odd = plain().with_alternative_name(tag, b"\xc3\xa9");
        assert!(matches!(name(&odd, selector), Err(IdentityError::BadValue { fault: "cannot be decoded", .. })));
    }
    let two = Forged::of(&[&[(CN, UTF8, b"a")], &[(CN, UTF8, b"a")]]);
    assert_eq!(name(&two, SubjectSelector::Cn), Err(IdentityError::Ambiguous("common name")));
    assert_eq!(name(&plain(), SubjectSelector::Cn), Err(IdentityError::Missing("common name")));
    let hidden = Forged::of(&[&[(CN, UTF8, b"a"), (CN, 0x02, b"\x01")]]);
    assert!(matches!(name(&hidden, SubjectSelector::Cn), Err(IdentityError::BadValue { .. })));
}

#[test]
fn what_is_no_version_3_certificate_is_refused() {
    let good = Forged::of(&[&[(CN, UTF8, b"dev")]]);
    for version in [None, Some(1)] {
        let old = Forged { version, ..good.clone() };
        assert_eq!(read(&old).err(), Some(IdentityError::VersionOne));
    }
    let mut long = good.der();
    long.push(0);
    assert!(matches!(Identity::from_der(&long), Err(IdentityError::Parse(_))));
    for length in 0..good.der().len() {
        assert!(Identity::from_der(&good.der()[..length]).is_err(), "cut to {length}");
    }
    for serial in [&[][..], &[0x80], &[0xff, 0x01]] {
        let odd = Forged { serial: serial.to_vec(), ..good.clone() };
        assert!(read(&odd).is_err(), "{serial:02x?}");
    }
    let padded = Forged { serial: vec![0, 0x80], ..good };
    assert_eq!(read(&padded).map(|identity| identity.serial_hex()).as_deref(), Ok("80"));
}

#[test]
fn a_name_with_a_part_that_cannot_be_read_is_refused_whole() {
    // x509-parser would drop the broken relative name and all after it.
    let good = name(&[&[(O, UTF8, b"acme")]]);
    let broken = tlv(0x31, &tlv(0x30, &tlv(0x06, CN)));
    let subject = tlv(0x30, &[&good[2..], &broken].concat());
    let forged = Forged { subject, ..Forged::of(&[]) };
    assert!(matches!(read(&forged), Err(IdentityError::Parse(_))));
}

#[test]
fn alternative_names_that_cannot_be_read_are_refused() {
    let odd = Forged::of(&[&[(CN, UTF8, b"dev")]]).with_alternative_name(0x30, b"");
    assert!(matches!(read(&odd), Err(IdentityError::Parse(_))));
}

#[test]
fn types_without_a_name_are_compared_octet_by_octet() {
    let oid: &[u8] = &[0x2a, 3, 4];
    assert_eq!(named(&[&[(oid, UTF8, b"a")]]).as_deref(), Ok("1.2.3.4=#0C0161"));
    assert_eq!(named(&[&[(oid, PRINTABLE, b"a")]]).as_deref(), Ok("1.2.3.4=#130161"));
}

#[test]
fn chain_facts_hold_the_path_and_its_earliest_end() {
    let leaf = certificate_facts(&Forged::of(&[&[(CN, UTF8, b"dev")]]).der()).expect("a certificate");
    let mut above = certificate_facts(&Forged { version: None, ..Forged::of(&[]) }.der()).expect("any version");
    above.not_after -= 1;
    let facts = crate::policy::ChainFacts::new([7; 32], &leaf, std::slice::from_ref(&above));
    assert_eq!(facts.not_after, above.not_after);
    assert_eq!(facts.leaf_sha256, leaf.sha256);
    let path: Vec<_> = facts.certificates.iter().map(|path| (&*path.certificate, path.issuer_key)).collect();
    let key_above = crate::policy::chain::first_half(&above.spki_sha256);
    assert_eq!(path, [(&leaf.certificate, key_above), (&above.certificate, [7; 16])]);
    assert_eq!(
        leaf.certificate,
        Certificate::new(&name(&[&[(O, UTF8, b"acme")], &[(CN, UTF8, b"test CA")]]), &[0, 1, 2])
    );
    assert_eq!(&*Certificate::new(&[], &[0, 0]).serial, [0]);
}

#[test]
fn typed_names_take_the_form_of_the_certificate() {
    let typed = |selector: SubjectSelector, text| selector.typed_name(text).map(|name| name.to_string());
    assert_eq!(typed(SubjectSelector::Dn, "cn=dev, o=acme").as_deref(), Ok("CN=dev,O=acme"));
    assert_eq!(typed(SubjectSelector::Cn, "cn=dev, o=acme").as_deref(), Ok("cn=dev, o=acme"));
    for (selector, text) in [
        (SubjectSelector::Dn, "CN="),
        (SubjectSelector::Dn, r"CN=a\00"),
        (SubjectSelector::Dn, r"CN=a\0A"),
        (SubjectSelector::Dn, r"CN=#0C01FF"),
        (SubjectSelector::Cn, ""),
        (SubjectSelector::SanUri, "a\nb"),
    ] {
        assert!(typed(selector, text).is_err(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn mutated_certificates_never_make_it_panic(at in any::<prop::sample::Index>(), octet in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut der = Forged::of(&[&[(O, UTF8, b"acme")], &[(CN, UTF8, b"dev")]]).with_alternative_name(0x86, b"urn:a").der();
        let at = at.index(der.len());
        der[at] = octet;
        let _ = Identity::from_der(&der);
        let _ = certificate_facts(&der[..cut.index(der.len())]);
    }

    /// Whatever the CA signed: one name, or a refusal; and the name types back to itself.
    #[test]
    fn a_device_name_is_canonical(cn in proptest::collection::vec(any::<u8>(), 0..8), tag in prop::sample::select(vec![UTF8, PRINTABLE, TELETEX, BMP, UNIVERSAL])) {
        if let Ok(name) = named(&[&[(O, UTF8, b"acme")], &[(CN, tag, &cn)]]) {
            prop_assert_eq!(SubjectSelector::Dn.typed_name(&name).map(|name| name.to_string()), Ok(name));
        }
    }
}
