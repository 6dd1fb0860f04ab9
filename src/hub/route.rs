//! Routes: the receivers of a topic, and each connection's memory of its last few.

use super::sessions::SessionCell;
use super::shared::SharedGroup;
use super::tree::{Matches, SubscriptionTree, Versions};
use crate::protocol::TopicName;
use crate::protocol::topic::TopicNameBuf;
use crate::session::SubscriptionId;
use std::sync::Arc;

/// A device publishes to the same few topics all its life.
const REMEMBERED: usize = 8;

/// Receivers of a route that is worth remembering: beyond it the lookup is little beside the deliveries, and a thousand
/// connections that remember the same crowd would hold it a thousand times.
const CROWD: usize = 64;

/// Who receives a topic, as of some versions of the tree.
#[derive(Debug, Default)]
pub(super) struct Route {
    pub(super) receivers: Vec<Receiver>,
    pub(super) groups: Vec<Arc<SharedGroup>>,
}

/// One session and those of its subscriptions that match.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) cell: Arc<SessionCell>,
    pub(super) subscriptions: Vec<SubscriptionId>,
}

/// The routes a connection published to last.
#[derive(Debug, Default)]
pub struct RouteMemory {
    /// The most recently used first.
    entries: Vec<Remembered>,
}

#[derive(Debug)]
struct Remembered {
    topic: TopicNameBuf,
    versions: Versions,
    route: Arc<Route>,
}

impl Route {
    pub(super) fn look_up(tree: &SubscriptionTree, topic: TopicName<'_>) -> Self {
        let Matches { mut entries, groups } = tree.lookup(topic);
        entries.sort_unstable_by_key(|entry| (entry.cell.id, entry.id));
        let mut receivers: Vec<Receiver> = Vec::with_capacity(entries.len());
        for entry in entries {
            match receivers.last_mut() {
                Some(last) if last.cell.id == entry.cell.id => last.subscriptions.push(entry.id),
                _ => receivers.push(Receiver { cell: entry.cell, subscriptions: vec![entry.id] }),
            }
        }
        Self { receivers, groups }
    }
}

impl RouteMemory {
    /// The route of `topic`, looked up only where it is not remembered or the tree has changed.
    pub(super) fn route(&mut self, tree: &SubscriptionTree, topic: TopicName<'_>) -> Arc<Route> {
        // Read before the lookup: a change in between makes the memory stale, never wrong.
        let versions = tree.versions(topic);
        let known = self.entries.iter().position(|entry| entry.topic.as_str() == topic.as_str());
        if let Some(position) = known {
            self.entries.swap(0, position);
            if let Some(entry) = self.entries.first().filter(|entry| entry.versions == versions) {
                return Arc::clone(&entry.route);
            }
            self.entries.swap_remove(0);
        }
        let route = Arc::new(Route::look_up(tree, topic));
        if route.receivers.len() + route.groups.len() > CROWD {
            return route;
        }
        self.entries.truncate(REMEMBERED - 1);
        self.entries.insert(0, Remembered { topic: topic.to_buf(), versions, route: Arc::clone(&route) });
        route
    }
}
