//! Retained messages (section 3.3.1.3, and the subscription options of 3.8.3.1).

use crate::common::client::RawClient;
use crate::common::wire::{self, SUBACK, Version};
use crate::packets::{Delivery, Publish, property, subscribe as subscribe_with, values};
use crate::scene::{Scene, subscribe};

/// Subscription options of 5.0.
const RETAIN_AS_PUBLISHED: u8 = 1 << 3;
const ON_NEW_SUBSCRIPTION: u8 = 1 << 4;
const NEVER: u8 = 2 << 4;

#[track_caller]
fn retain(writer: &mut RawClient, topic: &str, payload: &[u8], qos: u8) {
    let publish = Publish { topic, payload, qos, id: 1, retain: true, ..Publish::default() };
    writer.send(&publish.encode(writer.version));
    match qos {
        0 => writer.expect_silence(),
        1 => assert!(writer.expect(wire::PUBACK).code() < 0x80),
        _ => {
            assert!(writer.expect(wire::PUBREC).code() < 0x80);
            writer.send(&wire::acknowledge(wire::PUBREL, 1));
            writer.expect(wire::PUBCOMP);
        }
    }
}

/// What a new subscriber to everything of the scene finds: payloads, all with RETAIN.
#[track_caller]
fn found(scene: &Scene) -> Vec<(Vec<u8>, u8)> {
    let mut reader = scene.reader(2);
    reader.send(&wire::ping());
    let mut found = Vec::new();
    loop {
        let packet = reader.receive();
        if packet.kind() == wire::PINGRESP {
            return found;
        }
        let delivery = Delivery::of(&packet, scene.version);
        assert!(delivery.retain && !delivery.dup, "{delivery:?}");
        found.push((delivery.payload, delivery.qos));
    }
}

/// 5.0 `[MQTT-3.3.1-5]` `[MQTT-3.3.1-9]`
/// 3.1.1 `[MQTT-3.3.1-5]` `[MQTT-3.3.1-6]` `[MQTT-3.3.1-7]` `[MQTT-3.3.1-8]`
#[test]
fn the_last_retained_message_of_a_topic_and_its_qos_meet_new_subscribers() {
    for scene in Scene::both() {
        let mut writer = scene.enter("writer");
        for (payload, qos) in [(&b"first"[..], 2), (b"second", 1), (b"third", 0), (b"fourth", 2)] {
            retain(&mut writer, &scene.topic("a"), payload, qos);
            assert_eq!(found(&scene), [(payload.to_vec(), qos)], "{:?}", scene.version);
        }
    }
}

/// 5.0 `[MQTT-3.3.1-6]` `[MQTT-3.3.1-7]`
/// 3.1.1 `[MQTT-3.3.1-10]` `[MQTT-3.3.1-11]`
#[test]
fn an_empty_retained_message_is_delivered_and_clears_the_topic() {
    for scene in Scene::both() {
        let mut writer = scene.enter("writer");
        let mut reader = scene.reader(2);
        for qos in [0, 1, 2] {
            retain(&mut writer, &scene.topic("a"), b"kept", 1);
            assert_eq!(reader.expect_message().payload, b"kept");
            retain(&mut writer, &scene.topic("a"), b"", qos);
            let empty = reader.expect_message();
            assert_eq!((&empty.payload[..], empty.retain, empty.qos), (&b""[..], false, qos));
            let mut late = scene.enter("late");
            subscribe(&mut late, &scene.topic("#"), 2);
            late.expect_silence();
        }
    }
}

/// 5.0 `[MQTT-3.3.1-8]`
/// 3.1.1 `[MQTT-3.3.1-12]`
#[test]
fn without_the_retain_flag_nothing_is_stored_replaced_or_removed() {
    for scene in Scene::both() {
        let mut writer = scene.enter("writer");
        let topic = scene.topic("a");
        writer.publish(&topic, b"live");
        assert_eq!(found(&scene), []);
        retain(&mut writer, &topic, b"kept", 1);
        for payload in [&b"live"[..], b""] {
            writer.publish(&topic, payload);
            assert_eq!(found(&scene), [(b"kept".to_vec(), 1)]);
        }
    }
}

/// 5.0 `[MQTT-3.3.1-12]`
/// 3.1.1 `[MQTT-3.3.1-9]`
#[test]
fn a_live_message_comes_without_the_retain_flag() {
    for scene in Scene::both() {
        let mut reader = scene.reader(1);
        let mut writer = scene.enter("writer");
        retain(&mut writer, &scene.topic("a"), b"x", 1);
        assert!(!reader.expect_message().retain);
    }
}

/// 5.0 `[MQTT-3.3.1-13]`
#[test]
fn retain_as_published_forwards_the_flag_as_it_came() {
    let scene = Scene::of(Version::V5);
    let mut reader = scene.enter("reader");
    subscribe(&mut reader, &scene.topic("#"), 1 | RETAIN_AS_PUBLISHED);
    let mut writer = scene.enter("writer");
    retain(&mut writer, &scene.topic("a"), b"retained", 1);
    writer.publish(&scene.topic("a"), b"live");
    assert!(reader.expect_message().retain);
    assert!(!reader.expect_message().retain);
}

/// 5.0 `[MQTT-3.3.1-9]` `[MQTT-3.3.1-10]` `[MQTT-3.3.1-11]`
#[test]
fn retain_handling_says_whether_a_subscription_brings_retained_messages() {
    let scene = Scene::of(Version::V5);
    retain(&mut scene.enter("writer"), &scene.topic("a"), b"kept", 0);
    for (options, new, again) in [(0, 1, 1), (ON_NEW_SUBSCRIPTION, 1, 0), (NEVER, 0, 0)] {
        let mut reader = scene.enter("reader");
        for count in [new, again] {
            subscribe(&mut reader, &scene.topic("#"), options);
            for _ in 0..count {
                assert_eq!(reader.expect_message().payload, b"kept", "{options:#x}");
            }
            reader.expect_silence();
        }
    }
}

/// 5.0 `[MQTT-3.3.4-3]`
#[test]
fn a_retained_message_carries_the_identifier_of_the_subscription_that_brought_it() {
    let scene = Scene::of(Version::V5);
    retain(&mut scene.enter("writer"), &scene.topic("a"), b"kept", 1);
    let mut reader = scene.enter("reader");
    for (filter, identifier) in [("#", 7), ("+", 8)] {
        let properties = property::byte(property::SUBSCRIPTION_IDENTIFIER, identifier);
        reader.send(&subscribe_with(scene.version, 1, &properties, &[(&scene.topic(filter), 0)]));
        reader.expect(SUBACK);
        let delivery = Delivery::next(&mut reader);
        assert_eq!(values(&delivery.properties, property::SUBSCRIPTION_IDENTIFIER), [[identifier]]);
    }
}

/// 5.0 `[MQTT-3.8.4-3]` `[MQTT-3.8.4-4]` `[MQTT-3.3.1-9]`
/// 3.1.1 `[MQTT-3.8.4-3]` `[MQTT-3.3.1-6]`
#[test]
fn a_repeated_filter_replaces_the_subscription_and_brings_retained_messages_again() {
    for scene in Scene::both() {
        let mut writer = scene.enter("writer");
        let topic = scene.topic("a");
        retain(&mut writer, &topic, b"kept", 2);
        let mut reader = scene.enter("reader");
        for qos in [0, 2, 1] {
            subscribe(&mut reader, &topic, qos);
            let message = reader.expect_message();
            assert_eq!((&message.payload[..], message.retain, message.qos), (&b"kept"[..], true, qos));
            writer.send(&wire::publish(scene.version, &topic, b"live", 2, false, 7));
            writer.expect(wire::PUBREC);
            writer.send(&wire::acknowledge(wire::PUBREL, 7));
            writer.expect(wire::PUBCOMP);
            assert_eq!(reader.expect_message().qos, qos, "one copy, by the new subscription");
            reader.expect_silence();
        }
    }
}

/// 5.0 `[MQTT-3.8.4-4]`
/// 3.1.1 `[MQTT-3.8.4-3]`
#[test]
fn no_message_is_lost_while_a_subscription_is_replaced() {
    for scene in Scene::both() {
        let topic = scene.topic("a");
        let mut reader = scene.enter("reader");
        subscribe(&mut reader, &topic, 1);
        let version = scene.version;
        let mut writer = scene.enter("writer");
        let written = std::thread::spawn({
            let topic = topic.clone();
            move || (0..200_u8).for_each(|number| assert_eq!(writer.publish(&topic, &[number]), 0))
        });
        let mut expected = 0..200_u8;
        let mut next = expected.next();
        while next.is_some() {
            reader.send(&wire::subscribe(version, 2, &[(&topic, 1)]));
            loop {
                let packet = reader.receive();
                if packet.kind() == SUBACK {
                    break;
                }
                let message = packet.message(version);
                reader.send(&wire::acknowledge(wire::PUBACK, message.id));
                assert_eq!(Some(message.payload[0]), next);
                next = expected.next();
            }
        }
        written.join().expect("a writer that was answered");
    }
}
