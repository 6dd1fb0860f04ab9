//! Decisions and their proofs. [`Permit`] has no public constructor: only [`Policy`] makes one.

use super::record::RuleId;
use super::{DeviceKey, Identity, Policy};
use crate::protocol::{QoS, TopicFilter, TopicName};
use std::sync::Arc;

/// Counts compiled policies. A decision is worth no more than the epoch it was made in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Everything of a client that rules can ask about: device, client id and the certificate attributes that
/// templates and group matches use. Kept for readers and writers that are away, so that their rights can be
/// judged without a certificate at hand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// Which device.
    pub key: DeviceKey,
    /// Which client of the device.
    pub client_id: Arc<str>,
    /// What its certificate said.
    pub attributes: Arc<Attributes>,
}

/// The certificate attributes that rules use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "as in Identity")]
pub struct Attributes {
    pub subject: Arc<str>,
    pub serial: Box<str>,
    pub common_names: Vec<String>,
    pub organisations: Vec<String>,
    pub units: Vec<String>,
    pub san_uris: Vec<String>,
    pub san_dns: Vec<String>,
    pub san_emails: Vec<String>,
}

/// A known device, admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The epoch it was admitted in.
    pub epoch: Epoch,
}

/// Why a device is not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No record and no group match.
    #[error("unknown device {0}: add it with `certmq device add`")]
    Unknown(String),
    /// Its record is disabled.
    #[error("device {0} is disabled: enable it with `certmq device enable`")]
    Disabled(String),
    /// Its record pins other certificates.
    #[error("device {0} is pinned to another certificate")]
    NotPinned(String),
    /// `identity.client_id = "cn"` and the client id is not the common name.
    #[error("client id {client_id:?} is not the common name of device {device}")]
    ClientId {
        /// What CONNECT brought.
        client_id: String,
        /// Who brought it.
        device: String,
    },
}

/// The right to publish one message: owns what was judged. The hub takes no other topic.
#[derive(Clone, Copy, Debug)]
pub struct Permit<'a> {
    topic: TopicName<'a>,
    qos: QoS,
    retain: bool,
    epoch: Epoch,
}

/// A refusal by the policy: the deny that matched, or none where nothing allowed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The deny rule; `None`: no allow matched (default deny).
    pub rule: Option<RuleId>,
}

/// The right to subscribe to one filter.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The highest QoS the covering allows give, not above the requested.
    pub qos: QoS,
    /// What must not be delivered all the same.
    pub holes: Holes,
    /// When it was judged.
    pub epoch: Epoch,
}

/// Denies that overlap a granted filter without covering it.
#[derive(Clone, Debug, Default)]
pub struct Holes {
    filters: Option<Arc<[TopicFilter]>>,
}

/// The last few publish decisions of one connection.
#[derive(Debug, Default)]
pub struct DecisionMemory {
    // furnished with the decision code
}

impl Principal {
    /// The principal of a connected client.
    pub fn of(identity: &Identity, key: DeviceKey, client_id: Arc<str>) -> Self {
        let _ = (identity, key, client_id);
        todo!()
    }
}

impl<'a> Permit<'a> {
    /// The judged topic.
    pub fn topic(&self) -> TopicName<'a> {
        self.topic
    }

    /// The judged QoS.
    pub fn qos(&self) -> QoS {
        self.qos
    }

    /// The judged retain flag.
    pub fn retain(&self) -> bool {
        self.retain
    }

    /// When it was judged.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
}

impl Holes {
    /// Whether there are none, so that no delivery needs a check.
    pub fn is_empty(&self) -> bool {
        self.filters.is_none()
    }

    /// Whether `topic` lies in a hole.
    pub fn contain(&self, topic: TopicName<'_>) -> bool {
        self.filters.iter().flat_map(|filters| filters.iter()).any(|filter| filter.matches(topic))
    }
}

impl DecisionMemory {
    /// [`Policy::authorize_publish`], remembered by topic, QoS and retain flag within one epoch.
    pub fn authorize_publish<'a>(
        &mut self,
        policy: &Policy,
        principal: &Principal,
        topic: TopicName<'a>,
        qos: QoS,
        retain: bool,
    ) -> Result<Permit<'a>, Denied> {
        policy.authorize_publish(principal, topic, qos, retain)
    }
}

impl Policy {
    /// Whether the device is known, enabled and presents the right certificate and client id.
    pub fn admit(&self, principal: &Principal, certificate_sha256: &[u8; 32]) -> Result<Admission, Refusal> {
        let _ = (principal, certificate_sha256);
        todo!()
    }

    /// Judges a publication. Never rewrites it.
    pub fn authorize_publish<'a>(
        &self,
        principal: &Principal,
        topic: TopicName<'a>,
        qos: QoS,
        retain: bool,
    ) -> Result<Permit<'a>, Denied> {
        let _ = (principal, topic, qos, retain);
        todo!()
    }

    /// Judges a subscription on its inner filter.
    pub fn authorize_subscribe(&self, principal: &Principal, filter: &TopicFilter, qos: QoS) -> Result<Grant, Denied> {
        let _ = (principal, filter, qos);
        todo!()
    }
}
