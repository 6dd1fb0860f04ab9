//! Which certificates records pin: SHA-256 -> device.
//!
//! Asked in every handshake, also where a million devices are pinned. In shards behind `Arc`, so that a change copies
//! one of them.

use super::DeviceKey;
use std::collections::HashMap;
use std::sync::Arc;

/// One for each first byte of the digest.
const SHARDS: usize = 256;

type Shard = HashMap<[u8; 32], DeviceKey, ahash::RandomState>;

/// The pins of all records.
#[derive(Clone, Debug)]
pub struct Pins {
    shards: Arc<Vec<Arc<Shard>>>,
}

impl Default for Pins {
    fn default() -> Self {
        let empty = Arc::<Shard>::default();
        Self { shards: Arc::new(vec![empty; SHARDS]) }
    }
}

impl Pins {
    /// The device whose record pins the certificate with this SHA-256.
    pub fn find(&self, sha256: &[u8; 32]) -> Option<&DeviceKey> {
        self.shards.get(shard_of(sha256))?.get(sha256)
    }

    /// Pins a certificate for a device.
    ///
    /// # Errors
    /// The other device that pins it already: it could be either.
    pub(super) fn put(&mut self, sha256: [u8; 32], device: &DeviceKey) -> Result<(), DeviceKey> {
        match self.find(&sha256) {
            Some(other) if other == device => Ok(()),
            Some(other) => Err(other.clone()),
            None => {
                self.change(&sha256, |shard| drop(shard.insert(sha256, device.clone())));
                Ok(())
            }
        }
    }

    pub(super) fn remove(&mut self, sha256: &[u8; 32]) {
        if self.find(sha256).is_some() {
            self.change(sha256, |shard| drop(shard.remove(sha256)));
        }
    }

    fn change(&mut self, sha256: &[u8; 32], change: impl FnOnce(&mut Shard)) {
        if let Some(shard) = Arc::make_mut(&mut self.shards).get_mut(shard_of(sha256)) {
            change(Arc::make_mut(shard));
        }
    }
}

fn shard_of(sha256: &[u8; 32]) -> usize {
    sha256.first().copied().map_or(0, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_pinned_for_one_device_and_copies_do_not_change() {
        let device = |name: &str| DeviceKey::in_default_trust(Arc::from(name));
        let mut pins = Pins::default();
        assert_eq!(pins.put([7; 32], &device("CN=a")), Ok(()));
        let before = pins.clone();
        assert_eq!(pins.put([7; 32], &device("CN=a")), Ok(()), "again");
        assert_eq!(pins.put([7; 32], &device("CN=b")), Err(device("CN=a")));
        pins.remove(&[7; 32]);
        assert_eq!(pins.find(&[7; 32]), None);
        assert_eq!(before.find(&[7; 32]), Some(&device("CN=a")));
    }
}
