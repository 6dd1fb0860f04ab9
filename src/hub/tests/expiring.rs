//! Session expiry, message expiry, retained messages that expire.

use super::fixture::{Connection, Dial, World};
use crate::config::mqtt::QueueFull;
use crate::config::{Limits, MqttSettings};
use crate::hub::Closed;
use crate::protocol::{Disconnect, Packet, PropertiesBuf, Property, QoS, ReasonCode, Version};
use std::time::Duration;

const NONE: [&str; 0] = [];

fn lasting(seconds: u32) -> Dial {
    Dial { properties: vec![Property::SessionExpiryInterval(seconds)], ..Dial::v5("a") }
}

/// The session expiry that CONNACK announces.
fn announced(world: &World, dial: &Dial) -> Option<u32> {
    let mut announced = None;
    world.try_connect(dial).unwrap().each(|packet| {
        let Packet::ConnAck(answer) = packet else { panic!("{packet:?}") };
        announced = answer.properties.session_expiry_interval();
    });
    announced
}

fn leave_with(mut client: Connection, seconds: u32) -> Closed {
    let mut properties = PropertiesBuf::new();
    properties.push(Property::SessionExpiryInterval(seconds));
    let disconnect = Disconnect { reason: ReasonCode::Success, properties: properties.as_properties() };
    let closed = client.handle(Packet::Disconnect(disconnect)).unwrap_err();
    client.break_off();
    closed
}

#[test]
fn a_session_expiry_is_announced_where_it_is_not_what_was_asked() {
    let settings = MqttSettings { maximum_session_expiry: Duration::from_secs(100), ..MqttSettings::default() };
    let world = World::with(settings, Limits::default());
    for (asked, told) in [(0, None), (99, None), (100, None), (101, Some(100)), (u32::MAX, Some(100))] {
        assert_eq!(announced(&world, &lasting(asked)), told, "{asked}");
    }
    assert_eq!(announced(&world, &Dial { properties: Vec::new(), ..Dial::v5("a") }), None);
}

#[test]
fn a_maximum_of_nothing_keeps_no_session() {
    let settings = MqttSettings { maximum_session_expiry: Duration::ZERO, ..MqttSettings::default() };
    for dial in [lasting(100), lasting(u32::MAX), Dial::v3("a")] {
        let world = World::with(settings.clone(), Limits::default());
        world.connect(&dial).break_off();
        assert_eq!(world.hub.status().sessions, 0, "{:?}", dial.version);
    }
}

#[test]
fn a_disconnect_may_change_the_session_expiry() {
    let mut world = World::new();
    assert_eq!(leave_with(world.connect(&lasting(100)), 10), Closed::ByClient);
    world.later(9_999);
    assert_eq!(world.hub.status().sessions, 1);
    world.later(1);
    assert_eq!(world.hub.status().sessions, 0);
    assert_eq!(leave_with(world.connect(&lasting(1)), 50), Closed::ByClient);
    world.later(49_999);
    assert_eq!(world.hub.status().sessions, 1);
    world.later(1);
    assert_eq!(world.hub.status().sessions, 0);
    assert_eq!(leave_with(world.connect(&lasting(100)), 0), Closed::ByClient);
    assert_eq!(world.hub.status().sessions, 0);
}

#[test]
fn a_disconnect_may_not_give_a_session_that_connect_had_not_asked_for() {
    let world = World::new();
    let closed = leave_with(world.connect(&lasting(0)), 10);
    assert!(matches!(closed, Closed::Fault(ReasonCode::ProtocolError, _)));
    assert_eq!(world.hub.status().sessions, 0);
    assert_eq!(leave_with(world.connect(&lasting(0)), 0), Closed::ByClient, "0 stays 0");
}

#[test]
fn the_session_of_a_3x_client_lives_as_long_as_the_maximum() {
    let settings = MqttSettings { maximum_session_expiry: Duration::from_secs(100), ..MqttSettings::default() };
    for version in [Version::V3_1, Version::V3_1_1] {
        let mut world = World::with(settings.clone(), Limits::default());
        world.connect(&Dial { version, ..Dial::v3("a") }).break_off();
        world.later(99_999);
        assert_eq!(world.hub.status().sessions, 1);
        world.later(1);
        assert_eq!(world.hub.status().sessions, 0);
    }
}

/// A reader of `t/#` that is away, while something waits for it that lives ten seconds.
fn waiting() -> World {
    let world = World::new();
    let mut reader = world.connect(&Dial::v5("a"));
    reader.subscribe("t/#", QoS::AtLeastOnce);
    reader.break_off();
    let mut publisher = world.connect(&Dial::v5("b"));
    let ten = [Property::MessageExpiryInterval(10)];
    publisher.publish_with("t/a", QoS::AtLeastOnce, 1, "m", false, &ten).unwrap();
    world
}

#[test]
fn a_queued_message_has_what_is_left_of_its_expiry() {
    for (waited, left) in [(0, 10), (1, 10), (1_000, 9), (8_999, 2), (9_000, 1), (9_999, 1)] {
        let mut world = waiting();
        world.later(waited);
        let seen = world.connect_and_see(&Dial::v5("a")).1;
        assert_eq!(seen, [format!("PUBLISH t/a m q1#1 expiry={left}")], "after {waited} ms");
    }
}

#[test]
fn a_queued_message_that_has_expired_does_not_come() {
    let mut world = waiting();
    world.later(10_000);
    assert_eq!(world.connect_and_see(&Dial::v5("a")).1, NONE);
}

#[test]
fn a_retained_message_has_what_is_left_of_its_expiry() {
    let mut world = World::new();
    let mut publisher = world.connect(&Dial::v5("b"));
    let ten = [Property::MessageExpiryInterval(10)];
    publisher.publish_with("t/a", QoS::AtMostOnce, 0, "m", true, &ten).unwrap();
    world.later(8_500);
    let mut reader = world.connect(&Dial::v5("a"));
    assert_eq!(reader.subscribe("t/a", QoS::AtMostOnce)[1], "PUBLISH t/a m retain expiry=2");
    world.later(1_500);
    let mut late = world.connect(&Dial { id: "late", ..Dial::v5("a") });
    assert_eq!(late.subscribe("t/a", QoS::AtMostOnce).len(), 1, "the SUBACK alone");
}

#[test]
fn expired_retained_messages_are_forgotten_and_make_room() {
    let limits = Limits { retained_messages: 1_000, ..Limits::default() };
    let mut world = World::with(MqttSettings::default(), limits);
    let mut publisher = world.connect(&Dial::v5("b"));
    for number in 0..1_000_u32 {
        let lives = [Property::MessageExpiryInterval(if number < 900 { 10 } else { 20 })];
        publisher.publish_with(&format!("t/{number}"), QoS::AtMostOnce, 0, "m", true, &lives).unwrap();
    }
    // Replaced by one that stays: its old expiry is void. Cleared: it is counted no more.
    publisher.retain("t/0", "stays");
    publisher.retain("t/1", "");
    assert_eq!(world.hub.status().retained, 999);
    world.later(9_999);
    assert_eq!(world.hub.status().retained, 999);
    world.later(1);
    assert_eq!(world.hub.status().retained, 101);
    world.later(10_000);
    assert_eq!(world.hub.status().retained, 1);
    for number in 1..1_000_u32 {
        publisher.retain(&format!("t/new/{number}"), "m");
    }
    assert_eq!(world.hub.status().retained, 1_000, "the room is free again");
}

#[test]
fn an_interval_of_zero_is_over_before_anything_waits() {
    let world = World::new();
    let mut reader = world.connect(&Dial::v5("a"));
    reader.subscribe("t/#", QoS::AtLeastOnce);
    reader.break_off();
    let mut publisher = world.connect(&Dial::v5("b"));
    let zero = [Property::MessageExpiryInterval(0)];
    publisher.publish_with("t/a", QoS::AtLeastOnce, 1, "m", true, &zero).unwrap();
    assert_eq!(world.connect_and_see(&Dial::v5("a")).1, NONE);
}

/// Otherwise messages that nobody will ever get would keep out those that somebody wants, or their publisher.
#[test]
fn what_has_expired_in_a_full_queue_keeps_nothing_out() {
    for queue_full in [QueueFull::DropOldest, QueueFull::DropNewest, QueueFull::Refuse] {
        for filter in ["t/a", "$share/g/t/a"] {
            let limits = Limits { queued_messages: 3, ..Limits::default() };
            let mut world = World::with(MqttSettings { queue_full, ..MqttSettings::default() }, limits);
            let mut reader = world.connect(&lasting(1_000));
            reader.subscribe(filter, QoS::AtLeastOnce);
            reader.break_off();
            let mut publisher = world.connect(&Dial::v5("b"));
            publisher.publish("t/a", QoS::AtLeastOnce, 1, "stays");
            for id in [2, 3] {
                let short = [Property::MessageExpiryInterval(1)];
                publisher.publish_with("t/a", QoS::AtLeastOnce, id, "goes", false, &short).unwrap();
            }
            publisher.seen();
            world.later(2_000);
            let mut publisher = world.connect(&Dial::v5("b"));
            publisher.publish("t/a", QoS::AtLeastOnce, 4, "comes");
            assert_eq!(publisher.seen(), ["PUBACK 4 Success"], "{queue_full:?} {filter}");
            let seen = world.connect_and_see(&lasting(1_000)).1;
            assert_eq!(seen, ["PUBLISH t/a stays q1#1", "PUBLISH t/a comes q1#2"], "{queue_full:?} {filter}");
        }
    }
}
