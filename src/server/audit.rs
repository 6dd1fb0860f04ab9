//! The audit trail of a running broker: what starts and ends it, and what is told to it from time to time.

use super::{Ready, ServerError, unix_now};
use crate::admin::PolicyAuthority;
use crate::config::Settings;
use crate::net::Service;
use crate::policy::{Effect, Ended, Policy};
use crate::store::policy_store::PolicyStore;
use crate::telemetry::audit::{self, Audit, EndedRule, Event, Retention, time_text};
use crate::telemetry::denials::Tallied;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Refusals of the same kind, device and cause within this are one event.
const TALLY: Duration = Duration::from_secs(60);

/// Rules that one event names.
const NAMED_RULES: usize = 100;

/// The trail beside `store`, as `settings` want it.
pub(super) fn start(settings: &Settings, store: &PolicyStore) -> Result<Audit, ServerError> {
    Audit::start(audit::folder(&settings.storage.path), Retention::of(&settings.limits), store.audit())
        .map_err(|error| ServerError::system(&format!("the audit trail has no thread: {error}")))
}

/// The broker serves at `addresses`.
pub(super) fn started(audit: &Audit, policy: &Policy, addresses: &Ready) {
    audit.record(Event::BrokerStarted {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        generation: policy.generation(),
        mqtts: addresses.mqtts.iter().map(ToString::to_string).collect(),
        wss: addresses.wss.iter().map(ToString::to_string).collect(),
    });
}

/// Tells the trail every minute what was refused, until `stopped` changes.
pub(super) async fn tally(service: Arc<Service>, mut stopped: watch::Receiver<bool>) {
    let mut interval = tokio::time::interval(TALLY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => drain(&service),
            _ = stopped.changed() => return,
        }
    }
}

fn drain(service: &Service) {
    for tallied in service.hub().denials().drain() {
        let Tallied { kind, trust, device, rule, cause, address, count, first, last } = tallied;
        service.audit().record(Event::Denials {
            kind: kind.as_str().to_owned(),
            device: device.into(),
            trust: trust.into(),
            cause: cause.into(),
            rule,
            address: address.map(|address| address.to_string()).unwrap_or_default(),
            count,
            first: time_text(first),
            last: time_text(last),
        });
    }
}

/// The last words: what was refused, what could not be made durable, and the end of the trail.
pub(super) fn stop(service: &Service, authority: &PolicyAuthority, connections: usize) {
    drain(service);
    make_durable(authority, service.audit());
    let left = authority.store().held_changes();
    if left > 0 {
        tracing::error!(
            changes = left,
            "changes that took access away were never made durable for want of room on the disk: repeat them"
        );
    }
    service.audit().record(Event::BrokerStopped { connections: connections as u64 });
    service.audit().close();
}

/// Makes durable what is held for want of room, as far as there is some. Waits for the disk.
pub(super) fn make_durable(authority: &PolicyAuthority, audit: &Audit) {
    if authority.store().held_changes() == 0 {
        return;
    }
    if let Ok(changes) = authority.make_durable() {
        let generation = authority.store().generation();
        tracing::info!(changes, generation, "there is room again: changes in force are durable now");
        audit.record(Event::PolicyDurable { generation, changes });
    }
}

/// Notices rules that have ended, each once.
#[derive(Debug)]
pub(super) struct Ends {
    /// Up to when they were told, Unix seconds.
    told: i64,
}

impl Ends {
    /// None that ended before now.
    pub(super) fn from_now() -> Self {
        Self { told: unix_now() }
    }

    /// Tells which have ended since the last look.
    pub(super) fn look(&mut self, policy: &Policy, audit: &Audit) {
        if policy.now() <= self.told {
            return;
        }
        let ended = policy.ended_since(self.told);
        self.told = policy.now();
        if ended.is_empty() {
            return;
        }
        for Ended { rule, effect, whose } in ended.iter().take(NAMED_RULES) {
            match effect {
                Effect::Deny => tracing::warn!(%rule, whose, "a deny has ended: what it kept out may come in again"),
                Effect::Allow => tracing::info!(%rule, whose, "an allow has ended"),
            }
        }
        let named = ended.iter().take(NAMED_RULES).map(|ended| EndedRule {
            rule: ended.rule.to_string(),
            effect: ended.effect.as_str().to_owned(),
            whose: ended.whose.as_str().into(),
        });
        let rules = named.collect();
        audit.record(Event::RulesEnded { generation: policy.generation(), count: ended.len() as u64, rules });
    }
}
