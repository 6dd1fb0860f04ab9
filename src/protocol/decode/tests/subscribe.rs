//! SUBSCRIBE, UNSUBSCRIBE and their answers.

use super::*;

fn request(filter: &str, options: SubscriptionOptions) -> SubscribeRequest {
    SubscribeRequest { filter: TopicFilter::parse(filter).unwrap(), options }
}

#[test]
fn subscribe() {
    let requests = vec![
        request("a/#", SubscriptionOptions::new(QoS::AtLeastOnce)),
        request("$share/g/+", SubscriptionOptions::new(QoS::AtMostOnce)),
    ];
    let plain = Packet::Subscribe(Subscribe { packet_id: id(10), properties: Properties::default(), requests });
    for version in [Version::V3_1, Version::V3_1_1] {
        golden(version, Sender::Client, "82 15 00 0A 00 03 'a/# 01 00 0A '$share/g/+ 00", &plain);
    }
    golden(Version::V5, Sender::Client, "82 16 00 0A 00 00 03 'a/# 01 00 0A '$share/g/+ 00", &plain);

    let list = properties(&[Property::SubscriptionIdentifier(128), Property::UserProperty("k", "v")]);
    let options = SubscriptionOptions {
        qos: QoS::ExactlyOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::Never,
    };
    golden(
        Version::V5,
        Sender::Client,
        "82 11 00 0A 0A 0B 80 01 26 00 01 'k 00 01 'v 00 01 '+ 2E",
        &Packet::Subscribe(Subscribe {
            packet_id: id(10),
            properties: list.as_properties(),
            requests: vec![request("+", options)],
        }),
    );
}

#[test]
fn refused_subscribes() {
    let client = Sender::Client;
    for (version, none) in [(Version::V3_1_1, ""), (Version::V5, "00")] {
        let subscribe = |rest: &str| {
            let body = bytes(&format!("00 01 {none} {rest}"));
            let words: Vec<String> = body.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("82 {:02X} {}", body.len(), words.join(" "))
        };
        let refuse = |reason, rest: &str| all_refused(version, client, reason, &[&subscribe(rest)]);
        refuse(ReasonCode::MalformedPacket, "");
        refuse(ReasonCode::MalformedPacket, "00 01 'a");
        refuse(ReasonCode::MalformedPacket, "00 01 'a 40");
        refuse(ReasonCode::MalformedPacket, "00 01 'a 80");
        refuse(ReasonCode::MalformedPacket, "00 01 'a 00 00");
        refuse(ReasonCode::MalformedPacket, "00 01 00 00");
        refuse(ReasonCode::MalformedPacket, "00 00 00");
        refuse(ReasonCode::MalformedPacket, "00 03 '#/a 00");
        refuse(ReasonCode::MalformedPacket, "00 0A '$share/#/a 00");
        refuse(ReasonCode::ProtocolError, "00 08 '$share/g 00");
        refuse(ReasonCode::ProtocolError, "00 0A '$share/+/a 00");
        all_refused(version, client, ReasonCode::MalformedPacket, &["80", "83", "8A", "82 01"]);
    }
    all_refused(
        Version::V3_1_1,
        client,
        ReasonCode::MalformedPacket,
        &["82 06 00 01 00 01 'a 03", "82 06 00 01 00 01 'a 04"],
    );
    all_refused(
        Version::V5,
        client,
        ReasonCode::MalformedPacket,
        &[
            "82 07 00 01 00 00 01 'a 03",
            "82 07 00 01 00 00 01 'a 30",
            "82 07 00 00 00 00 01 'a 00",
            "82 09 00 01 02 0B 00 00 01 'a 00",
            "82 09 00 01 02 01 00 00 01 'a 00",
        ],
    );
    all_refused(
        Version::V5,
        client,
        ReasonCode::ProtocolError,
        &["82 10 00 01 00 00 0A '$share/g/a 04", "82 0B 00 01 04 0B 01 0B 01 00 01 'a 00"],
    );
    // MQTT 3.1 repeats it with DUP and leaves the upper bits of the options unused.
    let requests = vec![request("a", SubscriptionOptions::new(QoS::AtLeastOnce))];
    let packet = Packet::Subscribe(Subscribe { packet_id: id(1), properties: Properties::default(), requests });
    reads_as(Version::V3_1, client, "8A 06 00 01 00 01 'a FD", &packet);
    all_refused(Version::V3_1, client, ReasonCode::MalformedPacket, &["82 06 00 01 00 01 'a 03"]);
}

#[test]
fn unsubscribe() {
    let filters = vec![TopicFilter::parse("a").unwrap(), TopicFilter::parse("$share/g/#").unwrap()];
    let packet = Packet::Unsubscribe(Unsubscribe { packet_id: id(3), properties: Properties::default(), filters });
    golden(Version::V3_1, Sender::Client, "A2 11 00 03 00 01 'a 00 0A '$share/g/#", &packet);
    golden(Version::V3_1_1, Sender::Client, "A2 11 00 03 00 01 'a 00 0A '$share/g/#", &packet);
    golden(Version::V5, Sender::Client, "A2 12 00 03 00 00 01 'a 00 0A '$share/g/#", &packet);
    all_refused(Version::V3_1_1, Sender::Client, ReasonCode::MalformedPacket, &["A2 02 00 03"]);
    all_refused(Version::V5, Sender::Client, ReasonCode::MalformedPacket, &["A2 03 00 03 00"]);
    all_refused(Version::V5, Sender::Client, ReasonCode::MalformedPacket, &["A0", "A2 08 00 03 02 0B 01 00 01 'a"]);
    all_refused(Version::V5, Sender::Client, ReasonCode::MalformedPacket, &["A2 07 00 03 00 00 02 '++"]);
}

#[test]
fn suback() {
    let reasons = vec![ReasonCode::Success, ReasonCode::GrantedQoS1, ReasonCode::GrantedQoS2];
    let granted = Packet::SubAck(SubAck { packet_id: id(1), properties: Properties::default(), reasons });
    golden(Version::V3_1, Sender::Server, "90 05 00 01 00 01 02", &granted);
    golden(Version::V3_1_1, Sender::Server, "90 05 00 01 00 01 02", &granted);
    golden(Version::V5, Sender::Server, "90 06 00 01 00 00 01 02", &granted);

    let refusal = |reason| SubAck { packet_id: id(1), properties: Properties::default(), reasons: vec![reason] };
    let unspecified = Packet::SubAck(refusal(ReasonCode::UnspecifiedError));
    golden(Version::V3_1_1, Sender::Server, "90 03 00 01 80", &unspecified);
    let denied = Packet::SubAck(refusal(ReasonCode::NotAuthorized));
    golden(Version::V5, Sender::Server, "90 04 00 01 00 87", &denied);
    let mut written = Vec::new();
    denied.encode(Version::V3_1_1, &mut written);
    assert_eq!(written, bytes("90 03 00 01 80"), "3.x has one refusal");

    all_refused(Version::V3_1_1, Sender::Server, ReasonCode::MalformedPacket, &["90 03 00 01 03", "90 03 00 01 87"]);
    all_refused(
        Version::V5,
        Sender::Server,
        ReasonCode::ProtocolError,
        &["90 03 00 01 00", "90 04 00 01 00 8E", "90 04 00 01 00 03"],
    );
}

#[test]
fn unsuback() {
    let bare = UnsubAck { packet_id: id(1), properties: Properties::default(), reasons: Vec::new() };
    golden(Version::V3_1, Sender::Server, "B0 02 00 01", &Packet::UnsubAck(bare.clone()));
    golden(Version::V3_1_1, Sender::Server, "B0 02 00 01", &Packet::UnsubAck(bare.clone()));
    let list = properties(&[Property::ReasonString("x")]);
    let full = UnsubAck {
        reasons: vec![ReasonCode::Success, ReasonCode::NoSubscriptionExisted],
        properties: list.as_properties(),
        ..bare
    };
    golden(Version::V5, Sender::Server, "B0 09 00 01 04 1F 00 01 'x 00 11", &Packet::UnsubAck(full));
    all_refused(Version::V5, Sender::Server, ReasonCode::ProtocolError, &["B0 03 00 01 00", "B0 04 00 01 00 01"]);
    all_refused(Version::V3_1_1, Sender::Server, ReasonCode::MalformedPacket, &["B0 03 00 01 00"]);
}
