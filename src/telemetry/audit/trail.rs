//! [`Trail`]: the files as their one writer sees them.
//!
//! A line is whole or not there: what a failed write left behind is cut off. Rotation opens the next file, lets the store
//! anchor it, says in the trail which file goes, and only then removes that one.

use super::chain::{ChainHash, Head};
use super::event::Event;
use super::line::{self, Line, Numbered, Unbelieved};
use super::{AuditStore, files};
use crate::config::Limits;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[cfg(test)]
pub(super) mod tests;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Bytes of a file before the next one is begun.
    pub file_bytes: u64,
    /// Files kept, the one being written included; at least 2.
    pub files: usize,
}

impl Retention {
    /// As the settings want it.
    pub fn of(limits: &Limits) -> Self {
        Self { file_bytes: limits.audit_file_bytes as u64, files: limits.audit_files }
    }
}

/// An open trail.
#[derive(Debug)]
pub(super) struct Trail {
    folder: PathBuf,
    retention: Retention,
    number: u64,
    file: File,
    /// Where the last whole line ends.
    length: u64,
    head: Head,
    /// The last anchor that the store took.
    anchored: Option<Head>,
    surplus: Surplus,
}

/// Whether there may be more files than are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Surplus {
    Possible,
    Removed,
}

/// What reading one file gave.
struct Reading {
    head: Head,
    length: u64,
    lines: u64,
    /// The first line that cannot be believed, and whether it lacks its end and nothing follows.
    fault: Option<(String, Ending)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Whole,
    Unfinished,
}

impl Trail {
    /// Opens or makes the trail in `folder`, and compares it with the anchor. What is wrong with it is written down in it.
    pub(super) fn open(folder: &Path, retention: Retention, store: &dyn AuditStore) -> io::Result<Self> {
        files::prepare(folder)?;
        let anchor = store.anchor().map_err(io::Error::other)?;
        let mut faults = Vec::new();
        let last = last_with_lines(folder)?;
        let mut trail = match last {
            None => {
                if let Some(anchor) = anchor.filter(|anchor| anchor.count > 0) {
                    faults.push(format!("the store knows of {} lines, and there is no file", anchor.count));
                }
                Self::begin(folder, retention, 1, Head::default(), anchor)?
            }
            Some(number) => Self::resume(folder, retention, number, anchor, &mut faults)?,
        };
        for fault in faults {
            tracing::error!(folder = %folder.display(), "the audit trail is not as it was left: {fault}");
            trail.append(&Event::TrailFault { fault: fault.into() }, SystemTime::now())?;
        }
        Ok(trail)
    }

    fn resume(
        folder: &Path,
        retention: Retention,
        number: u64,
        anchor: Option<Head>,
        faults: &mut Vec<String>,
    ) -> io::Result<Self> {
        let path = files::path(folder, number);
        let reading = read(&path, anchor, faults)?;
        let Reading { head, length, lines, fault } = reading;
        match anchor {
            Some(anchor) if anchor.count > head.count => {
                faults.push(format!("it ends with line number {}, the store knows of {}", head.count, anchor.count));
            }
            None if head.count > 0 => faults.push("the store has no anchor for it".to_owned()),
            Some(_) | None => {}
        }
        match fault {
            // Nobody believes what follows a broken line: the next file goes on from the last good one.
            Some((fault, Ending::Whole)) => {
                faults.push(format!("{}, line {}: {fault}", path.display(), lines + 1));
                return Self::begin(folder, retention, number + 1, head, anchor);
            }
            Some((_, Ending::Unfinished)) => {
                tracing::warn!(path = %path.display(), line = lines + 1, "cut off the end of the audit trail: it was never finished");
            }
            None => {}
        }
        let file = files::resume(folder, number)?;
        let mut trail = Self::new(folder, retention, number, file, head, anchor);
        trail.length = length;
        trail.cut()?;
        Ok(trail)
    }

    fn begin(folder: &Path, retention: Retention, number: u64, head: Head, anchored: Option<Head>) -> io::Result<Self> {
        let file = files::create(folder, number)?;
        let mut trail = Self::new(folder, retention, number, file, head, anchored);
        let opening = Event::TrailOpened { file: number, after: head.hash };
        if let Err(error) = trail.append(&opening, SystemTime::now()) {
            let _ = std::fs::remove_file(files::path(folder, number));
            return Err(error);
        }
        Ok(trail)
    }

    fn new(folder: &Path, retention: Retention, number: u64, file: File, head: Head, anchored: Option<Head>) -> Self {
        Self {
            folder: folder.to_owned(),
            retention,
            number,
            file,
            length: 0,
            head,
            anchored,
            surplus: Surplus::Possible,
        }
    }

    /// Appends one line. After an error the trail is as it was.
    pub(super) fn append(&mut self, event: &Event, time: SystemTime) -> io::Result<()> {
        let (line, head) = line::write(self.head, event, time)?;
        let written = self.cut().and_then(|()| self.file.write_all(line.as_bytes()));
        if let Err(error) = written {
            let _ = self.cut();
            return Err(error);
        }
        self.length += line.len() as u64;
        self.head = head;
        Ok(())
    }

    /// Nothing stands behind the last whole line.
    fn cut(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() != self.length {
            self.file.set_len(self.length)?;
        }
        self.file.seek(SeekFrom::Start(self.length)).map(|_| ())
    }

    /// Everything so far is on disk, and the store knows it.
    pub(super) fn anchor(&mut self, store: &dyn AuditStore) -> Result<(), String> {
        if self.anchored == Some(self.head) {
            return Ok(());
        }
        self.file.sync_all().map_err(|error| error.to_string())?;
        store.set_anchor(self.head)?;
        self.anchored = Some(self.head);
        Ok(())
    }

    /// Begins the next file where this one is full, and removes what is too many.
    pub(super) fn rotate(&mut self, store: &dyn AuditStore) -> Result<(), String> {
        let text = |error: io::Error| error.to_string();
        if self.length >= self.retention.file_bytes {
            self.file.sync_all().map_err(text)?;
            *self =
                Self::begin(&self.folder, self.retention, self.number + 1, self.head, self.anchored).map_err(text)?;
        }
        if self.surplus == Surplus::Removed {
            return Ok(());
        }
        let numbers = files::numbers(&self.folder).map_err(text)?;
        let too_many = numbers.len().saturating_sub(self.retention.files.max(2));
        for number in numbers.into_iter().take(too_many) {
            self.remove(number, store)?;
        }
        self.surplus = Surplus::Removed;
        Ok(())
    }

    /// The trail says what goes before it goes, and the anchor stands behind that.
    fn remove(&mut self, number: u64, store: &dyn AuditStore) -> Result<(), String> {
        let text = |error: io::Error| error.to_string();
        let path = files::path(&self.folder, number);
        let end = end_of(&path).map_err(text)?;
        self.anchor(store)?;
        let told = Event::TrailRemoved { file: number, last: end.count, hash: end.hash };
        self.append(&told, SystemTime::now()).map_err(text)?;
        self.anchor(store)?;
        std::fs::remove_file(&path).map_err(text)
    }
}

/// The last file with a line. One without was begun when the disk was full, or when the power went.
fn last_with_lines(folder: &Path) -> io::Result<Option<u64>> {
    for number in files::numbers(folder)?.into_iter().rev() {
        let path = files::path(folder, number);
        let mut line = Vec::new();
        BufReader::new(File::open(&path)?).read_until(b'\n', &mut line)?;
        if line.last() == Some(&b'\n') {
            return Ok(Some(number));
        }
        std::fs::remove_file(path)?;
    }
    Ok(None)
}

/// Reads the last file. Where the anchor lies in it, its hash must be there.
fn read(path: &Path, anchor: Option<Head>, faults: &mut Vec<String>) -> io::Result<Reading> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut reading = Reading { head: Head::default(), length: 0, lines: 0, fault: None };
    let mut line = Vec::new();
    loop {
        line.clear();
        let bytes = reader.read_until(b'\n', &mut line)?;
        if bytes == 0 {
            return Ok(reading);
        }
        if line.last() != Some(&b'\n') {
            reading.fault = Some(("it has no end".to_owned(), Ending::Unfinished));
            return Ok(reading);
        }
        if reading.lines == 0 {
            reading.head = origin(&line);
        }
        match line::read(&line, reading.head.hash) {
            Ok((_, hash)) => reading.head = Head { count: reading.head.count + 1, hash },
            Err(Unbelieved { fault, .. }) => {
                reading.fault = Some((fault, Ending::Whole));
                return Ok(reading);
            }
        }
        reading.length += bytes as u64;
        reading.lines += 1;
        if anchor.is_some_and(|anchor| anchor.count == reading.head.count && anchor.hash != reading.head.hash) {
            faults.push(format!("line number {} has not the hash that the store knows", reading.head.count));
        }
    }
}

/// What stands before a file, as its first line says.
fn origin(line: &[u8]) -> Head {
    let stated = line::read(line, ChainHash::default());
    let body = match &stated {
        Ok((body, _)) | Err(Unbelieved { stated: Some((body, _)), .. }) => body.as_str(),
        Err(_) => "",
    };
    match serde_json::from_str(body) {
        Ok(Line { n, event: Event::TrailOpened { after, .. }, .. }) => Head { count: n.saturating_sub(1), hash: after },
        _ => Head::default(),
    }
}

/// The head that the last whole line of a file states.
fn end_of(path: &Path) -> io::Result<Head> {
    let mut end = Head::default();
    for line in BufReader::new(File::open(path)?).split(b'\n') {
        let mut line = line?;
        line.push(b'\n');
        let stated = match line::read(&line, ChainHash::default()) {
            Ok(believed) => Some(believed),
            Err(Unbelieved { stated, .. }) => stated,
        };
        if let Some((body, hash)) = stated {
            let number = serde_json::from_str::<Numbered>(&body);
            end = Head { count: number.map_or(end.count + 1, |numbered| numbered.n), hash };
        }
    }
    match end.count {
        0 => Err(io::Error::new(ErrorKind::InvalidData, format!("{}: no line of an audit trail", path.display()))),
        _ => Ok(end),
    }
}
