//! DISCONNECT (section 3.14) and what closes a connection (5.0 section 4.13, 3.1.1 section 4.8).

use crate::common::wire::{self, Connect, DISCONNECT, Version, packet, text};
use crate::packets::{Publish, RawConnect, disconnect_with, flags, properties, property, section, values};
use crate::scene::Scene;

/// 5.0 `[MQTT-3.14.2-1]` `[MQTT-4.13.1-1]`
#[test]
fn a_reason_that_a_client_cannot_give_is_no_goodbye() {
    let scene = Scene::of(Version::V5);
    let mut reader = scene.reader(0);
    let (topic, id) = (scene.topic("will"), scene.id("mortal"));
    let mortal = Connect { will: Some((&topic, b"gone")), ..Connect::clean(&id) }.encode(scene.version);
    let codes = [0x00, 0x04, 0x80, 0x81, 0x93, 0x99, 0x01, 0x05, 0x87, 0x8E, 0x9D, 0xFF];
    for reason in codes {
        let mut client = scene.accepted(&mortal);
        client.send(&disconnect_with(reason, &[]));
        assert_eq!(client.expect_close(), None, "whoever said goodbye reads no answer: {reason:#04x}");
        // Only 0x00 renounces the will: a code that cannot be is no goodbye.
        if reason > 0 {
            assert_eq!(reader.expect_message().payload, b"gone", "{reason:#04x}");
        }
    }
    reader.expect_silence();
}

/// 5.0 `[MQTT-3.14.0-1]` `[MQTT-3.2.0-1]`
/// 3.1.1 `[MQTT-3.2.0-1]`
#[test]
fn answers_to_what_came_before_a_fault_come_before_its_own() {
    for scene in Scene::both() {
        let connect = Connect::clean(&scene.id("c")).encode(scene.version);
        let subscribe = wire::subscribe(scene.version, 1, &[(&scene.topic("t"), 0)]);
        let fault = [0x0F, 0];
        for (bytes, kinds) in [
            ([&connect[..], &fault].concat(), &[wire::CONNACK][..]),
            ([&connect[..], &subscribe, &fault].concat(), &[wire::CONNACK, wire::SUBACK]),
        ] {
            let mut client = scene.begin(&bytes);
            for kind in kinds {
                client.expect(*kind);
            }
            client.expect_fault(0x82);
        }
    }
}

/// 5.0 `[MQTT-3.14.1-1]`
/// 3.1.1 `[MQTT-3.14.1-1]` `[MQTT-2.2.2-2]`
#[test]
fn reserved_flags_make_disconnect_a_fault_and_not_a_goodbye() {
    for scene in Scene::both() {
        let mut reader = scene.reader(0);
        let topic = scene.topic("will");
        let id = scene.id("mortal");
        let mortal = Connect { will: Some((&topic, b"gone")), ..Connect::clean(&id) };
        let mut client = scene.accepted(&mortal.encode(scene.version));
        client.send(&[0xE1, 0]);
        client.expect_fault(0x81);
        assert_eq!(reader.expect_message().payload, b"gone");
    }
}

/// 5.0 `[MQTT-3.14.2-2]` `[MQTT-3.14.2-1]` `[MQTT-3.14.4-1]` `[MQTT-3.14.4-2]` `[MQTT-4.13.2-1]`
#[test]
fn after_its_disconnect_the_server_sends_nothing_and_closes() {
    let scene = Scene::of(Version::V5);
    let mut reader = scene.reader(1);
    let mut writer = scene.enter("writer");
    // The fault and, behind it, what would be answered or delivered otherwise.
    let publish = wire::publish(scene.version, &scene.topic("t"), b"x", 1, false, 1);
    reader.send(&[&[0x00, 0][..], &publish, &wire::ping()].concat());
    let goodbye = reader.expect(DISCONNECT);
    assert_eq!(goodbye.code(), 0x82);
    assert_eq!(values(&properties(&goodbye), property::SESSION_EXPIRY).len(), 0);
    let _ = writer.publish(&scene.topic("t"), b"x");
    assert_eq!(reader.expect_close(), None);
}

/// 5.0 `[MQTT-3.14.2-3]` `[MQTT-3.14.2-4]` `[MQTT-3.2.2-19]` `[MQTT-3.2.2-20]`
#[test]
fn what_a_client_of_small_packets_gets_is_small() {
    let scene = Scene::of(Version::V5);
    let payload = text(&scene.id("c"));
    for size in [20_u32, 24, 30] {
        let limit = property::four(property::MAXIMUM_PACKET_SIZE, size);
        let connect = RawConnect { properties: &limit, ..RawConnect::new(scene.version, flags::CLEAN, &payload) };
        let mut client = scene.begin(&[connect.encode(), vec![0x00, 0]].concat());
        let mut last = None;
        while let Some(packet) = client.next() {
            for name in [property::REASON_STRING, property::USER_PROPERTY] {
                assert_eq!(values(&properties(&packet), name).len(), 0, "{packet:?} where {size} bytes are taken");
            }
            last = Some(packet);
        }
        let last = last.expect("a DISCONNECT");
        assert_eq!((last.kind(), last.code(), last.body.len() <= 2), (DISCONNECT, 0x82, true));
    }
}

/// 5.0 `[MQTT-3.14.4-3]` `[MQTT-3.14.4-1]` `[MQTT-3.14.4-2]`
/// 3.1.1 `[MQTT-3.14.4-1]` `[MQTT-3.14.4-2]` `[MQTT-3.14.4-3]`
#[test]
fn after_the_client_s_disconnect_the_server_serves_nothing_and_closes() {
    for scene in Scene::both() {
        let mut reader = scene.reader(0);
        let mut client = scene.enter("c");
        let behind = wire::publish(scene.version, &scene.topic("t"), b"behind", 1, false, 1);
        client.send(&[wire::disconnect(), behind, wire::ping()].concat());
        assert_eq!(client.expect_close(), None);
        reader.expect_silence();
    }
}

/// 5.0 `[MQTT-4.13.1-1]`
/// 3.1.1 `[MQTT-4.8.0-1]` `[MQTT-4.8.0-2]`
#[test]
fn packets_that_only_a_server_sends_close_the_connection() {
    for scene in Scene::both() {
        let none = section(scene.version, &[]);
        let answer = [&[0, 1], &none[..], &[0]].concat();
        for bytes in [packet(0x20, &answer), packet(0x90, &answer), packet(0xB0, &answer), packet(0xD0, &[])] {
            let mut client = scene.enter("c");
            client.send(&bytes);
            client.expect_fault(0x82);
        }
        for reserved in [0x00, 0x0F] {
            let mut client = scene.enter("c");
            client.send(&[reserved, 0]);
            client.expect_fault(0x82);
        }
    }
}

/// 5.0 `[MQTT-4.13.1-1]`
#[test]
fn properties_out_of_place_or_repeated_close_the_connection() {
    let scene = Scene::of(Version::V5);
    let expiry = property::four(property::MESSAGE_EXPIRY, 1);
    for (properties, reason) in [
        (property::four(property::SESSION_EXPIRY, 1), 0x82),
        (vec![0x7E, 0], 0x81),
        (vec![property::CONTENT_TYPE, 0, 9, b'x'], 0x81),
        (expiry.repeat(2), 0x82),
        (property::byte(property::PAYLOAD_FORMAT, 2), 0x82),
    ] {
        let mut client = scene.enter("c");
        client.send(&Publish { topic: "t", properties: &properties, ..Publish::default() }.encode(scene.version));
        client.expect_fault(reason);
    }
    // A session that CONNECT let end with its connection cannot be made to last.
    let mut client = scene.enter("c");
    client.send(&disconnect_with(0, &property::four(property::SESSION_EXPIRY, 1)));
    client.expect_fault(0x82);
}

/// 5.0 `[MQTT-3.1.4-5]` `[MQTT-3.12.4-1]` `[MQTT-4.3.2-4]`
/// 3.1.1 `[MQTT-3.1.4-4]` `[MQTT-3.12.4-1]` `[MQTT-4.3.2-2]`
#[test]
fn what_was_asked_before_disconnect_in_the_same_breath_is_answered() {
    for scene in Scene::both() {
        let connect = Connect::clean(&scene.id("c")).encode(scene.version);
        let publish = wire::publish(scene.version, &scene.topic("t"), b"x", 1, false, 7);
        let mut client = scene.begin(&[connect, publish, wire::ping(), wire::disconnect()].concat());
        for answer in [wire::CONNACK, wire::PUBACK, wire::PINGRESP] {
            client.expect(answer);
        }
        assert_eq!(client.expect_close(), None);
    }
}
