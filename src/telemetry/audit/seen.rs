//! Which device last came with which certificate: asked at every CONNECT, answered from memory almost always.

use super::event::Event;
use parking_lot::Mutex;
use std::collections::HashMap;

/// Devices remembered; beyond them the memory starts anew, and the store is asked again.
const REMEMBERED: usize = 1 << 18;

/// A device that has connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub device: String,
    /// Its trust block.
    pub trust: String,
    /// Its address.
    pub address: String,
    /// Its client id.
    pub client_id: String,
    /// Serial number of its certificate, hexadecimal.
    pub serial: String,
    /// Who issued it.
    pub issuer: String,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// SHA-256 of its certificate.
    pub sha256: [u8; 32],
}

/// 16 bytes a device: keyed hashes of name and certificate.
#[derive(Debug, Default)]
pub(super) struct Memory {
    seed: ahash::RandomState,
    certificates: Mutex<HashMap<u64, u64>>,
}

impl Memory {
    /// Whether the device was seen with this certificate since the start.
    pub(super) fn knows(&self, trust: &str, device: &str, sha256: &[u8; 32]) -> bool {
        let (key, value) = self.hashes(trust, device, sha256);
        self.certificates.lock().get(&key) == Some(&value)
    }

    pub(super) fn keep(&self, trust: &str, device: &str, sha256: &[u8; 32]) {
        let (key, value) = self.hashes(trust, device, sha256);
        let mut certificates = self.certificates.lock();
        if certificates.len() >= REMEMBERED {
            certificates.clear();
        }
        certificates.insert(key, value);
    }

    fn hashes(&self, trust: &str, device: &str, sha256: &[u8; 32]) -> (u64, u64) {
        (self.seed.hash_one((trust, device)), self.seed.hash_one(sha256))
    }
}

impl Seen {
    /// The event of a device that was last seen with the certificate `previous`, if with any; none where nothing changed.
    pub(super) fn event(self, previous: Option<[u8; 32]>) -> Option<Event> {
        let sha256 = hex(&self.sha256);
        let (not_before, not_after) = (date(self.not_before), date(self.not_after));
        let Self { device, trust, address, client_id, serial, issuer, .. } = self;
        let (device, trust, client_id, issuer) = (device.into(), trust.into(), client_id.into(), issuer.into());
        match previous {
            None => Some(Event::DeviceFirstSeen {
                device,
                trust,
                address,
                client_id,
                serial,
                issuer,
                not_before,
                not_after,
                sha256,
            }),
            Some(previous) if previous == self.sha256 => None,
            Some(previous) => Some(Event::DeviceNewCertificate {
                device,
                trust,
                address,
                client_id,
                serial,
                issuer,
                not_before,
                not_after,
                sha256,
                previous_sha256: hex(&previous),
            }),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn date(unix_seconds: i64) -> String {
    use time::format_description::well_known::Rfc3339;
    let written =
        time::OffsetDateTime::from_unix_timestamp(unix_seconds).ok().and_then(|time| time.format(&Rfc3339).ok());
    written.unwrap_or_else(|| unix_seconds.to_string())
}
