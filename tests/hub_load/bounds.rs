//! What subscriptions, sessions and retained messages cost, in time and bytes.

use super::{Side, World, median};
use certmq::config::Limits;
use certmq::hub::Wakes;
use certmq::protocol::QoS;
use std::time::{Duration, Instant};

/// Readers of each topic that is published to.
pub(crate) const MATCHES: usize = 5;

/// Topics published to in turn: more than a connection remembers, so that each publication walks the tree.
const TOPICS: usize = 32;

/// Subscriptions of one session.
const EACH: usize = 1_000;

const ROUNDS: usize = 15;

fn unlimited() -> World {
    let most = usize::MAX / 4;
    World::with(Limits {
        sessions_per_device: most,
        subscriptions_per_session: most,
        retained_messages: most,
        retained_bytes: most,
        ..Limits::default()
    })
}

/// A hub with `others` subscriptions beside the `MATCHES` of each topic that is published to.
pub(crate) struct Subscribed {
    _others: Vec<Side>,
    readers: Vec<Side>,
    publisher: Side,
    _world: World,
}

impl Subscribed {
    pub(crate) fn new(others: usize) -> Self {
        let world = unlimited();
        let sessions = (0..others).step_by(EACH).map(|first| {
            let mut side = world.connect(&format!("other-{first}"));
            (first..others.min(first + EACH)).for_each(|number| side.subscribe(&filter(number), QoS::AtMostOnce));
            side
        });
        let _others = sessions.collect();
        let readers = (0..MATCHES).map(|number| {
            let mut side = world.connect(&format!("reader-{number}"));
            (0..TOPICS).for_each(|topic| side.subscribe(&hot(topic), QoS::AtMostOnce));
            side
        });
        let readers = readers.collect();
        Self { _others, readers, publisher: world.connect("publisher"), _world: world }
    }

    /// Time of one publication to `MATCHES` readers: the median of some rounds.
    pub(crate) fn publish_cost(&mut self) -> Duration {
        let rounds: Vec<f64> = (0..ROUNDS).map(|_| self.round().as_secs_f64()).collect();
        Duration::from_secs_f64(median(rounds.into_iter()))
    }

    fn round(&mut self) -> Duration {
        let mut wakes = Wakes::default();
        let started = Instant::now();
        for topic in 0..TOPICS {
            self.publisher.publish(&hot(topic), QoS::AtMostOnce, &mut wakes);
        }
        let took = started.elapsed();
        for reader in &mut self.readers {
            assert!(reader.drain() > 0, "every reader gets every publication");
        }
        took / u32::try_from(TOPICS).unwrap_or(1)
    }
}

/// A filter as fleets have them: some levels shared, one its own; every tenth with a wildcard.
fn filter(number: usize) -> String {
    match number % 10 {
        0 => format!("t/line-{}/device-{number}/+", number % 97),
        _ => format!("t/line-{}/device-{number}/state", number % 97),
    }
}

fn hot(topic: usize) -> String {
    format!("t/line-{topic}/hot/state")
}

/// Bytes of one session whose client is away, beyond its subscriptions. `live` tells the bytes that live.
pub(crate) fn bytes_of_a_session(sessions: usize, live: impl Fn() -> usize) -> f64 {
    let world = unlimited();
    // Whatever grows with the first session alone.
    world.connect_lasting("first").leave();
    let before = live();
    (0..sessions).for_each(|number| world.connect_lasting(&format!("device-{number:07}")).leave());
    each(before, live(), sessions)
}

/// Bytes of one subscription of a session that has many.
pub(crate) fn bytes_of_a_subscription(subscriptions: usize, live: impl Fn() -> usize) -> f64 {
    let world = unlimited();
    let mut side = world.connect("reader");
    side.subscribe("t/first", QoS::AtMostOnce);
    let before = live();
    (0..subscriptions).for_each(|number| side.subscribe(&filter(number), QoS::AtMostOnce));
    each(before, live(), subscriptions)
}

/// Bytes of one subscription of `levels` levels of which no other shares any.
pub(crate) fn bytes_of_a_deep_subscription(levels: usize, live: impl Fn() -> usize) -> f64 {
    const COUNT: usize = 100;
    let world = unlimited();
    let mut side = world.connect("reader");
    side.subscribe("t/first", QoS::AtMostOnce);
    let before = live();
    for number in 0..COUNT {
        side.subscribe(&format!("t/{number}{}", "/a".repeat(levels - 2)), QoS::AtMostOnce);
    }
    each(before, live(), COUNT)
}

/// Bytes of one retained message of 64 bytes.
pub(crate) fn bytes_of_a_retained_message(messages: usize, live: impl Fn() -> usize) -> f64 {
    let world = unlimited();
    let mut side = world.connect("publisher");
    side.retain("t/first");
    let before = live();
    (0..messages).for_each(|number| side.retain(&format!("t/line-{}/device-{number}/state", number % 97)));
    each(before, live(), messages)
}

fn each(before: usize, after: usize, count: usize) -> f64 {
    after.saturating_sub(before) as f64 / count as f64
}

/// A hub with retained messages and somebody who has not read them yet.
pub(crate) struct Retained {
    pub(crate) world: World,
    messages: usize,
}

/// What reading them all took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// From SUBSCRIBE to the first messages in the outbound.
    pub(crate) first: Duration,
    /// To the last.
    pub(crate) all: Duration,
    pub(crate) bytes: usize,
    /// How often the outbound was filled, each time under the session's lock once.
    pub(crate) fills: usize,
}

impl Retained {
    pub(crate) fn new(messages: usize) -> Self {
        let world = unlimited();
        let mut side = world.connect("publisher");
        (0..messages).for_each(|number| side.retain(&format!("t/line-{}/device-{number}/state", number % 97)));
        side.leave();
        Self { world, messages }
    }

    /// A new client subscribes to everything and reads until nothing more comes.
    pub(crate) fn read(&self) -> Reading {
        let reading = self.read_with("t/#");
        assert!(reading.bytes > self.messages * 64, "all {} messages came", self.messages);
        reading
    }

    /// As [`Retained::read`], with a filter of its own.
    pub(crate) fn read_with(&self, filter: &str) -> Reading {
        let mut side = self.world.connect("reader");
        let started = Instant::now();
        side.start_reading(filter);
        let first = started.elapsed();
        let (mut bytes, mut fills) = (0, 0);
        loop {
            let (read, more) = side.read_on();
            bytes += read;
            fills += 1;
            if !more && read == 0 {
                break;
            }
        }
        let all = started.elapsed();
        side.leave();
        Reading { first, all, bytes, fills }
    }
}
