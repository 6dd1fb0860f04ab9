//! Every event of the audit trail, in one place. `docs/audit.md` documents the same list; a test compares them.

use super::chain::ChainHash;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// Characters of a text that a line keeps.
const TEXT_CHARACTERS: usize = 1024;

/// A text of an event, perhaps from the network or a certificate: bounded here, escaped when a line is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(String);

/// What became of what somebody wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Changed,
    /// It was so already.
    Unchanged,
    /// In force, but not on disk: it does not survive a restart before there is room.
    InMemory,
    /// Not done.
    Refused,
}

/// A rule that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedRule {
    /// Its id.
    pub rule: String,
    /// `allow` or `deny`.
    pub effect: String,
    /// The device or group that has it.
    pub whose: Text,
}

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $name:literal $variant:ident { $($(#[doc = $field_doc:literal])+ $field:ident: $kind:ty,)* },)+) => {
        /// One event.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "event")]
        pub enum Event {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant { $($(#[doc = $field_doc])+ $field: $kind,)* },)+
        }

        /// The closed list: each event's name and its fields, beside `n`, `time`, `event` and `chain`.
        pub const EVENTS: &[(&str, &[&str])] = &[$(($name, &[$(stringify!($field)),*])),+];
    };
}

events! {
    /// The broker serves.
    "broker.started" BrokerStarted {
        /// Of the program.
        version: String,
        /// Its process.
        pid: u32,
        /// Of the policy in force.
        generation: u64,
        /// Addresses of MQTT over TLS.
        mqtts: Vec<String>,
        /// Addresses of MQTT over WebSocket over TLS.
        wss: Vec<String>,
    },
    /// The broker stops in order.
    "broker.stopped" BrokerStopped {
        /// Connections that were closed with it.
        connections: u64,
    },
    /// Settings, certificates or revocation lists were read anew, or were to be.
    "broker.reloaded" BrokerReloaded {
        /// Who asked: a unix user, a signal, or the file watch.
        who: Text,
        /// Whether the new ones are in force.
        outcome: Outcome,
        /// What changed, or why nothing did.
        summary: Text,
    },
    /// A revocation list is past its nextUpdate.
    "crl.stale" CrlStale {
        /// Whose list.
        issuer: Text,
        /// The file.
        place: Text,
        /// RFC 3339.
        next_update: String,
    },
    /// An operator changed something, or wanted to.
    "admin.change" AdminChange {
        /// The unix user.
        who: Text,
        /// `socket`, or `offline` on the store itself.
        place: String,
        /// Which command.
        command: String,
        /// What became of it.
        outcome: Outcome,
        /// Of the policy afterwards.
        generation: u64,
        /// What was done, or why nothing was.
        summary: Text,
        /// The rule that was added or removed.
        rule: Option<String>,
    },
    /// Changes that were in force but not on disk are on disk now.
    "policy.durable" PolicyDurable {
        /// The generation on disk.
        generation: u64,
        /// How many.
        changes: u64,
    },
    /// Rules ended by their `until`.
    "rules.ended" RulesEnded {
        /// Of the policy.
        generation: u64,
        /// How many.
        count: u64,
        /// The first hundred.
        rules: Vec<EndedRule>,
    },
    /// A device connected that had never connected before.
    "device.first_seen" DeviceFirstSeen {
        /// Its name.
        device: Text,
        /// Its trust block.
        trust: Text,
        /// Its address.
        address: String,
        /// Its client id.
        client_id: Text,
        /// Serial number of its certificate, hexadecimal.
        serial: String,
        /// Issuer of its certificate.
        issuer: Text,
        /// RFC 3339.
        not_before: String,
        /// RFC 3339.
        not_after: String,
        /// SHA-256 of its certificate.
        sha256: String,
    },
    /// A device connected with another certificate than the last time.
    "device.new_certificate" DeviceNewCertificate {
        /// Its name.
        device: Text,
        /// Its trust block.
        trust: Text,
        /// Its address.
        address: String,
        /// Its client id.
        client_id: Text,
        /// Serial number of the new certificate, hexadecimal.
        serial: String,
        /// Its issuer.
        issuer: Text,
        /// RFC 3339.
        not_before: String,
        /// RFC 3339.
        not_after: String,
        /// SHA-256 of the new certificate.
        sha256: String,
        /// SHA-256 of the one before.
        previous_sha256: String,
    },
    /// The connections of a device were closed by an operator, or by a change of the policy.
    "device.disconnected" DeviceDisconnected {
        /// Its name; empty where the change was not about single devices: the log counts them.
        device: Text,
        /// Its trust block.
        trust: Text,
        /// How many connections.
        connections: u64,
        /// Why.
        reason: Text,
    },
    /// Refusals of one kind, device and cause within a minute; single ones are in `certmq denials`.
    "denials" Denials {
        /// `handshake`, `connect`, `publish` or `subscribe`.
        kind: String,
        /// The device; of a handshake the subject that was presented. Empty: those beyond the bounded list.
        device: Text,
        /// Its trust block; empty where no certificate was accepted.
        trust: Text,
        /// Why.
        cause: Text,
        /// The rule that denied, where one did.
        rule: Option<String>,
        /// The last address.
        address: String,
        /// How often.
        count: u64,
        /// The first, RFC 3339.
        first: String,
        /// The last, RFC 3339.
        last: String,
    },
    /// A file of the trail begins.
    "trail.opened" TrailOpened {
        /// Its number.
        file: u64,
        /// The hash of the line before, in the file before.
        after: ChainHash,
    },
    /// The oldest file is removed, as `limits.audit_files` wants.
    "trail.removed" TrailRemoved {
        /// Its number.
        file: u64,
        /// The number of its last line.
        last: u64,
        /// The hash of that line.
        hash: ChainHash,
    },
    /// Events could not be written: the disk was full, or they came too fast.
    "trail.lost" TrailLost {
        /// How many.
        events: u64,
        /// Since when, RFC 3339.
        since: String,
    },
    /// When the trail was opened it was not as it had been left.
    "trail.fault" TrailFault {
        /// What was found.
        fault: Text,
    },
}

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a, T: Into<Cow<'a, str>>> From<T> for Text {
    fn from(text: T) -> Self {
        let text = text.into();
        Self(match text.char_indices().nth(TEXT_CHARACTERS) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text.into_owned(),
        })
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
