//! Does the chain hold? Reads files through readers and knows no disk.

use super::chain::{ChainHash, Head};
use super::event::Event;
use super::line::{self, Line, Numbered, Unbelieved};
use serde::Serialize;
use std::io::{self, BufRead};

#[cfg(test)]
mod tests;

/// Faults that a report names; one cut can be many.
const NAMED_FAULTS: usize = 50;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Files read.
    pub files: u64,
    /// Lines read.
    pub lines: u64,
    /// The number of the oldest line kept; later than 1 when files were removed.
    pub first: u64,
    /// Where the trail ends: note it elsewhere, and give it back as `--head`.
    pub head: Head,
    /// Up to which line the anchor vouches for it.
    pub anchored: Option<u64>,
    /// The number of the line that an external head belongs to.
    pub external: Option<u64>,
    /// What an unfinished last line says: a crash leaves one.
    pub notes: Vec<String>,
    /// Empty: the chain holds.
    pub faults: Vec<Finding>,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which file.
    pub file: String,
    /// Which of its lines, from 1.
    pub line: u64,
    /// What is wrong.
    pub fault: String,
}

/// What the trail is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// What the store says.
    pub anchor: Option<Head>,
    /// What somebody noted elsewhere.
    pub external: Option<ChainHash>,
}

/// Reads `files`, oldest first, each with its name.
///
/// # Errors
/// When one cannot be read.
pub fn verify<R: BufRead>(files: impl IntoIterator<Item = (String, R)>, expected: Expected) -> io::Result<Report> {
    let mut check = Check { expected, ..Check::default() };
    for (name, reader) in files {
        check.file(name, reader)?;
    }
    Ok(check.conclude())
}

#[derive(Default)]
struct Check {
    report: Report,
    expected: Expected,
    /// The file that is read, and its line.
    file: String,
    line: u64,
    /// Whether the line at the anchor came by, right or wrong.
    met_anchor: bool,
    /// What stood before the oldest line kept.
    origin: Head,
    /// Removals that the trail tells of.
    removed: Vec<Head>,
    /// A line without an end; only the very last may be one.
    unfinished: Option<Finding>,
}

impl Check {
    fn file(&mut self, name: String, mut reader: impl BufRead) -> io::Result<()> {
        self.report.faults.extend(self.unfinished.take());
        (self.file, self.line) = (name, 0);
        self.report.files += 1;
        let mut line = Vec::new();
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            self.line += 1;
            if line.last() != Some(&b'\n') {
                self.unfinished = Some(self.finding("it has no end".to_owned()));
                return Ok(());
            }
            self.take(&line);
        }
    }

    fn take(&mut self, line: &[u8]) {
        if self.report.lines == 0 {
            self.begin(line);
        }
        self.report.lines += 1;
        let stated = match line::read(line, self.report.head.hash) {
            Ok(believed) => Some(believed),
            Err(Unbelieved { fault, stated }) => {
                self.fault(fault);
                stated
            }
        };
        // One fault is told once: what follows is judged by what this line says of itself.
        let count = self.report.head.count + 1;
        let Some((body, hash)) = stated else {
            self.report.head.count = count;
            return;
        };
        match serde_json::from_str::<Numbered>(&body) {
            Ok(Numbered { n }) if n != count => {
                self.fault(format!("line number {n} stands where {count} belongs: lines are missing or out of order"));
                self.report.head = Head { count: n, hash };
            }
            Ok(_) => self.report.head = Head { count, hash },
            Err(fault) => {
                self.fault(format!("not a line of the trail: {fault}"));
                self.report.head = Head { count, hash };
            }
        }
        self.compare();
        if let Ok(Line { event, .. }) = serde_json::from_str(&body) {
            self.look(&event);
        }
    }

    /// The oldest line says behind what it stands: files before it may have been removed.
    fn begin(&mut self, line: &[u8]) {
        let stated = line::read(line, ChainHash::default());
        let body = match &stated {
            Ok((body, _)) | Err(Unbelieved { stated: Some((body, _)), .. }) => body.as_str(),
            Err(_) => "",
        };
        if let Ok(Line { n, event: Event::TrailOpened { after, .. }, .. }) = serde_json::from_str(body) {
            self.origin = Head { count: n.saturating_sub(1), hash: after };
        }
        self.report.head = self.origin;
        self.report.first = self.origin.count + 1;
        self.compare();
    }

    /// Anchor and external head against the present place.
    fn compare(&mut self) {
        let head = self.report.head;
        if head.count > 0 && self.expected.external == Some(head.hash) {
            self.report.external = Some(head.count);
        }
        let Some(anchor) = self.expected.anchor.filter(|anchor| anchor.count == head.count) else { return };
        self.met_anchor = true;
        if anchor.hash == head.hash {
            self.report.anchored = Some(anchor.count);
        } else {
            self.fault(format!(
                "the store has another hash of line number {}: it or one before was altered",
                head.count
            ));
        }
    }

    fn look(&mut self, event: &Event) {
        match event {
            Event::TrailRemoved { last, hash, .. } => self.removed.push(Head { count: *last, hash: *hash }),
            Event::TrailFault { fault } => self.fault(format!("certmq itself found: {fault}")),
            Event::TrailOpened { .. } if self.line != 1 => {
                self.fault("the beginning of a file in the middle of one".to_owned());
            }
            _ => {}
        }
    }

    fn conclude(mut self) -> Report {
        if self.origin.count > 0 && !self.removed.contains(&self.origin) {
            let fault = format!(
                "the trail begins with line number {}, and no line says that those before were removed",
                self.origin.count + 1
            );
            self.report.faults.insert(0, Finding { file: self.file.clone(), line: 1, fault });
        }
        self.conclude_anchor();
        if self.expected.external.is_some() && self.report.external.is_none() {
            self.fault("no line has the hash of --head: the trail was cut before it, or altered".to_owned());
        }
        self.report
    }

    fn conclude_anchor(&mut self) {
        let head = self.report.head;
        let cut = self.expected.anchor.filter(|anchor| anchor.count > head.count);
        match (cut, self.unfinished.take()) {
            (Some(anchor), unfinished) => {
                self.report.faults.extend(unfinished);
                self.fault(format!(
                    "the trail ends with line number {}, the store knows of {}: its tail was cut off",
                    head.count, anchor.count
                ));
            }
            (None, Some(unfinished)) => {
                let Finding { file, line, .. } = unfinished;
                self.report.notes.push(format!("{file}, line {line} was never finished, as a crash leaves it"));
            }
            (None, None) => {}
        }
        match self.expected.anchor {
            Some(anchor) if anchor.count < head.count && !self.met_anchor => {
                self.fault(format!("line number {}, which the store knows, is not in the trail", anchor.count));
            }
            None if self.report.lines > 0 && self.expected.external.is_none() => {
                self.fault(
                    "the store has no anchor: whether the tail was cut cannot be told without --head".to_owned(),
                );
            }
            Some(_) | None => {}
        }
    }

    fn fault(&mut self, fault: String) {
        if self.report.faults.len() < NAMED_FAULTS {
            let finding = self.finding(fault);
            self.report.faults.push(finding);
        }
    }

    fn finding(&self, fault: String) -> Finding {
        Finding { file: self.file.clone(), line: self.line, fault }
    }
}
