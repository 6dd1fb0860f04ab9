//! `ca.index`: what was issued and what was revoked, as text, one JSON object a line.
//!
//! The first line says the form and the number of the newest revocation list; every other line is a certificate. The
//! file is rewritten whole, so that a reader never sees half of it.

use super::PkiError;
use super::crl::Reason;
use super::files::{Access, Folder, read};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// The form that this version writes.
const FORM: u32 = 1;

const REMEDY: &str = "restore it from your backup, or move it away: certificates and revocations stay in force, \
                      only the record of what was issued is lost";

/// One certificate that the authority issued or revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Lower-case hexadecimal digits.
    pub(super) serial: String,
    /// Of its files.
    pub(super) name: String,
    /// RFC 4514.
    pub(super) subject: String,
    /// Unix seconds.
    pub(super) not_before: i64,
    /// Unix seconds.
    pub(super) not_after: i64,
    /// Of the certificate, lower-case hexadecimal digits.
    pub(super) sha256: String,
    /// The serial of the certificate that it renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) renews: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) revoked: Option<Revocation>,
}

/// When and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Revocation {
    /// Unix seconds.
    pub(super) at: i64,
    pub(super) reason: Reason,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    certmq_ca_index: u32,
    /// Hexadecimal digits; none while no list was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crl_number: Option<String>,
}

/// The whole index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// Big-endian.
    pub(super) crl_number: Option<Vec<u8>>,
    pub(super) records: Vec<Record>,
}

impl Index {
    /// Reads the index of a folder; a CA made by hand has none yet.
    pub(super) fn load(folder: &Folder) -> Result<Self, PkiError> {
        let path = folder.index();
        let content = match read(&path, "") {
            Ok(content) => content,
            Err(PkiError::Missing { .. }) => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let text = String::from_utf8(content).map_err(|_| PkiError::invalid(&path, "is no text", REMEDY))?;
        let damaged = |line: usize, fault: &dyn std::fmt::Display| {
            PkiError::invalid(&path, format!("line {line}: {fault}"), REMEDY)
        };
        let mut lines = text.lines().zip(1..);
        let (first, _) = lines.next().ok_or_else(|| damaged(1, &"is empty"))?;
        let head: Head = serde_json::from_str(first).map_err(|error| damaged(1, &error))?;
        if head.certmq_ca_index != FORM {
            return Err(PkiError::invalid(&path, "was written by a newer certmq", "use that version"));
        }
        let crl_number = match head.crl_number {
            Some(digits) => Some(super::hexadecimal(&digits).ok_or_else(|| damaged(1, &"crl_number is no number"))?),
            None => None,
        };
        let record = |(line, number)| serde_json::from_str(line).map_err(|error| damaged(number, &error));
        Ok(Self { crl_number, records: lines.map(record).collect::<Result<_, _>>()? })
    }

    pub(super) fn save(&self, folder: &Folder) -> Result<(), PkiError> {
        let head = Head { certmq_ca_index: FORM, crl_number: self.crl_number.as_deref().map(super::hex) };
        let mut text = String::new();
        let internal = |error: serde_json::Error| PkiError::Internal(error.to_string());
        let _ = writeln!(text, "{}", serde_json::to_string(&head).map_err(internal)?);
        for record in &self.records {
            let _ = writeln!(text, "{}", serde_json::to_string(record).map_err(internal)?);
        }
        folder.replace(&folder.index(), text.as_bytes(), Access::Public)
    }

    pub(super) fn record(&self, serial: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.serial == serial)
    }
}
