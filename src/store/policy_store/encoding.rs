//! The schema: how records stand in sled and in the text backup.
//!
//! ```text
//! tree      key                   value
//! devices   trust 0x00 name       {"status":"disabled","groups":["a"],"rules":[...],"pins":["<sha256>"]}
//! groups    name                  {"matches":{"o":"acme"},"rules":[...]}
//! denials   number, 8 octets      {"target":{"device":{…}},"since":1767225600,"author":"root"}
//! meta      "schema"              1
//! meta      "state"               {"generation":7,"records":3,"hash":"<multiset hash>"}
//! ```
//!
//! Values are JSON without the fields that hold their default: 22 bytes for a device in one group, and the text
//! backup carries the same bytes.

use super::error::StoreError;
use super::stored::{StoredChange, StoredDenial, StoredDevice, StoredGroup};
use crate::policy::{DenyEntry, DenyId, DeviceKey, DeviceRecord, GroupRecord};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;

/// The schema that this program writes. A store with a higher one is refused.
pub(super) const SCHEMA: u32 = 1;

/// Which tree a record lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Group,
    Device,
    /// An entry of the deny list.
    Denial,
}

/// One record's change in the form of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) kind: Kind,
    pub(super) key: Vec<u8>,
    /// `None` removes.
    pub(super) value: Option<Vec<u8>>,
}

impl Kind {
    /// The name of its tree.
    pub(super) fn tree(self) -> &'static str {
        match self {
            Self::Group => "groups",
            Self::Device => "devices",
            Self::Denial => "denials",
        }
    }

    /// What stands for it in the hash of the set.
    pub(super) fn tag(self) -> u8 {
        match self {
            Self::Group => b'g',
            Self::Device => b'd',
            Self::Denial => b'r',
        }
    }
}

/// The key of a device. No trust block's name contains NUL, so the first one ends it, and the keys sort as
/// [`DeviceKey`]s do.
pub(super) fn device_key(key: &DeviceKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.trust.len() + 1 + key.name.len());
    bytes.extend_from_slice(key.trust.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(key.name.as_bytes());
    bytes
}

/// Reads a device; the error says what is wrong with it.
pub(super) fn decode_device(key: &[u8], value: &[u8]) -> Result<DeviceRecord, String> {
    let stored = parse::<StoredDevice>(key, value)?;
    Ok(stored.into_record(parse_device_key(key)?))
}

/// Reads a group; the error says what is wrong with it.
pub(super) fn decode_group(key: &[u8], value: &[u8]) -> Result<GroupRecord, String> {
    let stored = parse::<StoredGroup>(key, value)?;
    Ok(stored.into_record(Arc::from(text(key)?)))
}

/// Reads an entry of the deny list; the error says what is wrong with it.
pub(super) fn decode_denial(key: &[u8], value: &[u8]) -> Result<DenyEntry, String> {
    parse::<StoredDenial>(key, value)?.into_entry(DenyId(denial_number(key)?))
}

fn denial_number(key: &[u8]) -> Result<u64, String> {
    let octets: [u8; 8] =
        key.try_into().map_err(|_| format!("{} is no number of an entry of the deny list", printable(key)))?;
    Ok(u64::from_be_bytes(octets))
}

/// The groups that a stored device lists.
pub(super) fn listed_groups(key: &[u8], value: &[u8]) -> Result<Vec<Arc<str>>, String> {
    Ok(parse::<StoredDevice>(key, value)?.groups)
}

/// Names a record for a message; whatever its bytes are, the text is printable.
pub(super) fn describe(kind: Kind, key: &[u8]) -> String {
    let text = String::from_utf8_lossy(key);
    match (kind, text.split_once('\0')) {
        (Kind::Device, Some((trust, name))) => format!("device {name:?} of trust block {trust:?}"),
        (Kind::Device, None) => format!("device {text:?}"),
        (Kind::Group, _) => format!("group {text:?}"),
        (Kind::Denial, _) => match denial_number(key) {
            Ok(number) => format!("deny list entry {number}"),
            Err(fault) => fault,
        },
    }
}

fn split_device_key(key: &[u8]) -> Result<(&str, &str), String> {
    text(key)?.split_once('\0').ok_or_else(|| format!("{} has no trust block", printable(key)))
}

fn parse_device_key(key: &[u8]) -> Result<DeviceKey, String> {
    let (trust, name) = split_device_key(key)?;
    Ok(DeviceKey { trust: Arc::from(trust), name: Arc::from(name) })
}

fn parse<'v, T: Deserialize<'v>>(key: &[u8], value: &'v [u8]) -> Result<T, String> {
    serde_json::from_slice(value).map_err(|fault| format!("record {}: {fault}", printable(key)))
}

fn text(key: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(key).map_err(|_| format!("key {} is not UTF-8", printable(key)))
}

fn printable(key: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(key))
}

impl Write {
    /// The stored form of a change, or why it cannot be stored.
    pub(super) fn of(change: &StoredChange) -> Result<Self, StoreError> {
        let write = match change {
            StoredChange::PutDevice { trust, name, record } => {
                Self::device(trust, name, Some(json(record).map_err(|fault| bad_record(name, fault))?))
            }
            StoredChange::RemoveDevice { trust, name } => Self::device(trust, name, None),
            StoredChange::PutGroup { name, record } => {
                Self::group(name, Some(json(record).map_err(|fault| bad_record(name, fault))?))
            }
            StoredChange::RemoveGroup { name } => Self::group(name, None),
            StoredChange::PutDenial { id, record } => {
                Self::denial(*id, Some(json(record).map_err(|fault| bad_record(&id.to_string(), fault))?))
            }
            StoredChange::RemoveDenial { id } => Self::denial(*id, None),
        };
        match change {
            StoredChange::PutDevice { trust, .. } if trust.contains('\0') => {
                Err(bad_record(&describe(write.kind, &write.key), "the name of its trust block contains NUL"))
            }
            StoredChange::PutDevice { name, .. } | StoredChange::PutGroup { name, .. } if name.is_empty() => {
                Err(bad_record(&describe(write.kind, &write.key), "it has no name"))
            }
            _ => Ok(write),
        }
    }

    fn device(trust: &Arc<str>, name: &Arc<str>, value: Option<Vec<u8>>) -> Self {
        let key = DeviceKey { trust: trust.clone(), name: name.clone() };
        Self { kind: Kind::Device, key: device_key(&key), value }
    }

    fn denial(id: u64, value: Option<Vec<u8>>) -> Self {
        Self { kind: Kind::Denial, key: id.to_be_bytes().to_vec(), value }
    }

    fn group(name: &str, value: Option<Vec<u8>>) -> Self {
        Self { kind: Kind::Group, key: name.as_bytes().to_vec(), value }
    }
}

/// One record as a line of text that reads as a [`StoredChange`]. The value goes in as it is: it is JSON already, and
/// the hash of the set vouches for it.
pub(super) fn put_line(kind: Kind, key: &[u8], value: &[u8]) -> Result<Vec<u8>, String> {
    let record: &RawValue =
        serde_json::from_slice(value).map_err(|fault| format!("{}: {fault}", describe(kind, key)))?;
    let line = match kind {
        Kind::Device => {
            let (trust, name) = split_device_key(key)?;
            PutLine::PutDevice { trust, name, record }
        }
        Kind::Group => PutLine::PutGroup { name: text(key)?, record },
        Kind::Denial => PutLine::PutDenial { id: denial_number(key)?, record },
    };
    serde_json::to_vec(&line).map_err(|fault| format!("{}: {fault}", describe(kind, key)))
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "they are names of the format")]
enum PutLine<'r> {
    PutDevice { trust: &'r str, name: &'r str, record: &'r RawValue },
    PutGroup { name: &'r str, record: &'r RawValue },
    PutDenial { id: u64, record: &'r RawValue },
}

fn json<T: Serialize>(record: &T) -> Result<Vec<u8>, &'static str> {
    serde_json::to_vec(record).map_err(|_| "it has no JSON form")
}

fn bad_record(record: &str, fault: &'static str) -> StoreError {
    StoreError::BadRecord { record: record.to_owned(), fault }
}

#[cfg(test)]
mod tests;
