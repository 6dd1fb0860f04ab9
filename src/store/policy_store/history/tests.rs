use super::super::tests::{NOW, add, folder, put};
use super::*;
use std::os::unix::fs::PermissionsExt;

fn names(records: &Records) -> Vec<String> {
    records.devices.keys().map(|key| key.name.to_string()).collect()
}

/// Ten generations, a device each, with a snapshot after every third.
fn ten_generations(path: &Path) -> PolicyStore {
    let store = PolicyStore::open(path).unwrap();
    for number in 1..=10 {
        assert_eq!(add(&store, &format!("CN=dev-{number:02}")), number);
        if number % 3 == 0 {
            store.snapshot_now(NOW).unwrap();
        }
    }
    store
}

#[test]
fn every_generation_comes_back_across_snapshots_and_restarts() {
    let folder = folder();
    drop(ten_generations(folder.path()));
    let store = PolicyStore::open(folder.path()).unwrap();
    for generation in 0..=10 {
        let records = store.records_at(generation).unwrap();
        let expected: Vec<_> = (1..=generation).map(|number| format!("CN=dev-{number:02}")).collect();
        assert_eq!((names(&records), records.generation), (expected, generation));
    }
    let (generations, oldest) = store.history(100).unwrap();
    let numbers: Vec<u64> = generations.iter().map(|generation| generation.number).collect();
    assert_eq!((numbers, oldest), ((1..=10).rev().collect(), 0));
    assert_eq!(store.history(2).unwrap().0.len(), 2);
    let past = fs::metadata(folder.path().join("policy.history")).unwrap();
    assert_eq!(past.permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_generation_that_is_not_kept_is_named_with_those_that_are() {
    let folder = folder();
    let store = ten_generations(folder.path());
    for name in ["0.snapshot", "3.journal"] {
        fs::remove_file(folder.path().join("policy.history").join(name)).unwrap();
    }
    let refusal = store.records_at(2).unwrap_err().to_string();
    assert!(refusal.contains("from 3 to 10"), "{refusal}");
    assert_eq!(names(&store.records_at(3).unwrap()).len(), 3);
    assert!(store.records_at(11).unwrap_err().to_string().contains("no generation 11"));
}

#[test]
fn a_damaged_past_is_named_and_costs_nothing_else() {
    let folder = folder();
    let store = ten_generations(folder.path());
    let journal = folder.path().join("policy.history/6.journal");
    let text = fs::read_to_string(&journal).unwrap().replace("CN=dev-05", "CN=dev-55");
    fs::write(&journal, text).unwrap();
    assert!(store.records_at(5).unwrap_err().to_string().contains("6.journal"));
    assert_eq!(names(&store.records_at(6).unwrap()).len(), 6, "its snapshot stands");
    assert_eq!(store.commit(&put("CN=new", &[]), "test", NOW).unwrap(), 11);
}

#[test]
fn the_past_has_an_end() {
    let folder = folder();
    let store = PolicyStore::open(folder.path()).unwrap();
    for number in 1..=KEPT_SNAPSHOTS as u64 + 5 {
        add(&store, &format!("CN=dev-{number}"));
        store.snapshot_now(NOW).unwrap();
    }
    let newest = KEPT_SNAPSHOTS as u64 + 5;
    let (_, oldest) = store.history(1).unwrap();
    assert_eq!(oldest, newest - KEPT_SNAPSHOTS as u64);
    assert!(store.records_at(oldest - 1).is_err());
    for generation in oldest..=newest {
        assert_eq!(names(&store.records_at(generation).unwrap()).len() as u64, generation);
    }
}
