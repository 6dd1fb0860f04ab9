//! The chain: each line ends with a hash over the one of the line before and its own bytes.
//!
//! ```text
//! {"n":7,"time":"2026-11-24T10:00:00.125Z","event":"broker.stopped","connections":3,"chain":"<64 digits>"}
//! ```

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

const SEAL_OPENING: &str = ",\"chain\":\"";
const SEAL_CLOSING: &str = "\"}";
const SEAL_BYTES: usize = SEAL_OPENING.len() + 64 + SEAL_CLOSING.len();

/// SHA-256, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChainHash(pub [u8; 32]);

/// Where a trail ends: what an anchor holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Lines so far, those of removed files included.
    pub count: u64,
    /// The hash of the last one.
    pub hash: ChainHash,
}

/// Seals the JSON object `body` behind `before`: the line with its end, and its hash.
pub(super) fn seal(before: ChainHash, body: &str) -> (String, ChainHash) {
    let hash = hash_of(before, body);
    let mut line = String::with_capacity(body.len() + SEAL_BYTES + 1);
    line.push_str(body.strip_suffix('}').unwrap_or(body));
    line.push_str(SEAL_OPENING);
    line.push_str(&hash.to_string());
    line.push_str(SEAL_CLOSING);
    line.push('\n');
    (line, hash)
}

/// The body of a line and the hash that it states.
pub(super) fn unseal(line: &[u8]) -> Result<(String, ChainHash), String> {
    let line = line.strip_suffix(b"\n").ok_or("it has no end")?;
    let line = std::str::from_utf8(line).map_err(|fault| format!("not UTF-8: {fault}"))?;
    let no_seal = || "it has no hash at its end".to_owned();
    let (body, rest) = line.split_at_checked(line.len().saturating_sub(SEAL_BYTES)).ok_or_else(no_seal)?;
    let digits = rest.strip_prefix(SEAL_OPENING).and_then(|rest| rest.strip_suffix(SEAL_CLOSING));
    let hash = digits.and_then(|digits| digits.parse().ok()).ok_or_else(no_seal)?;
    Ok((format!("{body}}}"), hash))
}

pub(super) fn hash_of(before: ChainHash, body: &str) -> ChainHash {
    let mut hasher = Sha256::new();
    hasher.update(before.0);
    hasher.update(body.as_bytes());
    ChainHash(hasher.finalize().into())
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text is no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 lower-case hexadecimal digits, as `certmq audit verify` prints it")]
pub struct ParseHashError;

impl FromStr for ChainHash {
    type Err = ParseHashError;

    /// Lower case only: one value, one text.
    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(ParseHashError);
        }
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Ok(Self(bytes))
    }
}

fn nibble(digit: u8) -> Result<u8, ParseHashError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(ParseHashError),
    }
}

impl Serialize for ChainHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChainHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
