//! Who came with which certificate: unknown devices that wait for an operator, and the certificates of known ones.
//!
//! Kept in memory and bounded; whoever came longest ago goes first. Nothing here gives a right.

use super::{Hub, Peer};
use crate::policy::{DeviceKey, Identity, UnknownDevices};
use lru::LruCache;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::num::NonZeroUsize;

/// Certificates that are remembered of one device: the present, and those it replaced.
const CERTIFICATES_OF_DEVICE: usize = 4;

/// Characters of a text that is only shown.
const SHOWN_CHARACTERS: usize = 256;

/// An unknown device whose CONNECT was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingDevice {
    /// Which device it would be.
    pub key: DeviceKey,
    /// Its certificate.
    pub certificate: SeenCertificate,
    /// Who vouches for it.
    pub issuer: String,
    /// Its other names: `URI:`, `DNS:` and `email:`.
    pub alternative_names: Vec<String>,
    /// As its last CONNECT had it.
    pub client_id: String,
    /// Where its last CONNECT came from.
    pub address: Option<SocketAddr>,
    /// CONNECTs that were refused.
    pub attempts: u64,
}

/// A certificate that a device came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenCertificate {
    /// SHA-256 of it.
    pub sha256: [u8; 32],
    /// Its serial number, big-endian.
    pub serial: Box<[u8]>,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// When it came first, Unix seconds; since the broker started.
    pub first_seen: i64,
    /// When it came last, Unix seconds.
    pub last_seen: i64,
}

/// Everybody that is remembered.
#[derive(Debug)]
pub(super) struct Visitors {
    pending: Mutex<LruCache<DeviceKey, PendingDevice>>,
    certificates: Mutex<LruCache<DeviceKey, Vec<SeenCertificate>>>,
}

impl Visitors {
    pub(super) fn new(pending: usize, certificates: usize) -> Self {
        let cache = |bound: usize| NonZeroUsize::new(bound).unwrap_or(NonZeroUsize::MIN);
        Self {
            pending: Mutex::new(LruCache::new(cache(pending))),
            certificates: Mutex::new(LruCache::new(cache(certificates))),
        }
    }
}

impl Hub {
    /// Unknown devices that wait for an operator, who tried last first; those that became known meanwhile are not
    /// among them.
    pub fn pending_devices(&self) -> Vec<PendingDevice> {
        let policy = self.policy();
        let pending = self.visitors.pending.lock();
        let unknown = pending.iter().map(|(_, device)| device).filter(|device| policy.status_of(&device.key).is_none());
        unknown.cloned().collect()
    }

    /// Takes a device off that list.
    pub fn forget_pending(&self, device: &DeviceKey) {
        self.visitors.pending.lock().pop(device);
    }

    /// The certificates that a device connected with, the latest first, since the broker started.
    pub fn certificates_of(&self, device: &DeviceKey) -> Vec<SeenCertificate> {
        self.visitors.certificates.lock().peek(device).cloned().unwrap_or_default()
    }

    pub(super) fn note_pending(&self, peer: Peer<'_>, client_id: &str, address: Option<SocketAddr>) {
        if self.policy().settings().unknown == UnknownDevices::Refuse {
            return;
        }
        let now = self.unix();
        let mut pending = self.visitors.pending.lock();
        let before = pending.pop(peer.key);
        let same = before.as_ref().filter(|before| before.certificate.sha256 == peer.identity.sha256);
        let first_seen = same.map_or(now, |before| before.certificate.first_seen);
        let device = PendingDevice {
            key: peer.key.clone(),
            certificate: SeenCertificate { first_seen, ..SeenCertificate::of(peer.identity, now) },
            issuer: shown(&peer.identity.issuer.to_string()),
            alternative_names: alternative_names(peer.identity),
            client_id: shown(client_id),
            address,
            attempts: before.map_or(0, |before| before.attempts) + 1,
        };
        pending.put(device.key.clone(), device);
    }

    /// A device was admitted.
    pub(super) fn note_certificate(&self, peer: Peer<'_>) {
        self.forget_pending(peer.key);
        let now = self.unix();
        let mut certificates = self.visitors.certificates.lock();
        let seen = certificates.get_or_insert_mut(peer.key.clone(), Vec::new);
        let known = seen.iter().position(|seen| seen.sha256 == peer.identity.sha256);
        let mut certificate = match known {
            Some(place) => seen.remove(place),
            None => SeenCertificate::of(peer.identity, now),
        };
        certificate.last_seen = now;
        seen.insert(0, certificate);
        seen.truncate(CERTIFICATES_OF_DEVICE);
    }
}

impl SeenCertificate {
    fn of(identity: &Identity, now: i64) -> Self {
        let Identity { sha256, serial, not_before, not_after, .. } = identity;
        let (serial, first_seen) = (serial.clone(), now);
        Self { sha256: *sha256, serial, not_before: *not_before, not_after: *not_after, first_seen, last_seen: now }
    }
}

fn alternative_names(identity: &Identity) -> Vec<String> {
    let names = [("URI", &identity.san_uris), ("DNS", &identity.san_dns), ("email", &identity.san_emails)];
    let all = names.iter().flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind}:{}", shown(name))));
    all.take(8).collect()
}

/// A text of the other side, cut where it is longer than anyone reads.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS).collect()
}
