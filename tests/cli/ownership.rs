//! Whose store it is: its owner works on it, root becomes its owner, everyone else is told how.

use super::{Desk, Outcome};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The user `nobody`, who exists everywhere and owns nothing.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A store of `owner`, and a copy of the program that anybody may run.
fn store_of(desk: &Desk, owner: u32) {
    desk.ok(&["device", "add", "CN=a"]);
    let program = desk.path("certmq");
    std::fs::copy(env!("CARGO_BIN_EXE_certmq"), &program).unwrap();
    std::fs::set_permissions(desk.folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    give(&desk.path("data"), owner);
}

fn give(path: &std::path::Path, owner: u32) {
    chown(path, Some(owner), Some(owner)).unwrap();
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path(), owner));
    }
}

#[test]
fn others_are_told_whose_store_it_is() {
    let desk = Desk::new();
    if is_root() {
        store_of(&desk, 0);
        let mut command = Command::new(desk.path("certmq"));
        command.args(["device", "list"]).current_dir(desk.folder.path()).env_clear().uid(NOBODY).gid(NOBODY);
        Outcome::of(&mut command).refused(77, &["belongs to root", "sudo -u root", "device list"]);
    } else {
        // A folder that is never ours.
        let set = ["device", "list", "--set", "storage.path=/etc"];
        desk.run(&set).refused(77, &["belongs to root", "sudo -u root", "device list"]);
    }
}

#[test]
fn root_becomes_the_owner_of_the_store() {
    let desk = Desk::new();
    if is_root() {
        store_of(&desk, NOBODY);
        desk.ok(&["device", "add", "CN=b"]);
        let owners: Vec<u32> = files(&desk.path("data")).iter().map(|path| path.metadata().unwrap().uid()).collect();
        assert!(owners.len() > 3 && owners.iter().all(|owner| *owner == NOBODY), "{owners:?}");
    } else {
        // The owner stays who he is.
        desk.ok(&["device", "add", "CN=b"]);
        let own = std::fs::metadata("/proc/self").unwrap().uid();
        assert!(files(&desk.path("data")).iter().all(|path| path.metadata().unwrap().uid() == own));
    }
}

#[test]
fn a_store_that_others_can_read_is_refused() {
    let desk = Desk::new();
    desk.ok(&["device", "add", "CN=a"]);
    std::fs::set_permissions(desk.path("data"), std::fs::Permissions::from_mode(0o755)).unwrap();
    desk.run(&["device", "list"]).refused(77, &["others can read it", "chmod go-rwx"]);
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
