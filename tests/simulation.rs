//! Hub, sessions and policy together in virtual time: many clients of both versions, random packets, lost
//! connections, takeovers, clean starts, acknowledgements out of order, a policy that changes. A model beside it
//! states what must and what may arrive.
//!
//! Every run prints its seed. `CERTMQ_SIMULATION_SEED` repeats one; `CERTMQ_SIMULATION_STEPS` makes runs longer.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

#[path = "simulation/client.rs"]
mod client;
#[path = "simulation/model.rs"]
mod model;
#[path = "simulation/world.rs"]
mod world;

use world::World;

/// Seeds that once found a fault.
const FOUND: &[u64] = &[18_236_598_831_964_593_279];

fn steps() -> usize {
    std::env::var("CERTMQ_SIMULATION_STEPS").ok().and_then(|steps| steps.parse().ok()).unwrap_or(20_000)
}

#[test]
fn what_must_arrive_arrives_and_nothing_else() {
    let given = std::env::var("CERTMQ_SIMULATION_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = match given {
        Some(seed) => vec![seed],
        None => FOUND.iter().copied().chain((0..4).map(|_| random_seed())).collect(),
    };
    for seed in seeds {
        println!("simulation seed {seed}, {} steps", steps());
        let mut world = World::new(seed);
        for _ in 0..steps() {
            world.step();
        }
        let told = world.settle();
        println!("  {told}");
    }
}

#[test]
fn a_model_that_expects_too_much_is_found_out() {
    let mut world = World::new(7);
    for _ in 0..2_000 {
        world.step();
    }
    world.expect_the_impossible();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.settle()));
    assert!(outcome.is_err(), "a message that was never published was not missed");
}

fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
