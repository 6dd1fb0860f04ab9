//! What policy refuses a client: counted, shown in the ring with a remedy, and logged, none of it more than a bounded
//! number of times a second.

use super::{ConnectRefused, Hub, Peer};
use crate::policy::{Action, Denied, DeviceKey, Policy, Principal};
use crate::protocol::ReasonCode;
use crate::telemetry::denials::{Denials, Details, Kind, Refused};
use crate::telemetry::metrics::METRICS;
use crate::telemetry::sampled::Sampled;
use std::net::SocketAddr;

impl Hub {
    /// The last refusals.
    pub fn denials(&self) -> &Denials {
        &self.denials
    }

    /// Tells of a publication or subscription that the policy denied.
    pub(super) fn note_denied(
        &self,
        policy: &Policy,
        principal: &Principal,
        address: Option<SocketAddr>,
        action: Action,
        topic: &str,
        denied: Denied,
    ) {
        let kind = match action {
            Action::Publish => {
                METRICS.publishes_denied.increment();
                Kind::Publish
            }
            Action::Subscribe => {
                METRICS.subscribes_denied.increment();
                Kind::Subscribe
            }
        };
        let cause = if denied.rule.is_some() { "a rule denies it" } else { "no rule allows it" };
        let rule = denied.rule.map(|rule| rule.0);
        let refused = Refused { kind, trust: &principal.key.trust, device: &principal.key.name, rule, cause };
        self.denials.add(refused, address, || Details {
            cause: None,
            client_id: principal.client_id.to_string(),
            topic: Some(topic.to_owned()),
            reason_code: Some(ReasonCode::NotAuthorized as u8),
            remedy: policy.remedy(principal, action, topic, denied),
        });
        log_denied(principal, action.as_str(), topic, denied);
    }

    /// Tells of a CONNECT that was refused.
    pub fn note_refused(&self, peer: Peer<'_>, client_id: &str, address: Option<SocketAddr>, refused: &ConnectRefused) {
        let ConnectRefused { reason, class, cause, remedy, .. } = refused;
        let DeviceKey { trust, name } = peer.key;
        let facts = Refused { kind: Kind::Connect, trust, device: name, rule: None, cause: class };
        self.denials.add(facts, address, || Details {
            cause: Some(cause.clone()),
            client_id: client_id.to_owned(),
            topic: None,
            reason_code: Some(*reason as u8),
            remedy: remedy.clone(),
        });
        if refused.is_unknown() {
            self.note_pending(peer, client_id, address);
        }
    }
}

/// One line for a denial, with its rule; a storm of them is sampled.
fn log_denied(principal: &Principal, action: &'static str, topic: &str, denied: Denied) {
    static SAMPLED: Sampled = Sampled::per_second(20);
    let Some(suppressed) = SAMPLED.admit() else { return };
    tracing::warn!(
        device = %principal.key.name.escape_debug(),
        client_id = %principal.client_id.escape_debug(),
        action,
        topic = %topic.escape_debug(),
        suppressed,
        "denied: {denied}"
    );
}
