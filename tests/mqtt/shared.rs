//! Shared subscriptions (section 4.8.2). 3.1.1 has no statement about them; certmq serves them there as well.

use crate::common::client::RawClient;
use crate::common::wire::{self, Connect, PUBACK, PUBCOMP, PUBREC, PUBREL, Version, acknowledge};
use crate::packets::{Delivery, acknowledge_with, disconnect_with, property};
use crate::scene::{Scene, subscribe};

/// A lasting member of the scene's group.
#[track_caller]
fn member(scene: &Scene, name: &str, qos: u8) -> RawClient {
    let (mut member, _) = scene.resume(name);
    subscribe(&mut member, &filter(scene), qos);
    member
}

fn filter(scene: &Scene) -> String {
    format!("$share/group/{}", scene.topic("#"))
}

#[track_caller]
fn publish(writer: &mut RawClient, scene: &Scene, payload: &[u8], qos: u8) {
    writer.send(&wire::publish(scene.version, &scene.topic("t"), payload, qos, false, 1));
    match qos {
        0 => {}
        1 => assert_eq!(writer.expect(PUBACK).code(), 0),
        _ => {
            assert_eq!(writer.expect(PUBREC).code(), 0);
            writer.send(&acknowledge(PUBREL, 1));
            writer.expect(PUBCOMP);
        }
    }
}

/// 5.0 `[MQTT-4.8.2-1]` `[MQTT-4.8.2-2]`
#[test]
fn a_shared_filter_without_a_good_name_and_a_filter_closes_the_connection() {
    for scene in Scene::both() {
        let nameless = ["$share", "$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a"];
        for (filter, reason) in
            nameless.map(|filter| (filter, 0x82)).into_iter().chain([("$share/g#/a", 0x81), ("$share/g/a#", 0x81)])
        {
            let mut client = scene.enter("c");
            client.send(&wire::subscribe(scene.version, 1, &[(filter, 0)]));
            client.expect_fault(reason);
        }
        let mut client = scene.enter("c");
        subscribe(&mut client, &format!("$share/a group, $ and é/{}", scene.topic("+/#")), 1);
    }
}

/// 5.0 `[MQTT-4.8.2-3]`
#[test]
fn each_member_gets_messages_at_the_qos_granted_to_it() {
    for scene in Scene::both() {
        let mut members = [0, 1, 2].map(|qos| (member(&scene, ["zero", "one", "two"][qos], qos as u8), qos as u8));
        let mut writer = scene.enter("writer");
        // As many as there are members: none has more in flight than another, so each has its turn.
        for _ in &members {
            publish(&mut writer, &scene, b"x", 2);
        }
        for (member, qos) in &mut members {
            assert_eq!(member.receive_message().qos, *qos);
        }
    }
}

/// 5.0 `[MQTT-4.8.2-4]`
#[test]
fn a_qos_2_delivery_that_was_cut_off_is_completed_with_the_same_client() {
    for scene in Scene::both() {
        let mut first = member(&scene, "first", 2);
        let mut writer = scene.enter("writer");
        publish(&mut writer, &scene, b"x", 2);
        let delivery = Delivery::next(&mut first);
        let mut second = member(&scene, "second", 2);
        first.hang_up();
        first.expect_close();
        second.expect_silence();
        let (mut first, _) = scene.resume("first");
        assert_eq!(Delivery::next(&mut first), Delivery { dup: true, ..delivery.clone() });
        first.send(&acknowledge(PUBREC, delivery.id));
        assert_eq!(first.expect(PUBREL).id(), delivery.id);
        first.send(&acknowledge(PUBCOMP, delivery.id));
        first.expect_silence();
        second.expect_silence();
    }
}

/// 5.0 `[MQTT-4.8.2-5]`
#[test]
fn a_qos_2_message_of_a_session_that_ended_goes_to_nobody_else() {
    for scene in Scene::both() {
        let mut first = member(&scene, "first", 2);
        let mut writer = scene.enter("writer");
        publish(&mut writer, &scene, b"x", 2);
        Delivery::next(&mut first);
        let mut second = member(&scene, "second", 2);
        match scene.version {
            Version::V5 => first.send(&disconnect_with(0, &property::four(property::SESSION_EXPIRY, 0))),
            Version::V3_1_1 => first.hang_up(),
        }
        first.expect_close();
        // Ended already, or by this.
        scene.begin(&Connect::clean(&scene.id("first")).encode(scene.version)).expect(wire::CONNACK);
        second.expect_silence();
        publish(&mut writer, &scene, b"next", 2);
        assert_eq!(second.expect_message().payload, b"next");
    }
}

/// 5.0 `[MQTT-4.8.2-6]`
#[test]
fn a_message_that_a_member_rejects_goes_to_nobody_else() {
    let scene = Scene::of(Version::V5);
    let mut first = member(&scene, "first", 2);
    let mut writer = scene.enter("writer");
    for (qos, kind) in [(1, PUBACK), (2, PUBREC)] {
        publish(&mut writer, &scene, b"x", qos);
        let delivery = Delivery::next(&mut first);
        let mut second = member(&scene, "second", 2);
        first.send(&acknowledge_with(kind, delivery.id, 0x83));
        first.expect_silence();
        second.expect_silence();
        second.send(&crate::packets::unsubscribe(scene.version, 9, &[&filter(&scene)]));
        second.expect(wire::UNSUBACK);
    }
    first.leave();
    scene.resume("first").0.expect_silence();
}

/// 5.0 `[MQTT-4.8.2-2]` `[MQTT-4.5.0-1]` `[MQTT-3.10.4-2]`
#[test]
fn each_group_and_each_subscription_beside_it_gets_its_own_copy() {
    for scene in Scene::both() {
        let groups = ["one", "two"].map(|group| format!("$share/{group}/{}", scene.topic("#")));
        let mut readers = [scene.enter("a"), scene.enter("b"), scene.enter("c")];
        for (reader, filter) in readers.iter_mut().zip([&groups[0], &groups[1], &scene.topic("#")]) {
            subscribe(reader, filter, 1);
        }
        let mut writer = scene.enter("writer");
        for number in 0..3 {
            publish(&mut writer, &scene, &[number], 1);
            for reader in &mut readers {
                assert_eq!(reader.expect_message().payload, [number]);
            }
        }
        readers[0].send(&crate::packets::unsubscribe(scene.version, 9, &[&groups[0]]));
        readers[0].expect(wire::UNSUBACK);
        publish(&mut writer, &scene, b"after", 1);
        readers[0].expect_silence();
        for reader in &mut readers[1..] {
            assert_eq!(reader.expect_message().payload, b"after");
        }
    }
}

/// 5.0 `[MQTT-4.8.2-2]`
#[test]
fn a_shared_subscription_brings_no_retained_messages() {
    for scene in Scene::both() {
        let mut writer = scene.enter("writer");
        writer.send(&wire::publish(scene.version, &scene.topic("t"), b"kept", 1, true, 1));
        writer.expect(PUBACK);
        let mut member = member(&scene, "member", 1);
        member.expect_silence();
        assert_eq!(scene.reader(1).expect_message().payload, b"kept");
    }
}
