//! Mutated packets against the codec and the hub, on the stable toolchain: two seconds each, or
//! `CERTMQ_FUZZ_SECONDS`. The seed of a failing run is printed; `CERTMQ_FUZZ_SEED` runs it again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test may fail and talk")]

mod connections;
#[path = "../packets/mod.rs"]
mod packets;

use connections::Connections;
use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use packets::{invariants, strategies};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

#[test]
fn mutated_packets_break_no_rule() {
    let seed = number("CERTMQ_FUZZ_SEED").unwrap_or_else(clock);
    println!("CERTMQ_FUZZ_SEED={seed}");
    let mut random = Random(seed);
    let corpus = corpus(&mut random);
    fuzz(|| {
        let mut bytes = random.pick(&corpus).clone();
        for _ in 0..=random.below(4) {
            mutate(&mut bytes, &corpus, &mut random);
        }
        bytes.truncate(4_096);
        let shown = ShownOnPanic(&bytes);
        invariants::check_bytes(shown.0);
    });
}

#[test]
fn random_filters_break_no_rule() {
    let seed = number("CERTMQ_FUZZ_SEED").unwrap_or_else(clock);
    println!("CERTMQ_FUZZ_SEED={seed}");
    let mut random = Random(seed);
    fuzz(|| {
        let [left, right, topic] = std::array::from_fn(|_| random_topic(&mut random));
        let shown = ShownOnPanic((&left, &right, &topic));
        invariants::check_algebra(shown.0.0, shown.0.1, shown.0.2);
    });
}

#[test]
fn mutated_connections_break_no_rule() {
    const ROUNDS_OF_A_HUB: u64 = 20_000;
    let seed = number("CERTMQ_FUZZ_SEED").unwrap_or_else(clock);
    println!("CERTMQ_FUZZ_SEED={seed}");
    let mut random = Random(seed);
    let corpus = corpus(&mut random);
    let (mut rounds, mut delivered) = (0, 0);
    let mut connections = Connections::new();
    fuzz(|| {
        rounds += 1;
        if rounds % ROUNDS_OF_A_HUB == 0 {
            delivered += connections.delivered;
            connections = Connections::new();
        }
        connections.step(&corpus, &mut random);
    });
    delivered += connections.delivered;
    assert!(delivered > rounds / 50, "{delivered} publications delivered in {rounds} rounds: they do not meet");
}

/// Runs `round` until the time is over.
fn fuzz(mut round: impl FnMut()) {
    let end = Instant::now() + Duration::from_secs(number("CERTMQ_FUZZ_SECONDS").unwrap_or(2));
    let mut rounds = 0_u64;
    while Instant::now() < end {
        round();
        rounds += 1;
    }
    println!("{rounds} rounds");
    assert!(rounds > 100, "only {rounds} rounds");
}

/// Prints the input of the round that fails.
struct ShownOnPanic<T: Debug>(T);

impl<T: Debug> Drop for ShownOnPanic<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the input was {:02X?}", self.0);
        }
    }
}

/// A few hundred valid packets of all types and versions.
fn corpus(random: &mut Random) -> Vec<Vec<u8>> {
    let seed: Vec<u8> = (0..4).flat_map(|_| random.next().to_le_bytes()).collect();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let packets = strategies::sent();
    (0..400).map(|_| packets.new_tree(&mut runner).unwrap().current().bytes()).collect()
}

/// One change of the kinds that find the edges of a format.
fn mutate(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    const TELLING: [u8; 12] = [0x00, 0x01, 0x02, 0x03, 0x0B, 0x23, 0x26, 0x7F, 0x80, 0xC0, 0xED, 0xFF];
    let place = random.below(bytes.len() + 1);
    match random.below(8) {
        0 => bytes.truncate(place),
        1 => bytes.insert(place, random.next() as u8),
        2 if place < bytes.len() => drop(bytes.remove(place)),
        3 if place < bytes.len() => bytes[place] ^= 1 << random.below(8),
        4 if place < bytes.len() => bytes[place] = *random.pick(&TELLING),
        5 if place < bytes.len() => bytes[place] = bytes[place].wrapping_add(random.below(3) as u8).wrapping_sub(1),
        // The end of another packet, or a piece of this one again.
        6 => {
            let other = random.pick(corpus);
            bytes.splice(place.., other[random.below(other.len())..].iter().copied());
        }
        _ => {
            let piece = bytes[place..(place + random.below(16)).min(bytes.len())].to_vec();
            bytes.splice(place..place, piece);
        }
    }
    // A body of another length with a header that fits it reaches deeper than one without.
    if random.below(2) == 0 && (2..0x80).contains(&bytes.len()) {
        bytes[1] = (bytes.len() - 2) as u8;
    }
}

fn random_topic(random: &mut Random) -> String {
    const PIECES: [&str; 12] = ["/", "/", "/", "+", "#", "a", "b", "$", "$SYS", "$share/g/", "é", ""];
    (0..=random.below(8)).map(|_| *random.pick(&PIECES)).collect()
}

/// SplitMix64: a few lines are all the randomness that a fuzz loop needs.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text:?}")))
}

fn clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}
