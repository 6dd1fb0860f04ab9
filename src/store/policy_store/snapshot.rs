//! The snapshot: every record at one generation, one line each, with a checksum over all of them.
//!
//! ```text
//! {"snapshot":"certmq policy","version":1,"time":"2026-11-02T00:00:00Z","generation":6,"records":2,"hash":"…"}
//! {"put_group":{"name":"sensors","record":{"rules":[…]}}}
//! {"put_device":{"trust":"default","name":"CN=dev-0001,O=acme","record":{"groups":["sensors"]}}}
//! {"lines":2,"sha256":"…"}
//! ```

use super::database::Database;
use super::encoding::{Kind, Write, put_line};
use super::error::StoreError;
use super::folder::{private_options, rename_synced};
use super::state::{Hex32, MultisetHash, State};
use super::stored::StoredChange;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write as _};
use std::path::Path;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const FORMAT: &str = "certmq policy";
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    snapshot: String,
    version: u32,
    time: String,
    generation: u64,
    records: u64,
    hash: MultisetHash,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Foot {
    lines: u64,
    sha256: Hex32,
}

/// What the first line of a snapshot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) state: State,
    /// Unix seconds.
    pub(super) time: i64,
}

/// Writes a snapshot of `database`, which stands at `state`, and puts it in the place of the old one once it is
/// whole and on the disk. Records that do not add up to `state` leave the old one standing.
pub(super) fn write(path: &Path, database: &Database, state: State, now: i64) -> Result<(), StoreError> {
    let fresh = path.with_extension("snapshot.new");
    let failed = |source| StoreError::io(&fresh, source);
    let file = private_options().truncate(true).open(&fresh).map_err(failed)?;
    let mut output = Summing { output: BufWriter::with_capacity(1 << 16, file), hasher: Sha256::new() };
    let State { generation, records, hash } = state;
    let head = Head { snapshot: FORMAT.to_owned(), version: VERSION, time: rfc3339(now), generation, records, hash };
    output.line(&head).map_err(failed)?;
    let mut seen = State { generation, ..State::default() };
    for kind in [Kind::Group, Kind::Device, Kind::Denial] {
        for entry in database.entries(kind) {
            let (key, value) = entry?;
            seen.add(kind.tag(), &key, &value);
            let line = put_line(kind, &key, &value).map_err(|fault| StoreError::damaged(path, fault))?;
            output.raw_line(line).map_err(failed)?;
        }
    }
    if seen != state {
        return Err(StoreError::damaged(path, "the records in the store do not add up to its state"));
    }
    let foot = Foot { lines: records, sha256: Hex32(output.hasher.clone().finalize().into()) };
    output.line(&foot).map_err(failed)?;
    let file = output.output.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    rename_synced(&fresh, path)
}

/// Reads only the first line.
pub(super) fn summary(path: &Path) -> Result<Summary, StoreError> {
    let mut line = Vec::new();
    BufReader::new(open(path)?).read_until(b'\n', &mut line).map_err(|source| StoreError::io(path, source))?;
    parse_head(&line).map_err(|fault| StoreError::damaged(path, format!("line 1: {fault}")))
}

/// Reads and verifies the whole of it, and shows each record to `visit`.
pub(super) fn read(path: &Path, mut visit: impl FnMut(Write)) -> Result<Summary, StoreError> {
    let mut reader = BufReader::with_capacity(1 << 16, open(path)?);
    let mut summary = None;
    let mut seen = State::default();
    let mut hasher = Sha256::new();
    let mut line = Vec::new();
    for number in 1_u64.. {
        let at = |fault: String| StoreError::damaged(path, format!("line {number}: {fault}"));
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(|source| StoreError::io(path, source))?;
        let Some(Summary { state, .. }) = summary else {
            summary = Some(parse_head(&line).map_err(at)?);
            hasher.update(&line);
            continue;
        };
        if seen.records < state.records {
            let write = parse_record(&line).map_err(at)?;
            seen.add(write.kind.tag(), &write.key, write.value.as_deref().unwrap_or_default());
            hasher.update(&line);
            visit(write);
            continue;
        }
        let foot: Foot =
            serde_json::from_slice(&line).map_err(|fault| at(format!("expected the last line: {fault}")))?;
        if foot.sha256 != Hex32(hasher.finalize().into()) || foot.lines != seen.records {
            return Err(at("the checksum of the file does not hold".to_owned()));
        }
        seen.generation = state.generation;
        if seen != state {
            return Err(at("the records do not add up to what the first line says".to_owned()));
        }
        break;
    }
    summary.ok_or_else(|| StoreError::damaged(path, "it is empty"))
}

/// A time as the files write it; one that has no such form is written as its number of seconds.
pub(super) fn rfc3339(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| seconds.to_string())
}

fn open(path: &Path) -> Result<File, StoreError> {
    File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => StoreError::damaged(path, "the snapshot is missing"),
        _ => StoreError::io(path, source),
    })
}

fn parse_head(line: &[u8]) -> Result<Summary, String> {
    let head: Head = serde_json::from_slice(line).map_err(|fault| format!("not the head of a snapshot: {fault}"))?;
    if head.snapshot != FORMAT || head.version != VERSION {
        return Err(format!("a snapshot of another kind: {:?} version {}", head.snapshot, head.version));
    }
    let state = State { generation: head.generation, records: head.records, hash: head.hash };
    let time = OffsetDateTime::parse(&head.time, &Rfc3339).map_or(0, OffsetDateTime::unix_timestamp);
    Ok(Summary { state, time })
}

fn parse_record(line: &[u8]) -> Result<Write, String> {
    let change: StoredChange = serde_json::from_slice(line).map_err(|fault| fault.to_string())?;
    let write = Write::of(&change).map_err(|fault| fault.to_string())?;
    if write.value.is_none() {
        return Err("a snapshot holds records, not removals".to_owned());
    }
    Ok(write)
}

struct Summing {
    output: BufWriter<File>,
    hasher: Sha256,
}

impl Summing {
    fn line<T: Serialize>(&mut self, content: &T) -> std::io::Result<()> {
        self.raw_line(serde_json::to_vec(content)?)
    }

    fn raw_line(&mut self, mut line: Vec<u8>) -> std::io::Result<()> {
        line.push(b'\n');
        self.hasher.update(&line);
        self.output.write_all(&line)
    }
}
