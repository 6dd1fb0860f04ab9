//! A reader too slow for a change of its rights: what was encoded before must be in the socket soon, or never.

use super::fixture::{Connection, Dial, World};
use crate::hub::{Touched, Wakes};
use crate::protocol::{QoS, ReasonCode};

const NOTHING: &str = "";
const READING: &str = "{ subscribe = \"t/a\" }";
const WRITING: &str = "{ publish = \"t/a\" }";

/// A reader for whom a message waits, after `denied` came into force and was swept.
fn slow_reader(denied: &str) -> (World, Connection) {
    let mut world = World::new();
    let mut reader = world.connect(&Dial::v5("a"));
    reader.subscribe("t/#", QoS::AtLeastOnce);
    world.connect(&Dial::v5("b")).publish("t/a", QoS::AtLeastOnce, 1, "m");
    world.later(0);
    world.deny(denied);
    world.hub.sweep(&Touched::Everyone, 0, &mut Wakes::default());
    (world, reader)
}

#[test]
fn frames_of_a_lost_right_reach_the_socket_within_a_second_or_not_at_all() {
    let (mut world, mut reader) = slow_reader(READING);
    world.later(600);
    assert!(!reader.outbound.is_closing(), "it has its time");
    world.later(300);
    assert_eq!(reader.outbound.closing(), Some(ReasonCode::AdministrativeAction));
    assert_eq!(reader.seen(), ["DISCONNECT AdministrativeAction"], "the message was cut");
}

#[test]
fn the_session_keeps_what_was_cut_until_the_right_comes_back() {
    let (mut world, reader) = slow_reader(READING);
    world.later(900);
    reader.break_off();
    let after_connack = |world: &World| {
        let mut reader = world.try_connect(&Dial::v5("a")).unwrap();
        let seen = reader.seen().split_off(1);
        reader.break_off();
        seen
    };
    assert!(after_connack(&world).is_empty());
    world.deny(NOTHING);
    assert_eq!(after_connack(&world), ["PUBLISH t/a m q1#1 dup"]);
}

#[test]
fn who_has_written_them_stays() {
    let (mut world, mut reader) = slow_reader(READING);
    reader.take();
    world.later(600);
    reader.take();
    world.later(300);
    assert!(!reader.outbound.is_closing());
}

#[test]
fn frames_taken_and_not_written_count_as_waiting() {
    let (mut world, mut reader) = slow_reader(READING);
    reader.take();
    world.later(900);
    assert!(reader.outbound.is_closing());
}

#[test]
fn who_loses_nothing_that_it_reads_stays_however_slow() {
    for denied in [NOTHING, WRITING, "{ subscribe = \"other/#\" }"] {
        let (mut world, reader) = slow_reader(denied);
        world.later(900);
        assert!(!reader.outbound.is_closing(), "{denied}");
    }
}
