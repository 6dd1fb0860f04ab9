//! The audit trail: who changed what, which device came when, what was refused. A closed list of events as JSON lines,
//! hash-chained; the store keeps number and hash of the last line, so that a cut tail shows.
//!
//! ```text
//! connections --try--> bounded channel --> one thread: Trail (lines, rotation) -> files
//! admin       --wait-> (a change is told when its line is on disk and anchored)  '-> AuditStore: anchor, devices seen
//! verify: readers + anchor -> Report
//! ```

mod chain;
mod event;
mod files;
mod line;
mod seen;
mod trail;
mod verify;
mod writer;

pub use chain::{ChainHash, Head, ParseHashError};
pub use event::{EVENTS, EndedRule, Event, Outcome, Text};
pub use files::{numbers, readers};
pub use line::{Line, time_text};
pub use seen::Seen;
pub use trail::Retention;
pub use verify::{Expected, Finding, Report, verify};
pub use writer::Audit;

use std::path::{Path, PathBuf};

/// What the trail keeps in the store. This room does not know the store: the composition root brings the two together.
pub trait AuditStore: Send + Sync {
    /// The last anchor, if there was one.
    ///
    /// # Errors
    /// What is wrong, in words.
    fn anchor(&self) -> Result<Option<Head>, String>;

    /// Keeps `head`; on disk when it returns.
    ///
    /// # Errors
    /// What is wrong, in words; the old one stands then.
    fn set_anchor(&self, head: Head) -> Result<(), String>;

    /// SHA-256 of the certificate that a device last connected with, as far as is known.
    ///
    /// # Errors
    /// What is wrong, in words.
    fn certificate_of(&self, trust: &str, device: &str) -> Result<Option<[u8; 32]>, String>;

    /// Keeps that; on disk with the next anchor.
    ///
    /// # Errors
    /// What is wrong, in words.
    fn remember_certificate(&self, trust: &str, device: &str, sha256: &[u8; 32]) -> Result<(), String>;
}

/// The folder of the trail below that of the store.
pub fn folder(storage: &Path) -> PathBuf {
    storage.join("audit")
}
