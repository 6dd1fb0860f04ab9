//! What the authority tells of itself and of what it issued.

use super::super::crl::RevocationList;
use super::super::files::{KeyFile, read_certificate};
use super::super::index::Record;
use super::super::{PkiError, hexadecimal};
use super::{Authority, hex, new_record, request};
use crate::policy::Identity;
use std::collections::HashMap;
use std::path::PathBuf;

/// What `ca show` tells.
#[derive(Debug)]
pub struct Summary {
    /// The authority's own certificate.
    pub identity: Identity,
    /// Its file.
    pub certificate: PathBuf,
    /// Who can use its key.
    pub key: KeyFile,
    /// Its revocation list; None while there is none.
    pub crl: Option<CrlSummary>,
    /// How many certificates the index knows.
    pub issued: usize,
}

/// The revocation list in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlSummary {
    /// Its file.
    pub path: PathBuf,
    /// The CRL number, hexadecimal digits.
    pub number: String,
    /// Unix seconds.
    pub this_update: i64,
    /// Unix seconds; a broker refuses new handshakes after it.
    pub next_update: i64,
    /// How many certificates it revokes.
    pub revoked: usize,
}

/// One line of `cert list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Of its files.
    pub name: String,
    /// RFC 4514.
    pub subject: String,
    /// Lower-case hexadecimal digits.
    pub serial: String,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// Lower-case hexadecimal digits.
    pub sha256: String,
    /// Whether it is good.
    pub state: State,
    /// Who can use its key.
    pub key: KeyFile,
    /// Its certificate file in the folder; None for one that was renewed or moved away.
    pub file: Option<PathBuf>,
}

/// Whether a certificate is good now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is.
    Valid,
    /// Its time has not come.
    NotYetValid,
    /// Its time is over.
    Expired,
    /// It stands in the revocation list.
    Revoked,
}

impl Authority {
    /// The authority in short.
    pub fn summary(&self) -> Result<Summary, PkiError> {
        let crl = self.crl()?.map(|list| CrlSummary {
            path: self.folder.ca_crl(),
            number: hex(&list.number),
            this_update: list.this_update,
            next_update: list.next_update,
            revoked: list.entries.len(),
        });
        Ok(Summary {
            identity: self.ca.identity.clone(),
            certificate: self.folder.ca_certificate(),
            key: KeyFile::at(&self.folder.ca_key()),
            crl,
            issued: self.index.records.len(),
        })
    }

    /// Every certificate that the index knows or that lies in the folder as `*.crt` and is of this authority, by name
    /// and age.
    pub fn list(&self, now: i64) -> Result<Vec<Listed>, PkiError> {
        let crl = self.crl()?;
        let mut files = self.certificate_files()?;
        let mut listed = Vec::new();
        for record in &self.index.records {
            let file = files.remove(&record.serial).map(|(file, _)| file);
            listed.push(self.listed(record, file, crl.as_ref(), now));
        }
        for (file, identity) in files.into_values() {
            let record = new_record(&identity, &request::stem(&file), None);
            listed.push(self.listed(&record, Some(file), crl.as_ref(), now));
        }
        listed.sort_by(|one, other| {
            (&one.name, one.not_before, &one.serial).cmp(&(&other.name, other.not_before, &other.serial))
        });
        Ok(listed)
    }

    fn listed(&self, record: &Record, file: Option<PathBuf>, crl: Option<&RevocationList>, now: i64) -> Listed {
        let serial = hexadecimal(&record.serial).unwrap_or_default();
        let revoked = record.revoked.is_some() || crl.is_some_and(|list| list.lists(&serial));
        let state = if revoked {
            State::Revoked
        } else if now > record.not_after {
            State::Expired
        } else if now < record.not_before {
            State::NotYetValid
        } else {
            State::Valid
        };
        let key = file.as_ref().map_or(KeyFile::Absent, |file| KeyFile::at(&file.with_extension("key")));
        Listed {
            name: record.name.clone(),
            subject: record.subject.clone(),
            serial: record.serial.clone(),
            not_before: record.not_before,
            not_after: record.not_after,
            sha256: record.sha256.clone(),
            state,
            key,
            file,
        }
    }

    /// The certificates of this authority in its folder, by serial.
    fn certificate_files(&self) -> Result<HashMap<String, (PathBuf, Identity)>, PkiError> {
        let read = |source| PkiError::Read { path: self.folder.path().to_owned(), source };
        let mut files = HashMap::new();
        for entry in std::fs::read_dir(self.folder.path()).map_err(read)? {
            let path = entry.map_err(read)?.path();
            if path.extension().is_none_or(|extension| extension != "crt") || path == self.folder.ca_certificate() {
                continue;
            }
            // What is no certificate, or of another CA, is not ours to list.
            let Ok(der) = read_certificate(&path, "") else { continue };
            if let Ok((identity, _)) = self.own_certificate(&path, &der) {
                files.insert(identity.serial_hex(), (path, identity));
            }
        }
        Ok(files)
    }
}
