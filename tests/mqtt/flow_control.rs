//! Flow control (sections 3.3.4 and 4.9).

use crate::common::client::RawClient;
use crate::common::wire::{
    self, CONNACK, PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL, SUBACK, Version, acknowledge, text,
};
use crate::packets::{Delivery, RawConnect, acknowledge_with, flags, properties, property, values};
use crate::scene::{Scene, subscribe};

/// A reader of everything in the scene, with QoS 2, that takes two messages at once.
fn reader_of_two(scene: &Scene) -> RawClient {
    let (payload, maximum) = (text(&scene.id("reader")), property::two(property::RECEIVE_MAXIMUM, 2));
    let connect = RawConnect { properties: &maximum, ..RawConnect::new(scene.version, flags::CLEAN, &payload) };
    let mut reader = scene.accepted(&connect.encode());
    subscribe(&mut reader, &scene.topic("#"), 2);
    reader
}

/// 5.0 `[MQTT-3.3.4-9]` `[MQTT-4.9.0-1]` `[MQTT-4.9.0-2]`
#[test]
fn no_more_than_the_receive_maximum_of_the_client_is_under_way() {
    let scene = Scene::of(Version::V5);
    let mut reader = reader_of_two(&scene);
    let mut writer = scene.enter("writer");
    for id in 1..=7 {
        writer.send(&wire::publish(
            scene.version,
            &scene.topic("t"),
            &[id],
            if id < 4 { 1 } else { 2 },
            false,
            id.into(),
        ));
        writer.receive();
    }
    let (one, two) = (Delivery::next(&mut reader), Delivery::next(&mut reader));
    reader.expect_silence();
    reader.send(&acknowledge(PUBACK, two.id));
    let three = Delivery::next(&mut reader);
    reader.expect_silence();
    // An error ends an exchange as well.
    reader.send(&acknowledge_with(PUBACK, one.id, 0x80));
    let four = Delivery::next(&mut reader);
    assert_eq!((four.qos, &four.payload[..]), (2, &[4][..]));
    reader.send(&acknowledge(PUBACK, three.id));
    let five = Delivery::next(&mut reader);
    // PUBREC with success frees nothing, PUBCOMP does, and so does PUBREC with an error.
    reader.send(&acknowledge(PUBREC, four.id));
    reader.expect(PUBREL);
    reader.expect_silence();
    reader.send(&acknowledge(PUBCOMP, four.id));
    assert_eq!(Delivery::next(&mut reader).payload, [6]);
    reader.send(&acknowledge_with(PUBREC, five.id, 0x97));
    assert_eq!(Delivery::next(&mut reader).payload, [7]);
    reader.expect_silence();
}

/// 5.0 `[MQTT-3.3.4-10]` `[MQTT-4.9.0-3]`
#[test]
fn other_packets_do_not_wait_for_the_quota() {
    let scene = Scene::of(Version::V5);
    let mut reader = reader_of_two(&scene);
    let mut writer = scene.enter("writer");
    for number in 0..5 {
        writer.publish(&scene.topic("t"), &[number]);
    }
    for _ in 0..2 {
        Delivery::next(&mut reader);
    }
    reader.send(&wire::ping());
    reader.expect(PINGRESP);
    reader.send(&wire::subscribe(scene.version, 5, &[(&scene.topic("other"), 0)]));
    reader.expect(SUBACK);
    reader.send(&wire::publish(scene.version, "elsewhere", b"x", 2, false, 6));
    reader.expect(PUBREC);
    reader.send(&acknowledge(PUBREL, 6));
    reader.expect(PUBCOMP);
    // QoS 0 has no quota.
    writer.send(&wire::publish(scene.version, &scene.topic("t"), b"zero", 0, false, 0));
    assert_eq!(Delivery::next(&mut reader).payload, b"zero");
}

/// 5.0 `[MQTT-3.3.4-7]` `[MQTT-3.3.4-8]` `[MQTT-4.13.1-1]`
#[test]
fn a_publisher_beyond_the_server_s_receive_maximum_is_closed() {
    let scene = Scene::of(Version::V5);
    let mut writer = scene.begin(&wire::Connect::clean(&scene.id("writer")).encode(scene.version));
    let answer = properties(&writer.expect(CONNACK));
    let announced = values(&answer, property::RECEIVE_MAXIMUM)[0];
    let maximum = u16::from_be_bytes([announced[0], announced[1]]);
    for id in 1..=maximum {
        writer.send(&wire::publish(scene.version, &scene.topic("t"), b"x", 2, false, id));
        assert!(writer.expect(PUBREC).code() < 0x80);
    }
    // Its quota is used up: everything but such a publication is served.
    writer.send(&wire::subscribe(scene.version, 1, &[(&scene.topic("other"), 0)]));
    writer.expect(SUBACK);
    writer.expect_silence();
    writer.send(&wire::publish(scene.version, &scene.topic("t"), b"x", 2, false, maximum + 1));
    writer.expect_fault(0x93);
}
