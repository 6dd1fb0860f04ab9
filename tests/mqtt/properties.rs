//! The properties of a message on its way (section 3.3.2.3).

use crate::common::wire::Version;
use crate::packets::{Delivery, Publish, property};
use crate::scene::Scene;

/// 5.0 `[MQTT-3.3.2-4]` `[MQTT-3.3.2-15]` `[MQTT-3.3.2-16]` `[MQTT-3.3.2-17]` `[MQTT-3.3.2-18]` `[MQTT-3.3.2-20]`
#[test]
fn the_properties_of_a_message_arrive_unaltered_and_in_order() {
    let scene = Scene::of(Version::V5);
    let mut readers = [scene.reader(2), scene.beside(Version::V5).enter("other")];
    crate::scene::subscribe(&mut readers[1], &scene.topic("#"), 0);
    let mut writer = scene.enter("writer");
    for format in [0, 1] {
        let sent = [
            property::byte(property::PAYLOAD_FORMAT, format),
            property::long(property::RESPONSE_TOPIC, "answer/é".as_bytes()),
            property::long(property::CORRELATION_DATA, &[0, 0xFF, 0xC3, 0x28]),
            property::pair("z", "last first"),
            property::pair("", ""),
            property::pair("a", "é"),
            property::pair("z", "again"),
            property::long(property::CONTENT_TYPE, b"text/plain"),
        ];
        let topic = scene.topic("t");
        let publish = Publish {
            topic: &topic,
            qos: 2,
            id: 1 + u16::from(format),
            properties: &sent.concat(),
            ..Publish::default()
        };
        writer.send(&publish.encode(scene.version));
        for reader in &mut readers {
            let mut found = Delivery::next(reader).properties;
            let mut expected: Vec<(u8, Vec<u8>)> = sent.iter().map(|one| (one[0], one[1..].to_vec())).collect();
            // Only user properties have an order of their own: a stable sort keeps it.
            found.sort_by_key(|(id, _)| *id);
            expected.sort_by_key(|(id, _)| *id);
            assert_eq!(found, expected);
        }
    }
}

/// 5.0 `[MQTT-3.3.2-14]` `[MQTT-4.13.1-1]`
#[test]
fn a_response_topic_with_wildcards_closes_the_connection() {
    let scene = Scene::of(Version::V5);
    for wildcard in ["#", "a/+", "+/b", "a#"] {
        let mut client = scene.enter("c");
        let properties = property::long(property::RESPONSE_TOPIC, wildcard.as_bytes());
        client.send(&Publish { topic: "t", properties: &properties, ..Publish::default() }.encode(scene.version));
        client.expect_fault(0x82);
    }
}
