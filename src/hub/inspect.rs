//! What operators see of sessions. A list comes page by page: a million sessions neither hold a lock for long nor fill
//! one reply.

use super::Hub;
use super::sessions::{SessionCell, SessionKey, State};
use crate::policy::{DeviceKey, Policy, Principal};
use crate::protocol::{SubscriptionOptions, Version};
use crate::session::{Drops, Expiry, Load, Moment};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Sessions that one page looks at, so that a rare group does not make it look at all.
const LOOKED_AT: usize = 10_000;

/// Which sessions are meant.
#[derive(Clone, Copy, Debug)]
pub enum Selection<'a> {
    /// Every one.
    All,
    /// Those of a device.
    Device(&'a DeviceKey),
    /// Those whose clients are members of a group.
    Group(&'a str),
}

/// Where a page ended. Sessions that come and go in between are listed once or not at all, the others once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionCursor {
    shard: usize,
    /// Device and client id of the last one.
    after: Option<(DeviceKey, Arc<str>)>,
}

/// Some sessions of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// In no order that means anything across pages.
    pub sessions: Vec<Summary>,
    /// Where to go on; `None`: that was all.
    pub next: Option<SessionCursor>,
}

/// One line of a list.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Whose session it is.
    pub device: DeviceKey,
    /// Which of the device's.
    pub client_id: Arc<str>,
    /// Whether its client is there.
    pub presence: Presence,
    /// Number of subscriptions.
    pub subscriptions: usize,
    /// What waits and is in flight.
    pub load: Load,
    /// What it did not get.
    pub drops: Drops,
}

/// Whether a session's client is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Connected {
        /// Since when.
        since: Moment,
        /// From where, if it came over a network.
        address: Option<SocketAddr>,
        /// What it speaks.
        version: Version,
    },
    /// It is not.
    Away {
        /// Since when.
        since: Moment,
    },
}

/// Everything about one session.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// As in a list.
    pub summary: Summary,
    /// The certificate of the last connection, as far as rules use it.
    pub principal: Arc<Principal>,
    /// How long the session outlives its connection.
    pub expiry: Expiry,
    /// QoS 1 and 2 publications the client takes unacknowledged; `None` while it is away.
    pub receive_maximum: Option<u16>,
    /// Bytes of the largest packet it takes; `None` while it is away.
    pub maximum_packet_size: Option<u32>,
    /// When the client last sent a packet; `None` while it is away.
    pub last_received: Option<Moment>,
    /// How long it may be silent; `None`: as long as it likes, or away.
    pub silence: Option<Duration>,
    /// Its will, of the living connection or waiting for its delay.
    pub will: Option<WillFacts>,
    /// QoS 2 packet ids of the client that wait for their PUBREL.
    pub unreleased_ids: usize,
    /// Subscriptions whose retained messages have not all been sent.
    pub retained_pending: usize,
    /// Oldest first.
    pub subscriptions: Vec<SubscriptionFacts>,
}

/// A will, without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WillFacts {
    /// Where it would be published.
    pub topic: String,
    /// Will Delay Interval.
    pub delay: Duration,
    /// Whether the client is gone and only the delay holds it back.
    pub pending: bool,
}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionFacts {
    /// With its share name.
    pub filter: String,
    /// As requested.
    pub options: SubscriptionOptions,
    /// Subscription Identifier.
    pub identifier: Option<u32>,
}

impl Hub {
    /// The next sessions of `selection`, at most `limit` (at least 1), from `cursor` on.
    pub fn sessions(&self, selection: Selection<'_>, cursor: SessionCursor, limit: usize) -> Page {
        match selection {
            Selection::Device(device) => self.sessions_of_device(device, cursor, limit),
            Selection::All => self.sessions_of_all(cursor, limit, |_| true),
            Selection::Group(group) => {
                let policy: Arc<Policy> = self.policy();
                self.sessions_of_all(cursor, limit, |state| policy.is_member(&state.session.principal, group))
            }
        }
    }

    /// Everything about one session; `None`: there is none.
    pub fn session(&self, device: &DeviceKey, client_id: &str) -> Option<SessionFacts> {
        let cell = self.sessions.find(&SessionKey { device: device.clone(), client_id: Arc::from(client_id) })?;
        let state = cell.lock();
        (!state.ended).then(|| facts(&cell, &state))
    }

    /// The client ids of a device's sessions, sorted.
    pub fn client_ids(&self, device: &DeviceKey) -> Vec<Arc<str>> {
        self.sessions.of_device(device).iter().map(|cell| Arc::clone(&cell.key.client_id)).collect()
    }

    /// The devices with a session whose certificate has this common name: of devices that only a group knows, no
    /// record tells. Looks at every session.
    pub fn devices_by_common_name(&self, name: &str) -> Vec<DeviceKey> {
        let mut devices = Vec::new();
        self.sessions.for_each(|cell| {
            let has_name = cell.lock().session.principal.attributes.common_names.iter().any(|common| common == name);
            if has_name && !devices.contains(&cell.key.device) {
                devices.push(cell.key.device.clone());
            }
        });
        devices
    }

    fn sessions_of_device(&self, device: &DeviceKey, cursor: SessionCursor, limit: usize) -> Page {
        let after = cursor.after.map(|(_, client_id)| client_id);
        let cells = self.sessions.of_device(device);
        let mut rest = cells.iter().filter(|cell| after.as_ref().is_none_or(|after| cell.key.client_id > *after));
        let page: Vec<&Arc<SessionCell>> = rest.by_ref().take(limit.max(1)).collect();
        let last = page.last().filter(|_| rest.next().is_some());
        let next = last.map(|cell| SessionCursor { shard: 0, after: Some(key_of(cell)) });
        Page { sessions: page.into_iter().filter_map(|cell| summary_if(cell, |_| true)).collect(), next }
    }

    fn sessions_of_all(&self, mut cursor: SessionCursor, limit: usize, wanted: impl Fn(&State) -> bool) -> Page {
        let mut sessions = Vec::new();
        let mut looked_at = 0;
        while sessions.len() < limit.max(1) && looked_at < LOOKED_AT {
            let room = limit.max(1) - sessions.len();
            let after = cursor.after.take().map(|(device, client_id)| SessionKey { device, client_id });
            let Some(cells) = self.sessions.page(cursor.shard, after.as_ref(), room) else {
                return Page { sessions, next: None };
            };
            looked_at += cells.len();
            sessions.extend(cells.iter().filter_map(|cell| summary_if(cell, &wanted)));
            match cells.last() {
                // The shard may hold more.
                Some(last) if cells.len() == room => cursor.after = Some(key_of(last)),
                Some(_) | None => cursor.shard += 1,
            }
        }
        Page { sessions, next: Some(cursor) }
    }
}

fn key_of(cell: &SessionCell) -> (DeviceKey, Arc<str>) {
    (cell.key.device.clone(), Arc::clone(&cell.key.client_id))
}

fn summary_if(cell: &SessionCell, wanted: impl Fn(&State) -> bool) -> Option<Summary> {
    let state = cell.lock();
    (!state.ended && wanted(&state)).then(|| summary(cell, &state))
}

fn summary(cell: &SessionCell, state: &State) -> Summary {
    let presence = match &state.link {
        Some(link) => {
            Presence::Connected { since: link.since, address: link.outbound.address(), version: link.version }
        }
        None => Presence::Away { since: state.left },
    };
    Summary {
        device: cell.key.device.clone(),
        client_id: Arc::clone(&cell.key.client_id),
        presence,
        subscriptions: state.session.subscriptions.len(),
        load: state.session.load(),
        drops: state.session.drops,
    }
}

fn facts(cell: &SessionCell, state: &State) -> SessionFacts {
    let session = &state.session;
    let link = state.link.as_ref();
    let (will, pending) = match link {
        Some(link) => (link.will.as_ref(), false),
        None => (state.pending_will.as_ref(), true),
    };
    SessionFacts {
        summary: summary(cell, state),
        principal: Arc::clone(&session.principal),
        expiry: session.expiry,
        receive_maximum: session.terms().map(|terms| terms.receive_maximum),
        maximum_packet_size: session.terms().map(|terms| terms.maximum_packet_size),
        last_received: link.map(|link| link.outbound.last_received()),
        silence: link.and_then(|link| link.silence),
        will: will.map(|will| WillFacts { topic: will.message.topic.as_str().to_owned(), delay: will.delay, pending }),
        unreleased_ids: session.incoming.len(),
        retained_pending: state.cursors.len(),
        subscriptions: session
            .subscriptions
            .iter()
            .map(|subscription| SubscriptionFacts {
                filter: subscription.filter.as_str().to_owned(),
                options: subscription.options,
                identifier: subscription.identifier,
            })
            .collect(),
    }
}
