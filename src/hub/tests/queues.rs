//! Queues that are full, readers that are slow.

use super::fixture::{Connection, Dial, World};
use crate::config::mqtt::QueueFull;
use crate::config::{Limits, MqttSettings};
use crate::protocol::{QoS, ReasonCode};
use crate::telemetry::metrics::METRICS;

/// A reader that is away, and a publisher.
fn away(queue_full: QueueFull) -> (World, Connection) {
    let limits = Limits { queued_messages: 2, ..Limits::default() };
    let world = World::with(MqttSettings { queue_full, ..MqttSettings::default() }, limits);
    let mut reader = world.connect(&Dial::v5("a"));
    reader.subscribe("t/#", QoS::AtLeastOnce);
    reader.break_off();
    let publisher = world.connect(&Dial::v5("b"));
    (world, publisher)
}

#[test]
fn a_full_queue_gives_way_as_the_setting_says() {
    for (queue_full, answer, kept) in [
        (QueueFull::DropOldest, "PUBACK 3 Success", ["PUBLISH t/a m2 q1#1", "PUBLISH t/a m3 q1#2"]),
        (QueueFull::DropNewest, "PUBACK 3 NoMatchingSubscribers", ["PUBLISH t/a m1 q1#1", "PUBLISH t/a m2 q1#2"]),
        (QueueFull::Refuse, "PUBACK 3 QuotaExceeded", ["PUBLISH t/a m1 q1#1", "PUBLISH t/a m2 q1#2"]),
    ] {
        let (world, mut publisher) = away(queue_full);
        for number in 1..=3 {
            publisher.publish("t/a", QoS::AtLeastOnce, number, &format!("m{number}"));
        }
        assert_eq!(publisher.seen().last().unwrap(), answer);
        assert_eq!(world.hub.queued_messages(), 2);
        assert_eq!(world.connect_and_see(&Dial::v5("a")).1, kept, "{queue_full:?}");
    }
}

#[test]
fn a_refused_message_reaches_nobody() {
    let (world, mut publisher) = away(QueueFull::Refuse);
    publisher.publish("t/a", QoS::AtLeastOnce, 1, "1");
    publisher.publish("t/a", QoS::AtLeastOnce, 2, "2");
    publisher.subscribe("t/#", QoS::AtLeastOnce);
    publisher.publish("t/a", QoS::AtLeastOnce, 3, "3");
    assert_eq!(publisher.seen(), ["PUBACK 3 QuotaExceeded"]);
    drop(world);
}

#[test]
fn a_full_queue_of_a_reader_without_right_refuses_nobody() {
    let (mut world, mut publisher) = away(QueueFull::Refuse);
    publisher.publish("t/a", QoS::AtLeastOnce, 1, "1");
    publisher.publish("t/a", QoS::AtLeastOnce, 2, "2");
    world.deny("{ subscribe = \"t/#\" }");
    publisher.seen();
    publisher.publish("t/a", QoS::AtLeastOnce, 3, "3");
    assert_eq!(publisher.seen(), ["PUBACK 3 NoMatchingSubscribers"]);
}

#[test]
fn a_publisher_is_told_when_a_connected_reader_has_neither_room_nor_queue() {
    let limits = Limits { queued_messages: 1, ..Limits::default() };
    let world = World::with(MqttSettings { queue_full: QueueFull::Refuse, ..MqttSettings::default() }, limits);
    let mut reader = world.connect(&Dial { outbound: 60, ..Dial::v5("a") });
    reader.subscribe("t/#", QoS::AtLeastOnce);
    let mut publisher = world.connect(&Dial::v5("b"));
    let text = "x".repeat(40);
    for id in 1..=3 {
        publisher.publish("t/a", QoS::AtLeastOnce, id, &text);
    }
    assert_eq!(publisher.seen(), ["PUBACK 1 Success", "PUBACK 2 Success", "PUBACK 3 QuotaExceeded"]);
    assert_eq!(reader.seen().len(), 2);
}

#[test]
fn a_slow_reader_loses_qos_0_and_pulls_qos_1() {
    let world = World::new();
    let mut reader = world.connect(&Dial { outbound: 60, ..Dial::v5("a") });
    reader.subscribe("t/#", QoS::AtLeastOnce);
    let mut publisher = world.connect(&Dial::v5("b"));
    let before = METRICS.messages_dropped_slow_reader.value();
    let text = "x".repeat(40);
    publisher.publish("t/a", QoS::AtLeastOnce, 1, &text);
    publisher.publish("t/a", QoS::AtMostOnce, 0, &text);
    publisher.publish("t/a", QoS::AtLeastOnce, 2, &text);
    assert!(METRICS.messages_dropped_slow_reader.value() > before);
    let (first, starved) = reader.take();
    assert_eq!((first.as_slice(), starved), (&["PUBLISH t/a 40 bytes q1#1".to_owned()][..], true));
    reader.client.pull(reader.now, &mut crate::hub::Wakes::default());
    assert_eq!(reader.seen(), ["PUBLISH t/a 40 bytes q1#2"]);
}

#[test]
fn retained_messages_beyond_the_bound_are_refused() {
    let limits = Limits { retained_messages: 1, ..Limits::default() };
    let world = World::with(MqttSettings::default(), limits);
    let mut publisher = world.connect(&Dial::v5("b"));
    for (id, topic) in [(1, "t/a"), (2, "t/b"), (3, "t/a")] {
        publisher.publish_with(topic, QoS::AtLeastOnce, id, "m", true, &[]).unwrap();
    }
    let answers = publisher.seen();
    assert_eq!(answers[1], format!("PUBACK 2 {:?}", ReasonCode::QuotaExceeded));
    assert_eq!(answers[2], "PUBACK 3 NoMatchingSubscribers", "replacing needs no more room");
}
