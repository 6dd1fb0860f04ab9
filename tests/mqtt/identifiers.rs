//! Packet identifiers (5.0 section 2.2.1, 3.1.1 section 2.3.1).

use crate::common::wire::{self, SUBACK, UNSUBACK, acknowledge, packet, text};
use crate::packets::{Delivery, section, unsubscribe};
use crate::scene::Scene;
use std::collections::BTreeSet;

/// 5.0 `[MQTT-2.2.1-3]` `[MQTT-4.13.1-1]`
/// 3.1.1 `[MQTT-2.3.1-1]`
#[test]
fn packet_identifier_0_closes_the_connection() {
    for scene in Scene::both() {
        let none = section(scene.version, &[]);
        let topic = scene.topic("t");
        for bytes in [
            wire::publish(scene.version, &topic, b"x", 1, false, 0),
            wire::publish(scene.version, &topic, b"x", 2, false, 0),
            wire::subscribe(scene.version, 0, &[(&topic, 0)]),
            packet(0xA2, &[&[0, 0], &none[..], &text(&topic)].concat()),
            acknowledge(wire::PUBACK, 0),
            acknowledge(wire::PUBREC, 0),
            acknowledge(wire::PUBREL, 0),
            acknowledge(wire::PUBCOMP, 0),
        ] {
            let mut client = scene.enter("c");
            client.send(&bytes);
            // SUBSCRIBE and UNSUBSCRIBE without an identifier are malformed, as public suites have it.
            client.expect_fault(if matches!(bytes[0], 0x82 | 0xA2) { 0x81 } else { 0x82 });
        }
    }
}

/// 5.0 `[MQTT-2.2.1-4]` `[MQTT-4.3.2-1]` `[MQTT-4.3.3-1]`
/// 3.1.1 `[MQTT-2.3.1-1]` `[MQTT-2.3.1-4]` `[MQTT-4.3.2-1]` `[MQTT-4.3.3-1]`
#[test]
fn the_server_gives_each_message_an_identifier_that_is_not_in_use() {
    for scene in Scene::both() {
        let mut reader = scene.reader(2);
        let mut writer = scene.enter("writer");
        let mut used = BTreeSet::new();
        for number in 1..=40 {
            writer.send(&wire::publish(scene.version, &scene.topic("t"), b"x", 1 + number as u8 % 2, false, number));
            let delivery = Delivery::next(&mut reader);
            assert_ne!(delivery.id, 0);
            assert!(used.insert(delivery.id), "{} is in use", delivery.id);
            // Half of them are acknowledged and may come again; the others stay in use.
            if delivery.qos == 1 && number % 4 == 0 {
                reader.send(&acknowledge(wire::PUBACK, delivery.id));
                used.remove(&delivery.id);
            }
        }
    }
}

/// 5.0 `[MQTT-2.2.1-6]` `[MQTT-3.8.4-2]` `[MQTT-3.10.4-5]`
/// 3.1.1 `[MQTT-2.3.1-7]` `[MQTT-3.8.4-2]` `[MQTT-3.10.4-4]`
#[test]
fn suback_and_unsuback_carry_the_identifier_of_their_request() {
    for scene in Scene::both() {
        let mut client = scene.enter("c");
        for id in [1, 0x80, 0x1234, 0xFFFF] {
            client.send(&wire::subscribe(scene.version, id, &[(&scene.topic("t"), 0)]));
            assert_eq!(client.expect(SUBACK).id(), id);
            client.send(&unsubscribe(scene.version, id, &[&scene.topic("t")]));
            assert_eq!(client.expect(UNSUBACK).id(), id);
        }
    }
}

/// 5.0 `[MQTT-2.2.1-3]`
/// 3.1.1 `[MQTT-2.3.1-2]`
#[test]
fn identifiers_of_client_and_server_do_not_meet() {
    for scene in Scene::both() {
        let mut client = scene.reader(1);
        client.send(&wire::publish(scene.version, &scene.topic("t"), b"x", 1, false, 1));
        let (one, other) = (client.receive(), client.receive());
        let (answer, message) = if one.kind() == wire::PUBACK { (one, other) } else { (other, one) };
        assert_eq!((answer.id(), Delivery::of(&message, scene.version).id), (1, 1));
    }
}
