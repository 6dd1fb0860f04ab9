//! Revocation: exactly one list per issuer, the newest, and an index (issuer, serial) of our own.
//!
//! An issuer is a name **and** a key: after a CA took a new key under its old name, both have their own list. Lists of
//! trusted CAs are verified when they are loaded. A list of a CA that no trust block names is kept unverified, and
//! verified once, when its issuer first appears in a chain: the intermediate CAs that devices send are such issuers.

mod notices;
mod select;
mod serials;
mod signed;
mod status;

use super::TlsError;
use super::certificate::CrlSigning;
use super::files::{self, Wanted};
use crate::config::TrustBlockSettings;
use crate::config::tls::{CrlRequired, StaleCrl};
use crate::policy::chain::{Certificate, first_half};
use parking_lot::RwLock;
use rustls::pki_types::SignatureVerificationAlgorithm;
use select::newest;
pub(super) use serials::SerialSet;
use signed::{ReadList, SignedList};
pub use status::{Freshness, ListWarning, RevocationStatus};
use std::collections::HashMap;
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

/// First 16 bytes of SHA-256 of the name and of the key of an issuer, as live connections remember it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct IssuerId {
    pub(super) name: [u8; 16],
    pub(super) key: [u8; 16],
}

impl IssuerId {
    /// From the DER of its name and the SHA-256 of its SubjectPublicKeyInfo.
    pub(super) fn new(name: &[u8], spki_sha256: &[u8; 32]) -> Self {
        Self { name: Certificate::issuer_digest(name), key: first_half(spki_sha256) }
    }
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

/// How a trust block applies lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RevocationRules {
    pub(super) stale: StaleCrl,
    pub(super) required: CrlRequired,
}

/// The algorithms of the crypto provider.
pub(super) type Algorithms = &'static [&'static dyn SignatureVerificationAlgorithm];

/// Every list, by issuer.
#[derive(Debug)]
pub(super) struct RevocationIndex {
    algorithms: Algorithms,
    verified: HashMap<IssuerId, Arc<RevocationList>>,
    /// By the digest of the issuer's name, as in [`IssuerId`].
    unverified: HashMap<[u8; 16], Vec<SignedList>>,
    /// Notices of lists that contradict each other.
    ambiguous: Vec<String>,
    /// What became of `unverified` for issuers that appeared in chains; `None`: no list is signed with their key.
    appeared: RwLock<HashMap<IssuerId, Option<Arc<RevocationList>>>>,
}

/// What counts of one list.
#[derive(Debug)]
pub(super) struct RevocationList {
    /// As text, for messages.
    pub(super) issuer: String,
    pub(super) place: String,
    number: Option<Box<[u8]>>,
    /// Unix seconds.
    pub(super) this_update: i64,
    /// Unix seconds.
    pub(super) next_update: i64,
    pub(super) serials: SerialSet,
}

/// A list that counts, or may.
#[derive(Clone, Debug)]
pub(super) struct InForce {
    /// As in [`IssuerId`].
    pub(super) name: [u8; 16],
    /// `None`: of an issuer outside the trust blocks, so that nobody knows with which key.
    pub(super) key: Option<[u8; 16]>,
    pub(super) list: Arc<RevocationList>,
}

impl RevocationIndex {
    /// Reads every list of every block. `issuers` are the trusted CAs.
    ///
    /// # Errors
    ///
    /// A list that cannot be read, or that bears the name of a trusted CA but none of their signatures: serving on
    /// without it would let the revoked in.
    pub(super) fn load(
        blocks: &[TrustBlockSettings],
        issuers: &[Issuer<'_>],
        algorithms: Algorithms,
    ) -> Result<Self, TlsError> {
        let mut of_trusted: HashMap<IssuerId, Vec<Arc<RevocationList>>> = HashMap::new();
        let mut unverified: HashMap<[u8; 16], Vec<SignedList>> = HashMap::new();
        for path in blocks.iter().flat_map(|block| &block.crl) {
            for item in files::read(path, Wanted::Crls)? {
                let read = ReadList::from_item(&item)?;
                match read.signer(issuers, algorithms)? {
                    Some(issuer) => of_trusted.entry(issuer).or_default().push(read.into_list()),
                    None => unverified.entry(read.name).or_default().push(read.into_signed()),
                }
            }
        }
        let ambiguous = of_trusted.values().flat_map(|lists| select::ambiguous(lists)).collect();
        let verified =
            of_trusted.into_iter().filter_map(|(issuer, lists)| Some((issuer, newest(lists.into_iter())?))).collect();
        Ok(Self { algorithms, verified, unverified, ambiguous, appeared: RwLock::default() })
    }

    /// Whether the certificate with this serial (without leading zeros) of this issuer may be used. `now` in Unix
    /// seconds. The issuer must have been verified: it vouches for its list.
    pub(super) fn check(
        &self,
        issuer: &Issuer<'_>,
        serial: &[u8],
        rules: RevocationRules,
        now: i64,
    ) -> Result<(), RevocationFault> {
        let Some(list) = self.list_of(issuer)? else {
            return match rules.required {
                CrlRequired::Listed => Ok(()),
                CrlRequired::All => Err(RevocationFault::Missing),
            };
        };
        if list.serials.contains(serial) {
            return Err(RevocationFault::Revoked);
        }
        match rules.stale {
            StaleCrl::Deny | StaleCrl::Disconnect if list.is_stale(now) => {
                Err(RevocationFault::Stale { next_update: list.next_update, place: list.place.clone() })
            }
            StaleCrl::Deny | StaleCrl::Disconnect | StaleCrl::Allow => Ok(()),
        }
    }

    /// The same of a certificate that was let in earlier, whose issuer's key is no longer at hand. Lists of that
    /// issuer's name which nobody has verified yet count as well: at worst a device reconnects and is judged in full.
    pub(super) fn check_live(
        &self,
        issuer: IssuerId,
        serial: &[u8],
        stale: StaleCrl,
        now: i64,
    ) -> Result<(), RevocationFault> {
        if let Some(list) = self.verified.get(&issuer) {
            return list.check_live(serial, stale, now);
        }
        let lists = self.lists_for(issuer);
        if lists.iter().any(|list| list.serials.contains(serial)) {
            return Err(RevocationFault::Revoked);
        }
        newest(lists.into_iter()).map_or(Ok(()), |list| list.check_live(serial, stale, now))
    }

    /// The one list of an issuer outside the trust blocks that is known to be its; otherwise those that may be.
    fn lists_for(&self, issuer: IssuerId) -> Vec<Arc<RevocationList>> {
        let Some(candidates) = self.unverified.get(&issuer.name) else {
            return Vec::new();
        };
        match self.appeared.read().get(&issuer) {
            Some(settled) => settled.iter().cloned().collect(),
            None => candidates.iter().map(|signed| Arc::clone(&signed.list)).collect(),
        }
    }

    /// Every list that counts, and those of issuers outside the trust blocks: they may, as soon as one appears.
    pub(super) fn in_force(&self) -> Vec<InForce> {
        let verified = self.verified.iter().map(|(issuer, list)| (issuer.name, Some(issuer.key), list));
        let candidates =
            self.unverified.iter().flat_map(|(name, lists)| lists.iter().map(|signed| (*name, None, &signed.list)));
        verified.chain(candidates).map(|(name, key, list)| InForce { name, key, list: Arc::clone(list) }).collect()
    }

    /// The lists that no live connection of this issuer can be on: [`Self::check_live`] took each of them for its
    /// issuer's. `key` as in [`InForce`].
    pub(super) fn enforced(&self, name: [u8; 16], key: Option<[u8; 16]>) -> Vec<Arc<RevocationList>> {
        if let Some(list) = key.and_then(|key| self.verified.get(&IssuerId { name, key })) {
            return vec![Arc::clone(list)];
        }
        let candidates = self.unverified.get(&name).map(Vec::as_slice).unwrap_or_default();
        let appeared = self.appeared.read();
        let mut settled = appeared.iter().filter(|(issuer, _)| issuer.name == name).map(|(_, list)| list).peekable();
        // Of several lists the older ones lost their force when the issuer appeared, and a forged one never had any.
        let all_enforced = settled.peek().is_none() || (candidates.len() == 1 && settled.all(Option::is_some));
        if !all_enforced {
            return Vec::new();
        }
        candidates.iter().map(|signed| Arc::clone(&signed.list)).collect()
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
        let signed_by_issuer = candidates.iter().filter(|signed| signed.is_signed_by(issuer, self.algorithms));
        let list = newest(signed_by_issuer.map(|signed| Arc::clone(&signed.list)));
        let mut appeared = self.appeared.write();
        if appeared.len() < REMEMBERED_ISSUERS {
            appeared.insert(issuer.id, list.clone());
        }
        list
    }
}

impl RevocationList {
    fn check_live(&self, serial: &[u8], stale: StaleCrl, now: i64) -> Result<(), RevocationFault> {
        if self.serials.contains(serial) {
            return Err(RevocationFault::Revoked);
        }
        if stale == StaleCrl::Disconnect && self.is_stale(now) {
            return Err(RevocationFault::Stale { next_update: self.next_update, place: self.place.clone() });
        }
        Ok(())
    }

    /// RFC 5280 section 5.1.2.5: a newer one was due by nextUpdate.
    pub(super) fn is_stale(&self, now: i64) -> bool {
        now >= self.next_update
    }
}

#[cfg(test)]
mod tests;
