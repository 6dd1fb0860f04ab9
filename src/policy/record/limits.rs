//! What a device may use up.

use super::RecordError;
use crate::config::units::format_size;
use serde::{Deserialize, Serialize};

/// Limits of a device or of each member of a group; `None`: the settings alone bound it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordLimits {
    /// Connections at a time; one more gets CONNACK 0x97 (3.x: 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// PUBLISH packets a second, all its connections together, with a burst of one second's worth; beyond that reading
    /// from it pauses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_per_second: Option<u32>,
    /// Bytes that wait for each of its sessions; where `limits.queued_bytes` of the settings is lower, that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued_bytes: Option<u64>,
}

impl RecordLimits {
    /// The names that files use.
    pub const KEYS: [&str; 3] = ["connections", "messages_per_second", "queued_bytes"];

    /// Those that are set here, the others of `second`.
    #[must_use]
    pub fn or(self, second: Self) -> Self {
        Self {
            connections: self.connections.or(second.connections),
            messages_per_second: self.messages_per_second.or(second.messages_per_second),
            queued_bytes: self.queued_bytes.or(second.queued_bytes),
        }
    }

    /// Of each limit the lower one.
    #[must_use]
    pub fn lowest(self, other: Self) -> Self {
        Self {
            connections: lower(self.connections, other.connections),
            messages_per_second: lower(self.messages_per_second, other.messages_per_second),
            queued_bytes: lower(self.queued_bytes, other.queued_bytes),
        }
    }

    /// Each limit that is set, as the fleet file writes it.
    pub fn entries(&self) -> Vec<String> {
        let Self { connections, messages_per_second, queued_bytes } = self;
        let counts = [("connections", connections), ("messages_per_second", messages_per_second)];
        let counts = counts.into_iter().filter_map(|(key, count)| count.map(|count| format!("{key} = {count}")));
        let size = queued_bytes.map(|bytes| format!("queued_bytes = \"{}\"", format_size(bytes)));
        counts.chain(size).collect()
    }

    /// Whether none is set.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// Whether nothing is allowed here that `before` does not allow.
    pub fn is_within(&self, before: &Self) -> bool {
        self.lowest(*before) == *self
    }

    pub(super) fn validate(&self) -> Result<(), RecordError> {
        let [connections, messages_per_second, queued_bytes] = Self::KEYS;
        let zero = [
            (connections, self.connections == Some(0)),
            (messages_per_second, self.messages_per_second == Some(0)),
            (queued_bytes, self.queued_bytes == Some(0)),
        ];
        match zero.iter().find(|(_, zero)| *zero) {
            Some((key, _)) => Err(RecordError::Limit(key)),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for RecordLimits {
    /// [`RecordLimits::entries`] in a line; nothing where there are none.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.entries().join(", "))
    }
}

fn lower<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
