//! Acknowledged means on the disk: seen in the system calls, because sled's own flush is no fsync.

use super::{child, private_folder};
use std::fs;

const COMMITS: u64 = 12;

#[test]
fn every_acknowledgement_follows_an_fsync_of_journal_and_database() {
    let (folder, traces) = (private_folder(), tempfile::tempdir().unwrap());
    let prefix = traces.path().join("trace");
    // -ff: one file per thread, so that no call is cut in two by another's.
    let trace = ["strace", "-ff", "-y", "-s", "100", "-e", "trace=fsync,fdatasync,write,pwrite64", "-o"];
    let wrapper: Vec<_> = trace.into_iter().chain([prefix.to_str().unwrap()]).collect();
    let output = child::command(&wrapper, folder.path(), COMMITS)
        .output()
        .unwrap_or_else(|fault| panic!("strace is needed for this test (apt-get install strace): {fault}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let calls = fs::read_dir(traces.path())
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .find(|calls| calls.contains("acknowledged "))
        .unwrap();
    let synced = |path: &str, call: &str| {
        (call.starts_with("fsync(") || call.starts_with("fdatasync("))
            && call.contains(&format!("<{}>)", folder.path().join(path).display()))
            && call.ends_with(" = 0")
    };
    let mut acknowledged = 0;
    let mut since: Vec<&str> = Vec::new();
    for call in calls.lines() {
        if call.contains("acknowledged ") {
            let journal = since.iter().position(|call| synced("policy.journal", call));
            let database = since.iter().rposition(|call| synced("policy/db", call));
            assert!(journal.is_some() && journal < database, "before {call}:\n{}", since.join("\n"));
            let unsynced = since.iter().skip(database.unwrap()).any(|call| call.contains("policy/db>, "));
            assert!(!unsynced, "written after the fsync, before {call}:\n{}", since.join("\n"));
            acknowledged += 1;
            since.clear();
        }
        since.push(call);
    }
    assert_eq!(acknowledged, COMMITS);
}
