//! The fleet file: the whole policy as one TOML text, for review and version control.
//!
//! ```toml
//! version = 1
//!
//! [groups.sensors]
//! match = { o = "acme", ou = "sensors" }
//! allow = [{ publish = "sensors/{cn}/#", max_qos = 1 }]
//!
//! [[devices]]
//! subject = "CN=dev-0001,O=acme"
//! groups = ["sensors"]
//! deny = [{ publish = "sensors/dev-0001/config", until = 2027-01-01T00:00:00Z }]
//! ```

mod difference;
mod export;
mod parse;
mod table;

#[cfg(test)]
mod tests;

pub use difference::{Part, RecordChange, Removals, additions, changed_records, difference};
pub use export::export;
pub use parse::fingerprint;

use super::{Records, SubjectSelector};

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
    /// Parses and validates the text. Subjects are made canonical as `selector` demands.
    ///
    /// # Errors
    /// The first fault with its line: TOML, an unknown key, a wrong type, an invalid rule, a device or group named
    /// twice, a listed group that the file does not define.
    pub fn parse(text: &str, selector: SubjectSelector) -> Result<Self, FleetError> {
        parse::parse(text, selector, &Records::default())
    }

    /// As [`FleetFile::parse`], a file to be merged into `existing` records: its devices may list groups of those.
    ///
    /// # Errors
    /// As [`FleetFile::parse`].
    pub fn parse_addition(text: &str, selector: SubjectSelector, existing: &Records) -> Result<Self, FleetError> {
        parse::parse(text, selector, existing)
    }
}
