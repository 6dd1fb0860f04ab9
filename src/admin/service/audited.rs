//! What of the requests goes into the audit trail: every one that may change something, whatever becomes of it.

use super::Service;
use crate::admin::reply::{AdminError, ChangeOutcome, ChangeView, Fault, Reply, SessionsEndedView};
use crate::admin::request::{DeviceRef, FleetScope, Named, Request, RevokeTarget, SessionChoice, Who};
use crate::policy::Effect;
use crate::policy::record::DeviceStatus;
use crate::telemetry::audit::{Audit, Event, Outcome};

/// Where requests come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Over the socket of a running broker.
    Socket,
    /// On the store itself.
    #[default]
    Offline,
}

/// A request as the trail names it.
pub(super) struct Command {
    name: &'static str,
    /// To what it was to be done, where it is not.
    what: String,
}

impl Command {
    /// The command that a request is; none where it only reads.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let (name, what) = match request {
            Request::AddDevice { device, .. } => ("device add", text(device)),
            Request::ApproveDevice { device, .. } => ("device approve", text(device)),
            Request::UnpinDevice { device, .. } => ("device unpin", text(device)),
            Request::SetDeviceStatus { device, status: DeviceStatus::Enabled } => ("device enable", text(device)),
            Request::SetDeviceStatus { device, status: DeviceStatus::Disabled } => ("device disable", text(device)),
            Request::RemoveDevice { device, .. } => ("device remove", text(device)),
            Request::AddGroup { name, .. } => ("group add", name.clone()),
            Request::RemoveGroup { name } => ("group remove", name.clone()),
            Request::AddRule { who, rule } => {
                let name = if rule.effect == Effect::Allow { "acl allow" } else { "acl deny" };
                (name, format!("{} {} {}", whom(who), rule.action.as_str(), rule.filter))
            }
            Request::RemoveRule { rule, .. } => ("acl remove", rule.clone()),
            Request::Apply { scope: FleetScope::Whole, .. } => ("apply", "the whole policy".to_owned()),
            Request::Apply { scope: FleetScope::Addition, .. } => ("apply --merge", "a part of the policy".to_owned()),
            Request::Rollback { generation } => ("rollback", format!("to generation {generation}")),
            Request::DisconnectSessions { who, client_id } => {
                ("session disconnect", format!("{} {}", whom(who), client_id.as_deref().unwrap_or_default()))
            }
            Request::RemoveSessions { device, choice } => {
                let which = match choice {
                    SessionChoice::ClientId(client_id) => client_id,
                    SessionChoice::All => "all",
                };
                ("session remove", format!("{} {which}", text(device)))
            }
            Request::Revoke { target, .. } => ("revoke", revoked(target)),
            Request::LiftDenial { id } => ("revoke --undo", format!("entry {id}")),
            Request::Status {}
            | Request::ListDevices {}
            | Request::ListPending {}
            | Request::ShowDevice { .. }
            | Request::ListGroups {}
            | Request::ShowGroup { .. }
            | Request::ListRules { .. }
            | Request::Explain { .. }
            | Request::Export {}
            | Request::Plan { .. }
            | Request::History { .. }
            | Request::ListSessions { .. }
            | Request::ShowSession { .. }
            | Request::ListDenials {}
            // It is an event of its own.
            | Request::Reload {}
            | Request::Denials { .. }
            | Request::AuditAnchor {} => return None,
        };
        Some(Self { name, what })
    }
}

impl Service {
    /// Records what became of `command`. An answer that cannot be recorded stands, and says so.
    pub(super) fn record(
        &self,
        command: &Command,
        author: &str,
        answer: Result<Reply, AdminError>,
    ) -> Result<Reply, AdminError> {
        let (outcome, summary, rule) = match &answer {
            Ok(Reply::Changed(ChangeView { outcome, summary, rule, .. })) => {
                let outcome = match outcome {
                    ChangeOutcome::Changed => Outcome::Changed,
                    ChangeOutcome::Unchanged => Outcome::Unchanged,
                };
                (outcome, summary.clone(), rule.as_ref().map(|rule| rule.id.clone()))
            }
            Ok(Reply::SessionsEnded(SessionsEndedView { summary, .. })) => (Outcome::Changed, summary.clone(), None),
            Ok(_) => (Outcome::Changed, command.what.clone(), None),
            Err(error) => {
                let outcome = if error.fault == Fault::NotDurable { Outcome::InMemory } else { Outcome::Refused };
                (outcome, format!("{}: {}", command.what, error.message), None)
            }
        };
        let recorded = self.audit.confirm(Event::AdminChange {
            who: author.into(),
            place: self.place.as_str().to_owned(),
            command: command.name.to_owned(),
            outcome,
            generation: self.authority.policy().generation(),
            summary: summary.into(),
            rule,
        });
        match recorded {
            Ok(()) => answer,
            Err(fault) => Self::unrecorded(command, &fault, answer),
        }
    }

    fn unrecorded(command: &Command, fault: &str, answer: Result<Reply, AdminError>) -> Result<Reply, AdminError> {
        tracing::error!(command = command.name, "an administrative change is not in the audit trail: {fault}");
        answer.map(|reply| match reply {
            Reply::Changed(mut change) => {
                change.notes.push(format!("this is not in the audit trail: {fault}"));
                Reply::Changed(change)
            }
            other => other,
        })
    }

    /// The same, recorded in `audit` as coming from `place`.
    #[must_use]
    pub fn audited(self, audit: Audit, place: Place) -> Self {
        Self { audit, place, ..self }
    }
}

impl Place {
    fn as_str(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Offline => "offline",
        }
    }
}

fn text(device: &DeviceRef) -> String {
    match &device.named {
        Named::Name(name) => format!("device {name}"),
        Named::Certificate(_) => "the device of a certificate".to_owned(),
    }
}

fn revoked(target: &RevokeTarget) -> String {
    match target {
        RevokeTarget::Device(device) => text(device),
        RevokeTarget::Certificate(_) => "a certificate".to_owned(),
        RevokeTarget::Serial { serial, issuer } => {
            format!("serial number {serial} of {}", issuer.as_deref().unwrap_or("the one CA"))
        }
    }
}

fn whom(who: &Who) -> String {
    match who {
        Who::Device(device) => text(device),
        Who::Group(group) => format!("group {group}"),
    }
}
