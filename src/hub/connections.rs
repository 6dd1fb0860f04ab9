//! The live connections by what they hang on: anchor, certificates of their chain, leaf, end of validity.
//!
//! A sweep costs by the connections that a change touches. The keys are 64-bit hashes with a random seed: of two things
//! that share one, both are judged, and the judgement decides.

use super::sessions::{ConnectionId, SessionCell};
use crate::policy::{Certificate, ChainFacts};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Weak};

/// The index.
#[derive(Debug, Default)]
pub(super) struct Connections {
    hasher: ahash::RandomState,
    index: Mutex<Index>,
}

#[derive(Debug, Default)]
struct Index {
    members: HashMap<u64, Member, ahash::RandomState>,
    /// By the hash of what they hang on.
    hanging: HashMap<u64, Few, ahash::RandomState>,
    /// By the end of validity, Unix seconds; what was found to have ended is taken out.
    ends: BTreeSet<(i64, u64)>,
    /// Certificates of CAs, shared by all chains that go through them.
    issuers: HashSet<Arc<Certificate>, ahash::RandomState>,
}

#[derive(Debug)]
struct Member {
    cell: Weak<SessionCell>,
    chain: Arc<ChainFacts>,
}

/// Connections with something in common: mostly one, sometimes everybody.
#[derive(Debug)]
enum Few {
    One(u64),
    #[allow(clippy::box_collection, reason = "16 bytes instead of 64, twice for each connection")]
    Many(Box<HashSet<u64, ahash::RandomState>>),
}

/// A place in the index; it is given up with this value.
#[derive(Debug)]
pub(super) struct Registration {
    connections: Arc<Connections>,
    connection: ConnectionId,
    /// What the connection is judged by.
    pub(super) chain: Arc<ChainFacts>,
}

/// A connection that was found. It may have ended since.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) cell: Arc<SessionCell>,
    pub(super) connection: ConnectionId,
}

/// What a connection may hang on.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) enum Support<'a> {
    /// SHA-256 of the key of its trust anchor.
    Anchor(&'a [u8; 32]),
    /// A certificate of its path, by issuer and serial number.
    Certificate(&'a Certificate),
    /// SHA-256 of its own certificate.
    Leaf(&'a [u8; 32]),
}

impl Connections {
    /// Enters a connection; it is found from now on.
    pub(super) fn enter(
        self: &Arc<Self>,
        cell: &Arc<SessionCell>,
        connection: ConnectionId,
        chain: &ChainFacts,
    ) -> Registration {
        let mut index = self.index.lock();
        let chain = Arc::new(index.sharing(chain));
        for key in self.keys(&chain) {
            index.hanging.entry(key).and_modify(|few| few.insert(connection.0)).or_insert(Few::One(connection.0));
        }
        index.ends.insert((chain.not_after, connection.0));
        index.members.insert(connection.0, Member { cell: Arc::downgrade(cell), chain: Arc::clone(&chain) });
        Registration { connections: Arc::clone(self), connection, chain }
    }

    /// The connections that hang on any of `supports`, each once.
    pub(super) fn hanging_on<'a>(&self, supports: impl Iterator<Item = Support<'a>>) -> Vec<Found> {
        let keys: Vec<u64> = supports.map(|support| self.key(support)).collect();
        let index = self.index.lock();
        let mut ids: Vec<u64> = keys.iter().filter_map(|key| index.hanging.get(key)).flat_map(Few::iter).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| index.found(id)).collect()
    }

    /// Every connection.
    pub(super) fn all(&self) -> Vec<Found> {
        let index = self.index.lock();
        index.members.keys().filter_map(|id| index.found(*id)).collect()
    }

    /// Takes out at most `limit` connections whose chain has ended by `now` (Unix seconds). They are not found here
    /// again, so that who calls must end them.
    pub(super) fn take_ended(&self, now: i64, limit: usize) -> Vec<Found> {
        let mut index = self.index.lock();
        let mut ended = Vec::new();
        while ended.len() < limit
            && let Some(&(not_after, id)) = index.ends.first()
            && not_after <= now
        {
            index.ends.pop_first();
            ended.extend(index.found(id));
        }
        ended
    }

    /// How many connections have a chain that ends after `from` and not after `to` (Unix seconds), and up to `limit`
    /// of them. Costs by their number.
    pub(super) fn ending_between(&self, from: i64, to: i64, limit: usize) -> (usize, Vec<Found>) {
        if to <= from {
            return (0, Vec::new());
        }
        let index = self.index.lock();
        let range = || index.ends.range((from.saturating_add(1), 0)..=(to, u64::MAX));
        (range().count(), range().take(limit).filter_map(|(_, id)| index.found(*id)).collect())
    }

    fn remove(&self, connection: ConnectionId) {
        let mut index = self.index.lock();
        let Some(Member { chain, .. }) = index.members.remove(&connection.0) else { return };
        for key in self.keys(&chain) {
            if index.hanging.get_mut(&key).is_some_and(|few| few.remove(connection.0) == Left::Nobody) {
                index.hanging.remove(&key);
            }
        }
        index.ends.remove(&(chain.not_after, connection.0));
        index.forget_issuers(chain);
    }

    fn keys(&self, chain: &ChainFacts) -> Vec<u64> {
        let path = chain.certificates.iter().map(|path| Support::Certificate(&path.certificate));
        let supports = [Support::Anchor(&chain.anchor), Support::Leaf(&chain.leaf_sha256)].into_iter().chain(path);
        let mut keys: Vec<u64> = supports.map(|support| self.key(support)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn key(&self, support: Support<'_>) -> u64 {
        self.hasher.hash_one(support)
    }
}

impl Index {
    fn found(&self, id: u64) -> Option<Found> {
        let cell = self.members.get(&id)?.cell.upgrade()?;
        Some(Found { cell, connection: ConnectionId(id) })
    }

    /// A copy of `chain` that shares the certificates of its CAs.
    fn sharing(&mut self, chain: &ChainFacts) -> ChainFacts {
        let mut chain = chain.clone();
        for certificate in chain.certificates.iter_mut().skip(1).map(|path| &mut path.certificate) {
            match self.issuers.get(certificate) {
                Some(known) => *certificate = Arc::clone(known),
                None => {
                    // Of our own, so that its holders can be counted.
                    *certificate = Arc::new(Certificate::clone(certificate));
                    self.issuers.insert(Arc::clone(certificate));
                }
            }
        }
        chain
    }

    /// Forgets the certificates of CAs that only `chain` still held.
    fn forget_issuers(&mut self, chain: Arc<ChainFacts>) {
        for certificate in chain.certificates.iter().skip(1).map(|path| &path.certificate) {
            // That of the chain and our own; the registration that is being given up holds the chain, not these.
            if Arc::strong_count(certificate) <= 2 {
                self.issuers.remove(certificate);
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Somebody,
    Nobody,
}

impl Few {
    fn insert(&mut self, id: u64) {
        match self {
            Self::One(only) => *self = Self::Many(Box::new([*only, id].into_iter().collect())),
            Self::Many(ids) => drop(ids.insert(id)),
        }
    }

    fn remove(&mut self, id: u64) -> Left {
        let left = match self {
            Self::One(only) if *only == id => 0,
            Self::One(_) => 1,
            Self::Many(ids) => {
                ids.remove(&id);
                ids.len()
            }
        };
        if left == 0 { Left::Nobody } else { Left::Somebody }
    }

    fn iter(&self) -> Box<dyn Iterator<Item = u64> + '_> {
        match self {
            Self::One(only) => Box::new(std::iter::once(*only)),
            Self::Many(ids) => Box::new(ids.iter().copied()),
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.connections.remove(self.connection);
    }
}

#[cfg(test)]
mod tests;
