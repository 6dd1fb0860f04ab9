//! Revoking, and keeping the revocation list fresh.

use super::super::certificate::Signer;
use super::super::crl::{self, Entry, Reason, RevocationList};
use super::super::files::{Access, pem, read_certificate};
use super::super::index::Revocation;
use super::super::{PkiError, hexadecimal};
use super::{Authority, hex, new_record, request};
use crate::policy::Identity;
use std::path::{Path, PathBuf};

/// A revocation list that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReissuedCrl {
    /// Its file.
    pub path: PathBuf,
    /// The CRL number, hexadecimal digits.
    pub number: String,
    /// Unix seconds: it is good until then.
    pub next_update: i64,
    /// How many certificates it revokes.
    pub revoked: usize,
}

/// What a revocation did.
#[derive(Debug)]
pub enum Revoked {
    /// The certificate stands in the new list.
    Now {
        /// Whose it is.
        identity: Identity,
        /// The list.
        crl: ReissuedCrl,
    },
    /// It stood in the list already; nothing was written.
    Already {
        /// Whose it is.
        identity: Identity,
    },
}

/// Re-issues the revocation list at `path` (a `ca.crl`, or the folder with one) once half of its life is over, where
/// its `ca.key` lies beside it. None: there is nothing to do, or nothing that could be done here. `now` in Unix
/// seconds. Blocks while another process works on the folder.
///
/// # Errors
/// Those of [`Authority::open`] and of writing, and a list that would lose entries.
pub fn refresh_crl_if_due(path: &Path, now: i64) -> Result<Option<ReissuedCrl>, PkiError> {
    let folder = if path.is_dir() {
        path
    } else if path.file_name().is_some_and(|name| name == "ca.crl") {
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    } else {
        return Ok(None);
    };
    let is_ours = ["ca.crl", "ca.key"].iter().all(|name| folder.join(name).is_file());
    if is_ours { Authority::open(folder)?.refresh_crl_if_due(now) } else { Ok(None) }
}

impl Authority {
    /// Writes a new revocation list with `certificate` (a file, or a name in the folder) added to what was revoked
    /// before.
    pub fn revoke(&mut self, certificate: &Path, reason: Reason, now: i64) -> Result<Revoked, PkiError> {
        let path = self.find(certificate)?;
        let der = read_certificate(&path, "")?;
        let (identity, _) = self.own_certificate(&path, &der)?;
        if self.crl()?.is_some_and(|list| list.lists(&identity.serial)) {
            return Ok(Revoked::Already { identity });
        }
        let signer = self.signer(now)?;
        let entry = Entry { serial: identity.serial.to_vec(), at: now, reason, invalid_since: None };
        if self.index.record(&identity.serial_hex()).is_none() {
            self.index.records.push(new_record(&identity, &request::stem(&path), None));
        }
        let crl = self.publish(&signer, Some(entry), now)?;
        Ok(Revoked::Now { identity, crl })
    }

    /// Re-issues the list when half of its life is over, when it is gone, or when it lacks what the index knows to be
    /// revoked. None: not due, or the key is not here.
    pub fn refresh_crl_if_due(&mut self, now: i64) -> Result<Option<ReissuedCrl>, PkiError> {
        let due = match self.crl()? {
            Some(list) => list.is_past_half_life(now) || self.unlisted(&list).next().is_some(),
            None => self.index.crl_number.is_some(),
        };
        if !due || !self.folder.ca_key().exists() || now > self.ca.identity.not_after {
            return Ok(None);
        }
        let signer = self.signer(now)?;
        self.publish(&signer, None, now).map(Some)
    }

    /// Writes the next list: every entry of the last one, what only the index knows, and `added`.
    pub(super) fn publish(&mut self, signer: &Signer, added: Option<Entry>, now: i64) -> Result<ReissuedCrl, PkiError> {
        let path = self.folder.ca_crl();
        let last = self.crl()?;
        let known = self.index.crl_number.clone().unwrap_or_default();
        let last_number = last.as_ref().map(|list| list.number.clone()).unwrap_or_default();
        let number = crl::next_number(crl::larger_number(&known, &last_number)).ok_or_else(|| {
            PkiError::invalid(&path, "its CRL number is the largest there is", "make a new CA in another --dir")
        })?;
        // A clock that was set back must not make the newest list look older than the one before.
        let this_update = last.as_ref().map_or(now, |list| now.max(list.this_update));
        let mut list = RevocationList {
            issuer: signer.name.clone(),
            this_update,
            next_update: this_update + crl::LIFE,
            number,
            entries: last.map(|list| list.entries).unwrap_or_default(),
        };
        let unlisted: Vec<Entry> = self.unlisted(&list).chain(added).collect();
        list.entries.extend(unlisted);
        // The list first: it is what brokers enforce. The index learns from it.
        self.folder.replace(&path, &pem("X509 CRL", &list.sign(signer)?), Access::Public)?;
        self.remember(&list)?;
        let number = hex(&list.number);
        Ok(ReissuedCrl { path, number, next_update: list.next_update, revoked: list.entries.len() })
    }

    /// What the index knows to be revoked and `list` does not say.
    fn unlisted(&self, list: &RevocationList) -> impl Iterator<Item = Entry> {
        self.index.records.iter().filter_map(|record| {
            let revocation = record.revoked?;
            let serial = hexadecimal(&record.serial)?;
            let entry = Entry { serial, at: revocation.at, reason: revocation.reason, invalid_since: None };
            (!list.lists(&entry.serial)).then_some(entry)
        })
    }

    fn remember(&mut self, list: &RevocationList) -> Result<(), PkiError> {
        self.index.crl_number = Some(list.number.clone());
        for entry in &list.entries {
            let serial = hex(&entry.serial);
            let record =
                self.index.records.iter_mut().find(|record| record.serial == serial && record.revoked.is_none());
            if let Some(record) = record {
                record.revoked = Some(Revocation { at: entry.at, reason: entry.reason });
            }
        }
        self.index.save(&self.folder)
    }
}
