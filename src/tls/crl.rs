//! Revocation: exactly one list per issuer, the newest, and an index (issuer, serial) of our own.
//!
//! An issuer is a name **and** a key: after a CA took a new key under its old name, both have their own list. Lists of
//! trusted CAs are verified when they are loaded. A list of a CA that no trust block names is kept unverified, and
//! verified once, when its issuer first appears in a chain: the intermediate CAs that devices send are such issuers.

mod select;
mod serials;

use super::TlsError;
use super::certificate::CrlSigning;
use super::crl_der::CrlFields;
use super::files::{self, Wanted};
use super::name::{date, describe};
use super::signature::{self, Signed};
use crate::config::tls::{CrlRequired, StaleCrl};
use parking_lot::RwLock;
use rustls::pki_types::SignatureVerificationAlgorithm;
use select::newest;
use serials::SerialSet;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Issuers outside the trust blocks whose list is remembered; more are verified in each handshake.
const REMEMBERED_ISSUERS: usize = 1024;

/// Who signs certificates and CRLs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issuer<'a> {
    /// DER of its Name.
    pub(super) name: &'a [u8],
    /// DER of its SubjectPublicKeyInfo.
    pub(super) spki: &'a [u8],
    pub(super) id: IssuerId,
    pub(super) crl_signing: CrlSigning,
}

/// SHA-256 of the name and of the key of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct IssuerId {
    pub(super) name: [u8; 32],
    pub(super) key: [u8; 32],
}

/// Why a certificate is not known to be good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RevocationFault {
    /// Its issuer's list has its serial.
    Revoked,
    /// Its issuer's list is past its nextUpdate (Unix seconds); where it lies.
    Stale { next_update: i64, place: String },
    /// There are lists under the name of its issuer, but none is signed with its key; where the first lies.
    Unverified { place: String },
    /// `crl_required = "all"`, and its issuer has none.
    Missing,
}

/// How lists are applied.
#[derive(Clone, Copy, Debug)]
pub(super) struct RevocationRules {
    pub(super) stale: StaleCrl,
    pub(super) required: CrlRequired,
    pub(super) algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
}

/// Every list, by issuer.
#[derive(Debug)]
pub(super) struct RevocationIndex {
    rules: RevocationRules,
    verified: HashMap<IssuerId, Arc<RevocationList>>,
    /// By SHA-256 of the issuer's name.
    unverified: HashMap<[u8; 32], Vec<SignedList>>,
    /// What became of `unverified` for issuers that appeared in chains; `None`: no list is signed with their key.
    appeared: RwLock<HashMap<IssuerId, Option<Arc<RevocationList>>>>,
}

/// What counts of one list.
#[derive(Debug)]
struct RevocationList {
    /// As text, for messages.
    issuer: String,
    place: String,
    number: Option<Box<[u8]>>,
    this_update: i64,
    next_update: i64,
    serials: SerialSet,
}

/// A list with what its signature covers.
#[derive(Debug)]
struct SignedList {
    list: Arc<RevocationList>,
    content: Box<[u8]>,
    algorithm: Box<[u8]>,
    signature: Box<[u8]>,
}

impl RevocationIndex {
    /// Reads every list in `paths`. `issuers` are the trusted CAs; notices go to `notices`.
    ///
    /// # Errors
    ///
    /// A list that cannot be read, or that bears the name of a trusted CA but none of their signatures: serving on
    /// without it would let the revoked in.
    pub(super) fn load(
        paths: &[PathBuf],
        issuers: &[Issuer<'_>],
        rules: RevocationRules,
        now: i64,
        notices: &mut Vec<String>,
    ) -> Result<Self, TlsError> {
        let mut of_trusted: HashMap<IssuerId, Vec<Arc<RevocationList>>> = HashMap::new();
        let mut unverified: HashMap<[u8; 32], Vec<SignedList>> = HashMap::new();
        for path in paths {
            for item in files::read(path, Wanted::Crls)? {
                let (name, signed) = SignedList::from_der(&item.der, &item.place)?;
                match signed.signer(&name, issuers, rules.algorithms)? {
                    Some(issuer) => of_trusted.entry(issuer).or_default().push(signed.list),
                    None => unverified.entry(name).or_default().push(signed),
                }
            }
        }
        let verified =
            of_trusted.into_iter().filter_map(|(issuer, lists)| Some((issuer, newest(lists.into_iter())?))).collect();
        let index = Self { rules, verified, unverified, appeared: RwLock::default() };
        index.notice(issuers, now, notices);
        Ok(index)
    }

    /// Whether the certificate with this serial (without leading zeros) of this issuer may be used. `now` in Unix
    /// seconds. The issuer must have been verified: it vouches for its list.
    pub(super) fn check(&self, issuer: &Issuer<'_>, serial: &[u8], now: i64) -> Result<(), RevocationFault> {
        let Some(list) = self.list_of(issuer)? else {
            return match self.rules.required {
                CrlRequired::Listed => Ok(()),
                CrlRequired::All => Err(RevocationFault::Missing),
            };
        };
        if list.serials.contains(serial) {
            return Err(RevocationFault::Revoked);
        }
        if list.is_stale(now) && self.rules.stale == StaleCrl::Deny {
            return Err(RevocationFault::Stale { next_update: list.next_update, place: list.place.clone() });
        }
        Ok(())
    }

    fn list_of(&self, issuer: &Issuer<'_>) -> Result<Option<Arc<RevocationList>>, RevocationFault> {
        if let Some(list) = self.verified.get(&issuer.id) {
            return Ok(Some(Arc::clone(list)));
        }
        let Some(candidates) = self.unverified.get(&issuer.id.name) else {
            return Ok(None);
        };
        let remembered = self.appeared.read().get(&issuer.id).cloned();
        let list = remembered.unwrap_or_else(|| self.verify_and_remember(issuer, candidates));
        match list {
            Some(list) => Ok(Some(list)),
            None => {
                let place = candidates.first().map_or_else(String::new, |signed| signed.list.place.clone());
                Err(RevocationFault::Unverified { place })
            }
        }
    }

    fn verify_and_remember(&self, issuer: &Issuer<'_>, candidates: &[SignedList]) -> Option<Arc<RevocationList>> {
        let signed_by_issuer = candidates.iter().filter(|signed| signed.is_signed_by(issuer, self.rules.algorithms));
        let list = newest(signed_by_issuer.map(|signed| Arc::clone(&signed.list)));
        let mut appeared = self.appeared.write();
        if appeared.len() < REMEMBERED_ISSUERS {
            appeared.insert(issuer.id, list.clone());
        }
        list
    }

    fn notice(&self, issuers: &[Issuer<'_>], now: i64, notices: &mut Vec<String>) {
        let unverified = self.unverified.values().flatten().map(|signed| &signed.list);
        for list in self.verified.values().chain(unverified) {
            if list.is_stale(now) {
                notices.push(format!(
                    "the CRL of {} in {} is stale since {}: {}; fetch a new one from that CA",
                    list.issuer,
                    list.place,
                    date(list.next_update),
                    match self.rules.stale {
                        StaleCrl::Deny => "new handshakes of its devices are refused",
                        StaleCrl::Allow => "its devices are still let in (tls.stale_crl = \"allow\")",
                    }
                ));
            }
            if list.this_update > now {
                notices.push(format!(
                    "the CRL of {} in {} is dated {}, in the future; it counts from now on, but look at the clocks",
                    list.issuer,
                    list.place,
                    date(list.this_update)
                ));
            }
        }
        for signed in self.unverified.values().flatten() {
            notices.push(format!(
                "the CRL of {} in {} is of no trusted CA; it counts once that CA appears in a chain",
                signed.list.issuer, signed.list.place
            ));
        }
        self.notice_issuers_without_list(issuers, notices);
        notices.sort();
    }

    fn notice_issuers_without_list(&self, issuers: &[Issuer<'_>], notices: &mut Vec<String>) {
        let any = !self.verified.is_empty() || !self.unverified.is_empty();
        let consequence = match self.rules.required {
            CrlRequired::All => "all its devices are refused (tls.crl_required = \"all\")",
            CrlRequired::Listed if any => "nothing it issued can be revoked, while other CAs have one",
            CrlRequired::Listed => return,
        };
        for issuer in issuers.iter().filter(|issuer| !self.verified.contains_key(&issuer.id)) {
            let name = describe(issuer.name);
            notices.push(format!("the trusted CA {name} has no CRL: {consequence}; add it to tls.crl"));
        }
    }
}

impl RevocationList {
    /// RFC 5280 section 5.1.2.5: a newer one was due by nextUpdate.
    fn is_stale(&self, now: i64) -> bool {
        now >= self.next_update
    }
}

impl SignedList {
    /// Also returns SHA-256 of the issuer's name.
    fn from_der(der: &[u8], place: &str) -> Result<([u8; 32], Self), TlsError> {
        let fields = CrlFields::from_der(der)
            .map_err(|fault| TlsError::Configuration(format!("{place}: the CRL cannot be used: {fault}")))?;
        let list = RevocationList {
            issuer: describe(fields.issuer),
            place: place.to_owned(),
            number: fields.number.map(Box::from),
            this_update: fields.this_update,
            next_update: fields.next_update,
            serials: SerialSet::new(fields.serials),
        };
        let signed = Self {
            list: Arc::new(list),
            content: fields.tbs.into(),
            algorithm: fields.algorithm.into(),
            signature: fields.signature.into(),
        };
        Ok((Sha256::digest(fields.issuer).into(), signed))
    }

    /// The trusted CA that signed it; `None` where no trusted CA has that name.
    fn signer(
        &self,
        name: &[u8; 32],
        issuers: &[Issuer<'_>],
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<Option<IssuerId>, TlsError> {
        let mut namesakes = issuers.iter().filter(|issuer| issuer.id.name == *name).peekable();
        if namesakes.peek().is_none() {
            return Ok(None);
        }
        match namesakes.find(|issuer| self.is_signed_by(issuer, algorithms)) {
            Some(issuer) => Ok(Some(issuer.id)),
            None => Err(TlsError::Configuration(format!(
                "{}: the CRL names {}, but no trusted CA of that name signed it (or its key usage forbids cRLSign): \
                 it is damaged, or of another CA with the same name; fetch it again or take it out of tls.crl",
                self.list.place, self.list.issuer
            ))),
        }
    }

    fn is_signed_by(&self, issuer: &Issuer<'_>, algorithms: &[&dyn SignatureVerificationAlgorithm]) -> bool {
        let signed = Signed { content: &self.content, algorithm: &self.algorithm, signature: &self.signature };
        issuer.crl_signing == CrlSigning::Allowed && signature::verify(algorithms, issuer.spki, signed).is_ok()
    }
}

#[cfg(test)]
mod tests;
