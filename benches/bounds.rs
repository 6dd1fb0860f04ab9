//! What subscriptions, sessions and retained messages cost: `cargo bench --bench bounds`.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/counting/mod.rs"]
mod counting;
#[path = "../tests/hub_load/mod.rs"]
mod hub_load;

use certmq::hub::Wakes;
use certmq::protocol::QoS;
use hub_load::bounds::{
    MATCHES, Reading, Retained, Subscribed, bytes_of_a_deep_subscription, bytes_of_a_retained_message,
    bytes_of_a_session, bytes_of_a_subscription,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn main() {
    println!("one publication to {MATCHES} readers, the tree walked each time");
    for others in [1_000, 10_000, 100_000, 1_000_000] {
        println!("  beside {others:9} other subscriptions  {:10.1?}", Subscribed::new(others).publish_cost());
    }
    println!("memory, bytes counted");
    println!("  a session whose client is away      {:10.0}", bytes_of_a_session(100_000, counting::live));
    println!("  a subscription of 4 levels          {:10.0}", bytes_of_a_subscription(100_000, counting::live));
    println!("  one of 64 levels, none shared       {:10.0}", bytes_of_a_deep_subscription(64, counting::live));
    println!("  a retained message of 64 bytes      {:10.0}", bytes_of_a_retained_message(100_000, counting::live));
    println!("one reader of everything retained");
    for messages in [1_000, 10_000, 100_000, 1_000_000] {
        let retained = Retained::new(messages);
        retained.read();
        let mut reading = None;
        let peak = counting::peak(|| reading = Some(retained.read()));
        let Some(Reading { first, all, bytes, .. }) = reading else { return };
        println!(
            "  {messages:9} messages: first after {first:10.1?}, all ({:5} MiB) after {all:8.1?}, {:4} KiB more memory at most",
            bytes >> 20,
            peak >> 10,
        );
        if messages == 1_000_000 {
            latency_of_others(&retained);
        }
    }
}

/// How long others wait to publish, retained and not, with and without somebody who reads a million messages.
fn latency_of_others(retained: &Retained) {
    for (title, reads) in [("nobody reads", false), ("one reads    ", true)] {
        let done = AtomicBool::new(false);
        let latencies = std::thread::scope(|scope| {
            let publisher = scope.spawn(|| latencies(retained, &done));
            if reads {
                retained.read();
            } else {
                std::thread::park_timeout(Duration::from_secs(2));
            }
            done.store(true, Ordering::Relaxed);
            publisher.join().unwrap_or_default()
        });
        let at = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied().unwrap_or_default();
        println!(
            "  a retained publication while {title}: median {:8.1?}, p99 {:8.1?}, p99.9 {:8.1?}, longest {:8.1?}",
            at(0.5),
            at(0.99),
            at(0.999),
            latencies.last().copied().unwrap_or_default(),
        );
    }
}

/// Sorted.
fn latencies(retained: &Retained, done: &AtomicBool) -> Vec<Duration> {
    let mut side = retained.world.connect("other");
    let mut latencies = Vec::new();
    let mut number = 0;
    while !done.load(Ordering::Relaxed) {
        number += 1;
        let topic = format!("t/line-{}/device-{number}/state", number % 97);
        let started = Instant::now();
        side.retain(&topic);
        side.publish(&topic, QoS::AtMostOnce, &mut Wakes::default());
        latencies.push(started.elapsed());
    }
    latencies.sort_unstable();
    latencies
}
