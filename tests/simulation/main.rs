//! Hub, sessions and policy together in virtual time: many clients of both versions, random packets, lost
//! connections, takeovers, acknowledgements out of order, slow readers, wills, a policy that changes. A model beside
//! it states what must and what may arrive.
//!
//! Every run prints its seeds. `CERTMQ_SIMULATION_SEED` repeats one, `CERTMQ_SIMULATION_STEPS` makes each longer,
//! `CERTMQ_SIMULATION_SECONDS` goes on with fresh seeds for so long, `CERTMQ_SIMULATION_TRACE` tells every packet.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]
#![allow(clippy::print_stdout, reason = "the seed is what repeats a run")]

mod actions;
mod client;
mod dice;
mod fleet;
mod model;
mod world;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use world::World;

/// Seeds that once found a fault, of the broker or of the model beside it, all of them late in a long run.
const FOUND: [u64; 9] = [
    16906177602177331940,
    1393905419392815042,
    8992445922661980901,
    13917428610450176733,
    15397642220808442985,
    12377741029754478954,
    18372560028728832150,
    18262393694899394933,
    11671798191682427301,
];

/// The steps in which they did.
const FOUND_WITHIN: u64 = 50_000;

/// Seeds of every run, so that what changes between two runs is the broker and not the dice.
const KEPT: std::ops::RangeInclusive<u64> = 1..=6;

/// How many seeds nobody has tried go with them; the hour of `tests/nightly` tries hundreds.
const FRESH: u64 = 8;

/// The drops that a world counts are the whole process's.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn what_must_arrive_arrives_and_nothing_else() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let steps = setting("CERTMQ_SIMULATION_STEPS").unwrap_or(10_000);
    let began = Instant::now();
    if let Some(seed) = setting("CERTMQ_SIMULATION_SEED") {
        return run(seed, steps, began);
    }
    FOUND.into_iter().for_each(|seed| run(seed, steps.max(FOUND_WITHIN), began));
    KEPT.for_each(|seed| run(seed, steps, began));
    let long = setting("CERTMQ_SIMULATION_SECONDS").map(Duration::from_secs);
    for number in 0.. {
        let is_over = match long {
            Some(span) => began.elapsed() >= span,
            None => number == FRESH,
        };
        if is_over {
            break;
        }
        run(random_seed(), steps, began);
    }
}

#[test]
fn a_model_that_expects_too_much_is_found_out() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut world = World::new(7);
    for _ in 0..2_000 {
        world.step();
    }
    world.expect_the_impossible();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.settle()));
    assert!(outcome.is_err(), "a message that was never published was not missed");
}

fn run(seed: u64, steps: u64, began: Instant) {
    println!("simulation seed {seed}, {steps} steps, after {} s", began.elapsed().as_secs());
    let mut world = World::new(seed);
    for _ in 0..steps {
        world.step();
    }
    let told = world.settle();
    println!("  {told}");
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
