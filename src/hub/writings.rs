//! What a writer that lost its right leaves behind: retained messages and wills, withheld until somebody deletes them.

use super::Hub;
use super::wills::Will;
use crate::policy::{Policy, Principal};
use crate::session::{Message, WriterId};
use std::sync::Arc;

impl Hub {
    /// Retained messages of writers that `is_meant` names and that may not publish them under `policy`: they are withheld.
    /// Looks at every retained message, a few at a time.
    pub fn withheld_retained(&self, policy: &Policy, is_meant: impl Fn(&Principal) -> bool) -> usize {
        let mut count = 0;
        self.retained.for_each(|message| count += usize::from(is_withheld(message, policy, &is_meant)));
        count
    }

    /// Deletes them; says how many that were.
    pub fn delete_withheld_retained(&self, policy: &Policy, is_meant: impl Fn(&Principal) -> bool) -> usize {
        self.retained.delete_if(|message| is_withheld(message, policy, &is_meant))
    }

    /// Wills of writers that `is_meant` names, of living connections and waiting for their delay. Looks at every session.
    pub fn wills_of(&self, is_meant: impl Fn(&Principal) -> bool) -> Vec<Arc<Message>> {
        let mut found = Vec::new();
        self.sessions.for_each(|cell| {
            let state = cell.lock();
            let wills = state.link.as_ref().and_then(|link| link.will.as_ref()).into_iter().chain(&state.pending_will);
            found.extend(wills.filter(|will| is_written_by(will, &is_meant)).map(|will| Arc::clone(&will.message)));
        });
        found
    }

    /// Deletes those that wait for their delay; says how many that were.
    pub fn delete_waiting_wills(&self, is_meant: impl Fn(&Principal) -> bool) -> usize {
        let mut count = 0;
        self.sessions.for_each(|cell| {
            let mut state = cell.lock();
            if state.pending_will.as_ref().is_some_and(|will| is_written_by(will, &is_meant)) {
                state.pending_will = None;
                count += 1;
            }
        });
        count
    }
}

fn is_withheld(message: &Message, policy: &Policy, is_meant: &impl Fn(&Principal) -> bool) -> bool {
    matches!(&message.writer, WriterId::Client(writer) if is_meant(writer)) && !message.may_be_published(policy)
}

fn is_written_by(will: &Will, is_meant: &impl Fn(&Principal) -> bool) -> bool {
    matches!(&will.message.writer, WriterId::Client(writer) if is_meant(writer))
}
