//! Certificates near their end: said in the log once for each threshold, counted in the metrics, shown by `status`.

use crate::admin::reply::{CertificateEndView, time_text};
use crate::hub::Hub;
use crate::telemetry::metrics::{Level, METRICS};
use crate::tls::{CertificateEnd, CertificateRole};
use parking_lot::Mutex;
use std::sync::Arc;

const DAY: i64 = 24 * 3600;

/// Days before the end at which somebody is told, and the end itself.
const THRESHOLDS: [i64; 4] = [30, 7, 1, 0];

/// Devices that one look names in the log; of the others it says how many they are.
const NAMED: usize = 20;

/// Watches the certificates of the settings and those of live connections.
#[derive(Debug, Default)]
pub(super) struct ExpiryWatch {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    ends: Arc<[CertificateEnd]>,
    /// Unix seconds of the last look; none since the certificates were loaded, when their notices were logged.
    looked: Option<i64>,
}

impl ExpiryWatch {
    /// Watches these certificates from now on. Who loads them logs their notices.
    pub(super) fn set(&self, ends: &Arc<[CertificateEnd]>) {
        let mut seen = self.seen.lock();
        if seen.ends != *ends {
            *seen = Seen { ends: Arc::clone(ends), looked: None };
        }
    }

    /// Logs what has come within a threshold since the last look. Call it every minute or so, with `unix` in seconds.
    pub(super) fn look(&self, hub: &Hub, unix: i64) {
        let (ends, since) = {
            let mut seen = self.seen.lock();
            let since = since(seen.looked, unix);
            seen.looked = Some(since.map_or(unix, |since| since.max(unix)));
            (Arc::clone(&seen.ends), since)
        };
        self.count(hub, unix);
        let Some(since) = since.filter(|since| *since < unix) else { return };
        for end in ends.iter().filter(|end| reached(end.not_after, since, unix).is_some()) {
            tracing::warn!("{}", end.notice(unix));
        }
        for (days, nearer) in THRESHOLDS.into_iter().zip(THRESHOLDS.into_iter().skip(1)) {
            // Each at its nearest threshold, also when the clock has jumped over another.
            let from = (since + days * DAY).max(unix + nearer * DAY);
            warn_of_devices(hub, days, from, unix + days * DAY);
        }
    }

    /// Brings the metrics up to date.
    pub(super) fn count(&self, hub: &Hub, unix: i64) {
        let ends = Arc::clone(&self.seen.lock().ends);
        let first = |role: CertificateRole| ends.iter().filter(|end| end.role == role).map(|end| end.not_after).min();
        let set = |level: &Level, end: Option<i64>| level.set(end.and_then(|end| u64::try_from(end).ok()).unwrap_or(0));
        set(&METRICS.server_certificate_expires, first(CertificateRole::Server));
        set(&METRICS.ca_certificate_expires, first(CertificateRole::Ca));
        let within = |days: i64| hub.ending_between(unix, unix.saturating_add(days * DAY), 0).0 as u64;
        METRICS.connections_expiring_30_days.set(within(30));
        METRICS.connections_expiring_7_days.set(within(7));
        METRICS.connections_expiring_1_day.set(within(1));
    }

    /// For `certmq status`.
    pub(super) fn view(&self, unix: i64) -> Vec<CertificateEndView> {
        let ends = Arc::clone(&self.seen.lock().ends);
        let view = |end: &CertificateEnd| CertificateEndView {
            role: end.role.to_string(),
            subject: end.subject.clone(),
            expires: time_text(end.not_after),
            days_left: end.not_after.saturating_sub(unix).div_euclid(DAY),
        };
        ends.iter().map(view).collect()
    }
}

/// Since when something may have come within a threshold. A clock that was set back says nothing twice, unless it was
/// wrong by more than a day: then it is believed anew.
fn since(looked: Option<i64>, unix: i64) -> Option<i64> {
    looked.map(|looked| if looked.saturating_sub(unix) > DAY { unix } else { looked })
}

/// The nearest threshold, in days, that an end has come within after `since` and not after `unix`.
fn reached(not_after: i64, since: i64, unix: i64) -> Option<i64> {
    let nearest = |at: i64| THRESHOLDS.into_iter().filter(|days| not_after.saturating_sub(days * DAY) <= at).min();
    nearest(unix).filter(|days| nearest(since) != Some(*days))
}

fn warn_of_devices(hub: &Hub, days: i64, from: i64, to: i64) {
    let (count, named) = hub.ending_between(from, to, NAMED);
    for (device, not_after) in &named {
        tracing::warn!(
            device = %device.name.escape_debug(),
            trust = %device.trust.escape_debug(),
            expires = time_text(*not_after),
            "the certificate of a connected device, or of a CA above it, ends in {days} day(s); renew it before"
        );
    }
    if count > named.len() {
        tracing::warn!(
            connections = count - named.len(),
            "more certificates of connected devices end in {days} day(s)"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_threshold_is_said_once_and_the_nearest_when_several_are_passed() {
        let end = 100 * DAY;
        let minutes = |from: i64, to: i64| (from * DAY..=to * DAY).step_by(60).collect::<Vec<_>>();
        let said: Vec<_> = minutes(50, 110)
            .windows(2)
            .filter_map(|pair| reached(end, pair[0], pair[1]).map(|days| (days, (end - pair[1]) / DAY)))
            .collect();
        assert_eq!(said, [(30, 30), (7, 7), (1, 1), (0, 0)]);
        assert_eq!(reached(end, 60 * DAY, 99 * DAY), Some(1), "a clock that jumps");
        assert_eq!(reached(end, 99 * DAY, 99 * DAY), None);
    }

    #[test]
    fn a_clock_set_back_a_little_says_nothing_twice_and_far_back_is_believed() {
        assert_eq!(since(None, 500), None);
        assert_eq!(since(Some(1_000), 400), Some(1_000));
        assert_eq!(since(Some(10 * DAY), 5 * DAY), Some(5 * DAY));
    }
}
