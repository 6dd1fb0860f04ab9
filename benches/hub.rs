//! The hub in memory, with one and with two threads: `cargo bench --bench hub`.
//!
//! Disjoint pairs of publisher and subscriber. What counts is what two threads on one hub reach of what the same
//! threads reach on a hub each, in the same run: the rest is what the hub makes them wait for each other.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/hub_load/mod.rs"]
mod hub_load;

use certmq::protocol::QoS;
use hub_load::{Arrangements, Round, World, median, together};
use std::time::Duration;

const ROUNDS: usize = 21;

/// What one hub must reach of two.
const LEAST: f64 = 0.85;

fn main() {
    let pairs = disjoint_pairs("disjoint pairs, QoS 0", QoS::AtMostOnce, 400_000);
    disjoint_pairs("disjoint pairs, QoS 1", QoS::AtLeastOnce, 100_000);
    all_to_one(400_000);
    assert!(pairs >= LEAST, "one hub on two threads reaches {pairs:.2} of two hubs; {LEAST} is the least");
}

fn disjoint_pairs(title: &str, qos: QoS, messages: usize) -> f64 {
    let mut arrangements = Arrangements::new(qos, messages);
    arrangements.round();
    let rounds: Vec<Round> = (0..ROUNDS).map(|_| arrangements.round()).collect();
    let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
    let ratio = of(|round| round.shared / round.independent);
    println!("{title}");
    println!("  one thread                   {:12.0} messages a second", of(|round| round.single));
    println!("  two threads, one hub         {:12.0} messages a second", of(|round| round.shared));
    println!("  two threads, a hub each      {:12.0} messages a second", of(|round| round.independent));
    println!("  one hub of two hubs          {ratio:12.2}");
    println!("  two threads of one           {:12.2}", of(|round| round.shared / round.single));
    ratio
}

/// Everyone writes to one subscriber, whose session lock is the bottleneck by design: order is kept per reader.
fn all_to_one(messages: usize) {
    let world = World::new();
    let mut reader = world.connect("reader");
    reader.subscribe("t/one", QoS::AtMostOnce);
    let mut first = world.inward("a", "t/one");
    let mut second = world.inward("b", "t/one");
    let mut single = Vec::new();
    let mut double = Vec::new();
    let rate = |count: usize, took: Duration| count as f64 / took.as_secs_f64();
    for _ in 0..ROUNDS {
        let publish = |side: &mut hub_load::Inward| {
            let mut published = 0;
            while published < messages {
                published += side.batch();
            }
        };
        single.push(rate(messages, together(vec![Box::new(|| publish(&mut first))])));
        reader.drain();
        let took = together(vec![Box::new(|| publish(&mut first)), Box::new(|| publish(&mut second))]);
        double.push(rate(2 * messages, took));
        reader.drain();
    }
    println!("all to one subscriber, which does not read: QoS 0 beyond its outbound is dropped");
    println!("  one thread                   {:12.0} messages a second", median(single.into_iter()));
    println!("  two threads                  {:12.0} messages a second", median(double.into_iter()));
}
