//! kill -9 at any instant: what was acknowledged is there, what is there is whole.

use super::{Random, child, private_folder, records_at};
use certmq::store::policy_store::{PolicyStore, check};
use std::sync::mpsc;
use std::thread::park_timeout;
use std::time::Duration;

const ROUNDS: u64 = 25;

#[test]
fn nothing_acknowledged_is_lost() {
    let folder = private_folder();
    let mut random = Random::seeded();
    let mut before = 0;
    for round in 0..ROUNDS {
        let mut process = child::command(&[], folder.path(), u64::MAX).spawn().unwrap();
        let acknowledgements = child::acknowledged(&mut process);
        let (sender, receiver) = mpsc::channel();
        let reader =
            std::thread::spawn(move || acknowledgements.for_each(|generation| sender.send(generation).unwrap()));
        // Some rounds hit the opening of the store, most a commit or a snapshot.
        let mut last = before;
        for _ in 0..random.below(12) {
            last = receiver.recv().unwrap();
        }
        park_timeout(Duration::from_micros(random.below(8_000)));
        process.kill().unwrap();
        process.wait().unwrap();
        reader.join().unwrap();
        last = receiver.iter().last().unwrap_or(last);

        let store = PolicyStore::open(folder.path()).unwrap();
        let generation = store.generation();
        assert!((last..=last + 1).contains(&generation), "round {round}: {last} acknowledged, {generation} there");
        assert_eq!(store.records().unwrap(), records_at(generation), "round {round}");
        drop(store);
        assert_eq!(check(folder.path()).unwrap().faults, Vec::<String>::new(), "round {round}");
        before = generation;
    }
    assert!(before > ROUNDS, "the rounds were killed before they did anything: {before} generations");
}

/// The store is made in several steps; whichever was the last, the next start goes on.
#[test]
fn a_store_killed_while_it_is_made_opens() {
    for made in ["policy", "policy/db", "policy/conf", "policy.snapshot", "policy.journal"] {
        let folder = private_folder();
        let mut process = child::command(&[], folder.path(), u64::MAX).spawn().unwrap();
        while !folder.path().join(made).exists() {
            std::hint::spin_loop();
        }
        process.kill().unwrap();
        process.wait().unwrap();
        let store = PolicyStore::open(folder.path()).unwrap_or_else(|error| panic!("killed after {made}: {error}"));
        assert_eq!(store.records().unwrap(), records_at(store.generation()), "killed after {made}");
    }
}
