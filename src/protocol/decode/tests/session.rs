//! PINGREQ, PINGRESP, DISCONNECT and AUTH.

use super::*;

#[test]
fn pings() {
    for version in Version::ALL {
        golden(version, Sender::Client, "C0 00", &Packet::PingReq);
        golden(version, Sender::Server, "D0 00", &Packet::PingResp);
        all_refused(version, Sender::Client, ReasonCode::MalformedPacket, &["C0 01"]);
        all_refused(version, Sender::Client, ReasonCode::ProtocolError, &["D0"]);
        all_refused(version, Sender::Server, ReasonCode::ProtocolError, &["C0"]);
    }
}

#[test]
fn disconnect() {
    let goodbye = Packet::Disconnect(Disconnect::new(ReasonCode::Success));
    for version in Version::ALL {
        // What nearly every client says.
        golden(version, Sender::Client, "E0 00", &goodbye);
    }
    reads_as(Version::V5, Sender::Client, "E0 01 00", &goodbye);
    reads_as(Version::V5, Sender::Client, "E0 02 00 00", &goodbye);
    let with_will = Packet::Disconnect(Disconnect::new(ReasonCode::DisconnectWithWill));
    golden(Version::V5, Sender::Client, "E0 01 04", &with_will);
    let taken_over = Packet::Disconnect(Disconnect::new(ReasonCode::SessionTakenOver));
    golden(Version::V5, Sender::Server, "E0 01 8E", &taken_over);

    let list = properties(&[Property::SessionExpiryInterval(0)]);
    let forget = Packet::Disconnect(Disconnect { reason: ReasonCode::Success, properties: list.as_properties() });
    golden(Version::V5, Sender::Client, "E0 07 00 05 11 00 00 00 00", &forget);
    let list = properties(&[Property::ReasonString("x"), Property::ServerReference("y")]);
    let moved = Packet::Disconnect(Disconnect { reason: ReasonCode::ServerMoved, properties: list.as_properties() });
    golden(Version::V5, Sender::Server, "E0 0A 9D 08 1F 00 01 'x 1C 00 01 'y", &moved);
}

#[test]
fn refused_disconnects() {
    let protocol = ReasonCode::ProtocolError;
    all_refused(Version::V3_1_1, Sender::Client, ReasonCode::MalformedPacket, &["E0 01", "E1"]);
    all_refused(Version::V3_1_1, Sender::Server, protocol, &["E0"]);
    all_refused(Version::V5, Sender::Client, ReasonCode::MalformedPacket, &["E0 03 00 00 00", "E0 02 00 01"]);
    // Who says goodbye with a reason that is none, or the other side's, reads no answer.
    for wire in ["E0 01 05", "E0 01 8E", "E0 01 01"] {
        assert!(!refused(Version::V5, Sender::Client, wire).is_answered(), "{wire}");
    }
    all_refused(Version::V5, Sender::Server, protocol, &["E0 00", "E0 01 04", "E0 07 98 05 11 00 00 00 00"]);
}

#[test]
fn auth() {
    let list = properties(&[Property::AuthenticationMethod("m"), Property::AuthenticationData(&[9])]);
    let step = |reason| Packet::Auth(Auth { reason, properties: list.as_properties() });
    for (from, reason, byte) in [
        (Sender::Client, ReasonCode::ContinueAuthentication, "18"),
        (Sender::Client, ReasonCode::ReAuthenticate, "19"),
        (Sender::Server, ReasonCode::ContinueAuthentication, "18"),
        (Sender::Server, ReasonCode::Success, "00"),
    ] {
        golden(Version::V5, from, &format!("F0 0A {byte} 08 15 00 01 'm 16 00 01 09"), &step(reason));
    }
    let done = Packet::Auth(Auth { reason: ReasonCode::Success, properties: Properties::default() });
    golden(Version::V5, Sender::Server, "F0 00", &done);
    all_refused(
        Version::V5,
        Sender::Client,
        ReasonCode::ProtocolError,
        &["F0 00", "F0 02 18 00", "F0 06 18 04 16 00 01 09", "F0 01 00"],
    );
    all_refused(Version::V5, Sender::Client, ReasonCode::ProtocolError, &["F1", "F0 01 18", "F0 01 1A"]);
    all_refused(Version::V5, Sender::Server, ReasonCode::MalformedPacket, &["F1", "F0 01 18"]);
    for version in [Version::V3_1, Version::V3_1_1] {
        all_refused(version, Sender::Client, ReasonCode::ProtocolError, &["F0"]);
    }
}
