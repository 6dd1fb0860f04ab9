//! The order of messages and acknowledgements (section 4.6), and that every reader gets them (4.5).

use crate::common::client::RawClient;
use crate::common::wire::{self, PUBACK, PUBLISH, PUBREC, PUBREL, acknowledge};
use crate::packets::Delivery;
use crate::scene::{Scene, subscribe};

/// Publishes one message a number, all in one write, and reads the answers that come, in their order.
fn burst(writer: &mut RawClient, topic: &str, qos: u8, numbers: std::ops::Range<u16>) -> Vec<u16> {
    let version = writer.version;
    let bytes = numbers.clone().flat_map(|n| wire::publish(version, topic, &n.to_be_bytes(), qos, false, n + 1));
    writer.send(&bytes.collect::<Vec<u8>>());
    match qos {
        0 => Vec::new(),
        1 => numbers.map(|_| writer.expect(PUBACK).id()).collect(),
        _ => numbers.map(|_| writer.expect(PUBREC).id()).collect(),
    }
}

/// 5.0 `[MQTT-4.6.0-5]` `[MQTT-4.6.0-6]` `[MQTT-4.6.0-2]` `[MQTT-4.6.0-3]` `[MQTT-4.5.0-1]`
/// 3.1.1 `[MQTT-4.6.0-5]` `[MQTT-4.6.0-6]` `[MQTT-4.6.0-2]` `[MQTT-4.6.0-3]` `[MQTT-4.5.0-1]`
#[test]
fn messages_of_one_publisher_topic_and_qos_arrive_in_order_and_are_acknowledged_in_order() {
    for scene in Scene::both() {
        let mut readers = [scene.enter("1"), scene.enter("2")];
        for reader in &mut readers {
            subscribe(reader, &scene.topic("#"), 2);
        }
        let mut writer = scene.enter("writer");
        let answers: Vec<u16> = (1..=60).collect();
        assert_eq!(burst(&mut writer, &scene.topic("0"), 0, 0..60), []);
        assert_eq!(burst(&mut writer, &scene.topic("1"), 1, 0..60), answers);
        assert_eq!(burst(&mut writer, &scene.topic("2"), 2, 0..60), answers);
        for reader in &mut readers {
            let mut next = [0_u16; 3];
            for _ in 0..180 {
                let message = reader.receive_message();
                let number = &mut next[usize::from(message.qos)];
                assert_eq!(message.payload, number.to_be_bytes());
                *number += 1;
            }
            assert_eq!(next, [60; 3]);
        }
    }
}

/// 5.0 `[MQTT-4.6.0-1]` `[MQTT-4.4.0-1]` `[MQTT-4.6.0-4]`
/// 3.1.1 `[MQTT-4.6.0-1]` `[MQTT-4.4.0-1]` `[MQTT-4.6.0-4]`
#[test]
fn what_is_sent_again_keeps_the_order_in_which_it_was_sent() {
    for scene in Scene::both() {
        let (mut reader, _) = scene.resume("reader");
        subscribe(&mut reader, &scene.topic("#"), 2);
        let mut writer = scene.enter("writer");
        let mut sent = Vec::new();
        for number in 0..12_u16 {
            let qos = 1 + (number % 2) as u8;
            burst(&mut writer, &scene.topic("t"), qos, number..number + 1);
            sent.push(Delivery::next(&mut reader));
        }
        // Some are answered, out of their order, so that ids and order part.
        for index in [4, 0] {
            reader.send(&acknowledge(PUBACK, sent[index].id));
            sent.remove(index);
        }
        reader.hang_up();
        reader.expect_close();
        let (mut reader, _) = scene.resume("reader");
        for one in &sent {
            assert_eq!(Delivery::next(&mut reader), Delivery { dup: true, ..one.clone() });
        }
        // And PUBREL comes in the order of PUBREC.
        let twice: Vec<u16> = sent.iter().filter(|one| one.qos == 2).map(|one| one.id).collect();
        for id in twice.iter().rev() {
            reader.send(&acknowledge(PUBREC, *id));
        }
        let released: Vec<u16> = twice.iter().map(|_| reader.expect(PUBREL).id()).collect();
        assert!(released.iter().eq(twice.iter().rev()));
    }
}

/// 5.0 `[MQTT-4.5.0-2]` `[MQTT-4.3.2-3]`
/// 3.1.1 `[MQTT-4.5.0-2]`
#[test]
fn what_a_client_never_acknowledges_waits_and_disturbs_nobody() {
    for scene in Scene::both() {
        let (mut lazy, _) = scene.resume("lazy");
        subscribe(&mut lazy, &scene.topic("#"), 1);
        let mut reader = scene.reader(1);
        let mut writer = scene.enter("writer");
        for number in 0..30 {
            assert_eq!(writer.publish(&scene.topic("t"), &[number]), 0);
            assert_eq!(reader.expect_message().payload, [number]);
        }
        lazy.hang_up();
        lazy.expect_close();
        let (mut lazy, _) = scene.resume("lazy");
        for number in 0..30 {
            assert_eq!(lazy.expect(PUBLISH).message(scene.version).payload, [number]);
        }
    }
}
