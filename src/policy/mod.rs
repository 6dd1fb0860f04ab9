//! Who a certificate is, and what that device may do. Pure: facts in, decisions out; default deny.
//!
//! ```text
//! certificate DER -> Identity -> DeviceKey           identity.rs, name.rs
//! records (devices, groups, rules) -> Policy         record.rs, compile.rs, devices.rs, groups.rs: shares structure
//! Policy + Principal + topic -> Permit | Denied      authorize.rs, fill.rs, template.rs; memory.rs remembers
//! Policy + Principal + filter -> Grant (QoS, holes) | Denied; explain.rs tells why
//! ChainFacts of a live connection -> stays | Lapse   chain.rs, standing.rs
//! ChainFacts -> refused by an operator               deny_list.rs
//! fleet file <-> records -> ChangeSet                fleet.rs, change.rs; reach.rs compares two policies
//! rules of other brokers -> records                  import.rs
//! ```

pub mod chain;
pub mod change;
pub mod decision;
pub mod deny_list;
pub mod fleet;
pub mod identity;
pub mod import;
pub mod name;
pub mod record;

mod authorize;
mod compile;
mod devices;
mod ended;
mod explain;
mod fill;
#[cfg(test)]
mod fixture;
mod groups;
mod limits;
mod memory;
mod packed;
mod pins;
mod reach;
mod standing;
mod template;

pub use chain::{Certificate, CertificateFacts, ChainFacts, PathCertificate};
pub use change::{Change, ChangeSet};
pub use compile::{CompileError, Compiler, Policy};
pub use decision::{Admission, Attributes, Denied, Epoch, Grant, Holes, Permit, Principal, Refusal};
pub use deny_list::{DeniedCertificate, DenyEntry, DenyId, DenyList, DenyTarget};
pub use ended::Ended;
pub use explain::Explanation;
pub use identity::{DeviceKey, Identity, IdentityError, SubjectSelector};
pub use memory::DecisionMemory;
pub use name::{DistinguishedName, NameError};
pub use pins::Pins;
pub use reach::Fate;
pub use record::{
    Action, Attribute, Bounds, DeviceRecord, DeviceStatus, Effect, GroupRecord, QoSBound, RecordError, RecordLimits,
    Records, RetainBound, Rule, RuleError, RuleId,
};
pub use standing::{AsAccepted, Lapse, LiveJudge, Writings};

/// What of the settings the policy needs (sections `identity` and `policy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicySettings {
    /// `policy.require_record`: a group match alone does not make a device known.
    pub require_record: RecordRequirement,
    /// `identity.client_id`.
    pub client_id: ClientIdRule,
    /// `policy.unknown_devices`.
    pub unknown: UnknownDevices,
}

/// What becomes of a valid certificate whose device nobody knows. It is refused in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownDevices {
    /// Nothing else.
    #[default]
    Refuse,
    /// It is kept in a list, for an operator to approve.
    Quarantine,
}

/// Whether a group match makes a device known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordRequirement {
    /// A record or a match by a group.
    #[default]
    RecordOrMatch,
    /// A record.
    Record,
}

/// Which client ids a device may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientIdRule {
    /// Whatever it likes: sessions are keyed by device and client id.
    #[default]
    Free,
    /// Exactly its common name; only then `{client_id}` is a template.
    CommonName,
}
