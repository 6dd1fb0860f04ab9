use super::*;

#[test]
fn a_slip_finds_its_word() {
    let keys = ["certificate", "private_key", "client_ca", "crl"];
    assert_eq!(nearest("certificat", keys), Some("certificate"));
    assert_eq!(nearest("privat_kye", keys), Some("private_key"));
    assert_eq!(nearest("CRL", keys), Some("crl"));
    assert_eq!(nearest("clr", keys), Some("crl"));
}

#[test]
fn another_word_finds_none() {
    assert_eq!(nearest("session_resumption", ["certificate", "crl"]), None);
    assert_eq!(nearest("", ["crl"]), None);
    assert_eq!(nearest("crl", []), None);
}

#[test]
fn distance_counts_edits() {
    for (left, right, edits) in [("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("kitten", "sitting", 3), ("é", "e", 1)] {
        assert_eq!(distance(left, right), edits, "{left} {right}");
        assert_eq!(distance(right, left), edits, "{right} {left}");
    }
}
