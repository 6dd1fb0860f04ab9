use super::*;

#[test]
fn the_number_after_a_number() {
    let table: [(&[u8], &[u8]); 6] = [
        (&[], &[1]),
        (&[0], &[1]),
        (&[1], &[2]),
        (&[0xff], &[1, 0]),
        (&[0x01, 0xff], &[2, 0]),
        (&[0, 0, 0x7f], &[0x80]),
    ];
    for (number, next) in table {
        assert_eq!(next_number(number).unwrap(), next, "{number:02x?}");
    }
    let mut largest = [0xff; 20];
    largest[0] = 0x7f;
    assert_eq!(next_number(&largest), None);
    assert_eq!(next_number(&[0xff; 19]).unwrap().len(), 20);
}

#[test]
fn numbers_compare_by_value() {
    assert_eq!(larger_number(&[2], &[1, 0]), &[1, 0]);
    assert_eq!(larger_number(&[0, 0, 3], &[2]), &[3]);
    assert_eq!(larger_number(&[], &[1]), &[1]);
}

#[test]
fn half_of_the_life() {
    let list =
        RevocationList { issuer: Vec::new(), this_update: 100, next_update: 200, number: vec![1], entries: vec![] };
    assert!(!list.is_past_half_life(149));
    assert!(list.is_past_half_life(150));
    assert!(!list.is_past_half_life(0));
}

#[test]
fn what_is_no_list_is_refused() {
    assert!(RevocationList::parse(b"").is_err());
    assert!(RevocationList::parse(&[0x30, 0x00]).is_err());
}
