use super::*;
use std::io::Cursor;
use std::time::{Duration, UNIX_EPOCH};

/// Lines of a trail of two files, as certmq writes them.
struct Written {
    files: Vec<Vec<String>>,
    heads: Vec<Head>,
}

fn stopped(connections: u64) -> Event {
    Event::BrokerStopped { connections }
}

fn written() -> Written {
    let mut written = Written { files: Vec::new(), heads: vec![Head::default()] };
    for file in 1..=2 {
        written.files.push(Vec::new());
        let after = written.heads.last().unwrap().hash;
        written.push(&Event::TrailOpened { file, after });
        (0..4).for_each(|connections| written.push(&stopped(connections)));
    }
    written
}

impl Written {
    fn push(&mut self, event: &Event) {
        let before = *self.heads.last().unwrap();
        let (line, head) = line::write(before, event, UNIX_EPOCH + Duration::from_secs(before.count)).unwrap();
        self.files.last_mut().unwrap().push(line);
        self.heads.push(head);
    }

    fn end(&self) -> Head {
        *self.heads.last().unwrap()
    }

    fn check(&self, expected: Expected) -> Report {
        let named = self.files.iter().zip(1..);
        verify(named.map(|(lines, number)| (format!("{number}"), Cursor::new(lines.concat()))), expected).unwrap()
    }

    /// Against the anchor that was there before anybody changed anything.
    fn report(&self) -> Report {
        self.check(Expected { anchor: Some(self.end()), external: None })
    }
}

/// The first fault: file, line and words.
#[track_caller]
fn first(report: &Report) -> (&str, u64, &str) {
    let fault = report.faults.first().expect("a fault");
    (&fault.file, fault.line, &fault.fault)
}

#[test]
fn a_whole_trail_holds() {
    let written = written();
    let report = written.report();
    assert_eq!(report.faults, []);
    assert_eq!((report.files, report.lines, report.first, report.head), (2, 10, 1, written.end()));
    assert_eq!(report.anchored, Some(10));
}

#[test]
fn an_empty_trail_holds_where_nothing_was_anchored() {
    let none = Written { files: Vec::new(), heads: vec![Head::default()] };
    assert_eq!(none.check(Expected::default()).faults, []);
    let anchored = Expected { anchor: Some(Head { count: 3, ..Head::default() }), external: None };
    assert!(first(&none.check(anchored)).2.contains("tail was cut off"));
}

#[test]
fn an_altered_line_is_named() {
    let mut written = written();
    let line = &mut written.files[0][2];
    *line = line.replace("\"connections\":1", "\"connections\":7");
    let report = written.report();
    assert_eq!((first(&report).0, first(&report).1), ("1", 3));
    assert_eq!(report.faults.len(), 1, "{:?}", report.faults);
}

#[test]
fn a_line_altered_with_its_hash_breaks_the_next_and_a_whole_new_tail_the_anchor() {
    let (mut one, mut all) = (written(), written());
    let (line, _) = line::write(one.heads[2], &stopped(7), UNIX_EPOCH).unwrap();
    one.files[0][2] = line;
    assert_eq!((first(&one.report()).0, first(&one.report()).1), ("1", 4));

    let anchor = all.end();
    all.files[1].truncate(3);
    all.heads.truncate(9);
    (7..9).for_each(|connections| all.push(&stopped(connections)));
    let report = all.check(Expected { anchor: Some(anchor), external: None });
    assert_eq!((first(&report).0, first(&report).1), ("2", 5));
    assert!(first(&report).2.contains("another hash"), "{report:?}");
}

#[test]
fn a_removed_an_inserted_and_a_swapped_line_are_named() {
    let mut removed = written();
    removed.files[1].remove(2);
    let report = removed.check(Expected { anchor: Some(removed.end()), external: None });
    assert_eq!((first(&report).0, first(&report).1), ("2", 3));

    let mut inserted = written();
    let copy = inserted.files[0][1].clone();
    inserted.files[0].insert(2, copy);
    assert_eq!((first(&inserted.report()).0, first(&inserted.report()).1), ("1", 3));

    let mut swapped = written();
    swapped.files[0].swap(2, 3);
    assert_eq!((first(&swapped.report()).0, first(&swapped.report()).1), ("1", 3));
}

#[test]
fn a_cut_tail_is_named() {
    let anchor = written().end();
    for left in 0..5 {
        let mut cut = written();
        cut.files[1].truncate(left);
        let report = cut.check(Expected { anchor: Some(anchor), external: None });
        assert!(first(&report).2.contains("tail was cut off"), "{left}: {report:?}");
    }
    let mut gone = written();
    gone.files.truncate(1);
    assert!(first(&gone.check(Expected { anchor: Some(anchor), external: None })).2.contains("tail was cut off"));
}

#[test]
fn a_tail_beyond_the_anchor_is_fine_and_may_end_in_the_middle_of_a_line() {
    let mut written = written();
    let anchor = written.heads[8];
    let expected = Expected { anchor: Some(anchor), external: None };
    assert_eq!(written.check(expected).faults, []);
    let last = written.files[1].last_mut().unwrap();
    last.truncate(last.len() / 2);
    let report = written.check(expected);
    assert_eq!((report.faults.as_slice(), report.notes.len()), (&[][..], 1));
    assert_eq!((report.head, report.anchored), (written.heads[9], Some(8)));
    // Up to the anchor every line was whole once.
    let expected = Expected { anchor: Some(written.heads[10]), external: None };
    assert_eq!((first(&written.check(expected)).0, first(&written.check(expected)).1), ("2", 5));
}

#[test]
fn half_a_line_in_the_middle_is_a_fault() {
    let mut written = written();
    let last = written.files[0].last_mut().unwrap();
    last.truncate(last.len() / 2);
    assert_eq!((first(&written.report()).0, first(&written.report()).1), ("1", 5));
}

#[test]
fn a_missing_file_is_a_fault_unless_the_trail_says_that_it_was_removed() {
    let mut written = written();
    let end_of_first = written.heads[5];
    written.files.remove(0);
    let report = written.report();
    assert!(first(&report).2.contains("begins with line number 6"), "{report:?}");
    written.push(&Event::TrailRemoved { file: 1, last: end_of_first.count, hash: end_of_first.hash });
    let report = written.report();
    assert_eq!((report.faults.as_slice(), report.first, report.lines), (&[][..], 6, 6));
}

#[test]
fn a_head_from_elsewhere_must_be_there() {
    let written = written();
    let with = |external| written.check(Expected { anchor: None, external: Some(external) });
    assert_eq!(with(written.heads[4].hash).external, Some(4));
    assert_eq!(with(written.heads[4].hash).faults, []);
    assert!(first(&with(ChainHash([7; 32]))).2.contains("--head"));
}

#[test]
fn without_an_anchor_and_a_head_nobody_can_tell() {
    assert!(first(&written().check(Expected::default())).2.contains("no anchor"));
}

#[test]
fn an_anchor_of_a_line_that_is_not_there_is_a_fault() {
    let mut written = written();
    let end_of_first = written.heads[5];
    written.push(&Event::TrailRemoved { file: 1, last: end_of_first.count, hash: end_of_first.hash });
    written.files.remove(0);
    let report = written.check(Expected { anchor: Some(written.heads[2]), external: None });
    assert!(first(&report).2.contains("is not in the trail"), "{report:?}");
}

#[test]
fn what_certmq_found_itself_stays_a_fault() {
    let mut written = written();
    written.push(&Event::TrailFault { fault: "x".into() });
    assert!(first(&written.report()).2.contains("certmq itself found: x"));
}

#[test]
fn names_from_the_network_stay_one_line_and_steer_nothing() {
    let hostile = "CN=a\n{\"n\":1}\",\"chain\":\"\u{202e}\u{1b}[31m\u{85}\u{2028}é";
    let event = Event::DeviceDisconnected {
        device: hostile.into(),
        trust: "default".into(),
        connections: 1,
        reason: "x".into(),
    };
    let mut written = written();
    written.push(&event);
    let line = written.files[1].last().unwrap().clone();
    assert_eq!(line.matches('\n').count(), 1);
    let steers = |character: char| character.is_control() || ['\u{202e}', '\u{2028}'].contains(&character);
    assert!(!line.trim_end().contains(steers), "{line:?}");
    let read: Line = serde_json::from_str(&line).unwrap();
    assert_eq!(read.event, event, "nothing is lost");
    assert_eq!(written.report().faults, []);
    let long = Event::TrailFault { fault: "é".repeat(5000).into() };
    assert!(line::write(Head::default(), &long, UNIX_EPOCH).unwrap().0.len() < 4096);
}
