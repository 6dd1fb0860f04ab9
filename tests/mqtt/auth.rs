//! Enhanced authentication (sections 3.15 and 4.12). certmq offers no method: the certificate is the authentication.

use crate::common::wire::{self, CONNACK, Connect, Version, packet, text};
use crate::packets::{RawConnect, flags, properties, property, values};
use crate::scene::Scene;

fn method() -> Vec<u8> {
    property::long(property::AUTHENTICATION_METHOD, b"SCRAM-SHA-256")
}

/// AUTH with a method.
fn auth(reason: u8) -> Vec<u8> {
    let method = method();
    let length = u8::try_from(method.len()).expect("a short method");
    packet(wire::AUTH << 4, &[&[reason, length], &method[..]].concat())
}

/// 5.0 `[MQTT-4.12.0-1]` `[MQTT-4.12.0-4]` `[MQTT-3.1.2-30]` `[MQTT-3.1.4-2]` `[MQTT-3.1.4-6]`
#[test]
fn a_method_in_connect_is_refused_and_nothing_behind_it_is_served() {
    let scene = Scene::of(Version::V5);
    let mut reader = scene.reader(0);
    let (payload, method) = (text(&scene.id("c")), method());
    let connect = RawConnect { properties: &method, ..RawConnect::new(scene.version, flags::CLEAN, &payload) };
    let publish = wire::publish(scene.version, &scene.topic("t"), b"x", 0, true, 0);
    let mut client = scene.begin(&[connect.encode(), publish, auth(0x18)].concat());
    let answer = client.expect(CONNACK);
    assert_eq!(answer.code(), 0x8C);
    assert_eq!(client.expect_close(), None);
    reader.expect_silence();
}

/// 5.0 `[MQTT-4.12.0-6]` `[MQTT-4.12.0-7]` `[MQTT-4.12.1-1]` `[MQTT-4.12.1-2]` `[MQTT-4.13.1-1]`
#[test]
fn auth_without_a_method_in_connect_closes_the_connection() {
    let scene = Scene::of(Version::V5);
    for reason in [0x18, 0x19] {
        let mut client = scene.begin(&Connect::clean(&scene.id("c")).encode(scene.version));
        let answer = client.expect(CONNACK);
        assert_eq!(values(&properties(&answer), property::AUTHENTICATION_METHOD).len(), 0);
        client.send(&auth(reason));
        client.expect_fault(0x82);
    }
}

/// 5.0 `[MQTT-3.15.2-1]` `[MQTT-3.15.1-1]`
#[test]
fn auth_with_a_reason_that_a_client_cannot_give_closes_the_connection() {
    let scene = Scene::of(Version::V5);
    for (reason, answer) in [(0x00, 0x82), (0x80, 0x82), (0x1A, 0x82)] {
        let mut client = scene.enter("c");
        client.send(&auth(reason));
        client.expect_fault(answer);
    }
}

/// 3.1.1 `[MQTT-2.2.2-1]`
#[test]
fn auth_is_a_reserved_packet_type_before_5_0() {
    let scene = Scene::of(Version::V3_1_1);
    let mut client = scene.enter("c");
    client.send(&[0xF0, 0]);
    client.expect_fault(0x81);
}
