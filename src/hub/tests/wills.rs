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

/// A reader, and one who leaves without a goodbye after `left` ms; the moments in ms after that at which the will comes
/// when the hub ticks as it does in life.
fn fired_after(delay: u32, session: u32, away: u64) -> Option<u64> {
    let (mut world, mut reader, dial) = willing(delay);
    let dial = Dial { properties: vec![Property::SessionExpiryInterval(session)], ..dial };
    let client = world.connect(&dial);
    // Not a whole second, nor a whole tick.
    world.later(12_345);
    let client = Connection { now: world.now, ..client };
    client.break_off();
    (0..away).step_by(100).find(|_| {
        if !reader.seen().is_empty() {
            return true;
        }
        world.later(100);
        false
    })
}

#[test]
fn a_will_comes_within_a_tenth_of_a_second_of_its_delay() {
    for delay in [0, 1, 2, 7] {
        let fired = fired_after(delay, 1_000, 20_000).unwrap();
        let due = u64::from(delay) * 1_000;
        assert!((due..=due + 100).contains(&fired), "delay {delay} s: after {fired} ms");
    }
}

#[test]
fn a_will_comes_at_its_delay_or_the_end_of_its_session_whichever_is_first() {
    for (delay, session, due) in [(5, 3, 3_000), (3, 5, 3_000), (5, 5, 5_000), (u32::MAX, 2, 2_000), (9, 0, 0)] {
        let fired = fired_after(delay, session, 20_000).unwrap();
        assert!((due..=due + 100).contains(&fired), "delay {delay} s, session {session} s: after {fired} ms");
    }
}

#[test]
fn a_will_brings_its_properties_but_not_its_delay() {
    let mut world = World::new();
    let mut reader = world.connect(&Dial::v5("a"));
    reader.subscribe("t/will", QoS::AtMostOnce);
    let all = vec![
        Property::WillDelayInterval(3),
        Property::UserProperty("a", "1"),
        Property::PayloadFormatIndicator(1),
        Property::MessageExpiryInterval(60),
        Property::ContentType("text/plain"),
        Property::UserProperty("a", "2"),
        Property::ResponseTopic("t/answer"),
        Property::CorrelationData(b"\0\xFF"),
    ];
    world.connect(&Dial { will: Some(("t/will", all.clone())), ..Dial::v5("b") }).break_off();
    world.later(3_000);
    let mut sent = Vec::new();
    reader.each(|packet| {
        let crate::protocol::Packet::Publish(publish) = packet else { panic!("{packet:?}") };
        sent = publish.properties.iter().map(|property| format!("{property:?}")).collect();
    });
    let is_expiry = |property: &&Property<'_>| matches!(property, Property::MessageExpiryInterval(_));
    let travels =
        |property: &&Property<'_>| !is_expiry(property) && !matches!(property, Property::WillDelayInterval(_));
    // Its expiry counts from when it is published.
    let expected = all.iter().filter(travels).chain(all.iter().filter(is_expiry));
    assert_eq!(sent, expected.map(|property| format!("{property:?}")).collect::<Vec<_>>());
}

#[test]
fn a_fault_and_a_silence_publish_the_will() {
    let (mut world, mut reader, dial) = willing(0);
    let mut client = world.connect(&dial);
    assert!(client.handle(crate::protocol::Packet::PingResp).is_err());
    client.break_off();
    assert_eq!(reader.seen(), FIRED);
    let client = world.connect(&Dial { keep_alive: 10, ..dial });
    world.later(15_000);
    assert!(client.outbound.is_closing());
    client.break_off();
    assert_eq!(reader.seen(), FIRED);
}

#[test]
fn a_goodbye_with_another_code_keeps_the_will_and_its_delay() {
    for reason in [ReasonCode::DisconnectWithWill, ReasonCode::UnspecifiedError, ReasonCode::AdministrativeAction] {
        let (mut world, mut reader, dial) = willing(2);
        world.connect(&dial).leave(reason);
        assert_eq!(reader.seen(), NONE);
        world.later(2_000);
        assert_eq!(reader.seen(), FIRED, "{reason:?}");
    }
}

#[test]
fn a_will_that_waits_for_its_delay_is_published_by_a_clean_start() {
    let (world, mut reader, dial) = willing(5);
    world.connect(&dial).break_off();
    assert_eq!(reader.seen(), NONE);
    let back = world.connect(&Dial { clean: true, will: None, ..dial });
    assert_eq!(reader.seen(), FIRED, "the clean start ends the session");
    drop(back);
}

#[test]
fn a_will_is_published_once() {
    let (mut world, mut reader, dial) = willing(2);
    world.connect(&Dial { properties: vec![Property::SessionExpiryInterval(2)], ..dial }).break_off();
    world.later(2_000);
    assert_eq!(reader.seen(), FIRED);
    world.later(100_000);
    assert_eq!(reader.seen(), NONE);
}
