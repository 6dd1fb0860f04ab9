//! What the store refuses, and that a refusal changes nothing.

use super::*;

fn refused(changes: ChangeSet) -> StoreError {
    let folder = folder();
    let before = three_generations(folder.path());
    let store = PolicyStore::open(folder.path()).unwrap();
    let journal = fs::read(folder.path().join("policy.journal")).unwrap();
    let error = store.commit(&changes, "root", NOW).unwrap_err();
    assert_eq!(store.records().unwrap(), before);
    assert_eq!(fs::read(folder.path().join("policy.journal")).unwrap(), journal);
    add(&store, "CN=next");
    error
}

#[test]
fn a_change_made_for_another_generation() {
    let changes = ChangeSet { expected_generation: Some(2), ..put("CN=c", &[]) };
    let error = refused(changes);
    assert!(matches!(error, StoreError::Generation { expected: 2, found: 3 }), "{error}");
}

#[test]
fn removing_what_is_not_there() {
    let device = refused(set([Change::PutDevice(device("CN=c", &[])), Change::RemoveDevice(key("CN=nobody"))]));
    assert!(matches!(device, StoreError::NoSuchDevice { .. }), "{device}");
    let group = refused(set([Change::RemoveGroup("nothing".into())]));
    assert!(matches!(group, StoreError::NoSuchGroup { .. }), "{group}");
}

#[test]
fn a_group_that_is_still_listed() {
    let error = refused(set([Change::RemoveGroup("sensors".into())]));
    assert!(matches!(error, StoreError::GroupInUse { devices: 1, .. }), "{error}");
    let joins = refused(set([Change::RemoveGroup("sensors".into()), Change::PutDevice(device("CN=b", &["sensors"]))]));
    assert!(matches!(joins, StoreError::NoSuchGroup { .. } | StoreError::GroupInUse { .. }), "{joins}");
}

#[test]
fn listing_a_group_that_does_not_exist() {
    let error = refused(put("CN=c", &["nothing"]));
    assert!(matches!(error, StoreError::NoSuchGroup { .. }), "{error}");
}

#[test]
fn one_record_twice_in_one_set() {
    let error = refused(set([Change::PutDevice(device("CN=c", &[])), Change::RemoveDevice(key("CN=c"))]));
    assert!(matches!(error, StoreError::NoSuchDevice { .. } | StoreError::Repeated { .. }), "{error}");
    let error = refused(set([Change::PutDevice(device("CN=c", &[])), Change::PutDevice(device("CN=c", &[]))]));
    assert!(matches!(error, StoreError::Repeated { .. }), "{error}");
}

#[test]
fn keys_that_could_be_read_two_ways() {
    let mut odd = device("CN=c", &[]);
    odd.key.trust = "a\0b".into();
    assert!(matches!(refused(set([Change::PutDevice(odd)])), StoreError::BadRecord { .. }));
    assert!(matches!(refused(put("", &[])), StoreError::BadRecord { .. }));
}

#[test]
fn a_second_opener() {
    let folder = folder();
    let store = PolicyStore::open(folder.path()).unwrap();
    assert!(matches!(PolicyStore::open(folder.path()), Err(StoreError::InUse { .. })));
    assert!(matches!(check(folder.path()), Err(StoreError::InUse { .. })));
    assert!(matches!(restore_policy(folder.path()), Err(StoreError::InUse { .. })));
    drop(store);
    PolicyStore::open(folder.path()).unwrap();
}

#[test]
fn what_others_can_read() {
    let folder = folder();
    three_generations(folder.path());
    for name in ["", "policy", "policy/db", "policy.journal", "policy.snapshot", "policy.lock"] {
        let path = folder.path().join(name);
        let private = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(private.mode() | 0o040)).unwrap();
        let error = PolicyStore::open(folder.path()).unwrap_err();
        assert!(matches!(&error, StoreError::Exposed { path: named, .. } if *named == path), "{name}: {error}");
        assert!(error.to_string().contains("chmod go-rwx"));
        fs::set_permissions(&path, private).unwrap();
    }
    PolicyStore::open(folder.path()).unwrap();
}

#[test]
fn a_store_of_a_newer_version() {
    let folder = folder();
    three_generations(folder.path());
    {
        let db = sled::open(folder.path().join("policy")).unwrap();
        db.open_tree("meta").unwrap().insert("schema", "2").unwrap();
    }
    for error in [
        PolicyStore::open(folder.path()).map(drop).unwrap_err(),
        restore_policy(folder.path()).map(drop).unwrap_err(),
        check(folder.path()).map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
    }
}

#[test]
fn checking_or_restoring_what_is_not_there() {
    let folder = folder();
    assert!(matches!(check(&folder.path().join("none")), Err(StoreError::Io { .. })));
    assert!(matches!(restore_policy(folder.path()), Err(StoreError::Io { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_journal_that_is_no_file() {
    let folder = folder();
    three_generations(folder.path());
    let journal = folder.path().join("policy.journal");
    fs::remove_file(&journal).unwrap();
    fs::DirBuilder::new().create(&journal).unwrap();
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o700)).unwrap();
    let error = PolicyStore::open(folder.path()).unwrap_err();
    assert!(matches!(&error, StoreError::Io { path, .. } if *path == journal), "{error}");
}
