//! The limits of records: how many connections a device may have, and how many messages a second it may send. How much
//! may wait for it is its sessions' business.

use super::connect::{Accepted, ConnectRefused};
use super::sessions::{ConnectionId, SessionKey};
use super::{Client, Hub};
use crate::policy::{DeviceKey, Epoch, Policy};
use crate::protocol::ReasonCode;
use crate::session::Moment;
use crate::telemetry::metrics::METRICS;
use lru::LruCache;
use parking_lot::Mutex;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// Devices whose pace is remembered; of more the one that was looked at longest ago starts anew.
const PACED_DEVICES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99_999);

/// How fast each limited device sends.
#[derive(Debug)]
pub(super) struct Paces(Mutex<LruCache<DeviceKey, Arc<Pace>>>);

/// How fast one device sends, all its connections together: a bucket that holds one second's worth of messages.
#[derive(Debug, Default)]
struct Pace(Mutex<Bucket>);

#[derive(Debug, Default)]
struct Bucket {
    /// Messages that may come at once; below zero: so many came too early.
    tokens: f64,
    /// When they were counted; `None`: never, and it is full.
    counted: Option<Moment>,
}

/// The limit of one client, looked up once for each policy.
#[derive(Debug, Default)]
pub(super) struct Paced {
    epoch: Epoch,
    /// Messages a second.
    limit: Option<(u32, Arc<Pace>)>,
    /// When the next message may be read.
    resumes: Option<Moment>,
}

impl Default for Paces {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(PACED_DEVICES)))
    }
}

impl Pace {
    /// Takes one message out; how long reading must rest now.
    fn take(&self, per_second: u32, now: Moment) -> Duration {
        let full = f64::from(per_second);
        let mut bucket = self.0.lock();
        let since = bucket.counted.map(|counted| now.since(counted).as_secs_f64());
        bucket.tokens = since.map_or(full, |seconds| (bucket.tokens + seconds * full).min(full)) - 1.0;
        bucket.counted = Some(now);
        Duration::try_from_secs_f64(-bucket.tokens / full).unwrap_or_default()
    }
}

impl Client {
    /// Counts a PUBLISH against the limit of the device.
    pub(super) fn keep_pace(&mut self, now: Moment) {
        let policy = self.hub.policy.load();
        if self.paced.epoch != policy.epoch() {
            let limit = policy.limits_of(&self.principal).messages_per_second;
            let paces = &self.hub.paces.0;
            let pace = || Arc::clone(paces.lock().get_or_insert(self.principal.key.clone(), Arc::default));
            self.paced = Paced { epoch: policy.epoch(), limit: limit.map(|limit| (limit, pace())), resumes: None };
        }
        let Some((per_second, pace)) = &self.paced.limit else { return };
        let rest = pace.take(*per_second, now);
        if !rest.is_zero() {
            METRICS.publishes_paced.increment();
            self.paced.resumes = Some(now.after(rest));
        }
    }

    /// How long nothing should be read from it, because its device sent more than its record allows.
    pub fn rest(&self, now: Moment) -> Duration {
        self.paced.resumes.map_or(Duration::ZERO, |resumes| resumes.since(now))
    }
}

impl Hub {
    /// Refuses one connection more than the record allows, before a session is touched.
    pub(super) fn judge_connections(
        &self,
        policy: &Policy,
        key: &SessionKey,
        accepted: &Accepted,
    ) -> Result<(), ConnectRefused> {
        let Some(limit) = policy.limits_of(&accepted.principal).connections else { return Ok(()) };
        match self.others_connected(key, None) < limit as usize {
            true => Ok(()),
            false => Err(ConnectRefused::new(
                ReasonCode::QuotaExceeded,
                format!("the device has {limit} connection(s), the most that its limits allow"),
            )),
        }
    }

    /// Whether of several that connected at the same time this one came too late.
    pub(super) fn is_one_too_many(
        &self,
        policy: &Policy,
        key: &SessionKey,
        accepted: &Accepted,
        connection: ConnectionId,
    ) -> bool {
        let limit = policy.limits_of(&accepted.principal).connections;
        limit.is_some_and(|limit| self.others_connected(key, Some(connection)) >= limit as usize)
    }

    /// Connections of the device under other client ids, those before `before`.
    fn others_connected(&self, key: &SessionKey, before: Option<ConnectionId>) -> usize {
        let cells = self.sessions.of_device(&key.device);
        let others = cells.iter().filter(|cell| cell.key.client_id != key.client_id);
        let counts = |connection: ConnectionId| before.is_none_or(|before| connection < before);
        others.filter(|cell| cell.lock().link.as_ref().is_some_and(|link| counts(link.connection))).count()
    }
}
