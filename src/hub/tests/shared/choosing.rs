//! Connected first, fewest in flight, by turn; queues only where nobody can be sent to.

use super::{GROUP, absent, dial, member, member_as, narrow, passing, publisher};
use crate::config::mqtt::QueueFull;
use crate::config::{Limits, MqttSettings};
use crate::hub::tests::fixture::{Connection, Dial, World};
use crate::protocol::{Packet, Property, QoS, ReasonCode, SubscriptionOptions, TopicFilter};
use crate::telemetry::metrics::METRICS;

#[test]
fn members_take_turns() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let world = World::new();
        let mut members = ["1", "2", "3"].map(|id| member(&world, id));
        let mut publisher = publisher(&world);
        for number in 1..=9 {
            publisher.publish("t/a", qos, number, &format!("m{number}"));
        }
        let texts = members.each_mut().map(Connection::texts);
        assert_eq!(texts, [["m1", "m4", "m7"], ["m2", "m5", "m8"], ["m3", "m6", "m9"]], "{qos:?}");
    }
}

#[test]
fn the_member_with_the_fewest_in_flight_comes_first() {
    let world = World::new();
    let [mut first, mut second] = ["1", "2"].map(|id| member(&world, id));
    let mut publisher = publisher(&world);
    publisher.publish_many(1, 6);
    assert_eq!((first.texts().len(), second.texts().len()), (3, 3));
    for id in 1..=3 {
        second.acknowledge(id);
    }
    publisher.publish_many(7, 9);
    assert_eq!((first.texts().len(), second.texts().len()), (0, 3), "the second has caught up with the first");
    publisher.publish_many(10, 11);
    assert_eq!((first.texts().len(), second.texts().len()), (1, 1), "then they take turns again");
}

/// What came through other subscriptions weighs as much.
#[test]
fn in_flight_counts_whatever_it_came_through() {
    let world = World::new();
    let [mut busy, mut idle] = ["1", "2"].map(|id| world.connect(&dial(id)));
    busy.subscribe("t/own", QoS::AtLeastOnce);
    for member in [&mut busy, &mut idle] {
        member.subscribe("$share/g/t/a", QoS::AtLeastOnce);
    }
    let mut publisher = publisher(&world);
    publisher.publish("t/own", QoS::AtLeastOnce, 1, "own");
    publisher.publish_many(1, 2);
    assert_eq!((busy.texts(), idle.texts()), (vec!["own".to_owned(), "m2".to_owned()], vec!["m1".to_owned()]));
}

#[test]
fn a_member_that_is_away_gets_nothing_while_another_is_connected() {
    let world = World::new();
    absent(&world, "1");
    let mut present = member(&world, "2");
    absent(&world, "3");
    publisher(&world).publish_many(1, 4);
    assert_eq!(present.texts().len(), 4);
    assert_eq!(world.hub.queued_messages(), 0);
}

#[test]
fn a_full_window_is_passed_over() {
    let world = World::new();
    let [mut slow, mut quick] = [narrow(&world, "1"), member(&world, "2")];
    publisher(&world).publish_many(1, 5);
    assert_eq!((slow.texts().len(), quick.texts().len()), (1, 4));
}

#[test]
fn a_full_outbound_is_passed_over() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let world = World::new();
        let mut slow = member_as(&world, &Dial { outbound: 40, ..dial("1") }, QoS::AtLeastOnce);
        let mut quick = member(&world, "2");
        let text = "x".repeat(25);
        let mut publisher = publisher(&world);
        for number in 1..=5 {
            publisher.publish("t/a", qos, number, &text);
        }
        assert_eq!((slow.seen().len(), quick.seen().len()), (1, 4), "{qos:?}");
        publisher.publish("t/a", qos, 6, &text);
        assert_eq!((slow.seen().len(), quick.seen().len()), (1, 0), "{qos:?}: it has room again");
    }
}

#[test]
fn qos_0_needs_no_window_and_is_never_queued() {
    let world = World::new();
    let mut only = narrow(&world, "1");
    let mut publisher = publisher(&world);
    publisher.publish_many(1, 1);
    publisher.publish("t/a", QoS::AtMostOnce, 0, "0");
    assert_eq!(only.texts(), ["m1", "0"]);
    only.break_off();
    publisher.publish("t/a", QoS::AtMostOnce, 0, "0");
    assert_eq!(world.hub.queued_messages(), 0);
}

#[test]
fn what_nobody_can_be_sent_is_queued_where_the_fewest_wait() {
    let world = World::new();
    let [mut first, mut second] = ["1", "2"].map(|id| narrow(&world, id));
    absent(&world, "3");
    publisher(&world).publish_many(1, 6);
    assert_eq!(world.hub.queued_messages(), 4);
    for (member, expected) in [(&mut first, ["m1", "m3", "m5"]), (&mut second, ["m2", "m4", "m6"])] {
        for (id, text) in (1..).zip(expected) {
            assert_eq!(member.texts(), [text]);
            member.acknowledge(id);
        }
    }
}

#[test]
fn all_away_one_of_them_keeps_what_comes() {
    let world = World::new();
    for id in ["1", "2"] {
        absent(&world, id);
    }
    publisher(&world).publish_many(1, 3);
    assert_eq!(world.hub.queued_messages(), 3);
    let (_second, seen) = world.reconnect(&dial("2"));
    assert_eq!(seen, ["PUBLISH t/a m1 q1#1", "PUBLISH t/a m2 q1#2", "PUBLISH t/a m3 q1#3"]);
    assert_eq!(world.reconnect(&dial("1")).1.len(), 0);
}

#[test]
fn a_full_queue_is_passed_over_before_anything_gives_way() {
    for (queue_full, last, kept) in [
        (QueueFull::DropOldest, "PUBACK 5 Success", ["m2", "m3", "m4", "m5"]),
        (QueueFull::DropNewest, "PUBACK 5 NoMatchingSubscribers", ["m1", "m2", "m3", "m4"]),
        (QueueFull::Refuse, "PUBACK 5 QuotaExceeded", ["m1", "m2", "m3", "m4"]),
    ] {
        let limits = Limits { queued_messages: 2, ..Limits::default() };
        let world = World::with(MqttSettings { queue_full, ..MqttSettings::default() }, limits);
        for id in ["1", "2"] {
            absent(&world, id);
        }
        let mut publisher = publisher(&world);
        let before = METRICS.messages_dropped_queue_full.value();
        publisher.publish_many(1, 5);
        assert_eq!(publisher.seen().last().unwrap(), last);
        assert_eq!(world.hub.queued_messages(), 4, "{queue_full:?}");
        assert!(METRICS.messages_dropped_queue_full.value() > before || queue_full == QueueFull::Refuse);
        let (mut first, seen) = world.reconnect(&dial("1"));
        assert_eq!(seen.len(), 4, "{queue_full:?}: its own two and those of the other");
        let mut texts: Vec<_> = seen.iter().map(|packet| packet.split(' ').nth(2).unwrap()).collect();
        texts.sort_unstable();
        assert_eq!(texts, kept, "{queue_full:?}");
        assert!(first.seen().is_empty());
    }
}

#[test]
fn qos_flags_and_identifier_are_those_of_the_chosen_member() {
    let world = World::new();
    let [mut first, mut second] = ["1", "2"].map(|id| world.connect(&dial(id)));
    let flagged = SubscriptionOptions { retain_as_published: true, ..SubscriptionOptions::new(QoS::AtLeastOnce) };
    first.subscribe_with(GROUP, flagged, Some(7));
    second.subscribe_with(GROUP, SubscriptionOptions::new(QoS::AtMostOnce), Some(8));
    let mut publisher = publisher(&world);
    for id in 1..=2 {
        publisher.publish_with("t/a", QoS::ExactlyOnce, id, "m", true, &[]).unwrap();
    }
    assert_eq!(first.seen(), ["PUBLISH t/a m q1#1 retain sub=7"]);
    assert_eq!(second.seen(), ["PUBLISH t/a m sub=8"]);
}

#[test]
fn an_ordinary_subscription_gets_a_copy_of_its_own() {
    let world = World::new();
    let mut both = world.connect(&dial("1"));
    both.subscribe_with(GROUP, SubscriptionOptions::new(QoS::AtLeastOnce), Some(1));
    both.subscribe_with("$share/h/t/+", SubscriptionOptions::new(QoS::AtLeastOnce), Some(2));
    both.subscribe_with("t/a", SubscriptionOptions::new(QoS::AtMostOnce), Some(3));
    publisher(&world).publish_many(1, 1);
    let mut seen = both.seen();
    seen.sort();
    assert_eq!(seen, ["PUBLISH t/a m1 q1#1 sub=1", "PUBLISH t/a m1 q1#2 sub=2", "PUBLISH t/a m1 sub=3"]);
}

#[test]
fn each_filter_of_a_share_name_is_a_group_of_its_own() {
    let world = World::new();
    let mut first = member(&world, "1");
    let mut second = world.connect(&dial("2"));
    second.subscribe("$share/g/t/a", QoS::AtLeastOnce);
    publisher(&world).publish_many(1, 2);
    assert_eq!((first.texts().len(), second.texts().len()), (2, 2));
}

#[test]
fn a_shared_subscription_brings_no_retained_messages() {
    let world = World::new();
    publisher(&world).retain("t/a", "m");
    let mut member = world.connect(&dial("1"));
    assert_eq!(member.subscribe(GROUP, QoS::AtLeastOnce), ["SUBACK [GrantedQoS1]"]);
    assert_eq!(member.subscribe("t/#", QoS::AtMostOnce).len(), 2, "an ordinary one does");
}

#[test]
fn older_versions_share_as_well() {
    let world = World::new();
    let mut members = ["1", "2"].map(|id| {
        let mut member = world.connect(&Dial { id, ..Dial::v3("a") });
        assert_eq!(member.subscribe(GROUP, QoS::AtLeastOnce), ["SUBACK [GrantedQoS1]"]);
        member
    });
    publisher(&world).publish_many(1, 4);
    assert_eq!(members.each_mut().map(|member| member.seen().len()), [2, 2]);
}

#[test]
fn share_names_without_a_name_a_filter_or_with_wildcards_are_none() {
    for bad in ["$share", "$share/", "$share/g", "$share/g/", "$share//t", "$share/+/t", "$share/g#/t", "$share/g+/t"] {
        assert!(TopicFilter::parse(bad).is_err(), "{bad}");
    }
    for good in ["$share/g/t", "$share/g//", "$share/$g/#", "$shared/t"] {
        assert!(TopicFilter::parse(good).is_ok(), "{good}");
    }
}

#[test]
fn a_message_too_large_for_one_goes_to_another() {
    let world = World::new();
    let mut small = member_as(&world, &dial("1").with(Property::MaximumPacketSize(30)), QoS::AtLeastOnce);
    let mut large = member(&world, "2");
    let mut publisher = publisher(&world);
    for id in 1..=2 {
        publisher.publish("t/a", QoS::AtLeastOnce, id, &"x".repeat(40));
    }
    assert_eq!((small.seen().len(), large.seen().len()), (0, 2));
    large.break_off();
    publisher.publish("t/a", QoS::AtLeastOnce, 3, "small");
    assert_eq!(small.texts(), ["small"]);
}

/// `[MQTT-4.8.2-6]`
#[test]
fn a_refused_message_is_done() {
    for (qos, answer) in [
        (QoS::AtLeastOnce, Packet::PubAck as fn(crate::protocol::Ack<'static>) -> Packet<'static>),
        (QoS::ExactlyOnce, Packet::PubRec),
    ] {
        let world = World::new();
        let mut first = member_as(&world, &passing("1"), QoS::ExactlyOnce);
        let mut second = member(&world, "2");
        publisher(&world).publish("t/a", qos, 1, "m");
        assert_eq!(first.seen().len(), 1);
        first.ack(answer, 1, ReasonCode::ImplementationSpecificError);
        assert!(first.seen().is_empty());
        first.break_off();
        assert!(second.seen().is_empty(), "{qos:?}");
    }
}

/// A publish must not cost by members: among many, each message asks one or two of them.
#[test]
fn many_members_each_get_their_share() {
    let world = World::new();
    let ids: Vec<&'static str> = (0..100).map(|number| &*Box::leak(format!("{number}").into_boxed_str())).collect();
    let mut members: Vec<_> = ids.iter().map(|id| member(&world, id)).collect();
    let mut publisher = publisher(&world);
    for number in 0..1_000 {
        publisher.publish("t/a", QoS::AtLeastOnce, number % 100 + 1, "m");
    }
    assert!(members.iter_mut().all(|member| member.seen().len() == 10));
}
