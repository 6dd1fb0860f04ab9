//! CONNECT, takeover, keep alive, the end of sessions.

use super::fixture::{Dial, World};
use crate::config::{Limits, MqttSettings};
use crate::hub::{Closed, Wakes};
use crate::protocol::{Ack, Packet, PacketId, Property, QoS, ReasonCode, Version};
use crate::telemetry::metrics::METRICS;

fn refusal(world: &World, dial: &Dial) -> ReasonCode {
    world.try_connect(dial).err().unwrap().reason
}

#[test]
fn a_session_is_present_until_a_clean_start() {
    let world = World::new();
    for (clean, present) in [(false, false), (false, true), (true, false), (false, true)] {
        let mut connection = world.try_connect(&Dial { clean, ..Dial::v5("a") }).unwrap();
        assert_eq!(connection.seen(), [format!("CONNACK Success present={present}")]);
        connection.leave(ReasonCode::Success);
    }
}

#[test]
fn an_empty_client_id_is_assigned_where_the_version_lets_it() {
    let world = World::new();
    let empty = |version, clean| Dial { id: "", version, clean, properties: Vec::new(), ..Dial::v5("a") };
    assert_eq!(refusal(&world, &empty(Version::V3_1, true)), ReasonCode::ClientIdentifierNotValid);
    assert_eq!(refusal(&world, &empty(Version::V3_1_1, false)), ReasonCode::ClientIdentifierNotValid);
    assert!(world.try_connect(&empty(Version::V3_1_1, true)).is_ok());
    assert!(world.try_connect(&empty(Version::V5, false)).is_ok());
}

#[test]
fn refusals_have_their_reason() {
    let world = World::with(MqttSettings::default(), Limits { sessions_per_device: 1, ..Limits::default() });
    let method = Dial::v5("a").with(Property::AuthenticationMethod("SCRAM"));
    assert_eq!(refusal(&world, &method), ReasonCode::BadAuthenticationMethod);
    assert_eq!(refusal(&world, &Dial::v5("stranger")), ReasonCode::NotAuthorized);
    let will = Dial { will: Some(("other/a", Vec::new())), ..Dial::v5("a") };
    assert_eq!(refusal(&world, &will), ReasonCode::NotAuthorized);
    let first = world.connect(&Dial::v5("a"));
    assert_eq!(refusal(&world, &Dial { id: "second", ..Dial::v5("a") }), ReasonCode::QuotaExceeded);
    assert!(world.try_connect(&Dial::v5("b")).is_ok(), "another device has its own count");
    first.break_off();
}

#[test]
fn another_device_with_the_same_client_id_is_another_session() {
    let world = World::new();
    let mut first = world.connect(&Dial { id: "x", ..Dial::v5("a") });
    let mut second = world.try_connect(&Dial { id: "x", ..Dial::v5("b") }).unwrap();
    assert_eq!(second.seen(), ["CONNACK Success present=false"]);
    assert!(first.seen().is_empty() && !first.outbound.is_closing());
}

#[test]
fn a_takeover_of_a_connection_that_was_not_greeted_yet_is_silent() {
    let world = World::new();
    let mut old = world.try_connect(&Dial::v5("a")).unwrap();
    world.connect(&Dial::v5("a"));
    assert!(old.outbound.is_closing());
    assert_eq!(old.seen(), [""; 0], "no DISCONNECT before CONNACK [MQTT-3.14.0-1]");
}

#[test]
fn a_takeover_tells_the_old_connection_and_takes_its_hands_off_the_session() {
    let world = World::new();
    let mut publisher = world.connect(&Dial::v5("b"));
    let mut old = world.connect(&Dial::v5("a"));
    old.subscribe("t/a", QoS::AtLeastOnce);
    let mut new = world.try_connect(&Dial::v5("a")).unwrap();
    assert_eq!(new.seen(), ["CONNACK Success present=true"]);
    assert_eq!(old.seen(), ["DISCONNECT SessionTakenOver"]);
    publisher.publish("t/a", QoS::AtLeastOnce, 1, "m");
    assert_eq!(new.seen(), ["PUBLISH t/a m q1#1"]);
    let late = old.handle(Packet::PubAck(Ack::new(PacketId::FIRST, ReasonCode::Success)));
    assert!(matches!(late, Err(Closed::Fault(ReasonCode::SessionTakenOver, _))));
    old.break_off();
    new.break_off();
    let mut again = world.try_connect(&Dial::v5("a")).unwrap();
    assert_eq!(again.seen(), ["CONNACK Success present=true", "PUBLISH t/a m q1#1 dup"]);
}

#[test]
fn nothing_follows_disconnect() {
    let world = World::new();
    let mut reader = world.connect(&Dial::v5("a"));
    let mut publisher = world.connect(&Dial::v5("b"));
    reader.subscribe("t/#", QoS::AtLeastOnce);
    world.hub.disconnect_device(
        &reader.client.principal().key.clone(),
        ReasonCode::AdministrativeAction,
        &mut Wakes::default(),
    );
    publisher.publish("t/a", QoS::AtMostOnce, 0, "lost");
    publisher.publish("t/a", QoS::AtLeastOnce, 1, "kept");
    assert_eq!(reader.handle(Packet::PingReq), Err(Closed::ByBroker));
    assert_eq!(reader.seen(), ["DISCONNECT AdministrativeAction"]);
    reader.break_off();
    let mut again = world.try_connect(&Dial::v5("a")).unwrap();
    assert_eq!(again.seen(), ["CONNACK Success present=true", "PUBLISH t/a kept q1#1"]);
}

#[test]
fn one_and_a_half_keep_alives_of_silence_are_too_many() {
    let mut world = World::new();
    let mut client = world.connect(&Dial { keep_alive: 10, ..Dial::v5("a") });
    world.later(10_000);
    client.outbound.touch(world.now);
    world.later(14_999);
    assert!(client.seen().is_empty());
    world.later(1);
    assert_eq!(client.seen(), ["DISCONNECT KeepAliveTimeout"]);
}

#[test]
fn a_session_expires_after_its_time_unless_its_client_returns() {
    let mut world = World::new();
    world.connect(&Dial::v5("a")).break_off();
    world.later(99_999);
    assert_eq!(world.hub.status().sessions, 1);
    let client = world.connect(&Dial::v5("a"));
    world.later(200_000);
    assert_eq!(world.hub.status().sessions, 1, "the deadline of the first connection is void");
    let client = super::fixture::Connection { now: world.now, ..client };
    client.break_off();
    world.later(100_000);
    assert_eq!(world.hub.status().sessions, 0);
}

#[test]
fn publications_handed_over_are_counted() {
    let world = World::new();
    let mut client = world.connect(&Dial::v5("a"));
    client.subscribe("t/a", QoS::AtMostOnce);
    let before = METRICS.messages_sent.value();
    for _ in 0..3 {
        client.publish("t/a", QoS::AtMostOnce, 0, "m");
    }
    assert_eq!(client.seen().len(), 3);
    assert!(METRICS.messages_sent.value() >= before + 3);
}
