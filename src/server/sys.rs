//! How the broker is, said on `$SYS` from time to time.

use crate::hub::Wakes;
use crate::net::Service;
use crate::session::Moment;
use crate::telemetry::metrics::METRICS;
use crate::telemetry::sys::SysTree;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Publishes what has changed every `interval`, until `stopped` changes.
pub(super) async fn publish(service: Arc<Service>, interval: Duration, mut stopped: watch::Receiver<bool>) {
    let mut tree = SysTree::default();
    let mut interval = tokio::time::interval(interval);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => look(&service, &mut tree),
            _ = stopped.changed() => return,
        }
    }
}

fn look(service: &Service, tree: &mut SysTree) {
    let now = service.now();
    let mut wakes = Wakes::default();
    for value in tree.changes(now.since(Moment(0)), &METRICS, service.hub().holdings()) {
        service.hub().publish_system(&value.topic, &value.text, now, &mut wakes);
    }
}
