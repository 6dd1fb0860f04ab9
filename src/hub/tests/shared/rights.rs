//! Shared subscriptions and the policy.

use super::{GROUP, dial, member, narrow, publisher};
use crate::hub::tests::fixture::{Connection, Dial, FLEET, World};
use crate::protocol::{Packet, Property, QoS, SubscribeRequest, SubscriptionOptions, TopicFilter};

const SECRET: &str = "deny = [{ subscribe = \"t/secret\" }]";
const ALL: &str = "deny = [{ subscribe = \"t/#\" }]";

/// Denies for device `a` alone.
fn for_a(rules: &str) -> String {
    FLEET.replace("subject = \"CN=a\"", &format!("subject = \"CN=a\"\n{rules}"))
}

/// A member of device `b`, which nothing is denied.
fn trusted(world: &World) -> Connection {
    let mut member = world.connect(&Dial { id: "trusted", ..Dial::v5("b") });
    member.subscribe(GROUP, QoS::AtLeastOnce);
    member
}

#[test]
fn the_inner_filter_is_judged() {
    let mut world = World::new();
    let mut client = world.connect(&dial("1"));
    assert_eq!(client.subscribe("$share/g/#", QoS::AtLeastOnce), ["SUBACK [NotAuthorized]"]);
    assert_eq!(client.subscribe("$share/t/other", QoS::AtLeastOnce), ["SUBACK [NotAuthorized]"]);
    assert_eq!(client.subscribe(GROUP, QoS::AtLeastOnce), ["SUBACK [GrantedQoS1]"]);
    world.set_fleet(&for_a(ALL));
    assert_eq!(client.subscribe("$share/h/t/a", QoS::AtLeastOnce), ["SUBACK [NotAuthorized]"]);
}

#[test]
fn a_message_in_one_members_hole_goes_to_another() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut world = World::new();
        let mut without = member(&world, "1");
        let mut with = trusted(&world);
        world.set_fleet(&for_a(SECRET));
        let mut publisher = publisher(&world);
        for id in 1..=4 {
            publisher.publish("t/secret", qos, id, "m");
        }
        assert_eq!((without.seen().len(), with.seen().len()), (0, 4), "{qos:?}");
        publisher.publish("t/a", qos, 5, "m");
        publisher.publish("t/a", qos, 6, "m");
        assert_eq!(without.seen().len() + with.seen().len(), 2, "{qos:?}");
    }
}

#[test]
fn nobody_gets_what_nobody_may_read() {
    let mut world = World::new();
    let mut without = member(&world, "1");
    world.set_fleet(&for_a(ALL));
    let mut publisher = publisher(&world);
    publisher.publish_many(1, 1);
    assert_eq!(publisher.seen(), ["PUBACK 1 NoMatchingSubscribers"]);
    world.set_fleet(FLEET);
    world.later(100);
    without.now = world.now;
    assert!(without.seen().is_empty());
}

#[test]
fn what_waits_goes_to_another_when_the_right_goes() {
    let mut world = World::new();
    let mut without = narrow(&world, "1");
    publisher(&world).publish_many(1, 3);
    assert_eq!(without.texts(), ["m1"]);
    let mut with = trusted(&world);
    assert!(with.seen().is_empty());
    world.set_fleet(&for_a(ALL));
    world.later(100);
    with.now = world.now;
    assert_eq!(with.texts(), ["m2", "m3"]);
    without.acknowledge(1);
    assert!(without.seen().is_empty());
}

#[test]
fn an_absent_member_without_right_hands_over_as_well() {
    let mut world = World::new();
    let without = narrow(&world, "1");
    publisher(&world).publish_many(1, 3);
    trusted(&world).break_off();
    without.break_off();
    assert_eq!(world.hub.queued_messages(), 2);
    world.set_fleet(&for_a(ALL));
    world.later(100);
    let mut with = world.try_connect(&Dial { id: "trusted", ..Dial::v5("b") }).unwrap();
    assert_eq!(with.texts(), ["m2", "m3"]);
}

#[test]
fn who_connects_is_not_given_what_lies_in_its_hole() {
    let mut world = World::new();
    trusted(&world).break_off();
    let mut publisher = publisher(&world);
    publisher.publish("t/secret", QoS::AtLeastOnce, 1, "secret");
    publisher.publish("t/a", QoS::AtLeastOnce, 2, "open");
    world.set_fleet(&for_a(SECRET));
    let mut without = world.connect(&dial("1"));
    assert_eq!(without.subscribe(GROUP, QoS::AtLeastOnce), ["SUBACK [GrantedQoS1]", "PUBLISH t/a open q1#1"]);
    let mut with = world.try_connect(&Dial { id: "trusted", ..Dial::v5("b") }).unwrap();
    assert_eq!(with.texts(), ["secret"]);
}

/// Nobody may read it: it is withheld, and comes when the right does.
#[test]
fn what_nobody_may_read_any_more_is_withheld() {
    for denied in ["{ subscribe = \"t/#\" }", "{ publish = \"t/#\" }"] {
        let mut world = World::new();
        let leaving = narrow(&world, "1");
        publisher(&world).publish_many(1, 3);
        let mut staying = narrow(&world, "2");
        world.deny(denied);
        leaving.leave(crate::protocol::ReasonCode::Success);
        let mut clean = world.connect(&Dial { clean: true, ..dial("1") });
        world.later(100);
        staying.now = world.now;
        assert!(staying.seen().is_empty(), "{denied}");
        assert_eq!(world.hub.queued_messages(), 3, "{denied}");
        world.deny("");
        world.later(100);
        staying.now = world.now;
        let mut texts = staying.texts();
        for id in 1..=3 {
            staying.acknowledge(id);
            texts.extend(staying.texts());
        }
        assert_eq!(texts, ["m1", "m2", "m3"], "{denied}");
        assert!(clean.seen().is_empty());
    }
}

/// A ping costs two bytes; what it makes the broker do must not grow with what others hold.
#[test]
fn a_flood_of_pings_does_not_move_messages_to_and_fro() {
    let world = World::new();
    trusted(&world).break_off();
    let mut publisher = publisher(&world);
    for id in 1..=1_000 {
        publisher.publish("t/a", QoS::AtLeastOnce, id, "longer than the other member takes");
    }
    let began = std::time::Instant::now();
    let mut small = world.connect(&dial("1").with(Property::MaximumPacketSize(30)));
    small.subscribe(GROUP, QoS::AtLeastOnce);
    let once = began.elapsed();
    let began = std::time::Instant::now();
    for _ in 0..200 {
        small.handle(Packet::PingReq).unwrap();
        small.subscribe(GROUP, QoS::AtLeastOnce);
    }
    assert!(began.elapsed() < 20 * once, "{:?} for 200 rounds, the first took {once:?}", began.elapsed());
    assert_eq!(world.hub.queued_messages(), 1_000);
}

#[test]
fn no_local_is_a_protocol_error() {
    use crate::protocol::{MAX_PACKET_BYTES, PacketId, Properties, Sender, Subscribe, Version, decode};
    let options = SubscriptionOptions { no_local: true, ..SubscriptionOptions::new(QoS::AtMostOnce) };
    let encode = |filter: &str| {
        let requests = vec![SubscribeRequest { filter: TopicFilter::parse(filter).unwrap(), options }];
        let subscribe = Subscribe { packet_id: PacketId::FIRST, properties: Properties::default(), requests };
        let mut bytes = Vec::new();
        Packet::Subscribe(subscribe).encode(Version::V5, &mut bytes);
        bytes
    };
    let shared = encode(GROUP);
    let error = decode(&shared, Version::V5, Sender::Client, MAX_PACKET_BYTES).unwrap_err();
    assert_eq!(error.reason(), crate::protocol::ReasonCode::ProtocolError);
    assert!(decode(&encode("t/#"), Version::V5, Sender::Client, MAX_PACKET_BYTES).is_ok());
}
