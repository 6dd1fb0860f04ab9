//! What the operator's side does to the running hub.

use super::reload::Watches;
use super::{Ready, unix_now};
use crate::admin::reply::BrokerView;
use crate::admin::{Live, Running};
use crate::hub::{Hub, Touched, Wakes};
use crate::net::Service;
use crate::policy::Policy;
use crate::session::Moment;
use crate::telemetry::audit::Event;
use crate::telemetry::metrics::METRICS;
use crate::tls::PolicyInForce;
use std::sync::Arc;

/// The hub of a running broker, as operators see it.
#[derive(Debug)]
pub(super) struct LiveHub {
    service: Arc<Service>,
    addresses: Ready,
    watches: Watches,
    /// What handshakes ask.
    asked: Arc<PolicyInForce>,
}

impl LiveHub {
    pub(super) fn new(service: Arc<Service>, addresses: Ready, watches: Watches, asked: Arc<PolicyInForce>) -> Self {
        Self { service, addresses, watches, asked }
    }

    fn hub(&self) -> &Hub {
        self.service.hub()
    }

    fn sweep_whole(&self, touched: &Touched) -> usize {
        let swept = self.hub().sweep(touched, unix_now(), &mut Wakes::default());
        if swept.closed > 0 {
            tracing::info!(
                judged = swept.judged,
                closed = swept.closed,
                "connections closed by a change of the policy"
            );
        }
        swept.closed
    }

    fn tell(&self, device: &str, trust: &str, closed: usize) {
        if closed > 0 {
            self.service.audit().record(Event::DeviceDisconnected {
                device: device.into(),
                trust: trust.into(),
                connections: closed as u64,
                reason: "a change of the policy".into(),
            });
        }
    }
}

impl Live for LiveHub {
    fn policy_changed(&self, policy: Arc<Policy>) {
        tracing::info!(generation = policy.generation(), epoch = policy.epoch().0, "policy in force");
        self.asked.put_in_force(&policy);
        self.hub().set_policy(policy);
    }

    /// Devices are swept one by one, so that the audit trail names each that went.
    fn sweep(&self, touched: &Touched) {
        match touched {
            Touched::Devices(devices) => {
                for device in devices {
                    let closed = self.sweep_whole(&Touched::Devices(vec![device.clone()]));
                    self.tell(&device.name, &device.trust, closed);
                }
            }
            Touched::Everyone | Touched::Anchors(_) | Touched::Certificates(_) | Touched::Leaves(_) => {
                self.tell("", "", self.sweep_whole(touched));
            }
        }
    }

    fn status(&self) -> Option<BrokerView> {
        let status = self.hub().status();
        let unix = unix_now();
        self.watches.expiry.count(self.hub(), unix);
        let counts = [
            ("sessions", status.sessions),
            ("connected", status.connected),
            ("subscriptions", status.subscriptions),
            ("retained_messages", status.retained),
        ];
        let counts = counts.into_iter().map(|(name, count)| (name.to_owned(), count as u64));
        let metrics = METRICS.snapshot().into_iter().map(|(name, value)| (name.to_owned(), value));
        Some(BrokerView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: self.service.now().since(Moment(0)).as_secs(),
            mqtts: self.addresses.mqtts.iter().map(ToString::to_string).collect(),
            wss: self.addresses.wss.iter().map(ToString::to_string).collect(),
            warnings: self.watches.alarm.text().into_iter().chain(self.watches.trust.warnings()).collect(),
            certificates: self.watches.expiry.view(unix),
            metrics: counts.chain(metrics).collect(),
        })
    }

    fn running(&self) -> Option<Running<'_>> {
        Some(Running { hub: self.hub(), now: self.service.now(), unix: unix_now() })
    }
}
