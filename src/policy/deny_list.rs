//! The deny list: certificates and devices that an operator revoked here, whatever any CA says.
//!
//! It lies beside the policy and is no part of the fleet file: applying one, or going back to an older generation,
//! never lifts an entry.

use super::{Certificate, ChainFacts, DeviceKey, Principal};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenyEntry {
    /// Its number: unique for good, shown by `certmq revoke --list`, taken by `--undo`.
    pub id: DenyId,
    /// What it refuses.
    pub target: DenyTarget,
    /// When it was made, Unix seconds.
    pub since: i64,
    /// Who made it.
    pub author: Arc<str>,
}

/// The number of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DenyId(pub u64);

/// What an entry refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DenyTarget {
    /// A device with every certificate it has or will have.
    Device(DeviceKey),
    /// One certificate, of a device or of a CA between device and root.
    Certificate(DeniedCertificate),
}

impl DenyTarget {
    /// Whether it names somebody, by the device or by a certificate of the chain.
    pub fn names(&self, principal: &Principal) -> bool {
        match (self, &principal.chain) {
            (Self::Device(device), _) => principal.key == *device,
            (Self::Certificate(denied), Some(chain)) => {
                let mut path = chain.certificates.iter();
                denied.sha256 == Some(chain.leaf_sha256) || path.any(|path| *path.certificate == denied.certificate)
            }
            (Self::Certificate(_), None) => false,
        }
    }
}

/// A certificate as an entry names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedCertificate {
    /// How chains name it.
    pub certificate: Certificate,
    /// SHA-256 of the whole certificate, where it was at hand: finds a pinned one whose issuer vouches for nothing.
    pub sha256: Option<[u8; 32]>,
    /// The issuer's distinguished name, for people.
    pub issuer: Arc<str>,
}

/// Every entry, by number and by what it refuses. Asked at every handshake and every decision, so a look-up each.
#[derive(Clone, Debug, Default)]
pub struct DenyList {
    entries: BTreeMap<DenyId, Arc<DenyEntry>>,
    devices: HashMap<DeviceKey, DenyId, ahash::RandomState>,
    certificates: HashMap<Certificate, DenyId, ahash::RandomState>,
    leaves: HashMap<[u8; 32], DenyId, ahash::RandomState>,
}

impl DenyList {
    /// The entry that refuses the device, or a certificate of the chain, if there is one.
    pub fn find(&self, device: &DeviceKey, chain: &ChainFacts) -> Option<DenyId> {
        if self.entries.is_empty() {
            return None;
        }
        let path = || chain.certificates.iter().find_map(|path| self.certificates.get(&*path.certificate));
        self.device(device).or_else(|| self.leaves.get(&chain.leaf_sha256).or_else(path).copied())
    }

    /// The entry that refuses the device with every certificate.
    pub fn device(&self, device: &DeviceKey) -> Option<DenyId> {
        if self.devices.is_empty() { None } else { self.devices.get(device).copied() }
    }

    /// Every entry, by number.
    pub fn entries(&self) -> impl Iterator<Item = &DenyEntry> {
        self.entries.values().map(|entry| &**entry)
    }

    /// The entry of that number.
    pub fn entry(&self, id: DenyId) -> Option<&DenyEntry> {
        self.entries.get(&id).map(|entry| &**entry)
    }

    /// The entry that says the same already.
    pub fn same(&self, target: &DenyTarget) -> Option<DenyId> {
        match target {
            DenyTarget::Device(key) => self.device(key),
            DenyTarget::Certificate(denied) => self.certificates.get(&denied.certificate).copied(),
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is refused.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds an entry; one of the same number is replaced.
    pub(super) fn put(&mut self, entry: DenyEntry) {
        self.remove(entry.id);
        self.index(&entry);
        self.entries.insert(entry.id, Arc::new(entry));
    }

    /// Takes an entry out; says whether it was there.
    pub(super) fn remove(&mut self, id: DenyId) -> Option<Arc<DenyEntry>> {
        let removed = self.entries.remove(&id)?;
        self.devices.retain(|_, own| *own != id);
        self.certificates.retain(|_, own| *own != id);
        self.leaves.retain(|_, own| *own != id);
        // Another entry may refuse the same; it counts from now on.
        let entries: Vec<_> = self.entries.values().filter(|entry| entry.meets(&removed)).map(Arc::clone).collect();
        entries.iter().for_each(|entry| self.index(entry));
        Some(removed)
    }

    fn index(&mut self, entry: &DenyEntry) {
        match &entry.target {
            DenyTarget::Device(key) => {
                self.devices.entry(key.clone()).or_insert(entry.id);
            }
            DenyTarget::Certificate(denied) => {
                self.certificates.entry(denied.certificate.clone()).or_insert(entry.id);
                if let Some(sha256) = denied.sha256 {
                    self.leaves.entry(sha256).or_insert(entry.id);
                }
            }
        }
    }
}

impl DenyEntry {
    fn meets(&self, other: &Self) -> bool {
        match (&self.target, &other.target) {
            (DenyTarget::Device(one), DenyTarget::Device(two)) => one == two,
            (DenyTarget::Certificate(one), DenyTarget::Certificate(two)) => {
                one.certificate == two.certificate || (one.sha256.is_some() && one.sha256 == two.sha256)
            }
            (DenyTarget::Device(_), DenyTarget::Certificate(_))
            | (DenyTarget::Certificate(_), DenyTarget::Device(_)) => false,
        }
    }
}

impl DeniedCertificate {
    /// The serial number in hexadecimal, two digits an octet.
    pub fn serial_hex(&self) -> String {
        self.certificate.serial.iter().map(|octet| format!("{octet:02x}")).collect()
    }
}

impl fmt::Display for DenyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for DenyTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(key) => write!(f, "device {key}"),
            Self::Certificate(denied) => {
                write!(f, "certificate {} of {}", denied.serial_hex(), denied.issuer.escape_debug())
            }
        }
    }
}

#[cfg(test)]
mod tests;
