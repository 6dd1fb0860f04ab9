//! A damaged database file gives exactly the right records or a refusal, never less without a word.

use super::{Random, commit_up_to, copy_folder, private_folder, records_at};
use certmq::store::policy_store::{PolicyStore, RestoreSource, StoreError, restore_policy};
use std::fs;
use std::path::Path;

const GENERATIONS: u64 = 60;

/// Enough to meet every structure of the file; `CERTMQ_TEST_FLIPS` asks for more.
fn flips() -> u64 {
    std::env::var("CERTMQ_TEST_FLIPS").map_or(150, |number| number.parse().unwrap())
}

#[test]
fn a_flipped_byte_is_harmless_or_refused() {
    let (whole, damaged) = (private_folder(), private_folder());
    commit_up_to(&PolicyStore::open(whole.path()).unwrap(), GENERATIONS);
    let expected = records_at(GENERATIONS);
    let database = fs::read(whole.path().join("policy").join("db")).unwrap();
    let used: Vec<usize> = (0..database.len()).filter(|at| database[*at] != 0).collect();
    let mut random = Random::seeded();
    let mut refused = 0;
    for flip in 0..flips() {
        let at = match flip % 3 {
            0 => random.below(database.len() as u64) as usize,
            _ => used[random.below(used.len() as u64) as usize],
        };
        let xor = 1 + random.below(255) as u8;
        let root = damaged.path().join("store");
        copy_folder(whole.path(), &root);
        let mut bytes = database.clone();
        bytes[at] ^= xor;
        fs::write(root.join("policy").join("db"), bytes).unwrap();
        refused += u64::from(judge(&root, &expected, &format!("byte {at} xor {xor:#x}")));
        fs::remove_dir_all(&root).unwrap();
    }
    assert!(refused > 0, "no flip did any harm: they missed the records");
}

#[test]
fn a_database_cut_short_or_torn_is_harmless_or_refused() {
    let (whole, damaged) = (private_folder(), private_folder());
    commit_up_to(&PolicyStore::open(whole.path()).unwrap(), GENERATIONS);
    let expected = records_at(GENERATIONS);
    let database = fs::read(whole.path().join("policy").join("db")).unwrap();
    let end = database.iter().rposition(|byte| *byte != 0).unwrap();
    let mut random = Random::seeded();
    for round in 0..24 {
        let at = random.below(end as u64) as usize;
        let mut bytes = database.clone();
        if round % 2 == 0 {
            bytes.truncate(at);
        } else {
            let until = database.len().min(at + 4096);
            bytes[at..until].fill(0);
        }
        let root = damaged.path().join("store");
        copy_folder(whole.path(), &root);
        fs::write(root.join("policy").join("db"), bytes).unwrap();
        judge(&root, &expected, &format!("round {round} at {at}"));
        fs::remove_dir_all(&root).unwrap();
    }
}

/// Whether the store was refused. Then the restore must bring everything back.
fn judge(root: &Path, expected: &certmq::policy::Records, damage: &str) -> bool {
    match PolicyStore::open(root) {
        Ok(store) => {
            assert_eq!(store.records().unwrap(), *expected, "{damage}: opened with other records");
            false
        }
        Err(fault @ StoreError::Damaged { .. }) => {
            assert!(fault.to_string().contains("certmq store restore --policy"), "{damage}: {fault}");
            let report = restore_policy(root).unwrap_or_else(|fault| panic!("{damage}: {fault}"));
            assert_eq!(report.source, RestoreSource::Backup, "{damage}");
            assert_eq!(PolicyStore::open(root).unwrap().records().unwrap(), *expected, "{damage}: after the restore");
            true
        }
        Err(other) => panic!("{damage}: an error of another kind: {other:?}"),
    }
}
