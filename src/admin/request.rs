//! What an operator may ask.

pub use crate::hub::SessionCursor;

use crate::policy::record::{Attribute, DeviceStatus};
use crate::policy::{Action, Effect};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One request: the content of one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How the broker and its policy are.
    Status {},
    /// Adds a device, or groups and a pin to one that is there.
    AddDevice {
        /// Which one; a bare name is not enough for a new device.
        device: DeviceRef,
        /// Its groups; they must exist.
        groups: Vec<String>,
        /// Whether only the given certificate may be used.
        pinning: Pinning,
    },
    /// Takes a pinned certificate out of a record.
    UnpinDevice {
        /// Whose.
        device: DeviceRef,
        /// SHA-256 of the certificate, hexadecimal; `None`: the certificate that names the device here.
        sha256: Option<String>,
    },
    /// Every device record.
    ListDevices {},
    /// Unknown devices that wait for approval.
    ListPending {},
    /// Adds a device that waits for it.
    ApproveDevice {
        /// Which one.
        device: DeviceRef,
        /// Its groups; they must exist.
        groups: Vec<String>,
    },
    /// One device's record.
    ShowDevice {
        /// Which one.
        device: DeviceRef,
    },
    /// Enables or disables a device; disabling one without a record makes one.
    SetDeviceStatus {
        /// Which one.
        device: DeviceRef,
        /// What it becomes.
        status: DeviceStatus,
    },
    /// Removes a device's record.
    RemoveDevice {
        /// Which one.
        device: DeviceRef,
        /// What becomes of what it leaves behind.
        #[serde(default)]
        leftovers: Leftovers,
    },
    /// Adds a group.
    AddGroup {
        /// Its name.
        name: String,
        /// What a certificate must have to be a member unlisted.
        matches: BTreeMap<Attribute, String>,
    },
    /// Every group.
    ListGroups {},
    /// One group with its rules and listed members.
    ShowGroup {
        /// Which one.
        name: String,
    },
    /// Removes a group that no device lists.
    RemoveGroup {
        /// Which one.
        name: String,
    },
    /// Adds a rule to a record that is there.
    AddRule {
        /// Whose.
        who: Who,
        /// Which.
        rule: RuleText,
    },
    /// The rules that count for somebody.
    ListRules {
        /// For whom.
        who: Who,
    },
    /// Removes a rule.
    RemoveRule {
        /// Its id.
        rule: String,
        /// Whose, where several records hold the same rule.
        who: Option<Who>,
    },
    /// Why somebody may or may not.
    Explain {
        /// Who.
        who: Who,
        /// What.
        action: Action,
        /// A topic name to publish to, or a filter to subscribe to.
        topic: String,
        /// The client id it would use.
        client_id: Option<String>,
    },
    /// The whole policy as a fleet file.
    Export {},
    /// Makes the policy what a fleet file says, in one transaction.
    Apply {
        /// The text of the file.
        text: String,
        /// What becomes of records that it does not name.
        #[serde(default)]
        scope: FleetScope,
        /// How many records may go, where they are more than may go unasked.
        #[serde(default)]
        allow_remove: Option<usize>,
    },
    /// What applying a file or going back would change, and what that would do to the sessions there are.
    Plan {
        /// To what.
        target: PlanTarget,
    },
    /// The newest generations of the policy.
    History {
        /// At most so many.
        limit: usize,
    },
    /// Makes the policy what it was at a generation; the deny list stays.
    Rollback {
        /// Which.
        generation: u64,
    },
    /// The next sessions of the broker, of a device or of a group's members.
    ListSessions {
        /// Whose; everyone's without.
        who: Option<Who>,
        /// Where the page before ended.
        #[serde(default)]
        after: SessionCursor,
    },
    /// Everything about one session.
    ShowSession {
        /// Whose.
        device: DeviceRef,
        /// Which, where the device has several.
        client_id: Option<String>,
    },
    /// Closes connections; their sessions stay.
    DisconnectSessions {
        /// Whose.
        who: Who,
        /// Which of a device's; all without.
        client_id: Option<String>,
    },
    /// Ends sessions for good.
    RemoveSessions {
        /// Whose.
        device: DeviceRef,
        /// Which.
        choice: SessionChoice,
    },
    /// The last refusals beyond a number.
    Denials {
        /// Whose; everyone's without.
        who: Option<Who>,
        /// The number of the last one known; 0: from the beginning.
        #[serde(default)]
        after: u64,
        /// Whether to wait a moment where there is none yet.
        #[serde(default)]
        wait: Wait,
    },
    /// Number and hash of the line that the store knows as the last of the audit trail.
    AuditAnchor {},
    /// Refuses a device or a certificate from now on.
    Revoke {
        /// Which.
        target: RevokeTarget,
        /// What becomes of what it leaves behind.
        #[serde(default)]
        leftovers: Leftovers,
    },
    /// The deny list.
    ListDenials {},
    /// Reads settings, certificates, CAs and revocation lists anew.
    Reload {},
    /// Takes an entry out of the deny list.
    LiftDenial {
        /// Its number.
        id: u64,
    },
}

/// What becomes of records that a fleet file does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FleetScope {
    /// They go: the file is the whole policy.
    #[default]
    Whole,
    /// They stay: the file only adds and changes.
    Addition,
}

/// What a plan leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanTarget {
    /// What a fleet file says.
    File {
        /// Its text.
        text: String,
        /// What becomes of records that it does not name.
        scope: FleetScope,
    },
    /// An earlier generation.
    Generation(u64),
}

/// What becomes of the retained messages and wills of a writer that lost its right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leftovers {
    /// They are withheld, and come back with the right.
    #[default]
    Withhold,
    /// They are deleted.
    Purge,
}

/// What is revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokeTarget {
    /// A device with every certificate.
    Device(DeviceRef),
    /// A certificate: Base64 of its DER.
    Certificate(String),
    /// A certificate by its serial number, hexadecimal.
    Serial {
        /// As OpenSSL prints it.
        serial: String,
        /// The distinguished name of its issuer; without one there must be but one trusted CA.
        issuer: Option<String>,
    },
}

/// Whether an answer may take a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// At once, whatever there is.
    #[default]
    AtOnce,
    /// When there is something, or after a moment.
    ForMore,
}

/// Which sessions of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionChoice {
    /// The one with this client id.
    ClientId(String),
    /// Every one.
    All,
}

/// Somebody with rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// A device.
    Device(DeviceRef),
    /// A group, by its name.
    Group(String),
}

/// A device as an operator names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceRef {
    /// The trust block.
    pub trust: String,
    /// The device within it.
    pub named: Named,
}

/// How a device is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// A name in the form of `identity.subject`, or bare: the one record with that common name.
    Name(String),
    /// A certificate: DER in Base64.
    Certificate(String),
}

/// Whether a device is bound to one certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pinning {
    /// Any certificate of its name that the trust block vouches for.
    #[default]
    Unpinned,
    /// The certificate that names it in this request.
    Pinned,
}

/// A rule as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleText {
    /// Allow or deny.
    pub effect: Effect,
    /// Publish or subscribe.
    pub action: Action,
    /// A topic filter, perhaps with templates.
    pub filter: String,
    /// The highest QoS of an allow, 0 to 2; `None`: 2.
    pub max_qos: Option<u8>,
    /// Whether an allow covers retained publications; `None`: it does.
    pub retain: Option<bool>,
    /// Unix seconds after which it does not count.
    pub until: Option<i64>,
}

impl Request {
    /// Whether it may change the policy.
    pub fn changes(&self) -> bool {
        match self {
            Self::AddDevice { .. }
            | Self::ApproveDevice { .. }
            | Self::UnpinDevice { .. }
            | Self::SetDeviceStatus { .. }
            | Self::RemoveDevice { .. }
            | Self::AddGroup { .. }
            | Self::RemoveGroup { .. }
            | Self::AddRule { .. }
            | Self::RemoveRule { .. }
            | Self::Revoke { .. }
            | Self::LiftDenial { .. }
            | Self::Rollback { .. }
            | Self::Apply { .. } => true,
            Self::Status {}
            | Self::ListDevices {}
            | Self::ListPending {}
            | Self::ShowDevice { .. }
            | Self::ListGroups {}
            | Self::ShowGroup { .. }
            | Self::ListRules { .. }
            | Self::Explain { .. }
            | Self::Export {}
            | Self::Plan { .. }
            | Self::History { .. }
            | Self::ListSessions { .. }
            | Self::ListDenials {}
            | Self::ShowSession { .. }
            | Self::DisconnectSessions { .. }
            | Self::RemoveSessions { .. }
            | Self::Denials { .. }
            | Self::Reload {}
            | Self::AuditAnchor {} => false,
        }
    }
}
