use super::*;

#[test]
fn what_is_written_is_read_back_at_every_length_form() {
    for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000] {
        let content = vec![0xab; length];
        let encoded = element(OCTET_STRING, &content);
        let read = Element::whole(&encoded).unwrap();
        assert_eq!((read.tag, read.content, read.raw), (OCTET_STRING, &content[..], &encoded[..]), "{length}");
    }
}

#[test]
fn damaged_encodings_are_refused() {
    let damaged: [&[u8]; 9] = [
        &[],
        &[0x30],
        &[0x30, 0x01],
        &[0x30, 0x80, 0x00, 0x00],
        &[0x30, 0x81, 0x01, 0x00],
        &[0x30, 0x82, 0x00, 0x80],
        &[0x30, 0x85, 1, 1, 1, 1, 1],
        &[0x3f, 0x01, 0x00],
        &[0x30, 0x00, 0x00],
    ];
    for bytes in damaged {
        assert_eq!(Element::whole(bytes), Err(Malformed), "{bytes:02x?}");
    }
}

#[test]
fn a_damaged_element_ends_the_iteration() {
    let elements: Vec<_> = Reader::new(&[0x05, 0x00, 0x30, 0x09]).collect();
    assert_eq!(elements.len(), 2);
    assert_eq!(elements[1], Err(Malformed));
}

#[test]
fn object_identifiers() {
    let table: [(&str, &[u8]); 4] = [
        ("2.5.4.3", &[0x55, 0x04, 0x03]),
        ("1.2.840.113549.1.9.1", &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01]),
        ("0.9.2342.19200300.100.1.25", &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19]),
        ("2.999.0", &[0x88, 0x37, 0x00]),
    ];
    for (dotted, content) in table {
        assert_eq!(object_identifier(dotted).unwrap(), element(OBJECT_IDENTIFIER, content), "{dotted}");
    }
    for wrong in ["", "1", "3.1", "1.40", "1.x", "2.18446744073709551615"] {
        assert_eq!(object_identifier(wrong), None, "{wrong}");
    }
}

#[test]
fn times() {
    let time = |tag, text: &str| Element { tag, content: text.as_bytes(), raw: &[] }.time();
    assert_eq!(time(UTC_TIME, "700101000000Z"), Ok(0));
    assert_eq!(time(UTC_TIME, "491231235959Z"), Ok(2_524_607_999));
    assert_eq!(time(UTC_TIME, "500101000000Z"), Ok(-631_152_000));
    assert_eq!(time(GENERALIZED_TIME, "20500101000000Z"), Ok(2_524_608_000));
    for wrong in ["", "Z", "700101000000", "701301000000Z", "700101000000+0000", "7001010000Z", "70010100000 Z"] {
        assert_eq!(time(UTC_TIME, wrong), Err(Malformed), "{wrong}");
    }
}

#[test]
fn numbers_are_positive_and_without_leading_zeros() {
    let number = |content| Element { tag: INTEGER, content, raw: &[] }.unsigned();
    assert_eq!(number(&[0, 0x80]), Ok(&[0x80][..]));
    assert_eq!(number(&[0]), Ok(&[0][..]));
    assert_eq!(number(&[0x80]), Err(Malformed));
    assert_eq!(number(&[]), Err(Malformed));
}
