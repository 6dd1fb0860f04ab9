use super::*;

fn first(bytes: &[u8]) -> Result<Element<'_>, DerFault> {
    DerReader::new(bytes).element()
}

#[test]
fn lengths_are_definite_and_minimal() {
    assert_eq!(first(&[2, 1, 7]).unwrap().content, &[7]);
    let mut long = vec![4, 0x81, 0x80];
    long.extend([0; 0x80]);
    assert_eq!(first(&long).unwrap().content.len(), 0x80);
    for bad in [
        &[][..],
        &[2],
        &[2, 2, 7],
        &[2, 0x80, 7, 0, 0],
        &[2, 0x81, 1, 7],
        &[2, 0x82, 0, 1, 7],
        &[2, 0x85, 0, 0, 0, 0, 1, 7],
        &[2, 0x84, 0xff, 0xff, 0xff, 0xff, 7],
        &[2, 0x82, 1],
        &[0x1f, 0x81, 1, 7],
    ] {
        assert!(first(bad).is_err(), "{bad:02x?}");
    }
}

#[test]
fn whole_is_tag_length_and_content() {
    let input = [0x30, 3, 2, 1, 7, 0xff];
    let mut reader = DerReader::new(&input);
    assert_eq!(reader.element().unwrap().whole, &input[..5]);
    assert_eq!(reader.finish(), Err(DerFault("bytes left over at the end")));
}

#[test]
fn integers_are_one_number_however_they_are_padded() {
    for (bytes, number) in
        [(&[2, 1, 0][..], &[0][..]), (&[2, 2, 0, 0x80], &[0x80]), (&[2, 3, 0, 0, 5], &[5]), (&[2, 1, 0xff], &[0xff])]
    {
        assert_eq!(DerReader::new(bytes).integer().unwrap(), number);
    }
    assert!(DerReader::new(&[2, 0]).integer().is_err());
}

#[test]
fn times_of_rfc_5280() {
    let time = |tag: u8, text: &str| {
        let mut bytes = vec![tag, u8::try_from(text.len()).unwrap()];
        bytes.extend(text.as_bytes());
        DerReader::new(&bytes).time()
    };
    assert_eq!(time(tag::UTC_TIME, "700101000000Z"), Ok(0));
    assert_eq!(time(tag::UTC_TIME, "491231235959Z"), Ok(2_524_607_999));
    assert_eq!(time(tag::UTC_TIME, "500101000000Z"), Ok(-631_152_000));
    assert_eq!(time(tag::GENERALIZED_TIME, "20240229120000Z"), Ok(1_709_208_000));
    assert_eq!(time(tag::GENERALIZED_TIME, "99991231235959Z"), Ok(253_402_300_799));
    for bad in ["20230229120000Z", "20231301000000Z", "20230101240000Z", "20230101000060Z", "20230101000000+0100"] {
        assert!(time(tag::GENERALIZED_TIME, bad).is_err(), "{bad}");
    }
    for bad in ["2301010000Z", "230101000000", "230101000000z", "2301010000:0Z", "", "230101000000ZZ"] {
        assert!(time(tag::UTC_TIME, bad).is_err(), "{bad}");
    }
    assert!(time(tag::OCTET_STRING, "230101000000Z").is_err());
}
