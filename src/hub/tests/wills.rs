//! When wills are published.

use super::fixture::{Connection, Dial, World};
use crate::protocol::{Property, QoS, ReasonCode, SubscriptionOptions};

/// A world, one who reads the will, and the CONNECT of one who has it with a delay of seconds.
fn willing(delay: u32) -> (World, Connection, Dial) {
    let world = World::new();
    let mut reader = world.connect(&Dial::v5("a"));
    reader.subscribe("t/will", QoS::AtMostOnce);
    let will = Some(("t/will", vec![Property::WillDelayInterval(delay)]));
    (world, reader, Dial { will, ..Dial::v5("b") })
}

const FIRED: [&str; 1] = ["PUBLISH t/will gone"];
const NONE: [&str; 0] = [];

#[test]
fn a_goodbye_decides() {
    let (world, mut reader, dial) = willing(0);
    world.connect(&dial).leave(ReasonCode::Success);
    assert_eq!(reader.seen(), NONE);
    world.connect(&dial).leave(ReasonCode::DisconnectWithWill);
    assert_eq!(reader.seen(), FIRED);
    world.connect(&dial).break_off();
    assert_eq!(reader.seen(), FIRED);
}

#[test]
fn a_delay_passes_or_is_interrupted() {
    let (mut world, mut reader, dial) = willing(5);
    world.connect(&dial).break_off();
    world.later(4_999);
    assert_eq!(reader.seen(), NONE);
    world.later(1);
    assert_eq!(reader.seen(), FIRED);
    world.connect(&dial).break_off();
    let back = world.connect(&dial);
    world.later(50_000);
    assert_eq!(reader.seen(), NONE, "the client came back in time");
    drop(back);
}

#[test]
fn the_end_of_the_session_ends_the_delay() {
    let (mut world, mut reader, dial) = willing(5_000);
    world.connect(&dial).break_off();
    world.later(100_000);
    assert_eq!(reader.seen(), FIRED, "the session expired first");
    let dial = Dial { properties: Vec::new(), ..dial };
    world.connect(&dial).break_off();
    assert_eq!(reader.seen(), FIRED, "the session ended with its connection");
}

#[test]
fn a_takeover_publishes_the_will_unless_a_delay_goes_on() {
    for (delay, clean, fired) in [(0, false, &FIRED[..]), (5, false, &NONE[..]), (5, true, &FIRED[..])] {
        let (world, mut reader, dial) = willing(delay);
        let old = world.connect(&dial);
        let new = world.connect(&Dial { clean, will: None, ..dial });
        old.break_off();
        assert_eq!(reader.seen(), fired, "delay {delay}, clean start {clean}");
        drop(new);
    }
}

#[test]
fn a_broker_that_stops_fires_none() {
    let (world, mut reader, dial) = willing(0);
    let client = world.connect(&dial);
    client.client.abandon(world.now, &mut crate::hub::Wakes::default());
    assert_eq!(reader.seen(), NONE);
}

/// `[MQTT-3.8.3-3]`: the will is its client's own publication.
#[test]
fn no_local_keeps_the_own_will_away() {
    let (world, mut reader, dial) = willing(0);
    let mut own = world.connect(&dial);
    let options = SubscriptionOptions { no_local: true, ..SubscriptionOptions::new(QoS::AtLeastOnce) };
    own.subscribe_with("t/will", options, None);
    let mut again = world.connect(&Dial { will: None, ..dial });
    assert_eq!(reader.seen(), FIRED, "a takeover publishes it");
    assert_eq!(again.seen(), NONE);
    drop(own);
}
