use super::*;

/// The value of `element` printed as nested tags, enough to compare by eye.
fn strings(name: &[u8]) -> Vec<Vec<(u8, String)>> {
    let whole = Element::whole(name).unwrap();
    assert_eq!(whole.tag, SEQUENCE);
    let relative = |set: Element<'_>| {
        set.inside()
            .map(|attribute| {
                let mut fields = attribute.unwrap().inside();
                fields.any().unwrap();
                let value = fields.any().unwrap();
                (value.tag, String::from_utf8_lossy(value.content).into_owned())
            })
            .collect()
    };
    whole.inside().map(|set| relative(set.unwrap())).collect()
}

#[test]
fn the_text_starts_with_the_last_component() {
    let encoded = strings(&encode("CN=dev-0001,OU=sensors,O=acme,C=DE").unwrap());
    let expected =
        [(PRINTABLE_STRING, "DE"), (UTF8_STRING, "acme"), (UTF8_STRING, "sensors"), (UTF8_STRING, "dev-0001")];
    let expected: Vec<_> = expected.iter().map(|(tag, text)| vec![(*tag, (*text).to_owned())]).collect();
    assert_eq!(encoded, expected);
}

#[test]
fn repeated_and_joined_attributes_are_all_there() {
    let encoded = strings(&encode("CN=a+UID=b,OU=x,OU=y,OU=z,DC=acme,DC=com").unwrap());
    let flat: Vec<Vec<&str>> =
        encoded.iter().map(|relative| relative.iter().map(|(_, text)| text.as_str()).collect()).collect();
    assert_eq!(flat[..5], [["com"], ["acme"], ["z"], ["y"], ["x"]]);
    let mut joined = flat[5].clone();
    joined.sort_unstable();
    assert_eq!(joined, ["a", "b"]);
    assert_eq!(encoded[0][0].0, IA5_STRING);
}

#[test]
fn odd_values_mean_themselves() {
    for value in ["x, CN=admin", "a+b", "#1", " edges ", "q\"uo\\te", "<;>", "ä/ö", "=", "a=b", "#", " "] {
        let encoded = strings(&encode(&common_name(value)).unwrap());
        assert_eq!(encoded, [[(UTF8_STRING, value.to_owned())]], "{value:?}");
    }
    assert_eq!(strings(&encode("CN=caf\\C3\\A9").unwrap())[0][0].1, "café");
}

#[test]
fn what_is_no_name_is_refused_with_the_place() {
    for text in ["", "dev-1", "CN=a,", "CN", "=x", "NOSUCH=x"] {
        let error = encode(text).unwrap_err().to_string();
        assert!(error.contains(&format!("{text:?}")) && error.contains("CN=dev-1"), "{error}");
    }
}

#[test]
fn letters_decide_the_string_type() {
    assert_eq!(strings(&encode("DC=bücher").unwrap())[0][0].0, UTF8_STRING);
    assert_eq!(strings(&encode("serialNumber=A-1").unwrap())[0][0].0, PRINTABLE_STRING);
    assert_eq!(strings(&encode("serialNumber=A_1").unwrap())[0][0].0, UTF8_STRING);
}

#[test]
fn alternative_names_by_what_they_look_like() {
    let table: [(&str, u8, &[u8]); 7] = [
        ("localhost", DNS, b"localhost"),
        ("*.acme.example", DNS, b"*.acme.example"),
        ("127.0.0.1", IP, &[127, 0, 0, 1]),
        ("::1", IP, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        ("spiffe://acme/dev-1", URI, b"spiffe://acme/dev-1"),
        ("me@acme.example", EMAIL, b"me@acme.example"),
        ("under_score", DNS, b"under_score"),
    ];
    for (text, tag, content) in table {
        let names = alternative_names(&[text.to_owned()]).unwrap().unwrap();
        let name = Element::whole(Element::whole(&names).unwrap().content).unwrap();
        assert_eq!((name.tag, name.content), (tag, content), "{text}");
    }
    assert_eq!(alternative_names(&[]).unwrap(), None);
    for wrong in ["", "a b", "a..b", ".a", "a/b", "@x", "x@", "://x", "a\0b", "*", "ä.example"] {
        assert!(alternative_names(&[wrong.to_owned()]).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_device_may_not_choose_every_kind_of_name() {
    let other = der::element(0xa0, &[]);
    let names = der::element(SEQUENCE, &[der::element(DNS, b"dev"), other.clone()].concat());
    let (kept, dropped) = allowed_alternative_names(&names).unwrap();
    assert_eq!(kept.unwrap(), der::element(SEQUENCE, &der::element(DNS, b"dev")));
    assert_eq!(dropped, 1);
    assert_eq!(allowed_alternative_names(&der::element(SEQUENCE, &other)).unwrap(), (None, 1));
    assert!(allowed_alternative_names(&[0x30, 0x05, 0x82]).is_err());
}
