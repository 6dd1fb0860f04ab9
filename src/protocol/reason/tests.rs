//! The tables of the standard, written as bytes.

use super::*;

const EVERYWHERE: [Sender; 2] = [Sender::Client, Sender::Server];

fn valid_in(packet: PacketType, from: Sender) -> Vec<u8> {
    ReasonCode::ALL.iter().filter(|reason| reason.is_valid_in(packet, from)).map(|reason| *reason as u8).collect()
}

#[test]
fn a_byte_is_a_reason_code_or_refused() {
    let known: Vec<u8> = (0..=0xFF).filter(|byte| ReasonCode::try_from(*byte).is_ok()).collect();
    let expected: Vec<u8> = [0x00, 0x01, 0x02, 0x04, 0x10, 0x11, 0x18, 0x19].into_iter().chain(0x80..=0xA2).collect();
    assert_eq!(known, expected);
    for byte in known {
        let reason = ReasonCode::try_from(byte).unwrap();
        assert_eq!(reason as u8, byte);
        assert_eq!(reason.is_error(), byte >= 0x80);
    }
    assert_eq!(ReasonCode::try_from(0x03), Err(UnknownReasonCode(3)));
    assert_eq!(ReasonCode::NotAuthorized.to_string(), "Not authorized (0x87)");
}

#[test]
fn tables_of_section_3() {
    let server = Sender::Server;
    assert_eq!(
        valid_in(PacketType::ConnAck, server),
        [
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A,
            0x9B, 0x9C, 0x9D, 0x9F
        ]
    );
    for packet in [PacketType::PubAck, PacketType::PubRec] {
        for from in EVERYWHERE {
            assert_eq!(valid_in(packet, from), [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]);
        }
    }
    for from in EVERYWHERE {
        assert_eq!(valid_in(PacketType::PubRel, from), [0x00, 0x92]);
        assert_eq!(valid_in(PacketType::PubComp, from), [0x00, 0x92]);
    }
    assert_eq!(
        valid_in(PacketType::SubAck, server),
        [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]
    );
    assert_eq!(valid_in(PacketType::UnsubAck, server), [0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]);
    assert_eq!(
        valid_in(PacketType::Disconnect, Sender::Client),
        [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]
    );
    assert_eq!(
        valid_in(PacketType::Disconnect, server),
        [
            0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
            0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2
        ]
    );
    assert_eq!(valid_in(PacketType::Auth, server), [0x00, 0x18]);
    assert_eq!(valid_in(PacketType::Auth, Sender::Client), [0x18, 0x19]);
    for packet in [PacketType::Connect, PacketType::Publish, PacketType::Subscribe, PacketType::PingReq] {
        assert!(valid_in(packet, server).is_empty());
    }
}

#[test]
fn return_codes_of_3_x() {
    for code in 0..=5 {
        let reason = ReasonCode::from_connack_return_code(code).unwrap();
        assert_eq!(reason.connack_return_code(), code);
    }
    assert_eq!(ReasonCode::from_connack_return_code(6), None);
    for reason in ReasonCode::ALL {
        assert_eq!(reason.connack_return_code() == 0, !reason.is_error(), "{reason}");
        assert_eq!(reason.suback_return_code() == 0x80, reason.is_error(), "{reason}");
    }
    for (reason, code) in [
        (ReasonCode::NotAuthorized, 5),
        (ReasonCode::Banned, 5),
        (ReasonCode::QuotaExceeded, 3),
        (ReasonCode::ConnectionRateExceeded, 3),
        (ReasonCode::ServerBusy, 3),
        (ReasonCode::BadAuthenticationMethod, 4),
    ] {
        assert_eq!(reason.connack_return_code(), code, "{reason}");
    }
    for code in [0x00, 0x01, 0x02, 0x80] {
        assert_eq!(ReasonCode::from_suback_return_code(code).unwrap().suback_return_code(), code);
    }
    assert_eq!(ReasonCode::from_suback_return_code(3), None);
}
