//! PUBLISH and its acknowledgements.

use super::*;

fn message<'a>(topic: &'a str, payload: &'a [u8]) -> Publish<'a> {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: Some(TopicName::parse(topic).unwrap()),
        packet_id: None,
        properties: Properties::default(),
        payload,
    }
}

#[test]
fn publish_before_5_0() {
    for version in [Version::V3_1, Version::V3_1_1] {
        for from in [Sender::Client, Sender::Server] {
            golden(version, from, "30 05 00 01 'a 'hi", &Packet::Publish(message("a", b"hi")));
            let empty = Publish { retain: true, ..message("a/b", b"") };
            golden(version, from, "31 05 00 03 'a/b", &Packet::Publish(empty));
            let qos1 =
                Publish { dup: true, qos: QoS::AtLeastOnce, packet_id: Some(id(0x1234)), ..message("a", b"\0\xFF") };
            golden(version, from, "3A 07 00 01 'a 12 34 00 FF", &Packet::Publish(qos1));
            let qos2 = Publish { qos: QoS::ExactlyOnce, packet_id: Some(id(0xFFFF)), ..message("$a/é", b"") };
            golden(version, from, "34 09 00 05 '$a/é FF FF", &Packet::Publish(qos2));
        }
    }
}

#[test]
fn publish_of_5_0() {
    golden(Version::V5, Sender::Client, "30 06 00 01 'a 00 'hi", &Packet::Publish(message("a", b"hi")));
    let list = properties(&[
        Property::PayloadFormatIndicator(1),
        Property::MessageExpiryInterval(60),
        Property::TopicAlias(3),
        Property::ResponseTopic("r/é"),
        Property::CorrelationData(&[0, 1]),
        Property::UserProperty("b", ""),
        Property::UserProperty("a", "1"),
        Property::ContentType("j"),
    ]);
    let aliased = Publish {
        dup: true,
        qos: QoS::ExactlyOnce,
        retain: true,
        topic: None,
        packet_id: Some(id(9)),
        properties: list.as_properties(),
        payload: b"hi",
    };
    golden(
        Version::V5,
        Sender::Client,
        "3D 2E 00 00 00 09 \
         27 01 01 02 00 00 00 3C 23 00 03 08 00 04 'r/é 09 00 02 00 01 26 00 01 'b 00 00 26 00 01 'a 00 01 '1 \
         03 00 01 'j 'hi",
        &Packet::Publish(aliased),
    );
    let matched = properties(&[
        Property::SubscriptionIdentifier(1),
        Property::SubscriptionIdentifier(268_435_455),
        Property::SubscriptionIdentifier(1),
    ]);
    let delivered = Publish { properties: matched.as_properties(), ..message("a", b"") };
    golden(Version::V5, Sender::Server, "30 0D 00 01 'a 09 0B 01 0B FF FF FF 7F 0B 01", &Packet::Publish(delivered));
}

#[test]
fn long_packets_have_long_lengths() {
    for (payload, header) in [(124, "30 7F"), (125, "30 80 01"), (16_380, "30 FF 7F"), (16_381, "30 80 80 01")] {
        let payload = vec![b'x'; payload];
        let wire = [bytes(header), bytes("00 01 'a"), payload.clone()].concat();
        let publish = message("a", &payload);
        let mut written = Vec::new();
        publish.encode(Version::V3_1_1, &mut written);
        assert_eq!(written, wire);
        assert_eq!(publish.encoded_len(Version::V3_1_1), wire.len());
        let expected = Decoded::Packet { packet: Packet::Publish(publish), length: wire.len() };
        assert_eq!(decode(&wire, Version::V3_1_1, Sender::Client, MAX_PACKET_BYTES), Ok(expected));
    }
}

#[test]
fn refused_publishes_in_every_version() {
    for version in Version::ALL {
        let client = Sender::Client;
        all_refused(
            version,
            client,
            ReasonCode::MalformedPacket,
            &[
                "36",
                "38",
                "3E",
                "30 03 00 02 'a",
                "30 06 00 02 C3 28 00 00",
                "30 05 00 02 'a 00 00",
                "32 04 00 01 'a 00",
            ],
        );
        all_refused(version, client, ReasonCode::ProtocolError, &["32 06 00 01 'a 00 00 00"]);
        all_refused(version, client, ReasonCode::MalformedPacket, &["30 05 00 01 '+ 00 00", "30 06 00 03 'a/# 00"]);
        // Characters that a name cannot have: controls and non-characters.
        all_refused(
            version,
            client,
            ReasonCode::MalformedPacket,
            &["30 05 00 01 01 00 00", "30 05 00 01 7F 00 00", "30 06 00 02 C2 80 00 00", "30 07 00 03 EF B7 90 00 00"],
        );
    }
    // 3.x has nothing that could stand for the topic.
    all_refused(Version::V3_1_1, Sender::Client, ReasonCode::MalformedPacket, &["30 02 00 00"]);
}

#[test]
fn refused_publishes_of_5_0() {
    let publish = |list: &str| {
        let list = bytes(list);
        let words: Vec<String> = list.iter().map(|byte| format!("{byte:02X}")).collect();
        format!("30 {:02X} 00 01 'a {:02X} {}", list.len() + 4, list.len(), words.join(" "))
    };
    let refuse = |reason, list: &str| all_refused(Version::V5, Sender::Client, reason, &[&publish(list)]);
    for list in [
        "01",                // no value
        "02 00 00 00",       // a short value
        "09 00 02 00",       // a short value
        "26 00 01 'k",       // a name without a value
        "03 00 01 00",       // U+0000
        "08 00 01 FF",       // not UTF-8
        "7F",                // unknown
        "81 00",             // an identifier of two bytes
        "11 00 00 00",       // belongs to CONNECT, and is cut
        "0B FF FF FF FF 01", // five bytes
        "0B 81 00",          // longer than needed
    ] {
        refuse(ReasonCode::MalformedPacket, list);
    }
    for list in [
        "11 00 00 00 01", // belongs to CONNECT
        "18 00 00 00 01", // belongs to the will
        "01 02",          // neither 0 nor 1
        "01 01 01 01",    // twice
        "02 00 00 00 01 02 00 00 00 01",
        "23 00 01 23 00 01",
        "03 00 00 03 00 00",
        "08 00 01 '#", // a response topic with a wildcard
        "08 00 00",    // and an empty one
        "0B 01",       // the client's to receive, not to send
        "0B 00",
    ] {
        refuse(ReasonCode::ProtocolError, list);
    }
    refuse(ReasonCode::TopicAliasInvalid, "23 00 00");
    let client = Sender::Client;
    all_refused(Version::V5, client, ReasonCode::MalformedPacket, &["30 03 00 00 00", "30 05 00 00 02 01 01"]);
    // Properties that run into the payload or beyond the packet; a property length in too many bytes.
    all_refused(
        Version::V5,
        client,
        ReasonCode::MalformedPacket,
        &["30 03 00 01 'a", "30 05 00 01 'a 05 00", "30 05 00 01 'a 80 00", "30 05 00 01 'a 01 01"],
    );
    all_refused(Version::V5, Sender::Server, ReasonCode::ProtocolError, &["30 06 00 01 'a 02 0B 00"]);
}

#[test]
fn acknowledgements() {
    type OfAck = fn(Ack<'static>) -> Packet<'static>;
    let kinds: [(&str, OfAck, ReasonCode); 4] = [
        ("40", Packet::PubAck, ReasonCode::NotAuthorized),
        ("50", Packet::PubRec, ReasonCode::NotAuthorized),
        ("62", Packet::PubRel, ReasonCode::PacketIdentifierNotFound),
        ("70", Packet::PubComp, ReasonCode::PacketIdentifierNotFound),
    ];
    for (first, packet, failure) in kinds {
        for from in [Sender::Client, Sender::Server] {
            let success = packet(Ack::new(id(7), ReasonCode::Success));
            for version in Version::ALL {
                golden(version, from, &format!("{first} 02 00 07"), &success);
                all_refused(
                    version,
                    from,
                    ReasonCode::MalformedPacket,
                    &[&format!("{first} 00"), &format!("{first} 01")],
                );
                all_refused(version, from, ReasonCode::ProtocolError, &[&format!("{first} 02 00 00")]);
            }
            let failed = packet(Ack::new(id(7), failure));
            golden(Version::V5, from, &format!("{first} 03 00 07 {:02X}", failure as u8), &failed);
            reads_as(Version::V5, from, &format!("{first} 03 00 07 00"), &success);
            reads_as(Version::V5, from, &format!("{first} 04 00 07 00 00"), &success);
            all_refused(
                Version::V5,
                from,
                ReasonCode::ProtocolError,
                &[
                    &format!("{first} 03 00 07 A2"),
                    &format!("{first} 03 00 07 7F"),
                    &format!("{first} 06 00 07 00 02 01 01"),
                ],
            );
            all_refused(
                Version::V5,
                from,
                ReasonCode::MalformedPacket,
                &[&format!("{first} 05 00 07 00 00 00"), &format!("{first} 04 00 07 00 01")],
            );
            all_refused(Version::V3_1_1, from, ReasonCode::MalformedPacket, &[&format!("{first} 03 00 07 00")]);
        }
    }
    let list = properties(&[Property::ReasonString("no"), Property::UserProperty("k", "v")]);
    let told = Packet::PubAck(Ack { packet_id: id(7), reason: ReasonCode::Success, properties: list.as_properties() });
    golden(Version::V5, Sender::Server, "40 10 00 07 00 0C 1F 00 02 'no 26 00 01 'k 00 01 'v", &told);
    all_refused(Version::V5, Sender::Client, ReasonCode::ProtocolError, &["40 03 00 07 11"]);
}

#[test]
fn pubrel_has_its_flags() {
    for version in Version::ALL {
        all_refused(version, Sender::Client, ReasonCode::MalformedPacket, &["60", "64"]);
    }
    all_refused(Version::V3_1_1, Sender::Client, ReasonCode::MalformedPacket, &["6A", "63", "41", "5F"]);
    // MQTT 3.1 repeats it with DUP and leaves other flags unused.
    let release = Packet::PubRel(Ack::new(id(1), ReasonCode::Success));
    reads_as(Version::V3_1, Sender::Client, "6A 02 00 01", &release);
    reads_as(Version::V3_1, Sender::Client, "42 02 00 01", &Packet::PubAck(Ack::new(id(1), ReasonCode::Success)));
}
