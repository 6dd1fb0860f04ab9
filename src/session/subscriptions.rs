//! The subscriptions of one session.

use crate::policy::{Epoch, Grant, Policy, Principal};
use crate::protocol::{SubscriptionOptions, TopicFilter};
use std::collections::HashMap;
use std::sync::Arc;

/// Names a subscription within its session, never reused: a route that holds one of an ended subscription finds
/// nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(u64);

/// One subscription.
#[derive(Debug)]
pub struct Subscription {
    id: SubscriptionId,
    /// What it reads.
    pub filter: TopicFilter,
    /// As requested.
    pub options: SubscriptionOptions,
    /// Subscription Identifier, returned with each message.
    pub identifier: Option<u32>,
    standing: Standing,
}

/// What the policy last said about a subscription.
#[derive(Debug)]
enum Standing {
    Granted(Grant),
    /// The right was gone at the last look; it may come back with a later epoch.
    Frozen(Epoch),
}

/// The subscriptions of one session, by id and by filter.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// Ascending by id, because ids only grow.
    entries: Vec<Subscription>,
    by_filter: HashMap<Arc<str>, SubscriptionId, ahash::RandomState>,
    last_id: u64,
}

impl Subscription {
    /// Its id.
    pub fn id(&self) -> SubscriptionId {
        self.id
    }

    /// The grant in force, judged anew when the policy has changed since the last look; `None` while the right
    /// is gone.
    pub fn grant(&mut self, policy: &Policy, principal: &Principal) -> Option<&Grant> {
        if self.epoch() != policy.epoch() {
            self.standing = match policy.authorize_subscribe(principal, &self.filter, self.options.qos) {
                Ok(grant) => Standing::Granted(grant),
                Err(_) => Standing::Frozen(policy.epoch()),
            };
        }
        match &self.standing {
            Standing::Granted(grant) => Some(grant),
            Standing::Frozen(_) => None,
        }
    }

    fn epoch(&self) -> Epoch {
        match &self.standing {
            Standing::Granted(grant) => grant.epoch,
            Standing::Frozen(epoch) => *epoch,
        }
    }
}

impl Subscriptions {
    /// Number of subscriptions.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the filter text (with its share name) is subscribed.
    pub fn contains(&self, filter: &TopicFilter) -> bool {
        self.by_filter.contains_key(filter.as_str())
    }

    /// Adds a subscription, or replaces the options of the one with the same filter, which keeps its id
    /// `[MQTT-3.8.4-3]`. Returns its id.
    pub fn put(
        &mut self,
        filter: &TopicFilter,
        options: SubscriptionOptions,
        identifier: Option<u32>,
        grant: Grant,
    ) -> SubscriptionId {
        let standing = Standing::Granted(grant);
        if let Some(existing) = self.by_filter.get(filter.as_str()).copied().and_then(|id| self.find(id)) {
            existing.options = options;
            existing.identifier = identifier;
            existing.standing = standing;
            return existing.id;
        }
        self.last_id += 1;
        let id = SubscriptionId(self.last_id);
        self.by_filter.insert(Arc::from(filter.as_str()), id);
        self.entries.push(Subscription { id, filter: filter.clone(), options, identifier, standing });
        id
    }

    /// Removes the subscription of a filter.
    pub fn remove(&mut self, filter: &TopicFilter) -> Option<Subscription> {
        let id = self.by_filter.remove(filter.as_str())?;
        let position = self.entries.binary_search_by_key(&id, Subscription::id).ok()?;
        Some(self.entries.remove(position))
    }

    /// The subscription with this id, while it stands.
    pub fn find(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        let position = self.entries.binary_search_by_key(&id, Subscription::id).ok()?;
        self.entries.get_mut(position)
    }

    /// Nothing that was judged counts any more: each is judged anew at its next delivery.
    pub fn doubt(&mut self) {
        for subscription in &mut self.entries {
            subscription.standing = Standing::Frozen(Epoch::NEVER);
        }
    }

    /// Every subscription, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Subscription> {
        self.entries.iter()
    }
}
