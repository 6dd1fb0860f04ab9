//! PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7).

use crate::common::wire::{
    self, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, UNSUBACK, Version, acknowledge, text,
};
use crate::packets::{RawConnect, acknowledge_with, flags, properties, property, unsubscribe};
use crate::scene::{DENIED, Scene, subscribe};

/// 5.0 `[MQTT-3.4.2-1]` `[MQTT-3.5.2-1]` `[MQTT-3.6.2-1]` `[MQTT-3.7.2-1]`
#[test]
fn the_reasons_of_acknowledgements_are_those_of_their_tables() {
    let scene = Scene::of(Version::V5);
    let mut client = scene.enter("c");
    let topic = scene.topic("t");
    let publish = |topic: &str, qos, id| wire::publish(scene.version, topic, b"x", qos, false, id);
    for (bytes, kind, reason) in [
        (publish(&topic, 1, 1), PUBACK, 0x10),
        (publish(&topic, 2, 2), PUBREC, 0x00),
        (publish(DENIED, 1, 3), PUBACK, 0x87),
        (publish(DENIED, 2, 4), PUBREC, 0x87),
        (acknowledge(PUBREL, 2), PUBCOMP, 0x00),
        (acknowledge(PUBREL, 2), PUBCOMP, 0x00),
        (acknowledge(PUBREC, 99), PUBREL, 0x00),
    ] {
        client.send(&bytes);
        assert_eq!(client.expect(kind).code(), reason, "{bytes:02X?}");
    }
    subscribe(&mut client, &topic, 0);
    client.send(&publish(&topic, 1, 5));
    let codes = [client.receive(), client.receive()];
    let answer = codes.iter().find(|packet| packet.kind() == PUBACK).expect("a PUBACK");
    assert_eq!(answer.code(), 0);
    assert!(codes.iter().any(|packet| packet.kind() == PUBLISH));
}

/// 5.0 `[MQTT-3.4.2-1]` `[MQTT-3.5.2-1]` `[MQTT-3.6.2-1]` `[MQTT-3.7.2-1]` `[MQTT-4.13.1-1]`
#[test]
fn a_reason_that_the_packet_cannot_have_closes_the_connection() {
    let scene = Scene::of(Version::V5);
    for (kind, reasons) in [
        (PUBACK, [0x01, 0x11, 0x8E, 0x7F]),
        (PUBREC, [0x02, 0x11, 0x8E, 0x7F]),
        (PUBREL, [0x04, 0x10, 0x80, 0x7F]),
        (PUBCOMP, [0x04, 0x10, 0x80, 0x7F]),
    ] {
        for reason in reasons {
            let mut client = scene.enter("c");
            client.send(&acknowledge_with(kind, 1, reason));
            client.expect_fault(0x82);
        }
    }
}

/// 5.0 `[MQTT-3.4.2-1]` `[MQTT-3.5.2-1]`
#[test]
fn no_matching_subscribers_from_a_client_is_a_success() {
    let scene = Scene::of(Version::V5);
    let mut reader = scene.reader(2);
    let mut writer = scene.enter("writer");
    for (qos, kind) in [(1, PUBACK), (2, PUBREC)] {
        writer.send(&wire::publish(scene.version, &scene.topic("t"), b"x", qos, false, 1));
        writer.receive();
        let id = reader.expect(PUBLISH).message(scene.version).id;
        reader.send(&acknowledge_with(kind, id, 0x10));
        if kind == PUBREC {
            assert_eq!(reader.expect(PUBREL).id(), id);
        }
        reader.expect_silence();
    }
}

/// Every property section that a client gets which wants no problem information, or takes only small packets.
fn sections(scene: &Scene, limit: &[u8]) -> Vec<usize> {
    let payload = text(&scene.id("c"));
    let connect = RawConnect { properties: limit, ..RawConnect::new(scene.version, flags::CLEAN, &payload) };
    let mut client = scene.accepted(&connect.encode());
    let publish = |qos, id| wire::publish(scene.version, DENIED, b"x", qos, false, id);
    let requests = [
        (publish(1, 1), PUBACK),
        (publish(2, 2), PUBREC),
        (acknowledge(PUBREC, 99), PUBREL),
        (acknowledge(PUBREL, 99), PUBCOMP),
        (wire::subscribe(scene.version, 3, &[(DENIED, 0)]), SUBACK),
        (unsubscribe(scene.version, 4, &[DENIED]), UNSUBACK),
    ];
    let lengths = requests.map(|(request, answer)| {
        client.send(&request);
        properties(&client.expect(answer)).len()
    });
    lengths.to_vec()
}

/// 5.0 `[MQTT-3.1.2-29]`
#[test]
fn without_problem_information_no_answer_has_a_reason_string_or_user_property() {
    let scene = Scene::of(Version::V5);
    let found = sections(&scene, &property::byte(property::PROBLEM_INFORMATION, 0));
    assert_eq!(found, [0; 6]);
}

/// 5.0 `[MQTT-3.4.2-2]` `[MQTT-3.4.2-3]` `[MQTT-3.5.2-2]` `[MQTT-3.5.2-3]` `[MQTT-3.6.2-2]` `[MQTT-3.6.2-3]`
/// `[MQTT-3.7.2-2]` `[MQTT-3.7.2-3]` `[MQTT-3.9.2-1]` `[MQTT-3.9.2-2]` `[MQTT-3.11.2-1]` `[MQTT-3.11.2-2]`
#[test]
fn an_answer_leaves_out_what_would_make_it_too_large_for_the_client() {
    let scene = Scene::of(Version::V5);
    // CONNACK has to fit; the largest of these answers has six bytes without a property.
    for size in [20, 24, 40] {
        let found = sections(&scene, &property::four(property::MAXIMUM_PACKET_SIZE, size));
        assert_eq!(found, [0; 6], "maximum packet size {size}");
    }
}

/// 5.0 `[MQTT-3.6.1-1]` `[MQTT-3.6.2-1]`
/// 3.1.1 `[MQTT-3.6.1-1]`
#[test]
fn pubrel_of_the_server_has_flags_0010() {
    for scene in Scene::both() {
        let mut reader = scene.reader(2);
        let mut writer = scene.enter("writer");
        writer.send(&wire::publish(scene.version, &scene.topic("t"), b"x", 2, false, 1));
        let id = reader.expect(PUBLISH).message(scene.version).id;
        reader.send(&acknowledge(PUBREC, id));
        let release = reader.expect(PUBREL);
        assert_eq!((release.first, release.id(), release.code()), (0x62, id, 0));
    }
}
