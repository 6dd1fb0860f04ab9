//! Shared subscriptions: one message to one member of the group (MQTT 5.0 section 4.8.2).

use super::tree::Entry;
use parking_lot::Mutex;

/// The members of one `$share/<group>/<filter>`.
#[derive(Debug)]
pub(super) struct SharedGroup {
    name: Box<str>,
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    entries: Vec<Entry>,
    /// Whose turn it is.
    next: usize,
}

impl SharedGroup {
    pub(super) fn new(name: &str) -> Self {
        Self { name: Box::from(name), members: Mutex::default() }
    }

    /// The share name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn join(&self, entry: Entry) {
        self.members.lock().entries.push(entry);
    }

    /// Removes a member; says whether others remain.
    pub(super) fn leave(&self, entry: &Entry) -> bool {
        let mut members = self.members.lock();
        members.entries.retain(|other| !other.is(entry));
        !members.entries.is_empty()
    }

    /// The members in the order in which they should be offered the next message. The lock is not held while
    /// they are: a member's own lock comes after.
    pub(super) fn turn(&self) -> Vec<Entry> {
        let mut members = self.members.lock();
        if members.entries.is_empty() {
            return Vec::new();
        }
        let first = members.next % members.entries.len();
        members.next = first.wrapping_add(1);
        let (before, after) = members.entries.split_at(first);
        after.iter().chain(before).cloned().collect()
    }
}
