//! PUBLISH (section 3.3): its topic, its answers, where it goes.

use crate::common::wire::{self, PINGRESP, PUBACK, PUBLISH, PUBREC, Version, packet, text};
use crate::packets::{Delivery, Publish, property, section, subscribe as subscribe_with, values};
use crate::scene::{DENIED, Scene, subscribe};

/// 5.0 `[MQTT-3.3.2-1]`
/// 3.1.1 `[MQTT-3.3.2-1]`
#[test]
fn a_publish_that_does_not_begin_with_a_topic_closes_the_connection() {
    for scene in Scene::both() {
        for bytes in [&[0x30, 0][..], &[0x30, 1, 0], &[0x30, 4, 0, 9, b'a', b'b'], &[0x32, 3, 0, 1, b'a']] {
            let mut client = scene.enter("c");
            client.send(bytes);
            client.expect_fault(0x81);
        }
    }
}

/// 5.0 `[MQTT-3.3.2-2]` `[MQTT-4.7.0-1]` `[MQTT-4.7.3-1]` `[MQTT-4.13.1-1]`
/// 3.1.1 `[MQTT-3.3.2-2]` `[MQTT-4.7.1-1]` `[MQTT-4.7.3-1]` `[MQTT-4.8.0-1]`
#[test]
fn a_topic_name_with_wildcards_or_without_characters_closes_the_connection() {
    for scene in Scene::both() {
        for topic in ["#", "a/#", "+", "a/+/b", "a+", ""] {
            for qos in [0, 1, 2] {
                let mut client = scene.enter("c");
                client.send(&wire::publish(scene.version, topic, b"x", qos, false, 1));
                client.expect_fault(0x81);
            }
        }
    }
}

/// 5.0 `[MQTT-3.3.2-3]` `[MQTT-3.3.2-1]`
/// 3.1.1 `[MQTT-3.3.2-3]` `[MQTT-3.3.2-1]`
#[test]
fn what_arrives_has_its_topic_and_matches_the_filter() {
    for scene in Scene::both() {
        let mut reader = scene.enter("reader");
        subscribe(&mut reader, &scene.topic("+/b"), 0);
        let mut writer = scene.enter("writer");
        for rest in ["a", "a/c", "a/b/c", "b", "a/b", "/b"] {
            let topic = scene.topic(rest);
            writer.send(&wire::publish(scene.version, &topic, rest.as_bytes(), 0, false, 0));
        }
        writer.expect_silence();
        for rest in ["a/b", "/b"] {
            let delivery = Delivery::next(&mut reader);
            assert_eq!((delivery.topic, &delivery.payload[..]), (scene.topic(rest), rest.as_bytes()));
        }
        reader.expect_silence();
    }
}

/// 5.0 `[MQTT-3.3.4-1]` `[MQTT-4.3.2-4]` `[MQTT-4.3.3-8]` `[MQTT-2.2.1-2]` `[MQTT-2.2.1-5]`
/// 3.1.1 `[MQTT-3.3.4-1]` `[MQTT-4.3.2-2]` `[MQTT-4.3.3-2]` `[MQTT-2.3.1-5]` `[MQTT-2.3.1-6]`
#[test]
fn each_qos_is_answered_as_the_table_says() {
    for scene in Scene::both() {
        let mut writer = scene.enter("writer");
        for (qos, answer) in [(0, PINGRESP), (1, PUBACK), (2, PUBREC)] {
            writer.send(&wire::publish(scene.version, &scene.topic("t"), b"x", qos, false, 0x1234));
            writer.send(&wire::ping());
            let first = writer.expect(answer);
            if qos > 0 {
                assert_eq!(first.id(), 0x1234);
                writer.expect(PINGRESP);
            }
        }
    }
}

/// 3.1.1 `[MQTT-3.3.5-2]`
/// 5.0 `[MQTT-3.3.4-1]`
#[test]
fn a_publish_that_is_not_allowed_is_acknowledged_and_goes_nowhere() {
    for scene in Scene::both() {
        let refused = if scene.is_v5() { 0x87 } else { 0 };
        let mut writer = scene.enter("writer");
        writer.send(&wire::publish(scene.version, DENIED, b"x", 1, false, 1));
        assert_eq!(writer.expect(PUBACK).code(), refused);
        writer.send(&wire::publish(scene.version, DENIED, b"x", 2, false, 2));
        assert_eq!(writer.expect(PUBREC).code(), refused);
        writer.send(&wire::publish(scene.version, DENIED, b"x", 0, false, 0));
        writer.expect_silence();
    }
}

/// 5.0 `[MQTT-3.3.1-2]` `[MQTT-3.3.1-3]` `[MQTT-4.3.2-2]` `[MQTT-4.3.3-2]` `[MQTT-4.3.1-1]`
/// 3.1.1 `[MQTT-3.3.1-3]` `[MQTT-4.3.2-1]` `[MQTT-4.3.3-1]` `[MQTT-4.3.1-1]`
#[test]
fn dup_of_the_publisher_is_not_dup_of_the_delivery() {
    for scene in Scene::both() {
        let mut reader = scene.reader(2);
        let mut writer = scene.enter("writer");
        let topic = scene.topic("t");
        let publish = Publish { topic: &topic, id: 7, ..Publish::default() };
        for (qos, dup) in [(0, false), (1, true), (2, true)] {
            writer.send(&Publish { qos, dup, ..publish }.encode(scene.version));
            let delivery = Delivery::next(&mut reader);
            assert_eq!((delivery.qos, delivery.dup), (qos, false));
        }
    }
}

/// 5.0 `[MQTT-3.3.4-2]`
/// 3.1.1 `[MQTT-3.3.5-1]`
#[test]
fn overlapping_subscriptions_bring_one_copy_at_the_highest_qos() {
    for scene in Scene::both() {
        let mut reader = scene.enter("reader");
        for (filter, qos) in [("#", 0), ("a/+", 2), ("a/b", 1)] {
            subscribe(&mut reader, &scene.topic(filter), qos);
        }
        let mut writer = scene.enter("writer");
        writer.send(&wire::publish(scene.version, &scene.topic("a/b"), b"x", 2, false, 1));
        assert_eq!(reader.expect_message().qos, 2);
        reader.expect_silence();
    }
}

/// 5.0 `[MQTT-3.3.4-3]` `[MQTT-3.3.4-4]` `[MQTT-3.3.4-5]`
#[test]
fn one_copy_carries_the_identifiers_of_all_subscriptions_that_have_one() {
    let scene = Scene::of(Version::V5);
    let mut reader = scene.enter("reader");
    for (filter, identifier) in [("#", &[0x0B, 1][..]), ("a/+", &[0x0B, 0x80, 1]), ("a/b", &[]), ("c", &[0x0B, 3])] {
        reader.send(&subscribe_with(scene.version, 1, identifier, &[(&scene.topic(filter), 0)]));
        reader.expect(wire::SUBACK);
    }
    let mut writer = scene.enter("writer");
    writer.send(&wire::publish(scene.version, &scene.topic("a/b"), b"x", 0, false, 0));
    let delivery = Delivery::next(&mut reader);
    let mut identifiers = values(&delivery.properties, property::SUBSCRIPTION_IDENTIFIER);
    identifiers.sort_unstable();
    assert_eq!(identifiers, [&[1][..], &[0x80, 1]]);
    reader.expect_silence();
}

/// 5.0 `[MQTT-3.3.4-6]` `[MQTT-4.13.1-1]`
#[test]
fn a_subscription_identifier_from_a_publisher_closes_the_connection() {
    let scene = Scene::of(Version::V5);
    let mut client = scene.enter("c");
    let topic = scene.topic("t");
    client.send(&Publish { topic: &topic, properties: &[0x0B, 1], ..Publish::default() }.encode(scene.version));
    client.expect_fault(0x82);
}

/// 5.0 `[MQTT-3.3.2-8]` `[MQTT-3.3.2-9]` `[MQTT-3.2.2-17]`
#[test]
fn a_topic_alias_of_0_or_beyond_the_maximum_closes_the_connection() {
    let scene = Scene::of(Version::V5);
    for alias in [0, 17, u16::MAX] {
        let mut client = scene.enter("c");
        let properties = property::two(property::TOPIC_ALIAS, alias);
        client.send(&Publish { topic: "t", properties: &properties, ..Publish::default() }.encode(scene.version));
        client.expect_fault(0x94);
    }
}

/// 5.0 `[MQTT-3.3.2-12]`
#[test]
fn every_topic_alias_up_to_the_announced_maximum_is_taken() {
    let scene = Scene::of(Version::V5);
    let mut reader = scene.reader(0);
    let mut writer = scene.begin(&wire::Connect::clean(&scene.id("writer")).encode(scene.version));
    let answer = crate::packets::properties(&writer.expect(wire::CONNACK));
    let announced = values(&answer, property::TOPIC_ALIAS_MAXIMUM)[0];
    let maximum = u16::from_be_bytes([announced[0], announced[1]]);
    assert!(maximum > 1);
    let topics: Vec<String> = (1..=maximum).map(|alias| scene.topic(&alias.to_string())).collect();
    for named in [true, false] {
        for (alias, topic) in (1..=maximum).zip(&topics) {
            let properties = property::two(property::TOPIC_ALIAS, alias);
            let topic = if named { topic } else { "" };
            writer.send(&Publish { topic, properties: &properties, ..Publish::default() }.encode(scene.version));
        }
    }
    writer.expect_silence();
    for expected in topics.iter().chain(&topics) {
        assert_eq!(&Delivery::next(&mut reader).topic, expected);
    }
}

/// 5.0 `[MQTT-3.3.2-7]`
#[test]
fn topic_aliases_end_with_their_connection() {
    let scene = Scene::of(Version::V5);
    let alias = property::two(property::TOPIC_ALIAS, 1);
    let topic = scene.topic("t");
    let publish = |topic| Publish { topic, properties: &alias, ..Publish::default() }.encode(scene.version);
    let (mut first, _) = scene.resume("c");
    first.send(&publish(&topic));
    first.expect_silence();
    first.leave();
    let (mut again, answer) = scene.resume("c");
    assert!(answer.session_present());
    again.send(&publish(""));
    again.expect_fault(0x82);
}

/// 5.0 `[MQTT-3.1.2-26]` `[MQTT-3.1.2-27]` `[MQTT-3.3.2-11]`
#[test]
fn a_client_that_takes_no_topic_alias_gets_none() {
    let scene = Scene::of(Version::V5);
    let payload = text(&scene.id("zero"));
    let zero = property::two(property::TOPIC_ALIAS_MAXIMUM, 0);
    let zero = crate::packets::RawConnect {
        properties: &zero,
        ..crate::packets::RawConnect::new(scene.version, crate::packets::flags::CLEAN, &payload)
    };
    for mut reader in [scene.enter("absent"), scene.accepted(&zero.encode())] {
        subscribe(&mut reader, &scene.topic("#"), 0);
        for _ in 0..5 {
            reader.send(&wire::publish(scene.version, &scene.topic("long/topic/of/many/levels"), b"x", 0, false, 0));
            let delivery = Delivery::next(&mut reader);
            assert_eq!(delivery.topic, scene.topic("long/topic/of/many/levels"));
            assert_eq!(values(&delivery.properties, property::TOPIC_ALIAS).len(), 0);
        }
    }
}

/// 5.0 `[MQTT-3.1.2-24]` `[MQTT-3.1.2-25]`
#[test]
fn a_message_larger_than_the_client_takes_is_dropped_as_if_sent() {
    let scene = Scene::of(Version::V5);
    let topic = scene.topic("t");
    let exact = Publish { topic: &topic, payload: &[0; 50], qos: 1, id: 1, ..Publish::default() };
    let size = u32::try_from(exact.encode(scene.version).len()).expect("a small packet");
    let limits = [
        property::four(property::MAXIMUM_PACKET_SIZE, size),
        // One in flight: a message that was dropped must not keep the place.
        property::two(property::RECEIVE_MAXIMUM, 1),
    ];
    let (payload, limits) = (text(&scene.id("reader")), limits.concat());
    let connect = crate::packets::RawConnect {
        properties: &limits,
        ..crate::packets::RawConnect::new(scene.version, crate::packets::flags::CLEAN, &payload)
    };
    let mut reader = scene.accepted(&connect.encode());
    subscribe(&mut reader, &topic, 1);
    let mut writer = scene.enter("writer");
    for length in [51, 50, 500, 3] {
        assert_eq!(writer.publish(&topic, &vec![0; length]), 0, "{length}");
    }
    assert_eq!(reader.expect_message().payload.len(), 50);
    assert_eq!(reader.expect_message().payload.len(), 3);
    reader.expect_silence();
}

/// 5.0 `[MQTT-4.2.0-1]`
/// 3.1.1 `[MQTT-7.1.1-1]`
#[test]
fn a_packet_may_come_byte_by_byte_and_many_at_once() {
    for scene in Scene::both() {
        let mut reader = scene.reader(0);
        let mut writer = scene.enter("writer");
        let publish = wire::publish(scene.version, &scene.topic("t"), b"payload", 0, false, 0);
        for byte in &publish {
            writer.send(&[*byte]);
        }
        writer.send(&publish.repeat(100));
        for _ in 0..101 {
            assert_eq!(reader.expect(PUBLISH).message(scene.version).payload, b"payload");
        }
    }
}

/// 5.0 `[MQTT-2.2.2-1]`
#[test]
fn a_publish_without_a_property_length_is_malformed() {
    let scene = Scene::of(Version::V5);
    let mut client = scene.enter("c");
    client.send(&packet(0x30, &text("t")));
    client.expect_fault(0x81);
    let mut client = scene.enter("c");
    client.send(&packet(0x30, &[text("t"), section(scene.version, &[])].concat()));
    client.expect_silence();
}
