//! What is not written, and deliveries of one message to many readers. The bytes of each packet stand beside the
//! decoder, which reads them back.

use super::*;
use crate::protocol::{
    Connect, Decoded, MAX_PACKET_BYTES, PacketId, Properties, PropertiesBuf, Property, Publish, QoS, Sender, SubAck,
    TopicName, decode,
};

fn publish<'a>(payload: &'a [u8]) -> Publish<'a> {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: Some(TopicName::parse("t/é").unwrap()),
        packet_id: None,
        properties: Properties::default(),
        payload,
    }
}

fn written(packet: &Packet<'_>, version: Version) -> Vec<u8> {
    let mut out = b"before".to_vec();
    packet.encode(version, &mut out);
    assert!(out.starts_with(b"before"), "only appended");
    out.split_off(b"before".len())
}

#[test]
fn what_mqtt_cannot_express_is_not_written() {
    let long = "x".repeat(65_536);
    let connect = Connect {
        version: Version::V3_1_1,
        clean_start: true,
        keep_alive: 0,
        client_id: "a",
        will: None,
        username: None,
        password: None,
        properties: Properties::default(),
    };
    let unwritable = [
        (Version::V5, Packet::Connect(Connect { client_id: &long, ..connect.clone() })),
        (Version::V3_1_1, Packet::Connect(Connect { password: Some(b"p"), ..connect })),
        (Version::V5, Packet::Publish(Publish { qos: QoS::AtLeastOnce, ..publish(b"") })),
        (Version::V3_1_1, Packet::Publish(Publish { topic: None, ..publish(b"") })),
        (Version::V3_1_1, Packet::Auth(Auth { reason: ReasonCode::Success, properties: Properties::default() })),
    ];
    for (version, packet) in unwritable {
        assert_eq!(written(&packet, version), [0_u8; 0], "{packet:?}");
    }
}

#[test]
fn bodies_over_127_bytes_get_longer_lengths() {
    let reasons = vec![ReasonCode::GrantedQoS2; 20_000];
    let suback = Packet::SubAck(SubAck { packet_id: PacketId::FIRST, properties: Properties::default(), reasons });
    let bytes = written(&suback, Version::V3_1_1);
    assert_eq!(bytes.len(), 1 + 3 + 2 + 20_000);
    let expected = Decoded::Packet { packet: suback, length: bytes.len() };
    assert_eq!(decode(&bytes, Version::V3_1_1, Sender::Server, MAX_PACKET_BYTES), Ok(expected));
}

#[test]
fn dup_stays_off_with_qos_0() {
    let bytes = written(&Packet::Publish(Publish { dup: true, ..publish(b"") }), Version::V5);
    assert_eq!(bytes.first(), Some(&0x30));
}

#[test]
fn frame_writes_what_the_packet_would() {
    let forwarded: PropertiesBuf = [Property::ContentType("t"), Property::UserProperty("k", "v")].into_iter().collect();
    let own: PropertiesBuf =
        [Property::SubscriptionIdentifier(7), Property::MessageExpiryInterval(3)].into_iter().collect();
    for payload in [&b""[..], b"payload", &[7; 300], &[7; 20_000]] {
        let message = publish(payload);
        let frame = PublishFrame::new(message.topic.unwrap(), forwarded.as_properties(), payload).unwrap();
        assert_eq!(frame.payload(), payload);
        for version in Version::ALL {
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                for own in [Properties::default(), own.as_properties()] {
                    let delivery = Delivery {
                        version,
                        dup: qos == QoS::ExactlyOnce,
                        qos,
                        retain: qos == QoS::AtLeastOnce,
                        packet_id: (qos > QoS::AtMostOnce).then_some(PacketId::FIRST),
                        topic: DeliveredTopic::Written,
                        properties: own,
                    };
                    let all: PropertiesBuf = own.iter().chain(forwarded.as_properties().iter()).collect();
                    let packet = Packet::Publish(Publish {
                        dup: delivery.dup,
                        qos,
                        retain: delivery.retain,
                        packet_id: delivery.packet_id,
                        properties: all.as_properties(),
                        ..message.clone()
                    });
                    let mut out = Vec::new();
                    frame.append(&delivery, &mut out);
                    assert_eq!(out, written(&packet, version));
                    assert_eq!(out.len(), frame.encoded_len(&delivery));
                    let mut head = Vec::new();
                    frame.append_head(&delivery, &mut head).unwrap();
                    assert_eq!([head.as_slice(), payload].concat(), out);
                }
            }
        }
    }
}

#[test]
fn frame_by_alias() {
    let frame = PublishFrame::new(TopicName::parse("long/topic").unwrap(), Properties::default(), b"p").unwrap();
    let alias: PropertiesBuf = [Property::TopicAlias(2)].into_iter().collect();
    let delivery = Delivery {
        version: Version::V5,
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        packet_id: None,
        topic: DeliveredTopic::ByAlias,
        properties: alias.as_properties(),
    };
    let mut out = Vec::new();
    frame.append(&delivery, &mut out);
    assert_eq!(out, [0x30, 7, 0, 0, 3, 0x23, 0, 2, b'p']);
    assert_eq!(frame.encoded_len(&delivery), out.len());
    // 3.x has no alias, and above QoS 0 an identifier is needed.
    for wrong in [Delivery { version: Version::V3_1_1, ..delivery }, Delivery { qos: QoS::ExactlyOnce, ..delivery }] {
        assert!(frame.append_head(&wrong, &mut out).is_err());
        assert_eq!(out.len(), 9, "nothing was appended");
    }
}
