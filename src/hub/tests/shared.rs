//! Shared subscriptions: who gets a message, and when it goes on to another.

mod choosing;
mod moving;
mod rights;

use super::fixture::{Connection, Dial, World};
use crate::protocol::{Packet, Property, QoS, ReasonCode};

const GROUP: &str = "$share/g/t/#";

/// A session that stays, of device `a`.
fn dial(id: &'static str) -> Dial {
    Dial { id, ..Dial::v5("a") }
}

/// A session that ends with its connection.
fn passing(id: &'static str) -> Dial {
    Dial { id, properties: Vec::new(), ..Dial::v5("a") }
}

fn member_as(world: &World, dial: &Dial, qos: QoS) -> Connection {
    let mut member = world.connect(dial);
    member.subscribe(GROUP, qos);
    member
}

/// Connected; takes one message at a time.
fn narrow(world: &World, id: &'static str) -> Connection {
    member_as(world, &dial(id).with(Property::ReceiveMaximum(1)), QoS::ExactlyOnce)
}

fn member(world: &World, id: &'static str) -> Connection {
    member_as(world, &dial(id), QoS::ExactlyOnce)
}

/// A member that has gone, its session not.
fn absent(world: &World, id: &'static str) {
    member(world, id).break_off();
}

fn publisher(world: &World) -> Connection {
    world.connect(&Dial::v5("b"))
}

impl Connection {
    /// `m<first>` to `m<last>` with QoS 1 to `t/a`.
    fn publish_many(&mut self, first: u16, last: u16) {
        for number in first..=last {
            self.publish("t/a", QoS::AtLeastOnce, number, &format!("m{number}"));
        }
    }

    /// The texts of the messages that wait, none of them repeated.
    fn texts(&mut self) -> Vec<String> {
        let seen = self.seen();
        assert!(!seen.iter().any(|packet| packet.contains("dup")), "{seen:?}");
        let words = seen.iter().map(|packet| packet.split(' ').collect::<Vec<_>>());
        words.filter(|words| words[0] == "PUBLISH").map(|words| words[2].to_owned()).collect()
    }

    fn acknowledge(&mut self, id: u16) {
        self.ack(Packet::PubAck, id, ReasonCode::Success);
    }
}

impl World {
    /// Connects again; what comes behind CONNACK.
    fn reconnect(&self, dial: &Dial) -> (Connection, Vec<String>) {
        let mut connection = self.try_connect(dial).unwrap();
        let mut seen = connection.seen();
        assert_eq!(seen.remove(0), "CONNACK Success present=true");
        (connection, seen)
    }
}
