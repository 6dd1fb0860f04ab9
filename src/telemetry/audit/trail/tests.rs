use super::*;
use crate::telemetry::audit::{Expected, Report, readers, verify};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;

/// A store that remembers.
#[derive(Default)]
pub(in crate::telemetry::audit) struct Remembered {
    pub(in crate::telemetry::audit) anchor: Mutex<Option<Head>>,
    certificates: Mutex<HashMap<(String, String), [u8; 32]>>,
}

impl AuditStore for Remembered {
    fn anchor(&self) -> Result<Option<Head>, String> {
        Ok(*self.anchor.lock())
    }

    fn set_anchor(&self, head: Head) -> Result<(), String> {
        *self.anchor.lock() = Some(head);
        Ok(())
    }

    fn certificate_of(&self, trust: &str, device: &str) -> Result<Option<[u8; 32]>, String> {
        Ok(self.certificates.lock().get(&(trust.to_owned(), device.to_owned())).copied())
    }

    fn remember_certificate(&self, trust: &str, device: &str, sha256: &[u8; 32]) -> Result<(), String> {
        self.certificates.lock().insert((trust.to_owned(), device.to_owned()), *sha256);
        Ok(())
    }
}

const LARGE: Retention = Retention { file_bytes: 1 << 20, files: 4 };

fn open(folder: &Path, retention: Retention, store: &Remembered) -> Trail {
    Trail::open(&folder.join("audit"), retention, store).unwrap()
}

fn write(trail: &mut Trail, store: &Remembered, count: u64) {
    for connections in 0..count {
        trail.append(&Event::BrokerStopped { connections }, SystemTime::now()).unwrap();
        trail.rotate(store).unwrap();
    }
}

pub(in crate::telemetry::audit) fn report(folder: &Path, store: &Remembered) -> Report {
    let expected = Expected { anchor: *store.anchor.lock(), external: None };
    verify(readers(&folder.join("audit")).unwrap(), expected).unwrap()
}

fn files(folder: &Path) -> Vec<u64> {
    files::numbers(&folder.join("audit")).unwrap()
}

fn shorten(folder: &Path, number: u64, by: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(files::path(&folder.join("audit"), number)).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length - by).unwrap();
}

#[test]
fn nobody_else_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path(), LARGE, &Remembered::default());
    let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.path().join("audit")), 0o700);
    assert_eq!(mode(folder.path().join("audit/00000001.jsonl")), 0o600);
}

#[test]
fn it_goes_on_after_it_was_closed() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Remembered::default());
    for _ in 0..3 {
        let mut trail = open(folder.path(), LARGE, &store);
        write(&mut trail, &store, 5);
        trail.anchor(&store).unwrap();
    }
    let report = report(folder.path(), &store);
    assert_eq!((report.faults.as_slice(), report.lines, report.files), (&[][..], 16, 1));
}

#[test]
fn rotation_keeps_the_chain_and_says_what_it_removes() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Remembered::default());
    let small = Retention { file_bytes: 1500, files: 3 };
    let mut trail = open(folder.path(), small, &store);
    write(&mut trail, &store, 100);
    assert_eq!(files(folder.path()).len(), 3);
    let after = report(folder.path(), &store);
    assert_eq!(after.faults, []);
    assert!(after.first > 50 && after.head.count > 100, "{after:?}");
    drop(trail);
    write(&mut open(folder.path(), small, &store), &store, 20);
    assert_eq!(report(folder.path(), &store).faults, []);
    std::fs::remove_file(files::path(&folder.path().join("audit"), files(folder.path())[0])).unwrap();
    assert!(!report(folder.path(), &store).faults.is_empty(), "a file that certmq did not remove");
}

#[test]
fn a_crash_in_the_middle_of_a_line_loses_that_line_alone() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Remembered::default());
    let mut trail = open(folder.path(), LARGE, &store);
    write(&mut trail, &store, 3);
    trail.anchor(&store).unwrap();
    write(&mut trail, &store, 3);
    drop(trail);
    shorten(folder.path(), 1, 10);
    let mut trail = open(folder.path(), LARGE, &store);
    write(&mut trail, &store, 1);
    let report = report(folder.path(), &store);
    assert_eq!((report.faults.as_slice(), report.lines), (&[][..], 7));
}

#[test]
fn a_tail_that_was_cut_while_nothing_ran_stays_a_fault() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Remembered::default());
    let mut trail = open(folder.path(), LARGE, &store);
    write(&mut trail, &store, 6);
    trail.anchor(&store).unwrap();
    drop(trail);
    shorten(folder.path(), 1, 400);
    let mut trail = open(folder.path(), LARGE, &store);
    write(&mut trail, &store, 20);
    trail.anchor(&store).unwrap();
    let report = report(folder.path(), &store);
    assert!(report.faults[0].fault.contains("the store knows of 7"), "{report:?}");
}

#[test]
fn a_trail_that_is_gone_stays_a_fault() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Remembered::default());
    let mut trail = open(folder.path(), LARGE, &store);
    write(&mut trail, &store, 6);
    trail.anchor(&store).unwrap();
    drop(trail);
    std::fs::remove_dir_all(folder.path().join("audit")).unwrap();
    assert!(!report(folder.path(), &store).faults.is_empty());
    open(folder.path(), LARGE, &store).anchor(&store).unwrap();
    let report = report(folder.path(), &store);
    assert!(report.faults[0].fault.contains("there is no file"), "{report:?}");
}

#[test]
fn behind_an_altered_line_a_new_file_begins_and_both_faults_are_told() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Remembered::default());
    let mut trail = open(folder.path(), LARGE, &store);
    write(&mut trail, &store, 6);
    trail.anchor(&store).unwrap();
    drop(trail);
    let path = folder.path().join("audit/00000001.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"connections\":3", "\"connections\":9")).unwrap();
    open(folder.path(), LARGE, &store).anchor(&store).unwrap();
    assert_eq!(files(folder.path()), [1, 2]);
    let report = report(folder.path(), &store);
    assert_eq!((report.faults[0].line, report.faults[0].file.ends_with("00000001.jsonl")), (5, true), "{report:?}");
}

#[test]
fn a_file_without_a_line_is_begun_anew() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Remembered::default());
    let mut trail = open(folder.path(), LARGE, &store);
    write(&mut trail, &store, 2);
    drop(trail);
    std::fs::write(folder.path().join("audit/00000002.jsonl"), "{\"n\":4").unwrap();
    let mut trail = open(folder.path(), LARGE, &store);
    write(&mut trail, &store, 2);
    trail.anchor(&store).unwrap();
    assert_eq!(files(folder.path()), [1]);
    assert_eq!(report(folder.path(), &store).lines, 5 + 1, "the fault that there was no anchor is one");
}
