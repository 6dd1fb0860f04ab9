//! A full and a read-only disk, on a small tmpfs in a mount namespace of its own.

use super::{NOW, changes_of, child, commit_up_to, records_at};
use certmq::store::policy_store::{PolicyStore, StoreError};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const MOUNT: &str = "CERTMQ_TEST_MOUNT";

/// Runs a test of this file as root of a new mount namespace; no test of this file does anything outside of one.
fn in_namespace(test: &str) {
    let mount = tempfile::tempdir().unwrap();
    let environment = [(MOUNT, mount.path().to_str().unwrap())];
    let output = child::this_test(&["unshare", "--map-root-user", "--mount"], test, &environment)
        .output()
        .unwrap_or_else(|fault| panic!("unshare (util-linux) is needed for this test: {fault}"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// The folder of a store on a fresh tmpfs, inside the namespace only.
fn mounted() -> Option<PathBuf> {
    let mount = std::env::var(MOUNT).ok()?;
    run("mount", &["-t", "tmpfs", "-o", "size=24m", "tmpfs", &mount]);
    let folder = Path::new(&mount).join("data");
    DirBuilder::new().mode(0o700).create(&folder).unwrap();
    Some(folder)
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}");
}

#[test]
fn a_full_disk_refuses_the_change_and_nothing_else() {
    let Some(folder) = mounted() else { return in_namespace("disk::a_full_disk_refuses_the_change_and_nothing_else") };
    let store = PolicyStore::open(&folder).unwrap();
    commit_up_to(&store, 5);
    let ballast = folder.join("ballast");
    fs::write(&ballast, vec![1; 24 << 20]).unwrap_err();

    for _ in 0..3 {
        let fault = store.commit(&changes_of(6), "test", NOW).unwrap_err();
        assert!(matches!(fault, StoreError::Full { .. }) && fault.to_string().contains("free some"), "{fault}");
        assert_eq!(store.records().unwrap(), records_at(5));
    }
    fs::remove_file(&ballast).unwrap();
    commit_up_to(&store, 8);
    drop(store);
    assert_eq!(PolicyStore::open(&folder).unwrap().records().unwrap(), records_at(8));
}

#[test]
fn a_disk_that_fills_up_step_by_step_never_leaves_half_a_change() {
    let Some(folder) = mounted() else {
        return in_namespace("disk::a_disk_that_fills_up_step_by_step_never_leaves_half_a_change");
    };
    let store = PolicyStore::open(&folder).unwrap();
    let mut refused = 0;
    for step in 0.. {
        let generation = store.generation();
        match store.commit(&changes_of(generation + 1), "test", NOW) {
            Ok(next) => assert_eq!(next, generation + 1),
            Err(StoreError::Full { .. }) => {
                refused += 1;
                if refused == 3 {
                    break;
                }
            }
            Err(other) => panic!("{other}"),
        }
        // Keeps failing once there is no room left, which is the point.
        let _ = fs::write(folder.join(format!("ballast-{step}")), vec![1; 512 << 10]);
    }
    let generation = store.generation();
    drop(store);
    for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
        if entry.file_name().to_str().unwrap().starts_with("ballast") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let store = PolicyStore::open(&folder).unwrap();
    assert_eq!(store.records().unwrap(), records_at(generation));
    commit_up_to(&store, generation + 2);
}

#[test]
fn a_read_only_disk_is_named() {
    let Some(folder) = mounted() else { return in_namespace("disk::a_read_only_disk_is_named") };
    let store = PolicyStore::open(&folder).unwrap();
    commit_up_to(&store, 5);
    drop(store);
    let mount = folder.parent().unwrap().to_str().unwrap();
    run("mount", &["-o", "remount,ro", mount]);
    let fault = PolicyStore::open(&folder).unwrap_err();
    assert!(matches!(fault, StoreError::ReadOnly { .. }) && fault.to_string().contains("writable"), "{fault}");
    run("mount", &["-o", "remount,rw", mount]);
    assert_eq!(PolicyStore::open(&folder).unwrap().records().unwrap(), records_at(5));
}
