//! Looks at the revocation lists as time passes: figures for metrics, warnings before one goes stale, and the moment
//! from which live connections are on a stale one.

use super::unix_now;
use crate::telemetry::audit::{Audit, Event, time_text};
use crate::telemetry::metrics::METRICS;
use crate::tls::{Freshness, ListWarning, StaleList, Trust};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::watch;

/// At most this often; sooner where a list goes stale sooner.
const LOOK: Duration = Duration::from_secs(60);

/// How long a warning is not repeated, seconds.
const SILENCE: i64 = 24 * 3600;

/// What was said and done about lists.
#[derive(Debug, Default)]
pub(super) struct TrustWatch {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    warnings: Vec<ListWarning>,
    /// When each was last said, Unix seconds. What loading noticed was said by who loaded.
    said: HashMap<(String, i64, Freshness), i64>,
    /// Lists whose going stale was acted upon: place and nextUpdate.
    acted: HashSet<(String, i64)>,
}

/// What is to be done after a look.
#[derive(Debug, Default, PartialEq, Eq)]
struct Due {
    /// For the log.
    said: Vec<ListWarning>,
    /// Whose connections are to be judged anew.
    stale: Vec<StaleList>,
}

impl TrustWatch {
    /// What the last look found, for people who ask.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.state.lock().warnings.iter().map(ToString::to_string).collect()
    }

    /// Takes what `trust` has to say now as said: it stood among the notices of loading.
    pub(super) fn loaded(&self, trust: &Trust, now: i64) {
        let mut state = self.state.lock();
        state.warnings = trust.list_warnings(now);
        state.take_unsaid(now);
    }

    fn look(&self, trust: &Trust, now: i64) -> Due {
        let mut state = self.state.lock();
        state.warnings = trust.list_warnings(now);
        let said = state.take_unsaid(now);
        let stale = trust.lists_to_disconnect(i64::MIN, now);
        let present: HashSet<_> = stale.iter().map(|list| (list.place.clone(), list.next_update)).collect();
        let stale = stale.into_iter().filter(|list| !state.acted.contains(&(list.place.clone(), list.next_update)));
        let stale = stale.collect();
        state.acted = present;
        Due { said, stale }
    }
}

impl State {
    fn take_unsaid(&mut self, now: i64) -> Vec<ListWarning> {
        let key = |warning: &ListWarning| (warning.place.clone(), warning.next_update, warning.freshness);
        let present: HashSet<_> = self.warnings.iter().map(key).collect();
        self.said.retain(|warning, _| present.contains(warning));
        let mut due = Vec::new();
        for warning in &self.warnings {
            let last = self.said.get(&key(warning));
            // A clock that was set back must not silence anything.
            if last.is_none_or(|last| !(*last..last.saturating_add(SILENCE)).contains(&now)) {
                self.said.insert(key(warning), now);
                due.push(warning.clone());
            }
        }
        due
    }
}

/// Looks once a minute until `stopped` changes. `trust` is the one in force; `judge_anew` is told of lists that have
/// gone stale where a block says `stale_crl = "disconnect"`.
pub(super) async fn run(
    watch: Arc<TrustWatch>,
    trust: impl Fn() -> Arc<Trust>,
    judge_anew: impl Fn(&[StaleList]),
    audit: Audit,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let (trust, now) = (trust(), unix_now());
        measure(&trust, now);
        let due = watch.look(&trust, now);
        for warning in due.said {
            match warning.freshness {
                Freshness::Due => tracing::warn!("{warning}"),
                Freshness::Stale => {
                    tracing::error!("{warning}");
                    audit.record(stale(&warning));
                }
            }
        }
        if !due.stale.is_empty() {
            judge_anew(&due.stale);
        }
        tokio::select! {
            () = tokio::time::sleep(until_next(&trust, now)) => {}
            _ = stopped.changed() => return,
        }
    }
}

/// The event of a list that is past its nextUpdate.
pub(super) fn stale(warning: &ListWarning) -> Event {
    Event::CrlStale {
        issuer: warning.issuer.as_str().into(),
        place: warning.place.as_str().into(),
        next_update: time_text(UNIX_EPOCH + Duration::from_secs(u64::try_from(warning.next_update).unwrap_or(0))),
    }
}

/// A minute, or until the first list goes stale.
fn until_next(trust: &Trust, now: i64) -> Duration {
    let next = trust.next_stale(now).map(|at| Duration::from_secs(at.saturating_sub(now).unsigned_abs()));
    next.unwrap_or(LOOK).min(LOOK)
}

fn measure(trust: &Trust, now: i64) {
    let status = trust.revocation_status(now);
    let seconds = |from: i64, to: i64| u64::try_from(to.saturating_sub(from)).unwrap_or_default();
    METRICS.crl_lists.set(status.lists as u64);
    METRICS.crl_lists_stale.set(status.stale as u64);
    METRICS.crl_revoked_serials.set(status.serials as u64);
    METRICS.crl_oldest_age_seconds.set(status.oldest_this_update.map_or(0, |at| seconds(at, now)));
    METRICS.crl_next_update_seconds.set(status.nearest_next_update.map_or(0, |at| seconds(now, at)));
}

#[cfg(test)]
mod tests;
