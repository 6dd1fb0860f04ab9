//! One message to the first member of a group that takes it.

use super::SharedGroup;
use super::standing::{Class, Standing};
use crate::hub::publish::Offer;
use crate::hub::tree::Entry;
use crate::hub::{Hub, Wakes};
use crate::protocol::QoS;
use crate::session::{Bounds, Delivery, QueueFullPolicy, SessionId, Share, Via, Withheld};
use std::collections::HashMap;
use std::sync::Arc;

/// How hard a message is pressed on a member, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effort {
    /// It is sent now.
    Now,
    /// It is queued where nothing else has to give way.
    Queued,
    /// `mqtt.queue_full` decides.
    GivingWay,
}

/// Members that did not take a message, and why.
type Passed = HashMap<SessionId, Delivery, ahash::RandomState>;

impl Effort {
    /// What can be done for a message. QoS 0 is never queued.
    fn all(qos: QoS) -> &'static [Self] {
        match qos {
            QoS::AtMostOnce => &[Self::Now],
            QoS::AtLeastOnce | QoS::ExactlyOnce => &[Self::Now, Self::Queued, Self::GivingWay],
        }
    }

    /// Whether a member could take a message of this QoS so.
    fn suits(self, qos: QoS, standing: Standing) -> bool {
        match (self, qos) {
            // What goes out with QoS 0 needs no window.
            (Self::Now, QoS::AtMostOnce) => standing.is_connected(),
            (Self::Now, _) => standing.class() == Class::Ready,
            (Self::Queued, _) => standing.class() <= Class::Away,
            (Self::GivingWay, _) => true,
        }
    }

    /// Whether no other member is asked.
    fn is_final(self, delivery: Delivery) -> bool {
        match delivery {
            Delivery::Sent | Delivery::Queued { .. } => true,
            Delivery::DroppedQueueFull | Delivery::Refused => self == Self::GivingWay,
            Delivery::Withheld(_) | Delivery::DroppedSlowReader => false,
        }
    }

    fn bounds(self, bounds: &Bounds) -> Bounds {
        match self {
            Self::Now => Bounds { queued_messages: 0, when_full: QueueFullPolicy::Refuse, ..*bounds },
            Self::Queued => Bounds { when_full: QueueFullPolicy::Refuse, ..*bounds },
            Self::GivingWay => *bounds,
        }
    }
}

impl Hub {
    /// A new publication to a group; `None` where it has no members.
    pub(in crate::hub) fn deliver_shared(
        &self,
        offer: &Offer<'_>,
        group: &Arc<SharedGroup>,
        wakes: &mut Wakes,
    ) -> Option<Delivery> {
        let share = (offer.publication.qos() > QoS::AtMostOnce)
            .then(|| Arc::new(Share { filter: group.filter.clone(), number: self.next_id() }));
        self.offer_to_group(offer, group, share.as_ref(), wakes)
    }

    /// To the first member that takes it. Where none does, the last one's reason; `None` without members.
    pub(super) fn offer_to_group(
        &self,
        offer: &Offer<'_>,
        group: &Arc<SharedGroup>,
        share: Option<&Arc<Share>>,
        wakes: &mut Wakes,
    ) -> Option<Delivery> {
        let qos = offer.publication.qos();
        let mut passed = Passed::default();
        let mut last: Option<(Delivery, Entry)> = None;
        for &effort in Effort::all(qos) {
            // Who may not have it now may not have it with more effort. What less effort came to is no answer: when
            // that member leaves meanwhile, no queue was full.
            passed.retain(|_, delivery| matches!(delivery, Delivery::Withheld(_)));
            last = last.filter(|(delivery, _)| matches!(delivery, Delivery::Withheld(_)));
            let suits = |standing| effort.suits(qos, standing);
            while let Some(member) = group.choose(|session| passed.contains_key(&session), suits) {
                let delivery = self.offer_to_member(offer, &member, share, effort, wakes);
                if matches!(delivery, Delivery::Queued { .. }) {
                    self.keep_at(group, &member, |session| passed.contains_key(&session));
                }
                if effort.is_final(delivery) {
                    return Some(delivery);
                }
                passed.insert(member.cell.id, delivery);
                // That one has just left says nothing about the others.
                if last.is_none() || delivery != Delivery::Withheld(Withheld::NotSubscribed) {
                    last = Some((delivery, member));
                }
            }
        }
        // What nobody took counts once, with a member that was asked last.
        last.map(|(delivery, member)| {
            member.cell.lock().note(delivery);
            delivery
        })
    }

    fn offer_to_member(
        &self,
        offer: &Offer<'_>,
        member: &Entry,
        share: Option<&Arc<Share>>,
        effort: Effort,
        wakes: &mut Wakes,
    ) -> Delivery {
        let mut state = member.cell.lock();
        let via = Via { ids: &[member.id], share };
        let delivery = self.offer(offer, &mut state, via, &effort.bounds(&self.bounds), wakes);
        if effort.is_final(delivery) {
            state.note(delivery);
        }
        delivery
    }

    /// Whether a message for the group would be taken by somebody, or need not be.
    pub(in crate::hub) fn group_has_room(&self, offer: &Offer<'_>, group: &Arc<SharedGroup>) -> bool {
        let suits = |standing: Standing| standing.class() <= Class::Away;
        let kept_out = |member: &Entry| {
            let session = &mut member.cell.lock().session;
            session.must_keep(offer.publication, &[member.id], offer.policy)
                && !session.queue_has_room(offer.publication, &self.bounds, offer.now)
        };
        group.has(|_| false, suits) || !group.members().iter().any(kept_out)
    }
}
