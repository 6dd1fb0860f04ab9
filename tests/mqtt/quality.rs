//! The delivery protocols of QoS 1 and 2, and what is sent again (sections 4.3 and 4.4).

use crate::common::client::RawClient;
use crate::common::wire::{self, PUBACK, PUBCOMP, PUBREC, PUBREL, Version, acknowledge};
use crate::packets::{Delivery, Publish, acknowledge_with};
use crate::scene::{DENIED, Scene, subscribe};

/// A session that reads everything of the scene, and one who writes.
fn pair(scene: &Scene) -> (RawClient, RawClient) {
    let (mut reader, _) = scene.resume("reader");
    subscribe(&mut reader, &scene.topic("#"), 2);
    (reader, scene.enter("writer"))
}

/// Loses the connection of the reader and brings it back.
#[track_caller]
fn reconnect(scene: &Scene, mut reader: RawClient) -> RawClient {
    reader.hang_up();
    reader.expect_close();
    let (reader, answer) = scene.resume("reader");
    assert!(answer.session_present());
    reader
}

#[track_caller]
fn send_qos_2(writer: &mut RawClient, topic: &str, payload: &[u8], id: u16) {
    writer.send(&wire::publish(writer.version, topic, payload, 2, false, id));
    assert_eq!((writer.expect(PUBREC).id(), writer.version), (id, writer.version));
}

/// 5.0 `[MQTT-4.3.2-3]` `[MQTT-4.4.0-1]` `[MQTT-3.3.1-1]`
/// 3.1.1 `[MQTT-4.3.2-1]` `[MQTT-4.4.0-1]` `[MQTT-3.3.1-1]` `[MQTT-2.3.1-4]`
#[test]
fn a_qos_1_message_stays_unacknowledged_until_its_puback_and_no_longer() {
    for scene in Scene::both() {
        let (mut reader, mut writer) = pair(&scene);
        assert_eq!(writer.publish(&scene.topic("t"), b"x"), 0);
        let first = Delivery::next(&mut reader);
        assert!(!first.dup);
        reader.expect_silence();
        for _ in 0..2 {
            reader = reconnect(&scene, reader);
            assert_eq!(Delivery::next(&mut reader), Delivery { dup: true, ..first.clone() });
        }
        reader.send(&acknowledge(PUBACK, first.id));
        reader.expect_silence();
        reconnect(&scene, reader).expect_silence();
    }
}

/// 5.0 `[MQTT-4.3.3-3]` `[MQTT-4.3.3-4]` `[MQTT-4.3.3-5]` `[MQTT-4.3.3-6]` `[MQTT-4.4.0-1]` `[MQTT-3.3.1-1]`
/// `[MQTT-2.2.1-5]`
/// 3.1.1 `[MQTT-4.3.3-1]` `[MQTT-4.4.0-1]` `[MQTT-3.3.1-1]` `[MQTT-2.3.1-6]`
#[test]
fn a_qos_2_message_goes_through_its_steps_and_each_is_repeated_until_answered() {
    for scene in Scene::both() {
        let (mut reader, mut writer) = pair(&scene);
        send_qos_2(&mut writer, &scene.topic("t"), b"x", 1);
        let first = Delivery::next(&mut reader);
        assert!(!first.dup);
        reader = reconnect(&scene, reader);
        assert_eq!(Delivery::next(&mut reader), Delivery { dup: true, ..first.clone() });
        reader.send(&acknowledge(PUBREC, first.id));
        assert_eq!(reader.expect(PUBREL).id(), first.id);
        // From here on PUBREL is repeated, and the PUBLISH never again.
        for _ in 0..2 {
            reader = reconnect(&scene, reader);
            assert_eq!(reader.expect(PUBREL).id(), first.id);
            reader.expect_silence();
        }
        reader.send(&acknowledge(PUBCOMP, first.id));
        reader.expect_silence();
        reconnect(&scene, reader).expect_silence();
    }
}

/// 5.0 `[MQTT-4.4.0-1]`
/// 3.1.1 `[MQTT-4.4.0-1]`
#[test]
fn nothing_is_sent_again_while_the_connection_lasts() {
    for scene in Scene::both() {
        let (mut reader, mut writer) = pair(&scene);
        writer.publish(&scene.topic("t"), b"1");
        send_qos_2(&mut writer, &scene.topic("t"), b"2", 9);
        let (one, two) = (Delivery::next(&mut reader), Delivery::next(&mut reader));
        assert_eq!((&one.payload[..], &two.payload[..]), (&b"1"[..], &b"2"[..]));
        reader.send(&acknowledge(PUBREC, two.id));
        reader.expect(PUBREL);
        for number in 0..20 {
            writer.send(&wire::publish(scene.version, &scene.topic("t"), &[number], 0, false, 0));
            assert_eq!(Delivery::next(&mut reader).payload, [number]);
        }
        reader.expect_silence();
    }
}

/// 5.0 `[MQTT-4.3.2-5]`
/// 3.1.1 `[MQTT-4.3.2-2]`
#[test]
fn after_puback_the_same_packet_id_is_a_new_message_whatever_its_dup() {
    for scene in Scene::both() {
        let (mut reader, mut writer) = pair(&scene);
        let topic = scene.topic("t");
        for dup in [false, true, true] {
            let publish = Publish { topic: &topic, payload: b"x", qos: 1, id: 5, dup, ..Publish::default() };
            writer.send(&publish.encode(scene.version));
            assert_eq!(writer.expect(PUBACK).id(), 5);
            assert_eq!(reader.expect_message().payload, b"x");
        }
    }
}

/// As a public suite compares it, packet by packet.
#[test]
fn a_qos_2_exchange_of_a_client_with_itself_begins_with_pubrec() {
    for scene in Scene::both() {
        let mut client = scene.reader(2);
        client.send(&wire::publish(scene.version, &scene.topic("t"), b"x", 2, false, 9));
        assert_eq!(client.expect(PUBREC).id(), 9);
        let id = client.expect(wire::PUBLISH).message(scene.version).id;
        client.send(&acknowledge(PUBREL, 9));
        assert_eq!(client.expect(PUBCOMP).id(), 9);
        client.send(&acknowledge(PUBREC, id));
        assert_eq!(client.expect(PUBREL).id(), id);
        client.send(&acknowledge(PUBCOMP, id));
        client.expect_silence();
    }
}

/// 5.0 `[MQTT-4.3.3-10]` `[MQTT-4.3.3-11]` `[MQTT-4.3.3-12]` `[MQTT-2.2.1-3]`
/// 3.1.1 `[MQTT-4.3.3-2]` `[MQTT-2.3.1-2]`
#[test]
fn a_qos_2_packet_id_stands_for_one_message_until_pubcomp() {
    for scene in Scene::both() {
        let (mut reader, mut writer) = pair(&scene);
        let topic = scene.topic("t");
        let publish = Publish { topic: &topic, payload: b"once", qos: 2, id: 5, ..Publish::default() };
        for round in 0..2 {
            for dup in [false, true, false] {
                writer.send(&Publish { dup, ..publish }.encode(scene.version));
                let received = writer.expect(PUBREC);
                assert_eq!((received.id(), received.code() < 0x80), (5, true));
            }
            writer.send(&acknowledge(PUBREL, 5));
            assert_eq!(writer.expect(PUBCOMP).id(), 5);
            assert_eq!(reader.expect_message().payload, b"once", "round {round}");
            reader.expect_silence();
        }
    }
}

/// 5.0 `[MQTT-4.3.3-10]` `[MQTT-4.3.3-11]`
/// 3.1.1 `[MQTT-4.3.3-2]` `[MQTT-4.1.0-1]`
#[test]
fn a_qos_2_packet_id_outlives_the_connection_of_its_publisher() {
    for scene in Scene::both() {
        let mut reader = scene.reader(2);
        let topic = scene.topic("t");
        let publish = Publish { topic: &topic, payload: b"once", qos: 2, id: 5, ..Publish::default() };
        let (mut writer, _) = scene.resume("writer");
        writer.send(&publish.encode(scene.version));
        writer.expect(PUBREC);
        writer.hang_up();
        writer.expect_close();
        let (mut writer, _) = scene.resume("writer");
        writer.send(&Publish { dup: true, ..publish }.encode(scene.version));
        assert!(writer.expect(PUBREC).code() < 0x80);
        writer.send(&acknowledge(PUBREL, 5));
        assert_eq!(writer.expect(PUBCOMP).code(), 0);
        assert_eq!(reader.expect_message().payload, b"once");
        reader.expect_silence();
    }
}

/// 5.0 `[MQTT-4.3.3-9]`
#[test]
fn after_a_pubrec_with_an_error_the_same_packet_id_is_a_new_message() {
    let scene = Scene::of(Version::V5);
    let (mut reader, mut writer) = pair(&scene);
    writer.send(&wire::publish(scene.version, DENIED, b"no", 2, false, 5));
    assert_eq!(writer.expect(PUBREC).code(), 0x87);
    send_qos_2(&mut writer, &scene.topic("t"), b"yes", 5);
    assert_eq!(reader.expect_message().payload, b"yes");
}

/// 5.0 `[MQTT-4.4.0-2]` `[MQTT-4.3.3-4]`
#[test]
fn an_acknowledgement_with_an_error_ends_the_exchange() {
    let scene = Scene::of(Version::V5);
    let (mut reader, mut writer) = pair(&scene);
    for reason in [0x80, 0x83, 0x97, 0x99] {
        writer.publish(&scene.topic("t"), b"1");
        let delivery = Delivery::next(&mut reader);
        reader.send(&acknowledge_with(PUBACK, delivery.id, reason));
        send_qos_2(&mut writer, &scene.topic("t"), b"2", 7);
        writer.send(&acknowledge(PUBREL, 7));
        writer.expect(PUBCOMP);
        let delivery = Delivery::next(&mut reader);
        reader.send(&acknowledge_with(PUBREC, delivery.id, reason));
        reader.expect_silence();
        reader = reconnect(&scene, reader);
        reader.expect_silence();
    }
}

/// 3.1.1 `[MQTT-2.3.1-3]`
/// 5.0 `[MQTT-4.3.2-4]`
#[test]
fn a_repeated_publish_is_answered_with_its_own_packet_id() {
    for scene in Scene::both() {
        let mut writer = scene.enter("writer");
        let topic = scene.topic("t");
        for id in [1, 0x7F, 0x80, 0x100, 0xFFFF] {
            for dup in [false, true] {
                let publish = Publish { topic: &topic, qos: 1, id, dup, ..Publish::default() };
                writer.send(&publish.encode(scene.version));
                assert_eq!(writer.expect(PUBACK).id(), id);
            }
        }
    }
}
