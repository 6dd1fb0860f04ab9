//! Subscriptions: options, identifiers, overlap, sharing, retained messages.

use super::fixture::{Dial, World};
use crate::protocol::{Property, QoS, RetainHandling, SubscriptionOptions};

fn options(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions::new(qos)
}

#[test]
fn overlapping_subscriptions_give_one_copy_with_the_highest_qos_and_all_identifiers() {
    let world = World::new();
    let mut client = world.connect(&Dial::v5("a"));
    client.subscribe_with("t/#", options(QoS::AtMostOnce), Some(1));
    client.subscribe_with("t/+", options(QoS::AtLeastOnce), Some(2));
    client.publish("t/a", QoS::ExactlyOnce, 1, "m");
    client.publish("t/a", QoS::ExactlyOnce, 2, "m");
    let copies =
        ["PUBREC 1 Success", "PUBLISH t/a m q1#1 sub=1 sub=2", "PUBREC 2 Success", "PUBLISH t/a m q1#2 sub=1 sub=2"];
    assert_eq!(client.seen(), copies);
}

#[test]
fn no_local_keeps_own_publications_away() {
    let world = World::new();
    let mut own = world.connect(&Dial::v5("a"));
    own.subscribe_with("t/a", SubscriptionOptions { no_local: true, ..options(QoS::AtMostOnce) }, None);
    own.publish("t/a", QoS::AtMostOnce, 0, "own");
    world.connect(&Dial::v5("b")).publish("t/a", QoS::AtMostOnce, 0, "other");
    assert_eq!(own.seen(), ["PUBLISH t/a other"]);
}

#[test]
fn unsubscribe_counts_at_once_though_a_route_is_remembered() {
    let world = World::new();
    let mut reader = world.connect(&Dial::v5("a"));
    let mut publisher = world.connect(&Dial::v5("b"));
    reader.subscribe("t/a", QoS::AtMostOnce);
    publisher.publish("t/a", QoS::AtMostOnce, 0, "1");
    assert_eq!(reader.unsubscribe("t/a"), ["PUBLISH t/a 1", "UNSUBACK [Success]"]);
    publisher.publish("t/a", QoS::AtMostOnce, 0, "2");
    assert_eq!(reader.unsubscribe("t/a"), ["UNSUBACK [NoSubscriptionExisted]"]);
    reader.subscribe("t/a", QoS::AtMostOnce);
    publisher.publish("t/a", QoS::AtMostOnce, 0, "3");
    assert_eq!(reader.seen(), ["PUBLISH t/a 3"]);
}

#[test]
fn retained_messages_are_set_and_cleared_only_with_the_flag() {
    let world = World::new();
    let mut publisher = world.connect(&Dial::v5("b"));
    let mut reader = world.connect(&Dial::v5("a"));
    publisher.retain("t/a", "m");
    publisher.publish("t/a", QoS::AtMostOnce, 0, "");
    assert_eq!(reader.subscribe("t/a", QoS::AtMostOnce), ["SUBACK [Success]", "PUBLISH t/a m retain"]);
    publisher.retain("t/a", "");
    assert_eq!(reader.seen(), ["PUBLISH t/a "], "a live one is not flagged");
    assert_eq!(reader.subscribe("t/a", QoS::AtMostOnce), ["SUBACK [Success]"]);
    assert_eq!(world.hub.status().retained, 0);
}

#[test]
fn retain_handling_chooses_when_retained_messages_come() {
    let world = World::new();
    world.connect(&Dial::v5("b")).retain("t/a", "m");
    for (retain_handling, counts) in [
        (RetainHandling::OnSubscribe, [2, 2]),
        (RetainHandling::OnNewSubscription, [2, 1]),
        (RetainHandling::Never, [1, 1]),
    ] {
        let mut reader = world.connect(&Dial { clean: true, ..Dial::v5("a") });
        for count in counts {
            let options = SubscriptionOptions { retain_handling, ..options(QoS::AtMostOnce) };
            assert_eq!(reader.subscribe_with("t/a", options, None).len(), count, "{retain_handling:?}");
        }
    }
}

#[test]
fn retain_as_published_keeps_the_flag_of_live_messages() {
    let world = World::new();
    let mut reader = world.connect(&Dial::v5("a"));
    reader.subscribe_with("t/a", SubscriptionOptions { retain_as_published: true, ..options(QoS::AtMostOnce) }, None);
    world.connect(&Dial::v5("b")).retain("t/a", "m");
    assert_eq!(reader.seen(), ["PUBLISH t/a m retain"]);
}

#[test]
fn expired_retained_messages_do_not_come() {
    let mut world = World::new();
    let expiry = [Property::MessageExpiryInterval(5)];
    world.connect(&Dial::v5("b")).publish_with("t/a", QoS::AtMostOnce, 0, "m", true, &expiry).unwrap();
    world.later(4_500);
    let mut reader = world.connect(&Dial::v5("a"));
    assert_eq!(reader.subscribe("t/a", QoS::AtMostOnce)[1..], ["PUBLISH t/a m retain expiry=1"]);
    reader.now = crate::session::Moment(6_000);
    assert_eq!(reader.subscribe("t/a", QoS::AtMostOnce).len(), 1);
}

#[test]
fn many_retained_messages_stream_through_a_small_outbound() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let world = World::new();
        let mut publisher = world.connect(&Dial::v5("b"));
        for number in 0..3_000 {
            publisher.publish_with(&format!("t/{number:04}"), qos, 1, "m", true, &[]).unwrap();
        }
        let mut reader = world.connect(&Dial { outbound: 200, ..Dial::v5("a") });
        let mut seen = reader.subscribe("t/#", qos);
        let mut acknowledged = 0;
        while qos > QoS::AtMostOnce && acknowledged < seen.len() - 1 {
            acknowledged += 1;
            let id = u16::try_from(acknowledged).unwrap();
            reader.ack(crate::protocol::Packet::PubAck, id, crate::protocol::ReasonCode::Success);
            seen.extend(reader.seen());
        }
        assert_eq!(seen.len(), 3_001, "{qos:?}");
        assert!(
            seen[1..].is_sorted_by_key(|packet| packet.split(' ').nth(1).unwrap().to_owned()),
            "each once, in order"
        );
    }
}
