//! The session table: (device, client id) -> session. No certificate ever reaches another device's session.

use super::connections::Registration;
use super::gate::Gate;
use super::outbound::Outbound;
use super::retained::Cursor;
use super::shared::{Seats, SharedStanding, Standing};
use super::wills::Will;
use crate::policy::DeviceKey;
use crate::protocol::Version;
use crate::session::{Delivery, Load, Moment, Session, SessionId, Withheld};
use crate::telemetry::metrics::METRICS;
use parking_lot::{Mutex, MutexGuard};
use std::cmp::Ordering as Order;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

const SHARDS: usize = 64;

/// What names a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SessionKey {
    pub(super) device: DeviceKey,
    pub(super) client_id: Arc<str>,
}

/// Names a connection within the broker, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionId(pub(super) u64);

/// A session with its lock.
#[derive(Debug)]
pub(super) struct SessionCell {
    pub(super) key: SessionKey,
    pub(super) id: SessionId,
    /// The last connection. Changed under the lock of `state`, read also without.
    last_connection: AtomicU64,
    /// For shared groups; kept while the session is a member of any.
    standing: SharedStanding,
    state: Mutex<State>,
}

/// A locked session. When the lock is given up, whatever its load has become counts, and the shared groups learn how
/// it stands.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    cell: &'a SessionCell,
    state: MutexGuard<'a, State>,
}

/// What the lock of a session guards.
#[derive(Debug)]
pub(super) struct State {
    pub(super) session: Session,
    pub(super) link: Option<Link>,
    /// Retained messages still to be read for new subscriptions.
    pub(super) cursors: VecDeque<Cursor>,
    /// A will that waits for its delay while the client is away.
    pub(super) pending_will: Option<Will>,
    /// Memberships in shared groups, where there are any.
    pub(super) seats: Option<Box<Seats>>,
    /// When the last connection ended, or the session was made.
    pub(super) left: Moment,
    /// What of the session's load is counted in the metrics.
    counted: Load,
    /// Removed from the table; whoever still holds the cell must look again.
    pub(super) ended: bool,
}

/// A session's living connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) connection: ConnectionId,
    pub(super) outbound: Arc<Outbound>,
    pub(super) gate: Arc<Gate>,
    /// What sweeps find it by.
    pub(super) registration: Registration,
    pub(super) version: Version,
    /// When it was accepted.
    pub(super) since: Moment,
    pub(super) will: Option<Will>,
    /// How long the client may be silent; `None`: as long as it likes.
    pub(super) silence: Option<Duration>,
}

/// All sessions, by device.
#[derive(Debug)]
pub(super) struct SessionTable {
    hasher: ahash::RandomState,
    shards: Box<[Mutex<Shard>]>,
    count: AtomicUsize,
}

/// The sessions of a device, sorted by client id.
type Shard = HashMap<DeviceKey, Vec<Arc<SessionCell>>, ahash::RandomState>;

/// More sessions than a device may have.
#[derive(Debug)]
pub(super) struct TooManySessions;

impl SessionCell {
    pub(super) fn new(key: SessionKey, session: Session) -> Arc<Self> {
        let state = State {
            link: None,
            cursors: VecDeque::new(),
            pending_will: None,
            seats: None,
            left: Moment(0),
            counted: Load::default(),
            ended: false,
            session,
        };
        let id = state.session.id();
        let standing = SharedStanding::new();
        Arc::new(Self { key, id, last_connection: AtomicU64::new(0), standing, state: Mutex::new(state) })
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        Locked { cell: self, state: self.state.lock() }
    }

    /// How soon it could send a shared message, as of when its lock was last given up.
    pub(super) fn standing(&self) -> Standing {
        self.standing.read()
    }

    /// The last connection, if there ever was one: deadlines of earlier ones are void.
    pub(super) fn last_connection(&self) -> Option<ConnectionId> {
        // Ids begin at 1.
        Some(self.last_connection.load(Ordering::Acquire)).filter(|id| *id > 0).map(ConnectionId)
    }

    /// Notes a connection, whose `state` is locked.
    pub(super) fn connected_by(&self, connection: ConnectionId) {
        self.last_connection.store(connection.0, Ordering::Release);
    }
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.state.count_load();
        if let Some(seats) = &self.state.seats {
            seats.announce(self.cell.id, &self.state, &self.cell.standing);
        }
    }
}

impl State {
    /// Counts what became of a delivery. QoS 0 for a client that is away is kept nowhere and no loss.
    pub(super) fn note(&mut self, delivery: Delivery) {
        if self.link.is_some() || delivery != Delivery::DroppedSlowReader {
            self.session.drops.count(delivery);
            count(delivery);
        }
    }

    /// Brings the metrics up to date.
    fn count_load(&mut self) {
        METRICS.messages_expired.add(self.session.take_shed() as u64);
        let (before, after) = (self.counted, self.load());
        if before == after {
            return;
        }
        let queued = |load: Load| load.queued + load.withheld;
        let bytes = |load: Load| load.queued_bytes + load.withheld_bytes;
        let inflight = |load: Load| load.inflight + load.held;
        METRICS.messages_queued.change(queued(before), queued(after));
        METRICS.messages_queued_bytes.change(bytes(before), bytes(after));
        METRICS.messages_inflight.change(inflight(before), inflight(after));
        self.counted = after;
    }

    /// What an ended session still holds goes with the last who looks at it, and waits for nobody.
    fn load(&self) -> Load {
        if self.ended { Load::default() } else { self.session.load() }
    }

    /// The link, if it is still this connection's.
    pub(super) fn link_of(&mut self, connection: ConnectionId) -> Option<&mut Link> {
        self.link.as_mut().filter(|link| link.connection == connection)
    }
}

impl SessionTable {
    pub(super) fn new() -> Self {
        Self {
            hasher: ahash::RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect(),
            count: AtomicUsize::new(0),
        }
    }

    /// The session of `key`.
    pub(super) fn find(&self, key: &SessionKey) -> Option<Arc<SessionCell>> {
        let shard = self.shard(&key.device).lock();
        let sessions = shard.get(&key.device)?;
        position(sessions, &key.client_id).ok().and_then(|at| sessions.get(at)).cloned()
    }

    /// Adds `cell`, unless its key has a session by now: then that one comes back.
    pub(super) fn insert(
        &self,
        cell: &Arc<SessionCell>,
        per_device: usize,
    ) -> Result<Option<Arc<SessionCell>>, TooManySessions> {
        let mut shard = self.shard(&cell.key.device).lock();
        let sessions = shard.entry(cell.key.device.clone()).or_default();
        match position(sessions, &cell.key.client_id) {
            Ok(at) => Ok(sessions.get(at).cloned()),
            Err(_) if sessions.len() >= per_device => Err(TooManySessions),
            Err(at) => {
                sessions.insert(at, Arc::clone(cell));
                self.count.fetch_add(1, Ordering::Relaxed);
                Ok(None)
            }
        }
    }

    /// Removes exactly this session.
    pub(super) fn remove(&self, cell: &Arc<SessionCell>) {
        let mut shard = self.shard(&cell.key.device).lock();
        let Some(sessions) = shard.get_mut(&cell.key.device) else { return };
        let before = sessions.len();
        sessions.retain(|other| !Arc::ptr_eq(other, cell));
        self.count.fetch_sub(before - sessions.len(), Ordering::Relaxed);
        if sessions.is_empty() {
            shard.remove(&cell.key.device);
        }
    }

    /// The sessions of one device.
    pub(super) fn of_device(&self, device: &DeviceKey) -> Vec<Arc<SessionCell>> {
        self.shard(device).lock().get(device).cloned().unwrap_or_default()
    }

    /// The next sessions of a shard in the order of their keys, at most `limit`; `None` behind the last shard. Costs
    /// one look at each session of the shard and copies only those that are returned.
    pub(super) fn page(&self, shard: usize, after: Option<&SessionKey>, limit: usize) -> Option<Vec<Arc<SessionCell>>> {
        let shard = self.shards.get(shard)?.lock();
        let rest = shard.values().flatten().filter(|cell| after.is_none_or(|after| cell.key > *after));
        let mut least: BinaryHeap<ByKey<'_>> = BinaryHeap::with_capacity(limit + 1);
        for cell in rest {
            if least.len() < limit || least.peek().is_some_and(|greatest| cell.key < greatest.0.key) {
                least.push(ByKey(cell));
            }
            if least.len() > limit {
                least.pop();
            }
        }
        Some(least.into_sorted_vec().into_iter().map(|ByKey(cell)| Arc::clone(cell)).collect())
    }

    /// Every session, shard by shard.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&Arc<SessionCell>)) {
        for shard in &self.shards {
            let sessions: Vec<_> = shard.lock().values().flatten().cloned().collect();
            sessions.iter().for_each(&mut visit);
        }
    }

    /// Number of sessions.
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn shard(&self, device: &DeviceKey) -> &Mutex<Shard> {
        let index = usize::try_from(self.hasher.hash_one(device)).unwrap_or_default() % SHARDS;
        // `SHARDS` is the length.
        #[allow(clippy::indexing_slicing, reason = "the remainder of the length")]
        &self.shards[index]
    }
}

/// Counts what became of one delivery, for the broker as a whole.
fn count(delivery: Delivery) {
    match delivery {
        Delivery::Sent | Delivery::Queued { displaced: 0 } => {}
        Delivery::Withheld(Withheld::NotSubscribed | Withheld::OwnMessage) => {}
        Delivery::Queued { displaced } => METRICS.messages_dropped_queue_full.add(displaced as u64),
        Delivery::Withheld(Withheld::NoRight) => METRICS.deliveries_withheld.increment(),
        Delivery::Withheld(Withheld::TooLarge) => METRICS.messages_too_large.increment(),
        Delivery::DroppedSlowReader => METRICS.messages_dropped_slow_reader.increment(),
        Delivery::DroppedQueueFull | Delivery::Refused => METRICS.messages_dropped_queue_full.increment(),
    }
}

fn position(sessions: &[Arc<SessionCell>], client_id: &Arc<str>) -> Result<usize, usize> {
    sessions.binary_search_by(|cell| cell.key.client_id.cmp(client_id))
}

/// A session, compared by its key.
#[derive(Debug)]
struct ByKey<'a>(&'a Arc<SessionCell>);

impl Ord for ByKey<'_> {
    fn cmp(&self, other: &Self) -> Order {
        self.0.key.cmp(&other.0.key)
    }
}

impl PartialOrd for ByKey<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByKey<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for ByKey<'_> {}
