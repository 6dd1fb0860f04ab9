//! Connections, sessions and wills in time: what ends when, and what is published then.

use super::session::Session;
use super::{Draft, Model, Terms};
use std::collections::{BTreeMap, BTreeSet};

/// What one connection leaves behind.
#[derive(Clone)]
pub(crate) struct Will {
    pub(crate) draft: Draft,
    pub(crate) device: usize,
    /// The session that it speaks for.
    from: (usize, u64),
    /// Milliseconds.
    pub(crate) delay: u64,
}

impl Will {
    pub(crate) fn new(draft: Draft, device: usize, delay_seconds: u32) -> Self {
        Self { draft, device, from: (usize::MAX, 0), delay: u64::from(delay_seconds) * 1000 }
    }
}

/// Wills of living connections and of those that are gone, and the end of sessions.
#[derive(Default)]
pub(crate) struct Wills {
    living: BTreeMap<usize, Will>,
    pending: BTreeMap<usize, Will>,
    /// (when, client): its pending will, or the end of its session.
    due: BTreeSet<(u64, usize)>,
    will_due: BTreeMap<usize, u64>,
    session_due: BTreeMap<usize, u64>,
}

impl Wills {
    pub(super) fn session_ended(&mut self, client: usize) {
        self.forget_deadlines(client);
    }

    fn forget_deadlines(&mut self, client: usize) {
        for at in [self.will_due.remove(&client), self.session_due.remove(&client)].into_iter().flatten() {
            self.due.remove(&(at, client));
        }
    }

    /// Whether something falls due at this millisecond of any second: then what comes first would be a matter of
    /// chance.
    pub(crate) fn is_taken(&self, now: u64) -> bool {
        self.due.iter().any(|(at, _)| at % 1000 == now % 1000)
    }
}

impl Model {
    /// A client connects; returns whether it must find a session.
    pub(crate) fn connect(
        &mut self,
        client: usize,
        device: usize,
        terms: &Terms,
        will: Option<Will>,
        number: u64,
    ) -> bool {
        let mut fired = Vec::new();
        let goes_on = self.sessions[client].as_ref().is_some_and(|session| !terms.clean && session.expiry.is_some());
        if let Some(will) = self.wills.living.remove(&client) {
            fired.extend((will.delay == 0 || !goes_on).then_some(will));
        }
        let pending = self.wills.pending.remove(&client);
        self.wills.forget_deadlines(client);
        if !goes_on {
            fired.extend(pending);
            self.end_session(client);
        }
        let session = self.sessions[client].get_or_insert_with(|| Session::new(client, device, number));
        let from = (client, session.number);
        session.expiry = terms.expiry;
        if session.connection.is_some() {
            session.disconnect();
            self.groups.drained(client);
        }
        let stamp = super::Stamp { time: self.now, policy: self.history.number() };
        session.connect(number, terms.version, terms.receive_maximum, terms.small_packets, stamp);
        if let Some(will) = will {
            self.wills.living.insert(client, Will { from, ..will });
        }
        fired.into_iter().for_each(|will| self.fire(&will));
        goes_on
    }

    /// The connection of a client is over. `keeps_will`: it did not say that all was well.
    pub(crate) fn disconnect(&mut self, client: usize, keeps_will: bool) {
        let now = self.now;
        let will = self.wills.living.remove(&client).filter(|_| keeps_will);
        let Some(session) = &mut self.sessions[client] else { return };
        session.disconnect();
        self.groups.drained(client);
        let Some(expiry) = session.expiry else {
            self.end_session(client);
            will.iter().for_each(|will| self.fire(will));
            return;
        };
        self.wills.session_due.insert(client, now + expiry);
        self.wills.due.insert((now + expiry, client));
        let Some(will) = will else { return };
        if will.delay == 0 {
            return self.fire(&will);
        }
        let at = now + will.delay.min(expiry);
        self.wills.will_due.insert(client, at);
        self.wills.due.insert((at, client));
        self.wills.pending.insert(client, will);
    }

    /// Time has come to `now`, and the broker has looked.
    pub(crate) fn tick(&mut self, now: u64) {
        self.now = now;
        while let Some(&(at, client)) = self.wills.due.first().filter(|(at, _)| *at <= now) {
            self.wills.due.remove(&(at, client));
            let will = self.wills.pending.remove(&client);
            self.wills.will_due.remove(&client);
            if self.wills.session_due.get(&client) == Some(&at) {
                self.end_session(client);
            }
            will.iter().for_each(|will| self.fire(will));
        }
    }

    pub(crate) fn must_not_coincide(&self, now: u64) -> bool {
        self.wills.is_taken(now)
    }

    fn fire(&mut self, will: &Will) {
        self.tally.wills += 1;
        // Each a publisher of its own: it was written before what its client published later.
        let publisher = u64::MAX - self.tally.wills;
        self.publish(&will.draft, will.device, will.from, publisher);
    }
}
