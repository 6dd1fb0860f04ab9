//! SUBSCRIBE and UNSUBSCRIBE: rights, tree, retained messages.

use super::Hub;
use super::outbound::{Outbound, Wakes};
use super::retained::{Cursor, Room};
use super::sessions::{SessionCell, State};
use super::shared::Seats;
use super::tree::Entry;
use crate::policy::{Action, Policy};
use crate::protocol::{QoS, ReasonCode, RetainHandling, Subscribe, SubscribeRequest, TopicFilter};
use crate::session::{Moment, Outbox, Session, Subscription};
use std::collections::VecDeque;
use std::sync::Arc;

/// Steps of retained cursors before the session is given up, and its task must have looked at the outbox again: so
/// long does a publisher wait at most for a session that reads.
const CURSOR_STEPS: usize = 8;

impl Hub {
    /// Judges and makes each subscription; returns the reason codes of the SUBACK, in order.
    ///
    /// The subscription stands before retained messages are read: an older retained value never follows a newer
    /// live one.
    pub(super) fn subscribe(
        &self,
        cell: &Arc<SessionCell>,
        state: &mut State,
        subscribe: &Subscribe<'_>,
    ) -> Vec<ReasonCode> {
        let policy = self.policy.load();
        let identifier = subscribe.properties.subscription_identifiers().next();
        let requests = subscribe.requests.iter();
        requests.map(|request| self.subscribe_one(cell, state, request, identifier, &policy)).collect()
    }

    fn subscribe_one(
        &self,
        cell: &Arc<SessionCell>,
        state: &mut State,
        request: &SubscribeRequest,
        identifier: Option<u32>,
        policy: &Policy,
    ) -> ReasonCode {
        let SubscribeRequest { filter, options } = request;
        if self.is_out_of_bounds(filter.as_str()) {
            return ReasonCode::TopicFilterInvalid;
        }
        let grant = match policy.authorize_subscribe(&state.session.principal, filter, options.qos) {
            Ok(grant) => grant,
            Err(denied) => {
                let address = state.link.as_ref().and_then(|link| link.outbound.address());
                let principal = &state.session.principal;
                self.note_denied(policy, principal, address, Action::Subscribe, filter.as_str(), denied);
                return ReasonCode::NotAuthorized;
            }
        };
        let subscriptions = &mut state.session.subscriptions;
        let exists = subscriptions.contains(filter);
        if !exists && subscriptions.len() >= self.limits.subscriptions_per_session {
            return ReasonCode::QuotaExceeded;
        }
        let qos = grant.qos;
        let id = subscriptions.put(filter, *options, identifier, grant);
        if !exists && let Some(group) = self.subscriptions.insert(filter, Entry { cell: Arc::clone(cell), id }) {
            let seats = state.seats.get_or_insert_with(|| Box::new(Seats::new(self.bounds)));
            seats.take(id, filter, &group);
        }
        let retained = match options.retain_handling {
            RetainHandling::OnSubscribe => true,
            RetainHandling::OnNewSubscription => !exists,
            RetainHandling::Never => false,
        };
        // No retained messages for shared subscriptions (section 4.8.2).
        if retained && filter.share().is_none() {
            state.cursors.retain(|cursor| cursor.subscription != id);
            state.cursors.push_back(Cursor::new(id, filter.clone()));
        }
        granted(qos)
    }

    /// Ends each subscription; returns the reason codes of the UNSUBACK, in order.
    pub(super) fn unsubscribe(
        &self,
        cell: &Arc<SessionCell>,
        state: &mut State,
        filters: &[TopicFilter],
    ) -> Vec<ReasonCode> {
        filters
            .iter()
            .map(|filter| match state.session.subscriptions.remove(filter) {
                Some(subscription) => {
                    self.subscriptions.remove(filter, &Entry { cell: Arc::clone(cell), id: subscription.id() });
                    state.cursors.retain(|cursor| cursor.subscription != subscription.id());
                    self.leave_group(state, &subscription);
                    ReasonCode::Success
                }
                None => ReasonCode::NoSubscriptionExisted,
            })
            .collect()
    }

    /// A shared subscription has ended: what was not sent goes to the other members.
    fn leave_group(&self, state: &mut State, subscription: &Subscription) {
        let State { session, seats, .. } = state;
        if let (Some(seats), Some(_)) = (seats, subscription.filter.share()) {
            seats.leave(subscription.id());
            self.strays
                .add(session.hand_over_unsent(usize::MAX, |filter, _| filter.as_str() == subscription.filter.as_str()));
        }
    }

    /// Takes a session's subscriptions out of the tree.
    pub(super) fn unsubscribe_all(&self, cell: &Arc<SessionCell>, session: &Session) {
        for subscription in session.subscriptions.iter() {
            let entry = Entry { cell: Arc::clone(cell), id: subscription.id() };
            self.subscriptions.remove(&subscription.filter, &entry);
        }
    }

    /// Reads on for the subscriptions that still await retained messages, as far as there is room; `bytes` are left
    /// in `outbound`, which is not locked while topics are looked at.
    #[allow(clippy::too_many_arguments, reason = "what one look at a session needs")]
    pub(super) fn read_retained(
        &self,
        session: &mut Session,
        cursors: &mut VecDeque<Cursor>,
        outbound: &Arc<Outbound>,
        mut bytes: usize,
        policy: &Policy,
        now: Moment,
        wakes: &mut Wakes,
    ) {
        for _ in 0..CURSOR_STEPS {
            let Some(cursor) = cursors.front_mut() else { return };
            if bytes == 0 {
                break;
            }
            let room = Room { messages: session.room_for_retained(cursor.subscription, &self.bounds), bytes };
            let step = self.retained_of(cursor.filter.inner()).step(cursor, room, policy, now);
            let delivered = outbound.push(wakes, |outbox| {
                for message in &step.found {
                    let delivery =
                        session.deliver_retained(message, cursor.subscription, policy, outbox, &self.bounds, now)?;
                    session.drops.count(delivery);
                    cursor.pass(message);
                }
                Some(outbox.room())
            });
            let Some(left) = delivered else { return };
            bytes = left;
            if cursor.advance(step) {
                cursors.pop_front();
            }
        }
        outbound.push(wakes, Outbox::starve);
    }

    /// Whether a topic or filter is longer or deeper than the settings allow.
    pub(super) fn is_out_of_bounds(&self, topic: &str) -> bool {
        topic.len() > self.limits.topic_bytes || topic.split('/').nth(self.limits.topic_levels).is_some()
    }
}

/// The reason code that grants a QoS.
fn granted(qos: QoS) -> ReasonCode {
    match qos {
        QoS::AtMostOnce => ReasonCode::Success,
        QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
        QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
    }
}
