//! What one client may have at once, both ways, and the settings that say so.

use super::fixture::{Dial, World};
use crate::config::mqtt::RefusedPublish;
use crate::config::{Limits, MqttSettings};
use crate::hub::Closed;
use crate::protocol::{Packet, Property, QoS, ReasonCode, Version};

const NONE: [&str; 0] = [];

fn limited(limits: Limits) -> World {
    World::with(MqttSettings::default(), limits)
}

#[test]
fn a_reader_gets_no_more_in_flight_than_its_receive_maximum() {
    let world = World::new();
    let mut reader = world.connect(&Dial::v5("a").with(Property::ReceiveMaximum(2)));
    reader.subscribe("t/#", QoS::ExactlyOnce);
    let mut publisher = world.connect(&Dial::v5("b"));
    for id in 1..=4 {
        publisher.publish("t/a", QoS::ExactlyOnce, id, &id.to_string());
    }
    publisher.publish("t/a", QoS::AtMostOnce, 0, "0");
    assert_eq!(reader.seen(), ["PUBLISH t/a 1 q2#1", "PUBLISH t/a 2 q2#2", "PUBLISH t/a 0"], "QoS 0 is not counted");
    reader.ack(Packet::PubRec, 1, ReasonCode::Success);
    assert_eq!(reader.seen(), ["PUBREL 1 Success"], "an exchange counts to its end");
    reader.ack(Packet::PubComp, 1, ReasonCode::Success);
    assert_eq!(reader.seen(), ["PUBLISH t/a 3 q2#3"]);
    reader.ack(Packet::PubRec, 2, ReasonCode::QuotaExceeded);
    assert_eq!(reader.seen(), ["PUBLISH t/a 4 q2#4"], "an error ends it");
}

#[test]
fn inflight_messages_bounds_readers_that_would_take_more() {
    for dial in [Dial::v5("a"), Dial::v3("a")] {
        let world = limited(Limits { inflight_messages: 2, ..Limits::default() });
        let mut reader = world.connect(&dial);
        reader.subscribe("t/#", QoS::AtLeastOnce);
        let mut publisher = world.connect(&Dial::v5("b"));
        for id in 1..=3 {
            publisher.publish("t/a", QoS::AtLeastOnce, id, &id.to_string());
        }
        assert_eq!(reader.seen(), ["PUBLISH t/a 1 q1#1", "PUBLISH t/a 2 q1#2"]);
        reader.ack(Packet::PubAck, 1, ReasonCode::Success);
        assert_eq!(reader.seen(), ["PUBLISH t/a 3 q1#3"]);
    }
}

/// Publishes with QoS 2 and ids 1, 2, 3, none of which is released.
fn three_unreleased(world: &World, dial: &Dial) -> Result<(), Closed> {
    let mut client = world.connect(dial);
    (1..=3).try_for_each(|id| client.publish_with("t/a", QoS::ExactlyOnce, id, "m", false, &[]))
}

#[test]
fn a_publisher_beyond_the_announced_receive_maximum_is_closed() {
    let settings = MqttSettings { receive_maximum: 2, ..MqttSettings::default() };
    let world = World::with(settings, Limits::default());
    let closed = three_unreleased(&world, &Dial::v5("a"));
    assert!(matches!(closed, Err(Closed::Fault(ReasonCode::ReceiveMaximumExceeded, _))));
    assert_eq!(three_unreleased(&world, &Dial::v3("b")), Ok(()), "3.x was announced nothing");
    let mut client = world.connect(&Dial { id: "again", ..Dial::v5("a") });
    for id in [1, 2, 1, 2] {
        client.publish("t/a", QoS::ExactlyOnce, id, "repeated, not more");
    }
    for id in 3..=50 {
        client.publish("t/a", QoS::AtLeastOnce, id, "acknowledged at once");
    }
}

#[test]
fn unreleased_ids_bounds_both_versions_and_is_announced() {
    let world = limited(Limits { unreleased_ids: 2, ..Limits::default() });
    for dial in [Dial::v5("a"), Dial::v3("b")] {
        let closed = three_unreleased(&world, &dial);
        assert!(matches!(closed, Err(Closed::Fault(ReasonCode::ReceiveMaximumExceeded, _))), "{:?}", dial.version);
    }
    let mut announced = None;
    world.try_connect(&Dial { id: "other", ..Dial::v5("a") }).unwrap().each(|packet| {
        let Packet::ConnAck(answer) = packet else { panic!("{packet:?}") };
        announced = answer.properties.receive_maximum();
    });
    assert_eq!(announced, Some(2));
}

#[test]
fn subscriptions_per_session_refuses_one_more() {
    for (dial, refused) in [(Dial::v5("a"), "SUBACK [QuotaExceeded]"), (Dial::v3("a"), "SUBACK [UnspecifiedError]")] {
        let world = limited(Limits { subscriptions_per_session: 2, ..Limits::default() });
        let mut client = world.connect(&dial);
        for (filter, answer) in
            [("t/a", "SUBACK [Success]"), ("t/b", "SUBACK [Success]"), ("t/c", refused), ("t/b", "SUBACK [Success]")]
        {
            assert_eq!(client.subscribe(filter, QoS::AtMostOnce), [answer], "{filter}");
        }
        client.unsubscribe("t/a");
        assert_eq!(client.subscribe("t/c", QoS::AtMostOnce), ["SUBACK [Success]"]);
        assert_eq!(world.hub.status().subscriptions, 2, "the tree agrees");
    }
}

#[test]
fn refused_publish_chooses_what_a_3x_client_sees() {
    for (refused_publish, version) in [RefusedPublish::Acknowledge, RefusedPublish::Close]
        .into_iter()
        .flat_map(|setting| [Version::V3_1, Version::V3_1_1].map(|version| (setting, version)))
    {
        let world = World::with(MqttSettings { refused_publish, ..MqttSettings::default() }, Limits::default());
        for (qos, answer) in [(QoS::AtLeastOnce, "PUBACK 1 Success"), (QoS::ExactlyOnce, "PUBREC 1 Success")] {
            let mut client = world.connect(&Dial { version, clean: true, ..Dial::v3("a") });
            let closed = client.publish_with("secret/x", qos, 1, "m", true, &[]);
            match refused_publish {
                RefusedPublish::Acknowledge => assert_eq!((closed, client.seen()), (Ok(()), vec![answer.to_owned()])),
                RefusedPublish::Close => {
                    assert!(matches!(closed, Err(Closed::Fault(ReasonCode::NotAuthorized, _))));
                    assert_eq!(client.seen(), NONE);
                }
            }
        }
        assert_eq!(world.hub.status().retained, 0);
    }
}

#[test]
fn refused_publish_leaves_5_0_clients_their_answer() {
    let settings = MqttSettings { refused_publish: RefusedPublish::Close, ..MqttSettings::default() };
    let world = World::with(settings, Limits::default());
    let mut client = world.connect(&Dial::v5("a"));
    client.publish("secret/x", QoS::AtLeastOnce, 1, "m");
    assert_eq!(client.seen(), ["PUBACK 1 NotAuthorized"]);
}

#[test]
fn what_is_too_large_for_a_reader_counts_as_delivered() {
    let world = World::new();
    let mut reader = world.connect(&Dial::v5("a").with(Property::MaximumPacketSize(30)));
    reader.subscribe("t/#", QoS::AtLeastOnce);
    let mut publisher = world.connect(&Dial::v5("b"));
    publisher.publish("t/a", QoS::AtLeastOnce, 1, &"x".repeat(40));
    assert_eq!(publisher.seen(), ["PUBACK 1 Success"]);
    assert_eq!(reader.seen(), NONE);
    reader.break_off();
    publisher.publish("t/a", QoS::AtLeastOnce, 2, &"x".repeat(40));
    publisher.publish("t/a", QoS::AtLeastOnce, 3, "small");
    let (_reader, seen) = world.connect_and_see(&Dial::v5("a").with(Property::MaximumPacketSize(30)));
    assert_eq!(seen, ["PUBLISH t/a small q1#1"], "nor does it hold up the queue");
    assert_eq!(world.hub.queued_messages(), 0);
}

#[test]
fn a_server_keep_alive_bounds_that_of_5_0_clients() {
    let settings = MqttSettings { server_keep_alive: Some(10), ..MqttSettings::default() };
    for (asked, version, closes) in [
        (0, Version::V5, Some(15_000)),
        (100, Version::V5, Some(15_000)),
        (10, Version::V5, Some(15_000)),
        (2, Version::V5, Some(3_000)),
        (100, Version::V3_1_1, Some(150_000)),
        (0, Version::V3_1_1, None),
    ] {
        let mut world = World::with(settings.clone(), Limits::default());
        let client = world.connect(&Dial { keep_alive: asked, version, ..Dial::v3("a") });
        let after = closes.unwrap_or(1_000_000_000);
        world.later(after - 1);
        assert!(!client.outbound.is_closing(), "{asked} s, {version:?}: too early");
        world.later(1);
        assert_eq!(client.outbound.is_closing(), closes.is_some(), "{asked} s, {version:?}");
    }
}

#[test]
fn a_server_keep_alive_is_announced_where_it_counts() {
    for (server_keep_alive, asked, expected) in [
        (None, 60, None),
        (Some(10), 60, Some(10)),
        (Some(10), 11, Some(10)),
        (Some(10), 10, None),
        (Some(10), 9, None),
        (Some(10), 0, Some(10)),
    ] {
        let settings = MqttSettings { server_keep_alive, ..MqttSettings::default() };
        let world = World::with(settings, Limits::default());
        let mut announced = None;
        world.try_connect(&Dial { keep_alive: asked, ..Dial::v5("a") }).unwrap().each(|packet| {
            let Packet::ConnAck(answer) = packet else { panic!("{packet:?}") };
            announced = answer.properties.server_keep_alive();
        });
        assert_eq!(announced, expected, "{server_keep_alive:?}, {asked} s");
    }
}
