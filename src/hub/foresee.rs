//! What another policy would do to the sessions there are, before it is in force.

use super::Hub;
use super::sessions::{SessionCell, State};
use crate::policy::{DeviceKey, Fate, Policy};
use std::collections::BTreeSet;

/// What a policy would do. Counts by the sessions there are: devices without one are not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreseen {
    /// Sessions that were looked at, connected or not.
    pub sessions: usize,
    /// Devices with a connection that would be closed.
    pub closed: BTreeSet<DeviceKey>,
    /// Subscriptions that would end.
    pub subscriptions_cut: usize,
    /// Subscriptions that would stay with less: a lower QoS, or more holes.
    pub subscriptions_narrowed: usize,
    /// Devices that could no longer publish something that they may publish now.
    pub lose_publish: BTreeSet<DeviceKey>,
    /// Devices that could publish something new.
    pub gain_publish: BTreeSet<DeviceKey>,
    /// Devices that could publish or subscribe to `#`, and cannot now.
    pub gain_everything: BTreeSet<DeviceKey>,
}

impl Hub {
    /// Judges every session by `next` and compares. Costs by the number of sessions and subscriptions; each is locked
    /// for its own judgement only.
    pub fn foresee(&self, next: &Policy) -> Foreseen {
        let now = self.policy();
        let mut foreseen = Foreseen::default();
        self.sessions.for_each(|cell| {
            let state = cell.lock();
            if !state.ended {
                foreseen.look_at(cell, &state, &now, next);
            }
        });
        foreseen
    }
}

impl Foreseen {
    fn look_at(&mut self, cell: &SessionCell, state: &State, now: &Policy, next: &Policy) {
        self.sessions += 1;
        let principal = &state.session.principal;
        let device = || cell.key.device.clone();
        if let Some(link) = &state.link
            && next.admit(principal, &link.registration.chain.leaf_sha256).is_err()
        {
            self.closed.insert(device());
        }
        for subscription in state.session.subscriptions.iter() {
            match now.fate_of(next, principal, &subscription.filter, subscription.options.qos) {
                Fate::Kept => {}
                Fate::Narrowed => self.subscriptions_narrowed += 1,
                Fate::Cut => self.subscriptions_cut += 1,
            }
        }
        if now.loses_publish(next, principal) {
            self.lose_publish.insert(device());
        }
        if next.loses_publish(now, principal) {
            self.gain_publish.insert(device());
        }
        if next.reaches_everything(principal) && !now.reaches_everything(principal) {
            self.gain_everything.insert(device());
        }
    }
}
