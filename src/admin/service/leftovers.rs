//! What a writer that loses its right leaves behind: told, and deleted on request.

use super::Service;
use crate::admin::reply::Reply;
use crate::admin::request::Leftovers;
use crate::policy::{DenyTarget, Principal};
use crate::session::Message;
use std::sync::Arc;

/// The wills of somebody, before its right goes: with its connections they are gone.
pub(super) struct Wills(Vec<Arc<Message>>);

impl Service {
    pub(super) fn wills_of(&self, target: &DenyTarget) -> Wills {
        let is_meant = |writer: &Principal| target.names(writer);
        Wills(self.authority.live().running().map(|running| running.hub.wills_of(is_meant)).unwrap_or_default())
    }

    /// Adds to the answer what is withheld from now on, or what was deleted.
    pub(super) fn tell_leftovers(
        &self,
        reply: Reply,
        target: &DenyTarget,
        wills: &Wills,
        leftovers: Leftovers,
    ) -> Reply {
        let (Reply::Changed(mut change), Some(running)) = (reply.clone(), self.authority.live().running()) else {
            return reply;
        };
        let policy = self.authority.policy();
        let is_meant = |writer: &Principal| target.names(writer);
        let wills = wills.0.iter().filter(|will| !will.may_be_published(&policy)).count();
        match leftovers {
            Leftovers::Withhold => {
                let retained = running.hub.withheld_retained(&policy, is_meant);
                if retained + wills > 0 {
                    change.notes.push(format!(
                        "{retained} retained message(s) and {wills} will(s) of it are withheld from now on; \
                         the same command with --purge deletes them"
                    ));
                }
            }
            Leftovers::Purge => {
                let retained = running.hub.delete_withheld_retained(&policy, is_meant);
                if wills > 0 {
                    running.hub.delete_waiting_wills(is_meant);
                }
                change.notes.push(format!("{retained} retained message(s) and {wills} will(s) of it deleted"));
            }
        }
        Reply::Changed(change)
    }
}
