//! Reason strings (sections 3.1.2.11.7, 3.2.2.3.9 and their kin).

use crate::common::client::RawClient;
use crate::common::wire::{self, Packet, Version, text};
use crate::packets::{Publish, RawConnect, flags, properties, property, values};
use crate::scene::{DENIED, Scene};

/// The reason string, where there is one.
fn reason(packet: &Packet) -> Option<String> {
    let properties = properties(packet);
    assert_eq!(values(&properties, property::USER_PROPERTY).len(), 0);
    let found = values(&properties, property::REASON_STRING).first().map(|value| value[2..].to_vec());
    found.map(|text| String::from_utf8(text).expect("UTF-8"))
}

fn connected(scene: &Scene, properties: &[u8]) -> RawClient {
    let payload = text(&scene.id("c"));
    scene.accepted(&RawConnect { properties, ..RawConnect::new(scene.version, flags::CLEAN, &payload) }.encode())
}

/// What a client gets for a publish with QoS 1 and 2 and a filter, all denied, and for a fault.
fn refusals(client: &mut RawClient) -> Vec<Packet> {
    let version = client.version;
    client.send(&wire::publish(version, DENIED, b"x", 1, false, 1));
    client.send(&wire::publish(version, DENIED, b"x", 2, false, 2));
    client.send(&wire::subscribe(version, 3, &[("scene/fine", 0), (DENIED, 0)]));
    let mut packets = vec![client.expect(wire::PUBACK), client.expect(wire::PUBREC), client.expect(wire::SUBACK)];
    // A packet that only servers send.
    client.send(&[wire::PINGRESP << 4, 0]);
    packets.push(client.expect(wire::DISCONNECT));
    client.expect_close();
    packets
}

#[test]
fn what_was_refused_is_named_to_a_client_that_does_not_mind() {
    let scene = Scene::of(Version::V5);
    let asked = property::byte(property::PROBLEM_INFORMATION, 1);
    for (wanted, fault) in [(Vec::new(), None), (asked, Some("a packet that only servers send"))] {
        let packets = refusals(&mut connected(&scene, &wanted));
        let reasons: Vec<_> = packets.iter().map(reason).collect();
        let is_named = |reason: &Option<String>| reason.as_ref().is_some_and(|reason| reason.contains(DENIED));
        assert!(reasons[..3].iter().all(is_named), "{reasons:?}");
        assert_eq!(reasons[3].as_deref().map(|reason| reason.contains("server")), fault.map(|_| true), "{reasons:?}");
    }
}

/// 5.0 `[MQTT-3.1.2-29]`
#[test]
fn a_client_that_wants_no_problem_information_gets_no_reason_string() {
    let scene = Scene::of(Version::V5);
    let packets = refusals(&mut connected(&scene, &property::byte(property::PROBLEM_INFORMATION, 0)));
    assert!(packets.iter().all(|packet| reason(packet).is_none()), "{packets:?}");
    assert_eq!([packets[0].code(), packets[1].code(), packets[3].code()], [0x87, 0x87, 0x82]);
    assert_eq!(packets[2].codes(scene.version), [0, 0x87]);
}

/// 5.0 `[MQTT-3.1.2-24]` `[MQTT-3.14.2-3]` `[MQTT-3.4.2-2]` `[MQTT-3.5.2-2]` `[MQTT-3.9.2-1]`
#[test]
fn a_reason_string_never_makes_a_packet_larger_than_the_client_takes() {
    let scene = Scene::of(Version::V5);
    let packets = refusals(&mut connected(&scene, &property::four(property::MAXIMUM_PACKET_SIZE, 30)));
    assert!(packets.iter().all(|packet| packet.body.len() <= 28 && reason(packet).is_none()), "{packets:?}");
}

/// 5.0 `[MQTT-3.2.2-19]`
#[test]
fn a_refused_connect_says_why_where_that_fits() {
    let scene = Scene::of(Version::V5);
    let will = [&[0], &text(DENIED)[..], &text("gone")].concat();
    let payload = [text(&scene.id("c")), will].concat();
    for (maximum, fits) in [(200, true), (30, false)] {
        let properties = property::four(property::MAXIMUM_PACKET_SIZE, maximum);
        let connect = RawConnect {
            properties: &properties,
            ..RawConnect::new(scene.version, flags::CLEAN | flags::WILL, &payload)
        };
        let mut client = scene.begin(&connect.encode());
        let answer = client.expect(wire::CONNACK);
        assert_eq!(answer.code(), 0x87);
        assert_eq!(reason(&answer).is_some_and(|reason| reason.contains(DENIED)), fits, "{answer:?}");
        client.expect_close();
    }
}

#[test]
fn a_payload_that_is_not_the_utf_8_it_claims_is_refused() {
    let scene = Scene::of(Version::V5);
    let mut client = scene.reader(2);
    let (topic, utf_8) = (scene.topic("t"), property::byte(property::PAYLOAD_FORMAT, 1));
    let publish = |qos, payload| {
        Publish { topic: &topic, payload, qos, id: 7, properties: &utf_8, ..Publish::default() }.encode(Version::V5)
    };
    for (qos, answer) in [(1, wire::PUBACK), (2, wire::PUBREC)] {
        client.send(&publish(qos, b"\xFF\xFE"));
        assert_eq!(client.expect(answer).code(), 0x99);
    }
    client.expect_silence();
    client.send(&publish(0, "é".as_bytes()));
    assert_eq!(client.expect_message().payload, "é".as_bytes());
    // QoS 0 has no other answer.
    client.send(&publish(0, b"\xFF\xFE"));
    client.expect_fault(0x99);
    let will = [&[2, property::PAYLOAD_FORMAT, 1], &text(&topic)[..], &wire::binary(b"\xFF")].concat();
    let payload = [text(&scene.id("c")), will].concat();
    let mut client = scene.begin(&RawConnect::new(scene.version, flags::CLEAN | flags::WILL, &payload).encode());
    assert_eq!(client.expect(wire::CONNACK).code(), 0x99);
}
