//! The session table: (device, client id) -> session. No certificate ever reaches another device's session.

use super::outbound::Outbound;
use super::retained::Cursor;
use super::shared::{Seats, SharedStanding, Standing};
use super::wills::Will;
use crate::policy::DeviceKey;
use crate::protocol::Version;
use crate::session::{Session, SessionId};
use parking_lot::{Mutex, MutexGuard};
use std::collections::{HashMap, VecDeque};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SHARDS: usize = 64;

/// What names a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SessionKey {
    pub(super) device: DeviceKey,
    pub(super) client_id: Arc<str>,
}

/// Names a connection within the broker, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// A session's lock. Giving it up tells the shared groups how the session stands now.
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
    /// Removed from the table; whoever still holds the cell must look again.
    pub(super) ended: bool,
}

/// A session's living connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) connection: ConnectionId,
    pub(super) outbound: Arc<Outbound>,
    pub(super) version: Version,
    pub(super) will: Option<Will>,
    /// How long the client may be silent; `None`: as long as it likes.
    pub(super) silence: Option<Duration>,
}

/// All sessions, by device.
#[derive(Debug)]
pub(super) struct SessionTable {
    hasher: ahash::RandomState,
    shards: Box<[Mutex<Shard>]>,
}

/// The sessions of a device, sorted by client id.
type Shard = HashMap<DeviceKey, Vec<Arc<SessionCell>>, ahash::RandomState>;

/// More sessions than a device may have.
#[derive(Debug)]
pub(super) struct TooManySessions;

impl SessionCell {
    pub(super) fn new(key: SessionKey, session: Session) -> Arc<Self> {
        let state =
            State { link: None, cursors: VecDeque::new(), pending_will: None, seats: None, ended: false, session };
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
        if let Some(seats) = &self.state.seats {
            seats.announce(self.cell.id, &self.state, &self.cell.standing);
        }
    }
}

impl State {
    /// The link, if it is still this connection's.
    pub(super) fn link_of(&mut self, connection: ConnectionId) -> Option<&mut Link> {
        self.link.as_mut().filter(|link| link.connection == connection)
    }
}

impl SessionTable {
    pub(super) fn new() -> Self {
        Self { hasher: ahash::RandomState::new(), shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect() }
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
                Ok(None)
            }
        }
    }

    /// Removes exactly this session.
    pub(super) fn remove(&self, cell: &Arc<SessionCell>) {
        let mut shard = self.shard(&cell.key.device).lock();
        let Some(sessions) = shard.get_mut(&cell.key.device) else { return };
        sessions.retain(|other| !Arc::ptr_eq(other, cell));
        if sessions.is_empty() {
            shard.remove(&cell.key.device);
        }
    }

    /// The sessions of one device.
    pub(super) fn of_device(&self, device: &DeviceKey) -> Vec<Arc<SessionCell>> {
        self.shard(device).lock().get(device).cloned().unwrap_or_default()
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
        self.shards.iter().map(|shard| shard.lock().values().map(Vec::len).sum::<usize>()).sum()
    }

    fn shard(&self, device: &DeviceKey) -> &Mutex<Shard> {
        let index = usize::try_from(self.hasher.hash_one(device)).unwrap_or_default() % SHARDS;
        // `SHARDS` is the length.
        #[allow(clippy::indexing_slicing, reason = "the remainder of the length")]
        &self.shards[index]
    }
}

fn position(sessions: &[Arc<SessionCell>], client_id: &Arc<str>) -> Result<usize, usize> {
    sessions.binary_search_by(|cell| cell.key.client_id.cmp(client_id))
}
