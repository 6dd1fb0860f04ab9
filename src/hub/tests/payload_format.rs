//! A payload format indicator that says UTF-8 is taken at its word.

use super::fixture::{Dial, World};
use crate::hub::Closed;
use crate::protocol::{
    ConnAck, Packet, PacketId, PropertiesBuf, Property, Publish, QoS, ReasonCode, TopicName, Version,
};

/// Publishes `payload` with this indicator.
fn publish(client: &mut super::fixture::Connection, qos: QoS, indicator: u8, payload: &[u8]) -> Result<(), Closed> {
    let mut properties = PropertiesBuf::new();
    properties.push(Property::PayloadFormatIndicator(indicator));
    client.handle(Packet::Publish(Publish {
        dup: false,
        qos,
        retain: true,
        topic: TopicName::parse("t/a").ok(),
        packet_id: (qos > QoS::AtMostOnce).then_some(PacketId::FIRST),
        properties: properties.as_properties(),
        payload,
    }))
}

const NOT_UTF_8: &[u8] = b"\xC0\xAF";

#[test]
fn a_payload_that_is_not_the_utf_8_it_claims_reaches_nobody() {
    let world = World::new();
    let mut client = world.connect(&Dial::v5("a"));
    client.subscribe("t/#", QoS::AtMostOnce);
    publish(&mut client, QoS::AtLeastOnce, 1, NOT_UTF_8).unwrap();
    publish(&mut client, QoS::ExactlyOnce, 1, NOT_UTF_8).unwrap();
    assert_eq!(client.seen(), ["PUBACK 1 PayloadFormatInvalid", "PUBREC 1 PayloadFormatInvalid"]);
    let closed = publish(&mut client, QoS::AtMostOnce, 1, NOT_UTF_8);
    assert!(matches!(closed, Err(Closed::Fault(ReasonCode::PayloadFormatInvalid, _))));
    assert_eq!(world.hub.status().retained, 0);
}

#[test]
fn bytes_and_utf_8_pass() {
    let world = World::new();
    let mut client = world.connect(&Dial::v5("a"));
    for (indicator, payload) in [(0, NOT_UTF_8), (1, "naïve \0".as_bytes()), (1, &[])] {
        publish(&mut client, QoS::AtLeastOnce, indicator, payload).unwrap();
        assert_eq!(client.seen(), ["PUBACK 1 NoMatchingSubscribers"]);
    }
}

#[test]
fn an_exchange_that_was_refused_leaves_its_packet_id_free() {
    let world = World::new();
    let mut client = world.connect(&Dial::v5("a"));
    publish(&mut client, QoS::ExactlyOnce, 1, NOT_UTF_8).unwrap();
    client.seen();
    client.subscribe("t/#", QoS::AtMostOnce);
    publish(&mut client, QoS::ExactlyOnce, 1, b"good").unwrap();
    assert_eq!(client.seen(), ["PUBREC 1 Success", "PUBLISH t/a good"]);
}

#[test]
fn a_will_is_judged_alike() {
    let world = World::new();
    let indicated = |payload| Dial {
        will: Some(("t/will", vec![Property::PayloadFormatIndicator(1)])),
        will_payload: payload,
        ..Dial::v5("a")
    };
    assert_eq!(world.try_connect(&indicated(NOT_UTF_8)).err().unwrap().reason, ReasonCode::PayloadFormatInvalid);
    assert!(world.try_connect(&indicated(b"gone")).is_ok());
    let mut frame = Vec::new();
    Packet::ConnAck(ConnAck::refusal(ReasonCode::PayloadFormatInvalid)).encode(Version::V5, &mut frame);
    assert_eq!(frame, [0x20, 3, 0, 0x99, 0]);
}
