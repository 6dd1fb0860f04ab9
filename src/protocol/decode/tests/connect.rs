//! CONNECT and CONNACK.

use super::*;

fn plain(version: Version) -> Connect<'static> {
    Connect {
        version,
        clean_start: true,
        keep_alive: 60,
        client_id: "dev",
        will: None,
        username: None,
        password: None,
        properties: Properties::default(),
    }
}

#[test]
fn plain_connect_in_every_version() {
    for (version, wire) in [
        (Version::V3_1, "10 11 00 06 'MQIsdp 03 02 00 3C 00 03 'dev"),
        (Version::V3_1_1, "10 0F 00 04 'MQTT 04 02 00 3C 00 03 'dev"),
        (Version::V5, "10 10 00 04 'MQTT 05 02 00 3C 00 00 03 'dev"),
    ] {
        golden(version, Sender::Client, wire, &Packet::Connect(plain(version)));
    }
}

#[test]
fn full_connect() {
    let will = Will {
        topic: TopicName::parse("w/t").unwrap(),
        payload: &[0xFF, 0],
        qos: QoS::ExactlyOnce,
        retain: true,
        properties: Properties::default(),
    };
    let full = Connect {
        clean_start: false,
        keep_alive: 0,
        will: Some(will),
        username: Some("u"),
        password: Some(&[0xFE]),
        ..plain(Version::V3_1_1)
    };
    golden(
        Version::V3_1_1,
        Sender::Client,
        "10 1E 00 04 'MQTT 04 F4 00 00 00 03 'dev 00 03 'w/t 00 02 FF 00 00 01 'u 00 01 FE",
        &Packet::Connect(full.clone()),
    );
    golden(
        Version::V3_1,
        Sender::Client,
        "10 20 00 06 'MQIsdp 03 F4 00 00 00 03 'dev 00 03 'w/t 00 02 FF 00 00 01 'u 00 01 FE",
        &Packet::Connect(Connect { version: Version::V3_1, ..full }),
    );
}

#[test]
fn full_connect_of_5_0() {
    let own = properties(&[
        Property::SessionExpiryInterval(u32::MAX),
        Property::ReceiveMaximum(20),
        Property::MaximumPacketSize(0x1_0000),
        Property::TopicAliasMaximum(10),
        Property::RequestResponseInformation(true),
        Property::RequestProblemInformation(false),
        Property::UserProperty("k", "v"),
        Property::UserProperty("k", "v"),
        Property::AuthenticationMethod("m"),
        Property::AuthenticationData(&[1, 0]),
    ]);
    let of_the_will = properties(&[
        Property::WillDelayInterval(5),
        Property::PayloadFormatIndicator(1),
        Property::MessageExpiryInterval(9),
        Property::ContentType("t"),
        Property::ResponseTopic("r"),
        Property::CorrelationData(&[7]),
        Property::UserProperty("", ""),
    ]);
    let packet = Packet::Connect(Connect {
        client_id: "",
        will: Some(Will {
            topic: TopicName::parse("w").unwrap(),
            payload: b"",
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: of_the_will.as_properties(),
        }),
        // Allowed since 5.0, and it may be any bytes.
        password: Some(&[0xFF]),
        properties: own.as_properties(),
        ..plain(Version::V5)
    });
    golden(
        Version::V5,
        Sender::Client,
        "10 5E 00 04 'MQTT 05 4E 00 3C \
         2B 11 FF FF FF FF 21 00 14 27 00 01 00 00 22 00 0A 19 01 17 00 26 00 01 'k 00 01 'v 26 00 01 'k 00 01 'v \
         15 00 01 'm 16 00 02 01 00 \
         00 00 \
         1D 18 00 00 00 05 01 01 02 00 00 00 09 03 00 01 't 08 00 01 'r 09 00 01 07 26 00 00 00 00 \
         00 01 'w 00 00 00 01 FF",
        &packet,
    );
    let Packet::Connect(connect) = packet else { unreachable!() };
    assert_eq!(connect.properties.receive_maximum(), Some(20));
    assert_eq!(connect.properties.user_properties().count(), 2);
    assert_eq!(connect.properties.authentication_method(), Some("m"));
    assert_eq!(connect.will.and_then(|will| will.properties.will_delay_interval()), Some(5));
}

#[test]
fn empty_client_id() {
    // 3.1.1 judges it together with clean session, which is the session's business; 3.1 has none.
    let wire = "10 0C 00 04 'MQTT 04 00 00 3C 00 00";
    let connect = Connect { clean_start: false, client_id: "", ..plain(Version::V3_1_1) };
    golden(Version::V3_1_1, Sender::Client, wire, &Packet::Connect(connect));
    let error = decode_connect(&bytes("10 0E 00 06 'MQIsdp 03 02 00 3C 00 00"), MAX_PACKET_BYTES).unwrap_err();
    assert_eq!(error.reason(), ReasonCode::ClientIdentifierNotValid);
    assert_eq!(answer(error), bytes("20 02 00 02"));
}

#[test]
fn quirks_of_3_1() {
    // A user name and password promised by the flags but left out by the length.
    let connect = Packet::Connect(plain(Version::V3_1));
    reads_as(Version::V3_1, Sender::Client, "10 11 00 06 'MQIsdp 03 C2 00 3C 00 03 'dev", &connect);
    // The unused bit, and will bits without a will.
    reads_as(Version::V3_1, Sender::Client, "10 11 00 06 'MQIsdp 03 3B 00 3C 00 03 'dev", &connect);
}

#[test]
fn malformed_connects() {
    let malformed = ReasonCode::MalformedPacket;
    for version in [Version::V3_1_1, Version::V5] {
        let level = version.level();
        let none = if version == Version::V5 { "00" } else { "" };
        let connect = |flags: &str, rest: &str| {
            let body = bytes(&format!("00 04 'MQTT 0{level} {flags} 00 3C {none} {rest}"));
            let wire: Vec<String> = body.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("10 {:02X} {}", body.len(), wire.join(" "))
        };
        for (flags, rest) in [
            ("03", "00 01 'a"),                // the reserved flag
            ("0A", "00 01 'a"),                // will QoS without a will
            ("22", "00 01 'a"),                // will retain without a will
            ("1E", "00 01 'a 00 01 'w 00 00"), // will QoS 3
            ("82", "00 01 'a"),                // no user name
            ("82", "00 01 'a 00 02 C3 28"),    // user name not UTF-8
            ("82", "00 01 'a 00 03 ED A0 80"), // a surrogate
            ("02", "00 05 'a"),                // longer than the packet
            ("02", "00 01 'a 00"),             // bytes behind it
            ("C2", "00 01 'a 00 01 'u"),       // no password
        ] {
            all_refused(version, Sender::Client, malformed, &[&connect(flags, rest)]);
        }
    }
    // Names that are none have a code of their own in 5.0, and are closed without a word before it.
    for id in ["00 01 00", "00 02 C0 80", "00 01 1F", "00 02 C2 9F", "00 03 EF BF BF", "00 03 ED A0 80"] {
        for (version, rest, reason) in [
            (Version::V3_1_1, "04 02 00 3C", ReasonCode::MalformedPacket),
            (Version::V5, "05 02 00 3C 00", ReasonCode::ClientIdentifierNotValid),
        ] {
            let body = format!("00 04 'MQTT {rest} {id}");
            let wire = bytes(&format!("10 {:02X} {body}", bytes(&body).len()));
            let error = decode_connect(&wire, MAX_PACKET_BYTES).unwrap_err();
            assert_eq!((error.reason(), error.answer().is_some()), (reason, version == Version::V5), "{body}");
        }
    }
    // A password without a user name, before 5.0.
    all_refused(Version::V3_1_1, Sender::Client, malformed, &["10 10 00 04 'MQTT 04 42 00 3C 00 01 'a 00 01 'p"]);
    all_refused(Version::V3_1, Sender::Client, malformed, &["10 12 00 06 'MQIsdp 03 42 00 3C 00 01 'a 00 01 'p"]);
    // Flags of the fixed header; no room for anything.
    all_refused(Version::V5, Sender::Client, malformed, &["11", "10 00", "10 01", "10 02 00 00 00"]);
}

/// Topic alias 0 has a reason code that CONNACK cannot carry; but in CONNECT the property itself is out of place.
#[test]
fn misplaced_properties_are_protocol_errors_whatever_their_value() {
    for list in ["03 23 00 00", "02 0B 00", "02 24 02"] {
        let wire = format!("10 {:02X} 00 04 'MQTT 05 02 00 3C {list} 00 01 'a", 13 + bytes(list).len());
        all_refused(Version::V5, Sender::Client, ReasonCode::ProtocolError, &[&wire]);
    }
    // Cut, or unknown.
    for list in ["02 23 00", "02 0B 80", "02 04 00"] {
        let wire = format!("10 {:02X} 00 04 'MQTT 05 02 00 3C {list} 00 01 'a", 13 + bytes(list).len());
        all_refused(Version::V5, Sender::Client, ReasonCode::MalformedPacket, &[&wire]);
    }
}

#[test]
fn wrong_topics_of_wills() {
    let name = ReasonCode::MalformedPacket;
    all_refused(Version::V3_1_1, Sender::Client, name, &["10 12 00 04 'MQTT 04 06 00 3C 00 01 'a 00 01 '# 00 00"]);
    all_refused(Version::V5, Sender::Client, name, &["10 13 00 04 'MQTT 05 06 00 3C 00 00 01 'a 00 00 00 00 00"]);
}

#[test]
fn versions_nobody_speaks() {
    for (wire, answer_is) in [
        // 3.x clients read a return code, newer ones a reason code.
        ("10 0D 00 04 'MQTT 03 02 00 3C 00 01 'a", Some("20 02 00 01")),
        ("10 0F 00 06 'MQIsdp 04 02 00 3C 00 01 'a", Some("20 02 00 01")),
        ("10 0D 00 04 'MQTT 00 02 00 3C 00 01 'a", Some("20 02 00 01")),
        ("10 0D 00 04 'MQTT 84 02 00 3C 00 01 'a", Some("20 02 00 01")),
        ("10 0E 00 04 'MQTT 06 02 00 3C 00 00 01 'a", Some("20 03 00 84 00")),
        ("10 0D 00 04 'mqtt 04 02 00 3C 00 01 'a", None),
        ("10 0D 00 04 'AMQP 05 02 00 3C 00 01 'a", None),
    ] {
        let error = decode_connect(&bytes(wire), MAX_PACKET_BYTES).unwrap_err();
        assert_eq!(error.reason(), ReasonCode::UnsupportedProtocolVersion, "{wire}");
        assert_eq!(error.answer().is_some(), answer_is.is_some(), "{wire}");
        if let Some(expected) = answer_is {
            assert_eq!(answer(error), bytes(expected), "{wire}");
        }
    }
}

#[test]
fn faults_are_answered_in_the_client_s_version() {
    // 5.0 has a code for everything; 3.x is closed.
    let too_large = decode_connect(&bytes("10 10 00 04 'MQTT 05 02 00 3C 00 00 03 'dev"), 16).unwrap_err();
    assert_eq!(answer(too_large), bytes("20 03 00 95 00"));
    let reserved = decode_connect(&bytes("10 0E 00 04 'MQTT 05 03 00 3C 00 00 01 'a"), MAX_PACKET_BYTES).unwrap_err();
    assert_eq!((reserved.version, answer(reserved)), (Some(Version::V5), bytes("20 03 00 81 00")));
    let old = decode_connect(&bytes("10 0D 00 04 'MQTT 04 03 00 3C 00 01 'a"), MAX_PACKET_BYTES).unwrap_err();
    assert_eq!((old.version, old.answer()), (Some(Version::V3_1_1), None));
    // Credentials that cannot be read are told nothing.
    let nameless = decode_connect(&bytes("10 0E 00 04 'MQTT 05 82 00 3C 00 00 01 'a"), MAX_PACKET_BYTES).unwrap_err();
    assert_eq!((nameless.version, nameless.answer()), (Some(Version::V5), None));
    // Nothing is known of a peer that sends something else.
    let other = decode_connect(&bytes("C0 00"), MAX_PACKET_BYTES).unwrap_err();
    assert_eq!((other.version, other.reason(), other.answer()), (None, ReasonCode::MalformedPacket, None));
}

fn answer(error: ConnectError) -> Vec<u8> {
    let mut out = Vec::new();
    let (version, connack) = error.answer().unwrap();
    connack.encode(version, &mut out);
    out
}

#[test]
fn connack() {
    let server = Sender::Server;
    let accepted = ConnAck { session_present: true, reason: ReasonCode::Success, properties: Properties::default() };
    golden(Version::V3_1_1, server, "20 02 01 00", &Packet::ConnAck(accepted.clone()));
    golden(Version::V5, server, "20 03 01 00 00", &Packet::ConnAck(accepted));
    let refusal = Packet::ConnAck(ConnAck::refusal(ReasonCode::NotAuthorized));
    golden(Version::V3_1, server, "20 02 00 05", &refusal);
    golden(Version::V3_1_1, server, "20 02 00 05", &refusal);
    golden(Version::V5, server, "20 03 00 87 00", &refusal);
    // MQTT 3.1 has no session present.
    let mut written = Vec::new();
    ConnAck { session_present: true, ..ConnAck::refusal(ReasonCode::Success) }.encode(Version::V3_1, &mut written);
    assert_eq!(written, bytes("20 02 00 00"));
    let accepted = Packet::ConnAck(ConnAck::refusal(ReasonCode::Success));
    golden(Version::V3_1, server, "20 02 00 00", &accepted);
    reads_as(Version::V3_1, server, "20 02 FF 00", &accepted);

    let full = properties(&[
        Property::SessionExpiryInterval(1),
        Property::ReceiveMaximum(2),
        Property::MaximumQoS(QoS::AtLeastOnce),
        Property::RetainAvailable(true),
        Property::MaximumPacketSize(3),
        Property::AssignedClientIdentifier("c"),
        Property::TopicAliasMaximum(4),
        Property::ReasonString("s"),
        Property::WildcardSubscriptionAvailable(true),
        Property::SubscriptionIdentifierAvailable(false),
        Property::SharedSubscriptionAvailable(true),
        Property::ServerKeepAlive(5),
        Property::ResponseInformation("i"),
        Property::ServerReference("r"),
    ]);
    golden(
        Version::V5,
        server,
        "20 30 00 00 2D 11 00 00 00 01 21 00 02 24 01 25 01 27 00 00 00 03 12 00 01 'c 22 00 04 1F 00 01 's \
         28 01 29 00 2A 01 13 00 05 1A 00 01 'i 1C 00 01 'r",
        &Packet::ConnAck(ConnAck {
            session_present: false,
            reason: ReasonCode::Success,
            properties: full.as_properties(),
        }),
    );
}

#[test]
fn refused_connacks() {
    let server = Sender::Server;
    all_refused(
        Version::V3_1_1,
        server,
        ReasonCode::MalformedPacket,
        &["20 02 02 00", "20 02 00 06", "20 03", "20 01"],
    );
    all_refused(Version::V3_1_1, server, ReasonCode::ProtocolError, &["20 02 01 05"]);
    all_refused(
        Version::V5,
        server,
        ReasonCode::MalformedPacket,
        &["20 03 80 00 00", "20 02 00 00", "20 04 00 00 00 00", "20 03 00 00 01"],
    );
    all_refused(
        Version::V5,
        server,
        ReasonCode::ProtocolError,
        &["20 03 01 87 00", "20 03 00 01 00", "20 03 00 8E 00", "20 05 00 00 02 24 02", "20 05 00 00 02 28 02"],
    );
}
