//! What goes on to another member, and what must not.

use super::{GROUP, absent, dial, member, member_as, narrow, passing, publisher};
use crate::config::{Limits, MqttSettings};
use crate::hub::tests::fixture::{Dial, World};
use crate::protocol::{Packet, Property, QoS, ReasonCode};
use crate::telemetry::metrics::METRICS;

#[test]
fn what_was_not_sent_goes_to_a_connected_member_when_its_holder_leaves() {
    let world = World::new();
    let [first, mut second] = ["1", "2"].map(|id| narrow(&world, id));
    publisher(&world).publish_many(1, 6);
    assert_eq!(second.texts(), ["m2"]);
    first.break_off();
    for (id, text) in (1..).zip(["m3", "m4", "m5", "m6"]) {
        second.acknowledge(id);
        assert_eq!(second.texts(), [text], "the older ones go before the newer");
    }
    second.acknowledge(5);
    assert!(second.seen().is_empty());
    let (_first, seen) = world.reconnect(&dial("1"));
    assert_eq!(seen, ["PUBLISH t/a m1 q1#1 dup"], "what was sent is repeated to the client it was sent to");
}

#[test]
fn qos_1_without_its_acknowledgement_goes_on_when_the_session_ends() {
    let world = World::new();
    let mut first = member_as(&world, &passing("1"), QoS::AtLeastOnce);
    let mut publisher = publisher(&world);
    publisher.publish_many(1, 3);
    assert_eq!(first.texts(), ["m1", "m2", "m3"]);
    first.acknowledge(2);
    let mut second = member(&world, "2");
    assert!(second.seen().is_empty());
    first.break_off();
    assert_eq!(second.seen(), ["PUBLISH t/a m1 q1#1", "PUBLISH t/a m3 q1#2"], "no DUP: it never saw them");
}

#[test]
fn a_session_that_expires_hands_over_as_well() {
    let mut world = World::new();
    let mut first = member(&world, "1");
    let mut publisher = publisher(&world);
    publisher.publish_many(1, 2);
    assert_eq!(first.texts().len(), 2);
    let mut second = member(&world, "2");
    first.break_off();
    assert!(second.seen().is_empty(), "its session is there");
    world.later(101_000);
    second.now = world.now;
    assert_eq!(second.texts(), ["m1", "m2"]);
}

#[test]
fn a_clean_start_hands_over_as_well() {
    let world = World::new();
    let mut first = member(&world, "1");
    publisher(&world).publish_many(1, 2);
    assert_eq!(first.texts().len(), 2);
    let mut second = member(&world, "2");
    let mut again = world.connect(&Dial { clean: true, ..dial("1") });
    assert_eq!(second.texts(), ["m1", "m2"]);
    assert!(again.seen().is_empty());
    drop(first);
}

/// `[MQTT-4.8.2-4]`, `[MQTT-4.8.2-5]`
#[test]
fn qos_2_that_was_sent_is_completed_to_its_client_or_to_nobody() {
    for received in [false, true] {
        let mut world = World::new();
        let mut first = narrow(&world, "1");
        let mut publisher = publisher(&world);
        for id in 1..=2 {
            publisher.publish("t/a", QoS::ExactlyOnce, id, &format!("m{id}"));
        }
        assert_eq!(first.seen(), ["PUBLISH t/a m1 q2#1"]);
        if received {
            first.ack(Packet::PubRec, 1, ReasonCode::Success);
            assert_eq!(first.seen(), ["PUBREL 1 Success"]);
        }
        let mut second = member(&world, "2");
        assert!(second.seen().is_empty(), "a connected member keeps its queue");
        first.break_off();
        assert_eq!(second.seen(), ["PUBLISH t/a m2 q2#1"], "what was not sent");
        let expected = if received { "PUBREL 1 Success" } else { "PUBLISH t/a m1 q2#1 dup" };
        let (first, seen) = world.reconnect(&dial("1"));
        assert_eq!(seen, [expected]);
        first.break_off();
        world.later(101_000);
        second.now = world.now;
        assert!(second.seen().is_empty(), "nobody else, not even when the session has ended");
    }
}

#[test]
fn who_unsubscribes_gives_up_what_was_not_sent() {
    let world = World::new();
    let [mut first, mut second] = ["1", "2"].map(|id| narrow(&world, id));
    publisher(&world).publish_many(1, 4);
    assert_eq!((first.texts(), second.texts()), (vec!["m1".to_owned()], vec!["m2".to_owned()]));
    assert_eq!(first.unsubscribe(GROUP), ["UNSUBACK [Success]"]);
    first.acknowledge(1);
    assert!(first.seen().is_empty());
    for (id, text) in (1..).zip(["m3", "m4"]) {
        second.acknowledge(id);
        assert_eq!(second.texts(), [text]);
    }
}

#[test]
fn what_was_sent_before_an_unsubscribe_goes_on_when_the_session_ends() {
    let world = World::new();
    let mut first = member_as(&world, &passing("1"), QoS::AtLeastOnce);
    publisher(&world).publish_many(1, 1);
    let mut second = member(&world, "2");
    assert_eq!(first.unsubscribe(GROUP), ["PUBLISH t/a m1 q1#1", "UNSUBACK [Success]"]);
    assert!(second.seen().is_empty());
    first.break_off();
    assert_eq!(second.texts(), ["m1"]);
}

#[test]
fn a_new_member_gets_what_lies_with_absent_ones() {
    let world = World::new();
    absent(&world, "1");
    publisher(&world).publish_many(1, 3);
    let mut new = world.connect(&dial("2"));
    let seen = new.subscribe(GROUP, QoS::AtLeastOnce);
    let expected = ["SUBACK [GrantedQoS1]", "PUBLISH t/a m1 q1#1", "PUBLISH t/a m2 q1#2", "PUBLISH t/a m3 q1#3"];
    assert_eq!(seen, expected);
    assert_eq!(world.hub.queued_messages(), 0);
}

#[test]
fn what_lies_with_several_absent_members_comes_in_order() {
    let limits = Limits { queued_messages: 2, ..Limits::default() };
    let world = World::with(MqttSettings::default(), limits);
    for id in ["1", "2", "3"] {
        absent(&world, id);
    }
    publisher(&world).publish_many(1, 6);
    let (_third, seen) = world.reconnect(&dial("3"));
    let texts: Vec<_> = seen.iter().map(|packet| packet.split(' ').nth(2).unwrap()).collect();
    assert_eq!(texts, ["m1", "m2", "m3", "m4", "m5", "m6"]);
}

#[test]
fn only_what_fits_its_queue_comes_and_the_rest_when_that_is_drained() {
    let limits = Limits { queued_messages: 2, ..Limits::default() };
    let world = World::with(MqttSettings::default(), limits);
    for id in ["1", "2", "3"] {
        absent(&world, id);
    }
    publisher(&world).publish_many(1, 6);
    let narrow = dial("3").with(Property::ReceiveMaximum(1));
    let mut third = world.try_connect(&narrow).unwrap();
    assert_eq!(world.hub.queued_messages(), 5, "nothing was dropped");
    let mut texts = third.texts();
    for id in 1..=6 {
        third.acknowledge(id);
        texts.extend(third.texts());
    }
    texts.sort();
    assert_eq!(texts, ["m1", "m2", "m3", "m4", "m5", "m6"]);
}

#[test]
fn moved_messages_go_before_newer_ones_that_wait() {
    let world = World::new();
    let mut leaving = member_as(&world, &passing("1"), QoS::AtLeastOnce);
    let mut publisher = publisher(&world);
    publisher.publish_many(1, 3);
    assert_eq!(leaving.texts(), ["m1", "m2", "m3"]);
    let mut staying = narrow(&world, "2");
    staying.subscribe("t/own", QoS::AtLeastOnce);
    leaving.unsubscribe(GROUP);
    publisher.publish_many(4, 6);
    publisher.publish("t/own", QoS::AtLeastOnce, 7, "own");
    assert_eq!(staying.texts(), ["m4"]);
    leaving.break_off();
    let mut texts = Vec::new();
    for id in 1..=8 {
        staying.acknowledge(id);
        texts.extend(staying.texts());
    }
    texts.retain(|text| text != "own");
    assert_eq!(texts, ["m1", "m2", "m3", "m5", "m6"]);
}

#[test]
fn the_expiry_goes_on_counting() {
    let mut world = World::new();
    let first = member_as(&world, &passing("1"), QoS::AtLeastOnce);
    let mut publisher = publisher(&world);
    for (id, seconds) in [(1, 10), (2, 3)] {
        let expiry = [Property::MessageExpiryInterval(seconds)];
        publisher.publish_with("t/a", QoS::AtLeastOnce, id, "m", false, &expiry).unwrap();
    }
    let mut second = member(&world, "2");
    let before = METRICS.messages_expired.value();
    world.later(4_000);
    let mut first = first;
    first.now = world.now;
    first.break_off();
    second.now = world.now;
    assert_eq!(second.seen(), ["PUBLISH t/a m q1#1 expiry=6"]);
    assert!(METRICS.messages_expired.value() > before);
}

#[test]
fn the_qos_is_that_of_the_member_it_goes_to() {
    let world = World::new();
    let first = member_as(&world, &passing("1"), QoS::AtLeastOnce);
    let mut publisher = publisher(&world);
    publisher.publish("t/a", QoS::ExactlyOnce, 1, "m");
    let mut second = member(&world, "2");
    first.break_off();
    assert_eq!(second.seen(), ["PUBLISH t/a m q2#1"], "published with QoS 2, subscribed with QoS 2");
}

#[test]
fn what_finds_no_group_is_dropped_and_counted() {
    let world = World::new();
    let last = member_as(&world, &passing("1"), QoS::AtLeastOnce);
    publisher(&world).publish_many(1, 3);
    let before = METRICS.shared_messages_lost.value();
    last.break_off();
    assert!(METRICS.shared_messages_lost.value() >= before + 3);
    assert!(member(&world, "2").seen().is_empty());
}

#[test]
fn a_session_that_goes_on_elsewhere_keeps_what_it_has() {
    let world = World::new();
    let mut first = narrow(&world, "1");
    let mut second = narrow(&world, "2");
    publisher(&world).publish_many(1, 4);
    assert_eq!((first.texts(), second.texts()), (vec!["m1".to_owned()], vec!["m2".to_owned()]));
    let (mut elsewhere, seen) = world.reconnect(&dial("1"));
    assert_eq!(seen, ["PUBLISH t/a m1 q1#1 dup", "PUBLISH t/a m3 q1#2"]);
    drop(first);
    elsewhere.acknowledge(1);
    assert!(elsewhere.seen().is_empty());
}

/// The queue bounds of the receiving member hold.
#[test]
fn more_than_the_others_can_keep_gives_way_and_is_counted() {
    let limits = Limits { queued_messages: 2, ..Limits::default() };
    let world = World::with(MqttSettings::default(), limits);
    let first = member_as(&world, &passing("1"), QoS::AtLeastOnce);
    publisher(&world).publish_many(1, 5);
    absent(&world, "2");
    let before = METRICS.messages_dropped_queue_full.value();
    first.break_off();
    assert_eq!(world.hub.queued_messages(), 2);
    assert!(METRICS.messages_dropped_queue_full.value() >= before + 3);
}
