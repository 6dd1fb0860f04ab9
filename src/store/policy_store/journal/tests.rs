use super::*;
use proptest::prelude::*;

fn journal_of(entries: u64) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.journal");
    let mut journal = Journal::start(&path, State::default(), Hex32::default()).unwrap();
    for generation in 1..=entries {
        append(&mut journal, generation).unwrap();
    }
    (folder, path)
}

fn append(journal: &mut Journal, generation: u64) -> Result<(), StoreError> {
    let state = State { generation, ..State::default() };
    journal.append(&Entry::new(state, "root", "2026-11-02T10:00:00Z".to_owned(), Vec::new()))
}

#[test]
fn a_chain_goes_on_through_a_restart() {
    let (_folder, path) = journal_of(2);
    let reading = read(&path, |_| Ok(())).unwrap();
    let mut journal = Journal::resume(&path, &reading).unwrap();
    let chain = journal.mark().chain;
    journal.restart(reading.end).unwrap();
    append(&mut journal, 3).unwrap();
    let reading = read(&path, |_| Ok(())).unwrap();
    assert_eq!((reading.start.generation, reading.end.generation, reading.fault.is_none()), (2, 3, true));
    assert!(std::fs::read_to_string(&path).unwrap().contains(&format!("\"after\":\"{chain}\"")));
}

#[test]
fn a_retracted_line_is_gone() {
    let (_folder, path) = journal_of(1);
    let before = std::fs::read(&path).unwrap();
    let mut journal = Journal::resume(&path, &read(&path, |_| Ok(())).unwrap()).unwrap();
    let mark = journal.mark();
    append(&mut journal, 2).unwrap();
    journal.retract(mark).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), before);
    append(&mut journal, 2).unwrap();
    assert!(read(&path, |_| Ok(())).unwrap().fault.is_none());
}

#[test]
fn what_the_visitor_objects_to_is_a_fault_of_the_line() {
    let (_folder, path) = journal_of(3);
    let reading = read(&path, |entry| if entry.generation == 2 { Err("no".to_owned()) } else { Ok(()) }).unwrap();
    let expected = LineFault { line: 3, fault: "no".to_owned(), lines_after: 1, unfinished: false };
    assert_eq!((reading.end.generation, reading.fault), (1, Some(expected)));
}

#[test]
fn unreadable_lines_count_as_generations_that_may_have_been() {
    let (_folder, path) = journal_of(3);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(newest_generation_claimed(&path).unwrap(), 3);
    std::fs::write(&path, text.replacen("\"generation\":3", "\"generation\":!", 1)).unwrap();
    assert_eq!(newest_generation_claimed(&path).unwrap(), 3);
    std::fs::write(&path, format!("{text}garbage\n")).unwrap();
    assert_eq!(newest_generation_claimed(&path).unwrap(), 4);
}

proptest! {
    /// One changed byte anywhere is noticed, at its line or (a line break) the one it glues on.
    #[test]
    fn a_changed_byte_is_noticed(at in any::<prop::sample::Index>(), xor in 1_u8..) {
        let (_folder, path) = journal_of(3);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        bytes[at] ^= xor;
        std::fs::write(&path, bytes).unwrap();
        let reading = read(&path, |_| Ok(())).unwrap();
        prop_assert_eq!(reading.fault.unwrap().line, line);
    }
}
