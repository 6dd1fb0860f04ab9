//! The deny list as operators see it.

use serde::{Deserialize, Serialize};

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DenialView {
    /// Its number, for `certmq revoke --undo`.
    pub id: u64,
    /// What it refuses.
    #[serde(flatten)]
    pub target: DeniedView,
    /// When it was made, RFC 3339.
    pub since: String,
    /// Who made it.
    pub author: String,
}

/// What an entry refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "revoked", rename_all = "snake_case")]
pub enum DeniedView {
    /// A device with every certificate.
    Device {
        /// Its name.
        subject: String,
        /// Its trust block.
        trust: String,
    },
    /// One certificate.
    Certificate {
        /// Hexadecimal.
        serial: String,
        /// Distinguished name.
        issuer: String,
        /// Of the whole certificate, where it was at hand.
        #[serde(skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
}
