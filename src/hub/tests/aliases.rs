//! Topic aliases towards the client.

use super::fixture::{Connection, Dial, World};
use crate::config::{Limits, MqttSettings};
use crate::protocol::{Packet, Property, QoS, ReasonCode};

/// A reader of `t/#` that takes `maximum` aliases, and a publisher.
fn reading(maximum: u16) -> (World, Connection, Connection) {
    let world = World::new();
    let mut reader = world.connect(&Dial::v5("a").with(Property::TopicAliasMaximum(maximum)));
    reader.subscribe("t/#", QoS::AtLeastOnce);
    let publisher = world.connect(&Dial::v5("b"));
    (world, reader, publisher)
}

fn said(publisher: &mut Connection, reader: &mut Connection, topic: &str, text: &str) -> Vec<String> {
    publisher.publish(topic, QoS::AtMostOnce, 0, text);
    reader.seen()
}

#[test]
fn a_topic_that_comes_again_goes_by_its_alias() {
    let (_world, mut reader, mut publisher) = reading(10);
    assert_eq!(said(&mut publisher, &mut reader, "t/one", "1"), ["PUBLISH t/one 1 alias=1"]);
    assert_eq!(said(&mut publisher, &mut reader, "t/two", "2"), ["PUBLISH t/two 2 alias=2"]);
    assert_eq!(said(&mut publisher, &mut reader, "t/one", "3"), ["PUBLISH - 3 alias=1"]);
    publisher.publish("t/two", QoS::AtLeastOnce, 1, "4");
    assert_eq!(reader.seen(), ["PUBLISH - 4 q1#1 alias=2"], "with every QoS");
}

#[test]
fn no_alias_goes_to_a_client_that_takes_none() {
    let (world, mut reader, mut publisher) = reading(0);
    let mut old = world.connect(&Dial { id: "old", ..Dial::v3("a") });
    old.subscribe("t/#", QoS::AtMostOnce);
    for _ in 0..3 {
        assert_eq!(said(&mut publisher, &mut reader, "t/one", "m"), ["PUBLISH t/one m"]);
    }
    assert_eq!(old.seen(), ["PUBLISH t/one m"; 3]);
}

#[test]
fn no_alias_is_above_the_maximum_of_the_client_or_the_setting() {
    for (taken, set, last) in [(3, 8, 3), (1000, 4, 4), (7, 0, 0)] {
        let settings = MqttSettings { outgoing_topic_aliases: set, ..MqttSettings::default() };
        let world = World::with(settings, Limits::default());
        let mut reader = world.connect(&Dial::v5("a").with(Property::TopicAliasMaximum(taken)));
        reader.subscribe("t/#", QoS::AtMostOnce);
        let mut publisher = world.connect(&Dial::v5("b"));
        let aliases = (0..200).filter_map(|n| {
            let seen = said(&mut publisher, &mut reader, &format!("t/{n:03}"), "m");
            assert!(seen[0].starts_with(&format!("PUBLISH t/{n:03} ")), "a topic that is new is spelled out: {seen:?}");
            seen[0].split_once("alias=").map(|(_, alias)| alias.parse::<u16>().unwrap())
        });
        assert_eq!(aliases.max().unwrap_or(0), last, "client {taken}, setting {set}");
    }
}

/// A client as the standard describes it resolves every alias, whatever the order of topics.
#[test]
fn every_alias_means_what_the_client_was_told() {
    let (_world, mut reader, mut publisher) = reading(3);
    let mut known = std::collections::HashMap::new();
    let mut by_alias = 0;
    for step in 0..2_000_u32 {
        // Two topics come often, the others now and then.
        let number = if step % 3 > 0 { step % 3 } else { step.wrapping_mul(2_654_435_761) % 40 };
        let seen = said(&mut publisher, &mut reader, &format!("t/topic/{number}"), &number.to_string());
        let mut words = seen[0].split(' ').skip(1);
        let (topic, payload) = (words.next().unwrap(), words.next().unwrap());
        let alias = words.next().map(ToOwned::to_owned);
        let meant = match (topic, alias) {
            ("-", Some(alias)) => {
                by_alias += 1;
                known.get(&alias).cloned().unwrap()
            }
            (topic, Some(alias)) => {
                known.insert(alias, topic.to_owned());
                topic.to_owned()
            }
            (topic, None) => topic.to_owned(),
        };
        assert_eq!(meant, format!("t/topic/{payload}"));
    }
    assert!(by_alias > 1_000, "the two that come often go by alias, {by_alias} of 2000");
}

#[test]
fn a_frame_that_found_no_room_taught_no_alias() {
    let world = World::new();
    let dial = Dial { outbound: 60, ..Dial::v5("a").with(Property::TopicAliasMaximum(10)) };
    let mut reader = world.connect(&dial);
    reader.subscribe("t/#", QoS::AtLeastOnce);
    let mut publisher = world.connect(&Dial::v5("b"));
    publisher.publish("t/first", QoS::AtMostOnce, 0, &"x".repeat(40));
    publisher.publish("t/second", QoS::AtMostOnce, 0, "dropped for want of room, taught nobody");
    assert_eq!(reader.seen(), ["PUBLISH t/first 40 bytes alias=1"]);
    assert_eq!(said(&mut publisher, &mut reader, "t/second", "m"), ["PUBLISH t/second m alias=2"]);
}

#[test]
fn a_large_frame_by_reference_goes_by_alias_too() {
    let world = World::new();
    let mut reader = world.connect(&Dial { outbound: 60, ..Dial::v5("a").with(Property::TopicAliasMaximum(10)) });
    reader.subscribe("t/#", QoS::AtMostOnce);
    let mut publisher = world.connect(&Dial::v5("b"));
    let text = "x".repeat(5_000);
    assert_eq!(said(&mut publisher, &mut reader, "t/large", &text), ["PUBLISH t/large 5000 bytes alias=1"]);
    assert_eq!(said(&mut publisher, &mut reader, "t/large", &text), ["PUBLISH - 5000 bytes alias=1"]);
}

#[test]
fn a_repetition_on_a_new_connection_starts_without_aliases() {
    let (world, mut reader, mut publisher) = reading(10);
    for id in 1..=2 {
        publisher.publish("t/one", QoS::AtLeastOnce, id, "m");
    }
    assert_eq!(reader.seen(), ["PUBLISH t/one m q1#1 alias=1", "PUBLISH - m q1#2 alias=1"]);
    reader.break_off();
    let again = world.connect_and_see(&Dial::v5("a").with(Property::TopicAliasMaximum(10)));
    assert_eq!(again.1, ["PUBLISH t/one m q1#1 dup alias=1", "PUBLISH - m q1#2 dup alias=1"]);
    again.0.leave(ReasonCode::Success);
    let without = world.connect_and_see(&Dial::v5("a"));
    assert_eq!(without.1, ["PUBLISH t/one m q1#1 dup", "PUBLISH t/one m q1#2 dup"], "nor with what this one takes not");
}

#[test]
fn an_alias_that_makes_a_message_too_large_is_left_out() {
    let world = World::new();
    // 2 + 2 + 5 + 1 + 10 bytes without an alias.
    let terms = [Property::TopicAliasMaximum(10), Property::MaximumPacketSize(20)];
    let mut reader = world.connect(&terms.into_iter().fold(Dial::v5("a"), Dial::with));
    reader.subscribe("t/#", QoS::AtMostOnce);
    let mut publisher = world.connect(&Dial::v5("b"));
    for _ in 0..2 {
        assert_eq!(said(&mut publisher, &mut reader, "t/one", "1234567890"), ["PUBLISH t/one 1234567890"]);
    }
    assert_eq!(said(&mut publisher, &mut reader, "t/one", "1234567"), ["PUBLISH t/one 1234567 alias=1"]);
    assert_eq!(said(&mut publisher, &mut reader, "t/one", "123456789012"), ["PUBLISH - 123456789012 alias=1"]);
}

#[test]
fn a_connection_that_only_pings_forgets_its_aliases() {
    let (_world, mut reader, mut publisher) = reading(10);
    said(&mut publisher, &mut reader, "t/one", "m");
    reader.handle(Packet::PingReq).unwrap();
    assert_eq!(reader.seen(), ["PingResp"]);
    assert_eq!(said(&mut publisher, &mut reader, "t/one", "m"), ["PUBLISH - m alias=1"], "used since the last ping");
    for _ in 0..2 {
        reader.handle(Packet::PingReq).unwrap();
    }
    assert_eq!(reader.seen(), ["PingResp"; 2]);
    assert_eq!(said(&mut publisher, &mut reader, "t/one", "m"), ["PUBLISH t/one m alias=1"]);
}
