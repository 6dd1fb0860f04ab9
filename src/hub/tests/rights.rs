//! What a change of the policy does to what lives already.

use super::fixture::{Dial, FLEET, World};
use crate::hub::Wakes;
use crate::protocol::{Packet, Property, QoS, ReasonCode};

#[test]
fn denials_have_their_answers() {
    let world = World::new();
    let mut client = world.connect(&Dial::v5("a"));
    assert_eq!(client.subscribe("#", QoS::AtLeastOnce), ["SUBACK [NotAuthorized]"]);
    client.publish("other", QoS::AtLeastOnce, 1, "m");
    client.publish("other", QoS::ExactlyOnce, 2, "m");
    assert_eq!(client.seen(), ["PUBACK 1 NotAuthorized", "PUBREC 2 NotAuthorized"]);
}

#[test]
fn a_live_subscription_is_judged_again_and_comes_back() {
    let mut world = World::new();
    let mut reader = world.connect(&Dial::v5("a"));
    reader.subscribe("t/#", QoS::AtLeastOnce);
    let mut publisher = world.connect(&Dial::v5("b"));
    publisher.publish("t/a", QoS::AtMostOnce, 0, "before");
    world.deny("{ subscribe = \"t/a\" }");
    publisher.publish("t/a", QoS::AtMostOnce, 0, "in a hole");
    publisher.publish("t/b", QoS::AtMostOnce, 0, "beside it");
    world.deny("{ subscribe = \"t/#\" }");
    publisher.publish("t/b", QoS::AtMostOnce, 0, "nothing");
    world.deny("");
    publisher.publish("t/a", QoS::AtMostOnce, 0, "after");
    assert_eq!(reader.seen(), ["PUBLISH t/a before", "PUBLISH t/b beside it", "PUBLISH t/a after"]);
}

#[test]
fn queued_messages_are_withheld_and_come_back_in_order() {
    for denied in ["{ subscribe = \"t/a\" }", "{ publish = \"t/a\" }"] {
        let mut world = World::new();
        let mut reader = world.connect(&Dial::v5("a"));
        reader.subscribe("t/#", QoS::AtLeastOnce);
        reader.break_off();
        let mut publisher = world.connect(&Dial::v5("b"));
        for (id, topic) in [(1, "t/a"), (2, "t/b"), (3, "t/a")] {
            publisher.publish(topic, QoS::AtLeastOnce, id, &format!("m{id}"));
        }
        world.deny(denied);
        let mut reader = world.connect_first(&["PUBLISH t/b m2 q1#1"]);
        world.deny("");
        publisher.publish("t/a", QoS::AtLeastOnce, 4, "m4");
        let back = ["PUBLISH t/a m1 q1#2", "PUBLISH t/a m3 q1#3", "PUBLISH t/a m4 q1#4"];
        assert_eq!(reader.seen(), back, "{denied}");
    }
}

#[test]
fn a_queued_message_goes_with_no_higher_qos_than_is_granted_by_then() {
    for (max_qos, expected) in [(0, "PUBLISH t/a m"), (1, "PUBLISH t/a m q1#1")] {
        let mut world = World::new();
        let mut reader = world.connect(&Dial::v5("a"));
        reader.subscribe("t/#", QoS::ExactlyOnce);
        reader.break_off();
        world.connect(&Dial::v5("b")).publish("t/a", QoS::ExactlyOnce, 1, "m");
        let lower = format!("{{ subscribe = \"t/#\", max_qos = {max_qos} }}");
        world.set_fleet(&FLEET.replace("{ subscribe = \"t/#\" }", &lower));
        world.connect_first(&[expected]);
    }
}

#[test]
fn what_was_in_flight_is_not_repeated_without_a_right() {
    let mut world = World::new();
    let mut reader = world.connect(&Dial::v5("a"));
    reader.subscribe("t/#", QoS::ExactlyOnce);
    let mut publisher = world.connect(&Dial::v5("b"));
    publisher.publish("t/a", QoS::ExactlyOnce, 1, "m1");
    publisher.publish("t/b", QoS::AtLeastOnce, 2, "m2");
    reader.break_off();
    world.deny("{ subscribe = \"t/a\" }");
    let reader = world.connect_first(&["PUBLISH t/b m2 q1#2 dup"]);
    reader.break_off();
    world.deny("");
    world.connect_first(&["PUBLISH t/a m1 q2#1 dup", "PUBLISH t/b m2 q1#2 dup"]);
}

#[test]
fn a_retained_message_of_a_writer_without_right_is_not_delivered() {
    let mut world = World::new();
    let mut publisher = world.connect(&Dial::v5("b"));
    publisher.retain("t/a", "m");
    world.deny("{ publish = \"t/a\" }");
    let mut reader = world.connect(&Dial::v5("a"));
    assert_eq!(reader.subscribe("t/#", QoS::AtMostOnce), ["SUBACK [Success]"]);
    world.deny("");
    assert_eq!(reader.subscribe("t/#", QoS::AtMostOnce), ["SUBACK [Success]", "PUBLISH t/a m retain"]);
}

#[test]
fn a_disabled_device_is_closed_and_its_will_is_not_fired() {
    let mut world = World::new();
    let mut reader = world.connect(&Dial::v5("a"));
    reader.subscribe("t/#", QoS::AtMostOnce);
    let mut doomed = world.connect(&Dial { will: Some(("t/will", Vec::new())), ..Dial::v5("b") });
    world.set_fleet(&FLEET.replace("subject = \"CN=b\"", "subject = \"CN=b\"\nenabled = false"));
    let key = doomed.client.principal().key.clone();
    assert_eq!(world.hub.disconnect_device(&key, ReasonCode::AdministrativeAction, &mut Wakes::default()), 1);
    assert_eq!(doomed.seen(), ["DISCONNECT AdministrativeAction"]);
    doomed.break_off();
    assert!(reader.seen().is_empty());
    assert_eq!(world.try_connect(&Dial::v5("b")).err().unwrap().reason, ReasonCode::NotAuthorized);
}

/// The device is the same; its new certificate lacks the attribute that the right hung on.
#[test]
fn another_certificate_of_the_device_has_its_own_rights() {
    let mut world = World::new();
    world.set_fleet(&format!(
        "{FLEET}[groups.named]\nmatch = {{ san_dns = \"lab.example\" }}\nallow = [{{ subscribe = \"lab/#\" }}]\n\
         [groups.writers]\nallow = [{{ publish = \"lab/#\" }}]\n[[devices]]\nsubject = \"CN=w\"\ngroups = [\"writers\"]\n"
    ));
    let mut reader = world.connect(&Dial { unit: Some("lab.example"), ..Dial::v5("a") });
    assert_eq!(reader.subscribe("lab/a", QoS::AtLeastOnce), ["SUBACK [GrantedQoS1]"]);
    let mut publisher = world.connect(&Dial::v5("w"));
    publisher.publish("lab/a", QoS::AtLeastOnce, 1, "in flight");
    reader.break_off();
    publisher.publish("lab/a", QoS::AtLeastOnce, 2, "queued");
    let mut reader = world.connect_first(&[]);
    publisher.publish("lab/a", QoS::AtMostOnce, 0, "live");
    assert!(reader.seen().is_empty());
}

impl World {
    /// The reader comes back; what it gets behind CONNACK.
    fn connect_first(&self, expected: &[&str]) -> super::fixture::Connection {
        let mut reader = self.try_connect(&Dial::v5("a")).unwrap();
        assert_eq!(reader.seen().get(1..).unwrap(), expected);
        reader
    }
}

/// Each right that goes while a window is in flight would otherwise leave that window behind.
#[test]
fn what_is_held_back_after_rights_that_went_is_no_more_than_a_window() {
    let limits = crate::config::Limits { inflight_messages: 2, ..crate::config::Limits::default() };
    let mut world = World::with(crate::config::MqttSettings::default(), limits);
    let mut writer = world.connect(&Dial { id: "writer", ..Dial::v5("b") });
    let mut denied = String::new();
    for (round, topic) in ["t/1", "t/2", "t/3"].into_iter().enumerate() {
        let mut reader = world.connect(&Dial::v5("a"));
        reader.subscribe("t/#", QoS::AtLeastOnce);
        for id in 1..=2 {
            writer.publish(topic, QoS::AtLeastOnce, id, "never acknowledged");
        }
        assert_eq!(reader.seen().len(), 2, "round {round}");
        reader.break_off();
        denied.push_str(&format!("{{ subscribe = \"{topic}\" }},"));
        world.deny(&denied);
    }
    let reader = world.connect(&Dial::v5("a"));
    let facts = world.hub.session(&crate::policy::DeviceKey::in_default_trust("CN=a".into()), "a").unwrap();
    assert_eq!(facts.summary.load.held, 2);
    assert_eq!(facts.summary.drops.queue_full, 4, "what gave way is counted");
    reader.break_off();
}

/// A publisher that loaded the policy just before it changed offers its message just after: it must not undo what was
/// withheld under the new policy.
#[test]
fn what_is_withheld_stays_so_when_somebody_still_goes_by_the_earlier_policy() {
    for in_flight in [false, true] {
        let mut world = World::new();
        let mut reader = world.connect(&Dial::v5("a").with(Property::ReceiveMaximum(1)));
        reader.subscribe("t/#", QoS::AtLeastOnce);
        let mut writer = world.connect(&Dial::v5("b"));
        for id in 1..=2 {
            writer.publish("t/a", QoS::AtLeastOnce, id, &format!("m{id}"));
        }
        assert_eq!(reader.seen(), ["PUBLISH t/a m1 q1#1"]);
        let earlier = world.hub.policy();
        world.deny("{ subscribe = \"t/#\" }");
        let later = world.hub.policy();
        match in_flight {
            true => {
                reader.break_off();
                reader = world.connect(&Dial::v5("a"));
            }
            false => reader.ack(Packet::PubAck, 1, ReasonCode::Success),
        }
        assert!(reader.seen().is_empty());
        world.hub.set_policy(earlier);
        writer.publish("t/a", QoS::AtLeastOnce, 3, "m3");
        world.hub.set_policy(later);
        assert!(reader.seen().is_empty(), "in flight: {in_flight}");
    }
}
