//! The fixed header: what is refused before the body is there, and what is awaited.

use super::*;

fn outcome(wire: &str, maximum: u32) -> Result<usize, DecodeError> {
    let input = bytes(wire);
    decode(&input, Version::V5, Sender::Client, maximum).map(|decoded| match decoded {
        Decoded::Incomplete { needed } => needed,
        Decoded::Packet { packet, .. } => panic!("{packet:?}"),
    })
}

#[test]
fn what_is_needed() {
    for (wire, needed) in [
        ("", 2),
        ("30", 2),
        ("30 80", 3),
        ("30 80 80", 4),
        ("30 80 80 80", 5),
        ("30 05", 7),
        ("30 05 00 01", 7),
        ("30 80 01", 131),
        ("30 FF FF FF 7F", 268_435_460),
    ] {
        assert_eq!(outcome(wire, MAX_PACKET_BYTES), Ok(needed), "{wire}");
    }
}

#[test]
fn too_large_is_known_with_the_length() {
    assert_eq!(outcome("30 05", 7), Ok(7));
    assert_eq!(outcome("30 05", 6), Err(DecodeError::TooLarge(6)));
    assert_eq!(outcome("30 FF FF FF 7F", 268_435_459), Err(DecodeError::TooLarge(268_435_459)));
    assert_eq!(DecodeError::TooLarge(6).reason(), ReasonCode::PacketTooLarge);
}

#[test]
fn remaining_length_in_too_many_bytes() {
    for wire in ["30 FF FF FF FF", "30 80 80 80 80 01", "30 80 00", "30 85 80 00", "C0 80 00"] {
        assert_eq!(outcome(wire, MAX_PACKET_BYTES).unwrap_err().reason(), ReasonCode::MalformedPacket, "{wire}");
    }
}

#[test]
fn every_first_byte_is_judged_alone() {
    let accepted = |version, from| -> Vec<u8> {
        (0..=0xFF).filter(|&first| decode(&[first], version, from, MAX_PACKET_BYTES).is_ok()).collect()
    };
    let publish = [0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x3A, 0x3B, 0x3C, 0x3D];
    let with = |rest: &[u8]| [&publish, rest].concat();
    assert_eq!(accepted(Version::V5, Sender::Client), with(&[0x40, 0x50, 0x62, 0x70, 0x82, 0xA2, 0xC0, 0xE0, 0xF0]));
    assert_eq!(
        accepted(Version::V5, Sender::Server),
        [&[0x20], with(&[0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0, 0xE0, 0xF0]).as_slice()].concat()
    );
    assert_eq!(accepted(Version::V3_1_1, Sender::Client), with(&[0x40, 0x50, 0x62, 0x70, 0x82, 0xA2, 0xC0, 0xE0]));
    assert_eq!(
        accepted(Version::V3_1_1, Sender::Server),
        [&[0x20], with(&[0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0]).as_slice()].concat()
    );
    let first_of_all: Vec<u8> =
        (0..=0xFF).filter(|&first| decode_connect(&[first], MAX_PACKET_BYTES).is_ok()).collect();
    assert_eq!(first_of_all, [0x10]);
}

#[test]
fn a_reserved_type_and_a_second_connect_are_protocol_errors() {
    for version in Version::ALL {
        assert_eq!(refused(version, Sender::Client, "00").reason(), ReasonCode::ProtocolError);
        let second = decode(&[0x10], version, Sender::Client, MAX_PACKET_BYTES).unwrap_err();
        assert_eq!(second.reason(), ReasonCode::ProtocolError);
    }
}

#[test]
fn lost_framing_is_not_answered() {
    for version in Version::ALL {
        for wire in ["30 80 80 80 80", "20 FF FF FF FF 01", "C0 80 80 80 80 01", "C0 01 00", "D0 01"] {
            assert!(!refused(version, Sender::Client, wire).is_answered(), "{wire}");
        }
        assert!(refused(version, Sender::Client, "C0 80 00").is_answered(), "longer than needed, but with an end");
    }
    let connect = decode_connect(&bytes("10 80 80 80 80"), MAX_PACKET_BYTES).unwrap_err();
    assert_eq!(connect.answer(), None);
}
