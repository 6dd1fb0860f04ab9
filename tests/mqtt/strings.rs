//! Data representation (5.0 section 1.5, 3.1.1 section 1.5): strings, pairs, variable byte integers.

use crate::common::wire::{self, PUBLISH, Version, packet, text};
use crate::packets::{Delivery, Publish, flags, property, section};
use crate::packets::{RawConnect, subscribe};
use crate::scene::Scene;

/// Bytes that are no UTF-8: a broken sequence, a surrogate, an overlong form, a code point beyond the last.
const ILL_FORMED: [&[u8]; 4] = [&[0xC3, 0x28], &[0xED, 0xA0, 0x80], &[0xC0, 0x80], &[0xF4, 0x90, 0x80, 0x80]];

/// The packets in which a server finds a string, each with `string` in one of them.
fn packets_with(version: Version, string: &[u8]) -> Vec<Vec<u8>> {
    let string = wire::binary(string);
    let none = section(version, &[]);
    let mut packets = vec![
        packet(0x30, &[&string[..], &none].concat()),
        packet(0x82, &[&[0, 1], &none[..], &string, &[0]].concat()),
        packet(0xA2, &[&[0, 1], &none[..], &string].concat()),
    ];
    if version == Version::V5 {
        for before in [&[property::CONTENT_TYPE][..], &[property::RESPONSE_TOPIC]] {
            let properties = [before, &string].concat();
            packets.push(packet(0x30, &[&text("t")[..], &section(version, &properties)].concat()));
        }
    }
    packets
}

/// 5.0 `[MQTT-1.5.4-1]` `[MQTT-3.3.2-1]` `[MQTT-3.3.2-13]` `[MQTT-3.3.2-19]` `[MQTT-3.8.3-1]` `[MQTT-3.10.3-1]`
/// 3.1.1 `[MQTT-1.5.3-1]` `[MQTT-3.3.2-1]` `[MQTT-3.8.3-1]` `[MQTT-3.10.3-1]`
#[test]
fn a_string_that_is_not_utf_8_closes_the_connection() {
    for scene in Scene::both() {
        for packet in ILL_FORMED.iter().flat_map(|string| packets_with(scene.version, string)) {
            let mut client = scene.enter("c");
            client.send(&packet);
            client.expect_fault(0x81);
        }
    }
}

/// 5.0 `[MQTT-1.5.4-2]` `[MQTT-4.7.3-2]`
/// 3.1.1 `[MQTT-1.5.3-2]` `[MQTT-4.7.3-2]`
#[test]
fn a_string_with_a_null_character_closes_the_connection() {
    for scene in Scene::both() {
        for packet in packets_with(scene.version, b"a\0b") {
            let mut client = scene.enter("c");
            client.send(&packet);
            client.expect_fault(0x81);
        }
    }
}

/// 5.0 `[MQTT-1.5.4-1]` `[MQTT-1.5.4-2]` `[MQTT-3.1.3-4]` `[MQTT-3.1.3-11]` `[MQTT-3.1.3-12]`
/// 3.1.1 `[MQTT-1.5.3-1]` `[MQTT-1.5.3-2]` `[MQTT-3.1.3-4]` `[MQTT-3.1.3-10]` `[MQTT-3.1.3-11]`
#[test]
fn a_bad_string_in_connect_closes_the_connection() {
    for scene in Scene::both() {
        for bad in ILL_FORMED.into_iter().chain([&b"a\0b"[..]]) {
            let (bad, good, none) = (wire::binary(bad), text("good"), section(scene.version, &[]));
            for (with, payload, code) in [
                (0, bad.clone(), Some(0x85)),
                (flags::WILL, [&good, &none[..], &bad, &good].concat(), Some(0x81)),
                // What comes in place of credentials is told nothing.
                (flags::USER_NAME, [&good[..], &bad].concat(), None),
            ] {
                let connect = RawConnect::new(scene.version, flags::CLEAN | with, &payload);
                let answer = scene.begin(&connect.encode()).expect_close().map(|last| (last.kind(), last.code()));
                assert_eq!(answer, code.filter(|_| scene.is_v5()).map(|code| (wire::CONNACK, code)), "{connect:02X?}");
            }
        }
    }
}

/// 5.0 `[MQTT-1.5.4-3]`
/// 3.1.1 `[MQTT-1.5.3-3]`
#[test]
fn a_byte_order_mark_is_a_character_like_any_other() {
    for scene in Scene::both() {
        let mut reader = scene.reader(0);
        let (marked, plain) = (scene.topic("\u{FEFF}a"), scene.topic("a"));
        let mut exact = scene.enter("exact");
        crate::scene::subscribe(&mut exact, &plain, 0);
        let mut writer = scene.enter("writer");
        writer.send(&Publish { topic: &marked, ..Publish::default() }.encode(scene.version));
        writer.expect_silence();
        assert_eq!(Delivery::next(&mut reader).topic, marked);
        exact.expect_silence();
    }
}

/// 5.0 `[MQTT-1.5.5-1]`
#[test]
fn a_variable_byte_integer_longer_than_needed_is_malformed() {
    let scene = Scene::of(Version::V5);
    for bytes in [
        // Remaining length, property length, subscription identifier.
        &[0xC0, 0x80, 0x00][..],
        &[0x30, 0x05, 0, 1, b'a', 0x80, 0x00],
        &packet(0x82, &[&[0, 1, 3, 0x0B, 0x81, 0x00], &text("a")[..], &[0]].concat()),
    ] {
        let mut client = scene.enter("c");
        client.send(bytes);
        client.expect_fault(0x81);
    }
}

/// 5.0 `[MQTT-1.5.5-1]` `[MQTT-2.2.2-1]`
#[test]
fn the_server_encodes_lengths_in_as_few_bytes_as_they_need() {
    let scene = Scene::of(Version::V5);
    let mut reader = scene.reader(0);
    let topic = scene.topic("t");
    // Topic and its length, an empty property section, the payload.
    let around = topic.len() + 2 + 1;
    for remaining in [around, 127, 128, 16_383, 16_384] {
        let payload = vec![b'x'; remaining - around];
        reader.send(&Publish { topic: &topic, payload: &payload, ..Publish::default() }.encode(scene.version));
        let header = reader.header();
        assert_eq!(header.first >> 4, PUBLISH);
        assert_eq!(header.length_bytes, if remaining < 128 { 1 } else { 2 + usize::from(remaining > 16_383) });
        let delivery = Delivery::next(&mut reader);
        assert_eq!((delivery.payload.len(), delivery.properties.len()), (payload.len(), 0), "{remaining}");
    }
}

/// 5.0 `[MQTT-1.5.7-1]`
#[test]
fn both_strings_of_a_user_property_are_judged() {
    let scene = Scene::of(Version::V5);
    for bad in ILL_FORMED.into_iter().chain([&b"a\0b"[..]]) {
        let (bad, good) = (wire::binary(bad), text("good"));
        for pair in [[bad.clone(), good.clone()], [good.clone(), bad.clone()]] {
            let property = [&[property::USER_PROPERTY], &pair.concat()[..]].concat();
            let topic = scene.topic("t");
            for packet in [
                Publish { topic: &topic, properties: &property, ..Publish::default() }.encode(scene.version),
                subscribe(scene.version, 1, &property, &[(&topic, 0)]),
            ] {
                let mut client = scene.enter("c");
                client.send(&packet);
                client.expect_fault(0x81);
            }
        }
    }
}
