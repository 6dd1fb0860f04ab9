//! The fleet file: the whole policy as one TOML text (interface.md, "The fleet file").

use super::{ChangeSet, Records};

/// A fault of a fleet file with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct FleetError {
    /// From 1.
    pub line: usize,
    /// What was found and what to do.
    pub message: String,
}

/// A parsed fleet file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetFile {
    /// `generation = N`, where the file has one.
    pub generation: Option<u64>,
    /// Its records; their `generation` is 0.
    pub records: Records,
}

impl FleetFile {
    /// Parses and validates the text.
    pub fn parse(text: &str) -> Result<Self, FleetError> {
        let _ = text;
        todo!()
    }
}

/// Writes `records` as a fleet file that parses to the same records.
pub fn export(records: &Records) -> String {
    let _ = records;
    todo!()
}

/// What turns `from` into `to`.
pub fn difference(from: &Records, to: &Records) -> ChangeSet {
    let _ = (from, to);
    todo!()
}
