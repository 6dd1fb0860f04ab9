//! Shared subscriptions: one copy of a message for one member of a group.

use super::message::Message;
use super::session::{Kind, Owed, Seen};
use super::topics::Filter;
use certmq::protocol::QoS;
use std::rc::Rc;

/// The copies that are due to groups.
#[derive(Default)]
pub(crate) struct Groups {
    due: Vec<Due>,
}

/// One copy, and every form in which a member may get it.
struct Due {
    message: Rc<Message>,
    filter: Filter,
    forms: Vec<(usize, Owed)>,
    /// The client that has it; it is in flight there.
    holder: Option<usize>,
    /// It may fail to come.
    optional: bool,
}

impl Groups {
    /// A message for a group: `forms` tells how each member would get it.
    pub(crate) fn owe(&mut self, message: &Rc<Message>, filter: Filter, forms: Vec<(usize, Owed)>, optional: bool) {
        // A member that reads with QoS 0 may be chosen and the message be lost on its way.
        let optional = optional || forms.iter().any(|(_, owed)| owed.qos == QoS::AtMostOnce);
        self.due.push(Due { message: Rc::clone(message), filter, forms, holder: None, optional });
    }

    /// The copy that `client` got, if it may have been one.
    pub(crate) fn take(&mut self, client: usize, seen: &Seen) -> Option<Owed> {
        let fits = |(member, owed): &(usize, Owed)| *member == client && owed.looks_like(seen);
        let position = self.due.iter().position(|due| due.holder.is_none() && due.forms.iter().any(fits))?;
        let due = &mut self.due[position];
        let owed = due.forms.iter().find(|form| fits(form)).map(|(_, owed)| owed.clone());
        match seen.qos {
            QoS::AtMostOnce => _ = self.due.swap_remove(position),
            _ => due.holder = Some(client),
        }
        owed
    }

    /// A member has acknowledged its copy to the end, or discarded it.
    pub(crate) fn finished(&mut self, owed: &Owed) {
        let Kind::Shared(filter) = owed.kind else { return };
        self.due.retain(|due| due.filter != filter || !Rc::ptr_eq(&due.message, &owed.message));
    }

    /// A member's session ended. What it had is lost with it.
    pub(crate) fn session_ended(&mut self, client: usize) {
        self.due.retain(|due| due.holder != Some(client));
        for due in &mut self.due {
            let forms = due.forms.len();
            due.forms.retain(|(member, _)| *member != client);
            due.optional |= due.forms.len() < forms;
        }
        self.due.retain(|due| !due.forms.is_empty());
    }

    /// Everyone has all there is.
    pub(crate) fn judge_whole(&mut self, mut excused: impl FnMut(&Message, usize) -> bool) {
        for due in self.due.drain(..) {
            let excused = due.optional || due.forms.iter().any(|(member, _)| excused(&due.message, *member));
            assert!(excused, "no member of group filter {} got {:?}", due.filter, due.message.text);
        }
    }

    /// How many copies one member may have in its queue.
    pub(crate) fn of_member(&self, client: usize) -> usize {
        self.due.iter().filter(|due| due.forms.iter().any(|(member, _)| *member == client)).count()
    }
}
