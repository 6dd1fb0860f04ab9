//! UNSUBSCRIBE and UNSUBACK (sections 3.10 and 3.11).

use crate::common::client::RawClient;
use crate::common::wire::{self, PUBACK, PUBCOMP, PUBREC, PUBREL, UNSUBACK, acknowledge};
use crate::packets::{Delivery, unsubscribe};
use crate::scene::{Scene, subscribe};

/// Unsubscribes, and expects these codes; 3.1.1 has none.
#[track_caller]
fn expect_unsuback(client: &mut RawClient, filters: &[&str], codes: &[u8]) {
    client.send(&unsubscribe(client.version, 9, filters));
    let answer = client.expect(UNSUBACK);
    assert_eq!(answer.id(), 9);
    match client.version {
        wire::Version::V5 => assert_eq!(answer.codes(client.version), codes),
        wire::Version::V3_1_1 => assert_eq!(answer.body.len(), 2, "a packet id and nothing else"),
    }
}

/// 5.0 `[MQTT-3.10.3-2]` `[MQTT-4.13.1-1]`
/// 3.1.1 `[MQTT-3.10.3-2]` `[MQTT-4.8.0-1]`
#[test]
fn unsubscribe_without_a_filter_closes_the_connection() {
    for scene in Scene::both() {
        let mut client = scene.enter("c");
        client.send(&unsubscribe(scene.version, 1, &[]));
        client.expect_fault(0x81);
    }
}

/// 5.0 `[MQTT-3.10.4-1]` `[MQTT-3.10.4-2]` `[MQTT-3.10.4-4]` `[MQTT-3.10.4-5]` `[MQTT-3.11.3-2]`
/// 3.1.1 `[MQTT-3.10.4-1]` `[MQTT-3.10.4-2]` `[MQTT-3.10.4-4]` `[MQTT-3.10.4-5]`
#[test]
fn exactly_the_filter_that_was_subscribed_ends() {
    for scene in Scene::both() {
        let mut reader = scene.enter("reader");
        let mut writer = scene.enter("writer");
        subscribe(&mut reader, &scene.topic("a/+"), 1);
        for other in ["a/b", "a/#", "+/+", "A/+", "a/+/"] {
            expect_unsuback(&mut reader, &[&scene.topic(other)], &[0x11]);
            writer.publish(&scene.topic("a/b"), b"still");
            assert_eq!(reader.expect_message().payload, b"still", "{other}");
        }
        expect_unsuback(&mut reader, &[&scene.topic("a/+")], &[0]);
        writer.publish(&scene.topic("a/b"), b"no more");
        reader.expect_silence();
        expect_unsuback(&mut reader, &[&scene.topic("a/+")], &[0x11]);
    }
}

/// 5.0 `[MQTT-3.10.4-6]` `[MQTT-3.11.3-1]` `[MQTT-3.11.3-2]`
/// 3.1.1 `[MQTT-3.10.4-6]`
#[test]
fn one_unsuback_answers_all_filters_in_their_order() {
    for scene in Scene::both() {
        let mut reader = scene.enter("reader");
        let [a, b, c] = ["a", "b", "c"].map(|rest| scene.topic(rest));
        for filter in [&a, &b, &c] {
            subscribe(&mut reader, filter, 1);
        }
        expect_unsuback(&mut reader, &[&a, "never", &c, &a], &[0, 0x11, 0, 0x11]);
        reader.expect_silence();
        let mut writer = scene.enter("writer");
        for topic in [&a, &b, &c] {
            writer.publish(topic, topic.as_bytes());
        }
        assert_eq!(reader.expect_message().payload, b.as_bytes());
        reader.expect_silence();
    }
}

/// 5.0 `[MQTT-3.10.4-3]`
/// 3.1.1 `[MQTT-3.10.4-3]`
#[test]
fn deliveries_that_have_begun_are_completed_after_unsubscribe() {
    for scene in Scene::both() {
        let (mut reader, _) = scene.resume("reader");
        subscribe(&mut reader, &scene.topic("#"), 2);
        let mut writer = scene.enter("writer");
        writer.publish(&scene.topic("t"), b"one");
        writer.send(&wire::publish(scene.version, &scene.topic("t"), b"two", 2, false, 7));
        writer.expect(PUBREC);
        let (one, two) = (Delivery::next(&mut reader), Delivery::next(&mut reader));
        expect_unsuback(&mut reader, &[&scene.topic("#")], &[0]);
        reader.hang_up();
        reader.expect_close();
        let (mut reader, _) = scene.resume("reader");
        let again = [Delivery::next(&mut reader), Delivery::next(&mut reader)];
        assert_eq!(again, [Delivery { dup: true, ..one.clone() }, Delivery { dup: true, ..two.clone() }]);
        reader.send(&acknowledge(PUBACK, one.id));
        reader.send(&acknowledge(PUBREC, two.id));
        assert_eq!(reader.expect(PUBREL).id(), two.id);
        reader.send(&acknowledge(PUBCOMP, two.id));
        writer.publish(&scene.topic("t"), b"new");
        reader.expect_silence();
    }
}

/// 5.0 `[MQTT-3.10.3-1]` `[MQTT-4.7.1-1]`
/// 3.1.1 `[MQTT-3.10.3-1]`
#[test]
fn a_filter_that_cannot_be_is_refused_in_unsubscribe_too() {
    for scene in Scene::both() {
        for filter in ["", "a#", "+a"] {
            let mut client = scene.enter("c");
            client.send(&unsubscribe(scene.version, 1, &[filter]));
            client.expect_fault(0x81);
        }
    }
}
