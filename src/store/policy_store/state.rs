//! What proves that the records are all there and as they were written: generation, count and a hash of the set.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

/// The sum, modulo 2^256, of the SHA-256 of every entry. Adding and taking away an entry each cost one hash,
/// whatever the size of the set, and the order of the entries does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MultisetHash([u64; 4]);

/// A point in the history of the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// Raised by one with every change set.
    pub(super) generation: u64,
    /// How many records there are, devices and groups.
    pub(super) records: u64,
    /// Over all of them.
    pub(super) hash: MultisetHash,
}

/// 32 bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hex32(pub(super) [u8; 32]);

impl State {
    /// Puts an entry in.
    pub(super) fn add(&mut self, tag: u8, key: &[u8], value: &[u8]) {
        self.records += 1;
        self.hash.add(entry_words(tag, key, value));
    }

    /// Takes an entry out.
    pub(super) fn subtract(&mut self, tag: u8, key: &[u8], value: &[u8]) {
        self.records = self.records.saturating_sub(1);
        self.hash.subtract(entry_words(tag, key, value));
    }
}

impl MultisetHash {
    fn add(&mut self, words: [u64; 4]) {
        let mut carry = false;
        for (word, other) in self.0.iter_mut().zip(words) {
            let (sum, over) = word.overflowing_add(other);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            *word = sum;
            carry = over | over_again;
        }
    }

    fn subtract(&mut self, words: [u64; 4]) {
        let mut borrow = false;
        for (word, other) in self.0.iter_mut().zip(words) {
            let (difference, under) = word.overflowing_sub(other);
            let (difference, under_again) = difference.overflowing_sub(u64::from(borrow));
            *word = difference;
            borrow = under | under_again;
        }
    }

    fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(words(bytes))
    }
}

/// The length of the key stands before it, so that no two entries have the same bytes.
fn entry_words(tag: u8, key: &[u8], value: &[u8]) -> [u64; 4] {
    let mut hasher = Sha256::new();
    hasher.update([tag]);
    hasher.update((key.len() as u64).to_le_bytes());
    hasher.update(key);
    hasher.update(value);
    words(hasher.finalize().into())
}

fn words(bytes: [u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        let mut eight = [0; 8];
        eight.copy_from_slice(chunk);
        *word = u64::from_le_bytes(eight);
    }
    words
}

impl Hex32 {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (digits, rest) = text.as_bytes().as_chunks::<2>();
        if digits.len() != 32 || !rest.is_empty() {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(digits) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(Self(bytes))
    }
}

/// Lower case only: one value, one text.
fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl std::fmt::Display for Hex32 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Hex32 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hex32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("expected 64 lower-case hexadecimal digits"))
    }
}

impl std::fmt::Display for MultisetHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Hex32(self.to_bytes()).fmt(f)
    }
}

impl Serialize for MultisetHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Hex32(self.to_bytes()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MultisetHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_bytes(Hex32::deserialize(deserializer)?.0))
    }
}

#[cfg(test)]
mod tests;
