//! Topic aliases from the server (section 3.3.2.3.4). Those from the client stand with PUBLISH.

use crate::common::client::RawClient;
use crate::common::wire::{self, Version, text};
use crate::packets::{Delivery, RawConnect, flags, property, values};
use crate::scene::{Scene, subscribe};

/// A CONNECT that takes so many aliases, and keeps its session.
fn taking(scene: &Scene, maximum: u16, with: u8) -> Vec<u8> {
    let properties =
        [property::two(property::TOPIC_ALIAS_MAXIMUM, maximum), property::four(property::SESSION_EXPIRY, 60)].concat();
    let payload = text(&scene.id("reader"));
    RawConnect { properties: &properties, ..RawConnect::new(scene.version, with, &payload) }.encode()
}

/// The topic and the alias of the next message, which is not acknowledged.
fn named(reader: &mut RawClient) -> (String, Option<u16>) {
    let delivery = Delivery::next(reader);
    let alias =
        values(&delivery.properties, property::TOPIC_ALIAS).first().map(|at| u16::from_be_bytes([at[0], at[1]]));
    (delivery.topic, alias)
}

/// 5.0 `[MQTT-3.1.2-26]` `[MQTT-3.3.2-10]` `[MQTT-3.3.2-8]`
#[test]
fn a_client_that_takes_aliases_gets_none_beyond_its_maximum_and_can_resolve_each() {
    let scene = Scene::of(Version::V5);
    let mut reader = scene.accepted(&taking(&scene, 2, flags::CLEAN));
    subscribe(&mut reader, &scene.topic("#"), 0);
    let mut known = [const { String::new() }; 2];
    let mut by_alias = 0;
    for step in 0..60 {
        let topic = scene.topic(["often", "often too", "now", "then"][if step % 10 < 8 { step % 2 } else { step % 4 }]);
        reader.send(&wire::publish(scene.version, &topic, b"x", 0, false, 0));
        let (said, alias) = named(&mut reader);
        let slot = alias.map(|alias| &mut known[usize::from(alias) - 1]);
        let meant = match (said.is_empty(), slot) {
            (true, Some(slot)) => {
                by_alias += 1;
                slot.clone()
            }
            (true, None) => panic!("neither a topic nor an alias"),
            (false, Some(slot)) => {
                slot.clone_from(&said);
                said
            }
            (false, None) => said,
        };
        assert_eq!(meant, topic);
    }
    assert!(by_alias > 30, "{by_alias} of 60 went by alias alone");
}

/// 5.0 `[MQTT-3.3.2-7]`
#[test]
fn aliases_of_the_server_end_with_the_connection() {
    let scene = Scene::of(Version::V5);
    let mut reader = scene.accepted(&taking(&scene, 10, flags::CLEAN));
    subscribe(&mut reader, &scene.topic("#"), 1);
    let mut writer = scene.enter("writer");
    let topic = scene.topic("t");
    for _ in 0..2 {
        writer.publish(&topic, b"x");
    }
    assert_eq!([named(&mut reader), named(&mut reader)], [(topic.clone(), Some(1)), (String::new(), Some(1))]);
    reader.hang_up();
    reader.expect_close();
    // Both were not acknowledged and come again, to one that takes aliases and to one that takes none.
    let mut reader = scene.accepted(&taking(&scene, 10, 0));
    assert_eq!([named(&mut reader), named(&mut reader)], [(topic.clone(), Some(1)), (String::new(), Some(1))]);
    reader.hang_up();
    reader.expect_close();
    let mut reader = scene.accepted(&taking(&scene, 0, 0));
    assert_eq!([named(&mut reader), named(&mut reader)], [(topic.clone(), None), (topic, None)]);
}

/// 5.0 `[MQTT-3.3.2-7]`
#[test]
fn a_large_message_goes_by_alias_too() {
    let scene = Scene::of(Version::V5);
    let mut reader = scene.accepted(&taking(&scene, 10, flags::CLEAN));
    subscribe(&mut reader, &scene.topic("#"), 1);
    let mut writer = scene.enter("writer");
    let payload: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
    for _ in 0..3 {
        writer.publish(&scene.topic("large"), &payload);
    }
    for expected in [scene.topic("large"), String::new(), String::new()] {
        let delivery = Delivery::next(&mut reader);
        assert_eq!(delivery.topic, expected);
        assert_eq!(delivery.payload, payload);
        assert_eq!(values(&delivery.properties, property::TOPIC_ALIAS), [[0, 1]]);
    }
}

#[test]
fn outgoing_topic_aliases_bounds_what_a_client_would_take() {
    for (set, last) in [(0, None), (1, Some(1))] {
        let settings = format!("[mqtt]\noutgoing_topic_aliases = {set}\n");
        let scene = Scene::with_settings(Version::V5, &settings);
        let mut reader = scene.accepted(&taking(&scene, 100, flags::CLEAN));
        subscribe(&mut reader, &scene.topic("#"), 0);
        let mut highest = None;
        for n in 0..20 {
            reader.send(&wire::publish(scene.version, &scene.topic(&format!("t{n}")), b"x", 0, false, 0));
            highest = highest.max(named(&mut reader).1);
        }
        assert_eq!(highest, last);
    }
}
