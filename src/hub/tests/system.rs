//! `$SYS`: who reads it, and that nobody writes there.

use super::fixture::{Dial, FLEET, World};
use crate::config::{Limits, MqttSettings};
use crate::hub::Wakes;
use crate::protocol::{Property, QoS, ReasonCode};

const UPTIME: &str = "$SYS/broker/uptime";

/// A world in which device a has these rules besides its group's.
fn world(rules: &str) -> World {
    let limits = Limits { retained_messages: 1, ..Limits::default() };
    let mut world = World::with(MqttSettings::default(), limits);
    let device = "subject = \"CN=a\"\n";
    world.set_fleet(&FLEET.replace(device, &format!("{device}allow = [{rules}]\n")));
    world
}

fn say(world: &World, value: &str) {
    world.hub.publish_system(UPTIME, value, world.now, &mut Wakes::default());
}

#[test]
fn an_explicit_rule_reads_what_was_said_and_what_is_said_later() {
    let world = world("{ subscribe = \"$SYS/#\" }");
    say(&world, "1 seconds");
    let mut reader = world.connect(&Dial::v5("a"));
    let retained = format!("PUBLISH {UPTIME} 1 seconds retain");
    assert_eq!(reader.subscribe("$SYS/broker/+", QoS::AtLeastOnce), ["SUBACK [GrantedQoS1]", &retained]);
    say(&world, "2 seconds");
    assert_eq!(reader.seen(), [format!("PUBLISH {UPTIME} 2 seconds")]);
}

#[test]
fn no_wildcard_of_a_rule_or_a_subscription_reaches_it() {
    let world = world("{ subscribe = \"#\" }, { subscribe = \"+/#\" }");
    say(&world, "1 seconds");
    let mut reader = world.connect(&Dial::v5("a"));
    for filter in ["$SYS/#", UPTIME, "$SYS/+/+", "$share/g/$SYS/#"] {
        assert_eq!(reader.subscribe(filter, QoS::AtMostOnce), ["SUBACK [NotAuthorized]"], "{filter}");
    }
    for filter in ["#", "+/broker/uptime", "+/#", "$share/g/#", "$share/g/+/broker/#"] {
        assert_eq!(reader.subscribe(filter, QoS::AtMostOnce), ["SUBACK [Success]"], "{filter}: nothing retained");
    }
    say(&world, "2 seconds");
    assert_eq!(reader.seen(), [""; 0]);
}

#[test]
fn only_the_broker_writes_there_whatever_the_rules_say() {
    let world = world("{ publish = \"#\" }, { subscribe = \"$SYS/#\" }");
    let mut client = world.connect(&Dial::v5("a"));
    client.subscribe("$SYS/#", QoS::AtMostOnce);
    client.publish(UPTIME, QoS::AtLeastOnce, 1, "forged");
    assert_eq!(client.seen(), ["PUBACK 1 NotAuthorized"]);
    client.retain(UPTIME, "");
    client.retain("$SYS/broker/mine", "forged");
    assert_eq!(client.seen(), [""; 0]);
    let will = Some((UPTIME, vec![Property::WillDelayInterval(0)]));
    let refused = world.try_connect(&Dial { will, ..Dial::v5("b") }).err().unwrap();
    assert_eq!(refused.reason, ReasonCode::NotAuthorized);
    let before = world.hub.holdings();
    world.hub.publish_system("t/not-below-sys", "x", world.now, &mut Wakes::default());
    world.hub.publish_system("$SYS", "x", world.now, &mut Wakes::default());
    assert_eq!(world.hub.holdings(), before, "and the broker nowhere else");
}

#[test]
fn its_values_are_kept_beside_the_retained_messages_of_clients() {
    let world = world("{ subscribe = \"$SYS/#\" }");
    for number in 0..10 {
        world.hub.publish_system(&format!("$SYS/broker/{number}"), "x", world.now, &mut Wakes::default());
    }
    let mut client = world.connect(&Dial::v5("a"));
    client.retain("t/one", "fits: limits.retained_messages is 1");
    assert_eq!(world.hub.holdings().retained, 1);
    assert_eq!(client.subscribe("$SYS/#", QoS::AtMostOnce).len(), 1 + 10);
    assert_eq!(client.subscribe("t/#", QoS::AtMostOnce).len(), 1 + 1);
    assert_eq!(client.subscribe("#", QoS::AtMostOnce), ["SUBACK [NotAuthorized]"]);
}

#[test]
fn holdings_are_counted_as_they_come_and_go() {
    let world = world("{ subscribe = \"$SYS/#\" }");
    let mut client = world.connect(&Dial::v5("a"));
    let other = world.connect(&Dial { properties: Vec::new(), ..Dial::v5("b") });
    client.subscribe("t/a", QoS::AtMostOnce);
    client.subscribe("t/a", QoS::AtLeastOnce);
    client.subscribe("$share/g/t/b", QoS::AtMostOnce);
    client.subscribe("$share/g/t/c", QoS::AtMostOnce);
    client.unsubscribe("$share/g/t/c");
    client.unsubscribe("t/none");
    let holdings = world.hub.holdings();
    assert_eq!((holdings.sessions, holdings.subscriptions, holdings.shared_subscriptions), (2, 2, 1));
    other.break_off();
    let reason = ReasonCode::AdministrativeAction;
    let key = crate::policy::DeviceKey::in_default_trust("CN=a".into());
    world.hub.remove_session(&key, "a", reason, world.now, &mut Wakes::default());
    let holdings = world.hub.holdings();
    assert_eq!((holdings.sessions, holdings.subscriptions, holdings.shared_subscriptions), (0, 0, 0));
}
