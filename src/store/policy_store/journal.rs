//! The journal: one line of JSON per change set, each sealed with a hash over itself and the line before it.
//!
//! ```text
//! {"journal":"certmq policy","version":1,"after":"<chain>","generation":6,"records":2,"hash":"…","chain":"…"}
//! {"generation":7,"time":"2026-11-02T10:00:00Z","author":"root","records":3,"hash":"…","changes":[…],"chain":"…"}
//! ```
//!
//! `chain` is the SHA-256 of the chain of the line before (of the head: its `after`) and of the line's own bytes
//! without the chain. A line is synced before sled hears of the change, so the journal is never behind the
//! database, and at most one line ahead: what a crash between the two leaves.

use super::error::StoreError;
use super::folder::{private_options, rename_synced};
use super::state::{Hex32, MultisetHash, State};
use super::stored::StoredChange;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

const FORMAT: &str = "certmq policy";
const VERSION: u32 = 1;
const SEAL_OPENING: &str = ",\"chain\":\"";
const SEAL_CLOSING: &str = "\"}";
const SEAL_BYTES: usize = SEAL_OPENING.len() + 64 + SEAL_CLOSING.len();

/// The journal of an open store.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Where the last whole line ends.
    length: u64,
    chain: Hex32,
    /// Changes since the head: when a snapshot is due.
    pub(super) changes: u64,
}

/// A place in the journal to go back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    length: u64,
    chain: Hex32,
    changes: u64,
}

/// One change set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// The generation that it makes.
    pub(super) generation: u64,
    /// When, RFC 3339.
    pub(super) time: String,
    /// Who.
    pub(super) author: String,
    records: u64,
    hash: MultisetHash,
    pub(super) changes: Vec<StoredChange>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    journal: String,
    version: u32,
    after: Hex32,
    generation: u64,
    records: u64,
    hash: MultisetHash,
}

/// What reading a journal gave.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The state at the head.
    pub(super) start: State,
    /// The state after the last whole line.
    pub(super) end: State,
    /// The last whole line, and the state before it.
    pub(super) last: Option<(Entry, State)>,
    /// Lines that are whole, the head included.
    pub(super) lines: u64,
    pub(super) changes: u64,
    length: u64,
    chain: Hex32,
    /// The first line that is not whole; reading stops there.
    pub(super) fault: Option<LineFault>,
}

/// A line that cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LineFault {
    /// From 1.
    pub(super) line: u64,
    pub(super) fault: String,
    /// How many lines follow it, whole or not.
    pub(super) lines_after: u64,
    /// Its end is missing, and nothing follows.
    pub(super) unfinished: bool,
}

impl Entry {
    pub(super) fn new(after: State, author: &str, time: String, changes: Vec<StoredChange>) -> Self {
        let State { generation, records, hash } = after;
        Self { generation, time, author: author.to_owned(), records, hash, changes }
    }

    /// The state that it makes.
    pub(super) fn state(&self) -> State {
        State { generation: self.generation, records: self.records, hash: self.hash }
    }
}

impl Journal {
    /// Replaces the journal by an empty one that starts at `state`, with its chain going on from `after`.
    pub(super) fn start(path: &Path, state: State, after: Hex32) -> Result<Self, StoreError> {
        let State { generation, records, hash } = state;
        let head = Head { journal: FORMAT.to_owned(), version: VERSION, after, generation, records, hash };
        let (line, chain) = seal(&head, after).map_err(|fault| StoreError::damaged(path, fault))?;
        let fresh = path.with_extension("journal.new");
        let failed = |source| StoreError::io(&fresh, source);
        let mut file = private_options().truncate(true).open(&fresh).map_err(failed)?;
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        rename_synced(&fresh, path)?;
        Ok(Self { path: path.to_owned(), file, length: line.len() as u64, chain, changes: 0 })
    }

    /// Goes on where `reading` ended; what follows there (a line that was never finished) is cut off.
    pub(super) fn resume(path: &Path, reading: &Reading) -> Result<Self, StoreError> {
        let file = private_options().open(path).map_err(|source| StoreError::io(path, source))?;
        let mut journal = Self {
            path: path.to_owned(),
            file,
            length: reading.length,
            chain: reading.chain,
            changes: reading.changes,
        };
        if reading.fault.is_some() {
            journal.cut_to(reading.length)?;
        }
        Ok(journal)
    }

    /// Starts anew at `state`, where the chain of this one ends.
    pub(super) fn restart(&mut self, state: State) -> Result<(), StoreError> {
        *self = Self::start(&self.path, state, self.chain)?;
        Ok(())
    }

    /// Where the last line ends: what [`Journal::retract`] goes back to.
    pub(super) fn mark(&self) -> Mark {
        Mark { length: self.length, chain: self.chain, changes: self.changes }
    }

    /// Appends a line and returns when it is on the disk. After an error the journal is as it was.
    pub(super) fn append(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let (line, chain) = seal(entry, self.chain).map_err(|fault| StoreError::damaged(&self.path, fault))?;
        // Bytes of an attempt that failed, and whose removal failed too, must not stay before the line.
        let written = self
            .file
            .seek(SeekFrom::Start(self.length))
            .and_then(|_| self.file.set_len(self.length))
            .and_then(|()| self.file.write_all(line.as_bytes()))
            .and_then(|()| self.file.sync_all());
        if let Err(source) = written {
            let _ = self.cut_to(self.length);
            return Err(StoreError::io(&self.path, source));
        }
        self.length += line.len() as u64;
        self.chain = chain;
        self.changes += entry.changes.len() as u64;
        Ok(())
    }

    /// Takes back the lines since `mark`.
    pub(super) fn retract(&mut self, mark: Mark) -> Result<(), StoreError> {
        (self.length, self.chain, self.changes) = (mark.length, mark.chain, mark.changes);
        self.cut_to(mark.length)
    }

    fn cut_to(&mut self, length: u64) -> Result<(), StoreError> {
        self.file
            .set_len(length)
            .and_then(|()| self.file.sync_all())
            .map_err(|source| StoreError::io(&self.path, source))
    }
}

/// Reads a journal to its end or to the first line that cannot be believed, and shows each whole one to `visit`.
/// What `visit` objects to is a fault of that line.
pub(super) fn read(path: &Path, mut visit: impl FnMut(&Entry) -> Result<(), String>) -> Result<Reading, StoreError> {
    let file = File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => StoreError::damaged(path, "the journal is missing"),
        _ => StoreError::io(path, source),
    })?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut reading = Reading::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let bytes = reader.read_until(b'\n', &mut line).map_err(|source| StoreError::io(path, source))?;
        if bytes == 0 && reading.lines > 0 {
            return Ok(reading);
        }
        if let Err(fault) = reading.take(&line, &mut visit) {
            let lines_after = reader.split(b'\n').count() as u64;
            let unfinished = !line.ends_with(b"\n");
            reading.fault = Some(LineFault { line: reading.lines + 1, fault, lines_after, unfinished });
            return Ok(reading);
        }
        reading.length += bytes as u64;
        reading.lines += 1;
    }
}

impl Reading {
    fn take(&mut self, line: &[u8], visit: &mut impl FnMut(&Entry) -> Result<(), String>) -> Result<(), String> {
        let (body, chain) = unseal(line)?;
        if self.lines == 0 { self.take_head(&body, chain) } else { self.take_entry(&body, chain, visit) }
    }

    fn take_head(&mut self, body: &str, chain: Hex32) -> Result<(), String> {
        let head: Head = serde_json::from_str(body).map_err(|fault| format!("not the head of a journal: {fault}"))?;
        if head.journal != FORMAT || head.version != VERSION {
            return Err(format!("a journal of another kind: {:?} version {}", head.journal, head.version));
        }
        if chain_of(head.after, body) != chain {
            return Err("its checksum does not hold".to_owned());
        }
        self.start = State { generation: head.generation, records: head.records, hash: head.hash };
        self.end = self.start;
        self.chain = chain;
        Ok(())
    }

    fn take_entry(
        &mut self,
        body: &str,
        chain: Hex32,
        visit: &mut impl FnMut(&Entry) -> Result<(), String>,
    ) -> Result<(), String> {
        if chain_of(self.chain, body) != chain {
            return Err("its checksum does not follow from the line before".to_owned());
        }
        let entry: Entry = serde_json::from_str(body).map_err(|fault| fault.to_string())?;
        if entry.generation != self.end.generation + 1 {
            return Err(format!("generation {} follows {}", entry.generation, self.end.generation));
        }
        visit(&entry)?;
        self.changes += entry.changes.len() as u64;
        self.chain = chain;
        let before = std::mem::replace(&mut self.end, entry.state());
        self.last = Some((entry, before));
        Ok(())
    }
}

/// The newest generation that any line speaks of, checksums aside; each unreadable line may have been one more.
/// A database at that generation or a later one has lost nothing.
pub(super) fn newest_generation_claimed(path: &Path) -> Result<u64, StoreError> {
    let file = File::open(path).map_err(|source| StoreError::io(path, source))?;
    let mut newest = 0_u64;
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(|source| StoreError::io(path, source))?;
        newest = match serde_json::from_slice::<Claim>(&line) {
            Ok(claim) => newest.max(claim.generation),
            Err(_) => newest.saturating_add(1),
        };
    }
    Ok(newest)
}

#[derive(Deserialize)]
struct Claim {
    generation: u64,
}

fn seal<T: Serialize>(content: &T, before: Hex32) -> Result<(String, Hex32), String> {
    let mut text = serde_json::to_string(content).map_err(|fault| fault.to_string())?;
    let chain = chain_of(before, &text);
    text.pop();
    text.push_str(SEAL_OPENING);
    text.push_str(&chain.to_string());
    text.push_str(SEAL_CLOSING);
    text.push('\n');
    Ok((text, chain))
}

fn unseal(line: &[u8]) -> Result<(String, Hex32), String> {
    let line = line.strip_suffix(b"\n").ok_or("it was never finished")?;
    let line = std::str::from_utf8(line).map_err(|fault| format!("not UTF-8: {fault}"))?;
    let no_seal = || "it has no checksum at its end".to_owned();
    let (body, rest) = line.split_at_checked(line.len().saturating_sub(SEAL_BYTES)).ok_or_else(no_seal)?;
    let digits = rest.strip_prefix(SEAL_OPENING).and_then(|rest| rest.strip_suffix(SEAL_CLOSING));
    let chain = digits.and_then(Hex32::parse).ok_or_else(no_seal)?;
    Ok((format!("{body}}}"), chain))
}

fn chain_of(before: Hex32, body: &str) -> Hex32 {
    let mut hasher = Sha256::new();
    hasher.update(before.0);
    hasher.update(body.as_bytes());
    Hex32(hasher.finalize().into())
}

#[cfg(test)]
mod tests;
