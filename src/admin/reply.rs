//! What an operator is told.

mod denials;
mod fleet;
mod pending;
mod sessions;

pub use denials::{DenialView, DeniedView};
pub use fleet::{GenerationView, HistoryView, LiveImpactView, PlanCounts, PlanView, PlannedView};
pub use sessions::{
    CertificateView, DropsView, QueueView, SessionDetailView, SessionState, SessionView, SessionsEndedView,
    SessionsView, SubscriptionView, WillView,
};

pub use pending::{PendingDeviceView, PendingView, SeenCertificateView};

use crate::policy::record::{DeviceStatus, RetainBound};
use crate::policy::{Action, DeviceRecord, Effect, Explanation, GroupRecord, RecordLimits, Rule};
use crate::telemetry::audit::Head;
use crate::telemetry::denials::Denial;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The answer to a request that could be carried out. The views serialise as the commands print them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `Status`.
    Status(StatusView),
    /// To every request that may change the policy.
    Changed(ChangeView),
    /// To `ListDevices`.
    Devices(DevicesView),
    /// To `ListPending`.
    Pending(PendingView),
    /// To `ShowDevice`.
    Device(DeviceView),
    /// To `ListGroups`.
    Groups(GroupsView),
    /// To `ShowGroup`.
    Group(GroupView),
    /// To `ListRules`.
    Rules(RulesView),
    /// To `Explain`.
    Explanation(ExplanationView),
    /// To `Export`: the fleet file.
    Fleet(String),
    /// To `Plan`.
    Plan(PlanView),
    /// To `History`.
    History(HistoryView),
    /// To `ListSessions`.
    Sessions(SessionsView),
    /// To `ShowSession`.
    Session(Box<SessionDetailView>),
    /// To `DisconnectSessions` and `RemoveSessions`.
    SessionsEnded(SessionsEndedView),
    /// To `Denials`.
    Denials(DenialsView),
    /// To `AuditAnchor`; none before the first.
    AuditAnchor(Option<Head>),
    /// To `Reload`.
    Reloaded(ReloadView),
    /// To `ListDenials`.
    DenyList(Vec<DenialView>),
}

/// Refusals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DenialsView {
    /// In order.
    pub denials: Vec<Denial>,
    /// What to give as `after` for those that follow.
    pub next: u64,
    /// Refusals since the last page that are gone already, of whatever device.
    pub skipped: u64,
}

/// What a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadView {
    /// One line each; empty: nothing.
    pub changes: Vec<String>,
    /// Connections that were closed.
    pub closed: u64,
    /// Whose, as far as they are named.
    pub devices: Vec<String>,
    /// Of the roots and the server's key; session tickets of an earlier one are worthless.
    pub trust_epoch: u64,
    /// Settings that have changed and wait for a restart.
    pub restart: Vec<String>,
    /// What should be looked at.
    pub warnings: Vec<String>,
}

impl ReloadView {
    /// Whether everything is as it was.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.closed == 0
    }
}

/// How the broker and its policy are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusView {
    /// The running broker; none when the store was read directly.
    pub broker: Option<BrokerView>,
    /// The policy in force.
    pub policy: PolicyView,
}

/// A running broker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BrokerView {
    /// The version of the program.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// The addresses it serves MQTT over TLS on.
    pub mqtts: Vec<String>,
    /// Where it serves MQTT over WebSocket over TLS.
    #[serde(default)]
    pub wss: Vec<String>,
    /// What should be looked at: revocation lists that are stale or soon will be.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The server's certificates and the CAs, with their ends.
    #[serde(default)]
    pub certificates: Vec<CertificateEndView>,
    /// Every metric by name.
    pub metrics: BTreeMap<String, u64>,
}

/// When a certificate of the settings ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateEndView {
    /// `server certificate` or `CA certificate`.
    pub role: String,
    /// Whose it is.
    pub subject: String,
    /// Its last second, RFC 3339.
    pub expires: String,
    /// Whole days until then; negative: it has ended.
    pub days_left: i64,
}

/// The policy in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyView {
    /// Raised by one with every change.
    pub generation: u64,
    /// Device records.
    pub devices: usize,
    /// Bytes of memory of the compiled form.
    pub compiled_bytes: usize,
    /// The folder of the store.
    pub store: String,
    /// Changes in force that wait for room on the disk.
    #[serde(default)]
    pub not_durable: u64,
}

/// What a request did to the policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeView {
    /// Whether anything was changed.
    pub outcome: ChangeOutcome,
    /// The generation in force now.
    pub generation: u64,
    /// One sentence.
    pub summary: String,
    /// The rule, where one was added or removed.
    pub rule: Option<RuleView>,
    /// What the operator should know besides.
    pub notes: Vec<String>,
}

/// Whether anything was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeOutcome {
    /// It is durable and in force.
    Changed,
    /// It was so already.
    Unchanged,
}

/// Every device record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DevicesView {
    /// In the order of trust block and name.
    pub devices: Vec<DeviceView>,
}

/// One device's record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceView {
    /// Its name.
    pub subject: String,
    /// Its trust block.
    pub trust: String,
    /// Whether it may connect.
    pub status: DeviceStatus,
    /// Its listed groups.
    pub groups: Vec<String>,
    /// Its own rules.
    pub rules: Vec<RuleView>,
    /// SHA-256 of the certificates it is bound to.
    pub certificate_sha256: Vec<String>,
    /// What it may use up, by its own record.
    #[serde(default, skip_serializing_if = "RecordLimits::is_unlimited")]
    pub limits: RecordLimits,
    /// Those it connected with, the latest first, since the broker started; only one device's record has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates_seen: Vec<SeenCertificateView>,
}

/// Every group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupsView {
    /// By name.
    pub groups: Vec<GroupView>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// What a certificate must have to be a member unlisted.
    #[serde(rename = "match")]
    pub matches: BTreeMap<String, String>,
    /// Its rules.
    pub rules: Vec<RuleView>,
    /// How many devices list it.
    pub listed_devices: usize,
    /// What each member may use up.
    #[serde(default, skip_serializing_if = "RecordLimits::is_unlimited")]
    pub limits: RecordLimits,
}

/// The rules that count for somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RulesView {
    /// For whom.
    pub who: String,
    /// Own rules first, then those of groups.
    pub rules: Vec<SourcedRule>,
}

/// A rule and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourcedRule {
    /// `own`, or `group NAME`.
    pub source: String,
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleView,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleView {
    /// 12 hexadecimal digits.
    pub id: String,
    /// Allow or deny.
    pub effect: Effect,
    /// Publish or subscribe.
    pub action: Action,
    /// As written.
    pub filter: String,
    /// The highest QoS of an allow.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_qos: Option<u8>,
    /// Whether an allow to publish covers retained publications.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retain: Option<bool>,
    /// When it ends, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<String>,
}

/// A decision and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplanationView {
    /// Whom it is about.
    pub who: String,
    /// Publish or subscribe.
    pub action: Action,
    /// To what.
    pub topic: String,
    /// The decision and its reasons.
    #[serde(flatten)]
    pub explanation: Explanation,
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct AdminError {
    /// Whose fault it is.
    pub fault: Fault,
    /// The thing, the place, the remedy.
    pub message: String,
}

/// Classes of failure, as exit codes tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// What was given is wrong.
    Data,
    /// There is no such record.
    Missing,
    /// The change cannot be made durable.
    CannotCreate,
    /// The change is in force, and not yet durable.
    NotDurable,
    /// Somebody else has the store.
    InUse,
    /// The operator may not.
    NotPermitted,
    /// Only a running broker could do it.
    NoBroker,
    /// The settings contradict the policy.
    Configuration,
    /// A bug, or a version that is not ours.
    Internal,
}

impl AdminError {
    /// An error with its message.
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into() }
    }
}

impl From<&Rule> for RuleView {
    fn from(rule: &Rule) -> Self {
        let bounded = rule.effect == Effect::Allow;
        let publishes = rule.action == Action::Publish;
        Self {
            id: rule.id().to_string(),
            effect: rule.effect,
            action: rule.action,
            filter: rule.filter.to_string(),
            max_qos: bounded.then_some(rule.max_qos.0 as u8),
            retain: (bounded && publishes).then_some(rule.retain == RetainBound::Retained),
            until: rule.until.map(time_text),
        }
    }
}

impl fmt::Display for RuleView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.effect.as_str(), self.action.as_str(), self.filter)?;
        if let Some(qos) = self.max_qos.filter(|qos| *qos < 2) {
            write!(f, " (up to QoS {qos})")?;
        }
        if self.retain == Some(false) {
            f.write_str(" (not retained)")?;
        }
        match &self.until {
            Some(until) => write!(f, " until {until}"),
            None => Ok(()),
        }
    }
}

impl From<&DeviceRecord> for DeviceView {
    fn from(record: &DeviceRecord) -> Self {
        Self {
            subject: record.key.name.to_string(),
            trust: record.key.trust.to_string(),
            status: record.status,
            groups: record.groups.iter().map(ToString::to_string).collect(),
            rules: record.rules.iter().map(RuleView::from).collect(),
            certificate_sha256: record.pins.iter().map(hex).collect(),
            limits: record.limits,
            certificates_seen: Vec::new(),
        }
    }
}

impl GroupView {
    /// A group as it is shown, listed by `listed_devices` devices.
    pub fn new(record: &GroupRecord, listed_devices: usize) -> Self {
        let named = |(attribute, value): (&crate::policy::record::Attribute, &String)| {
            (attribute.as_str().to_owned(), value.clone())
        };
        Self {
            limits: record.limits,
            name: record.name.to_string(),
            matches: record.matches.iter().map(named).collect(),
            rules: record.rules.iter().map(RuleView::from).collect(),
            listed_devices,
        }
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `seconds` since 1970 as RFC 3339; as a number where no calendar has it.
pub fn time_text(seconds: i64) -> String {
    let written = OffsetDateTime::from_unix_timestamp(seconds).ok().and_then(|time| time.format(&Rfc3339).ok());
    written.unwrap_or_else(|| seconds.to_string())
}
