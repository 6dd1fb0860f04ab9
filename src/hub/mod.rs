//! The routing core: session table, subscription tree, retained messages, wills, deadlines. Synchronous and
//! thread-safe: no async, no I/O, no clock of its own; connection tasks call it directly.
//!
//! ```text
//! connection task --Hub::connect--> Client --handle(packet)--> Hub::publish(publication)
//!                                                                |  route: tree lookup, or remembered
//!                                                                v
//!                                     each receiver's session --Outbox--> its connection task
//! ```
//!
//! # Locks
//!
//! In this order, never the other way round; what stands on one line is never held together:
//!
//! 0. the gate of a connection, around each packet of its task; who shuts it holds nothing;
//! 1. a session (`SessionCell`), never two at once: a client leaves its own before it publishes;
//! 2. a partition of the subscription tree;
//! 3. the members of a shared group · the strays between members · a shard of the session table · the retained messages
//!    · the deadlines · the index of connections;
//! 4. an outbound.
//!
//! A route is a hint: the receiver's own subscription, under its session's lock, decides. So nothing is delivered
//! after UNSUBACK or after a right is gone.

mod client;
mod connect;
mod connections;
mod deadlines;
mod denied;
mod detach;
mod foresee;
mod gate;
mod inspect;
mod limits;
mod operate;
mod outbound;
mod publish;
mod retained;
mod route;
mod sessions;
mod shared;
mod stale_frames;
mod subscribe;
mod sweep;
mod sys;
#[cfg(test)]
mod tests;
mod tree;
mod visitors;
mod wills;
mod words;
mod writings;

pub use client::{Client, Closed};
pub use connect::{ConnectRefused, Peer};
pub use foresee::Foreseen;
pub use inspect::{Page, Presence, Selection, SessionCursor, SessionFacts, SubscriptionFacts, Summary, WillFacts};
pub use operate::{HubStatus, Removed};
pub use outbound::{Outbound, Readiness, Taken, Wakes};
pub use publish::Published;
pub use route::RouteMemory;
pub use sweep::{Swept, Touched};
pub use visitors::{PendingDevice, SeenCertificate};

use crate::config::mqtt::QueueFull;
use crate::config::{Limits, MqttSettings};
use crate::policy::Policy;
use crate::session::{Bounds, QueueFullPolicy, SessionId};
use crate::telemetry::denials::{Bounds as DenialBounds, Denials};
use arc_swap::ArcSwap;
use connections::Connections;
use deadlines::Deadlines;
use limits::Paces;
use retained::RetainedMessages;
use sessions::{ConnectionId, SessionTable};
use shared::Strays;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tree::SubscriptionTree;
use visitors::Visitors;

/// The broker without its sockets.
#[derive(Debug)]
pub struct Hub {
    policy: ArcSwap<Policy>,
    /// The one in force before: what a change takes away shows beside it.
    before: ArcSwap<Policy>,
    mqtt: MqttSettings,
    limits: Limits,
    bounds: Bounds,
    sessions: SessionTable,
    subscriptions: SubscriptionTree,
    retained: RetainedMessages,
    /// Those of `$SYS`, which no limit and no wildcard reaches.
    system: RetainedMessages,
    deadlines: Deadlines,
    denials: Denials,
    visitors: Visitors,
    paces: Paces,
    connections: Arc<Connections>,
    /// The wall clock when it was last looked at, Unix seconds.
    unix: AtomicI64,
    /// The moment of the last tick.
    ticked: AtomicU64,
    strays: Strays,
    last_id: AtomicU64,
}

impl Hub {
    /// A hub without sessions that decides by `policy` until [`Hub::set_policy`].
    pub fn new(policy: Arc<Policy>, mqtt: MqttSettings, limits: Limits) -> Arc<Self> {
        let bounds = Bounds {
            queued_messages: limits.queued_messages,
            queued_bytes: limits.queued_bytes,
            inflight: limits.inflight_messages,
            when_full: match mqtt.queue_full {
                QueueFull::DropOldest => QueueFullPolicy::DropOldest,
                QueueFull::DropNewest => QueueFullPolicy::DropNewest,
                QueueFull::Refuse => QueueFullPolicy::Refuse,
            },
        };
        Arc::new(Self {
            before: ArcSwap::new(Arc::clone(&policy)),
            policy: ArcSwap::new(policy),
            bounds,
            sessions: SessionTable::new(),
            subscriptions: SubscriptionTree::new(),
            retained: RetainedMessages::new(limits.retained_messages, limits.retained_bytes),
            system: RetainedMessages::new(usize::MAX, usize::MAX),
            deadlines: Deadlines::default(),
            paces: Paces::default(),
            visitors: Visitors::new(limits.pending_devices, limits.certificates_seen),
            denials: Denials::new(DenialBounds { entries: limits.denials, bytes: limits.denials_bytes }),
            connections: Arc::default(),
            unix: AtomicI64::new(0),
            ticked: AtomicU64::new(0),
            strays: Strays::default(),
            last_id: AtomicU64::new(0),
            mqtt,
            limits,
        })
    }

    /// The limits it keeps.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The protocol settings it announces.
    pub fn mqtt(&self) -> &MqttSettings {
        &self.mqtt
    }

    /// Puts another policy in force. Whatever was decided under the old one is judged anew before it counts again.
    pub fn set_policy(&self, policy: Arc<Policy>) {
        self.before.store(self.policy.swap(policy));
    }

    fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    fn next_session_id(&self) -> SessionId {
        SessionId(self.next_id())
    }

    fn next_connection_id(&self) -> ConnectionId {
        ConnectionId(self.next_id())
    }

    fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }
}
