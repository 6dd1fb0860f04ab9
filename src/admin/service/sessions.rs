//! Requests about sessions, which live in the memory of a running broker.

use super::resolve::Unlisted;
use super::{Call, Service};
use crate::admin::authority::Running;
use crate::admin::reply::{AdminError, Fault, Reply, SessionDetailView, SessionsEndedView, SessionsView};
use crate::admin::request::{DeviceRef, Named, SessionChoice, Who};
use crate::config::nearest;
use crate::hub::{Removed, Selection, SessionCursor, Wakes};
use crate::policy::DeviceKey;
use crate::protocol::ReasonCode;
use crate::telemetry::log::escape;
use std::sync::Arc;

/// Sessions in one reply.
const PAGE: usize = 1_000;

/// Client ids that a message names.
const CANDIDATES: usize = 10;

impl Service {
    pub(super) fn list_sessions(&self, who: Option<&Who>, after: SessionCursor) -> Result<Reply, AdminError> {
        let running = self.running()?;
        let device;
        let selection = match who {
            None => Selection::All,
            Some(Who::Group(name)) => {
                self.group(self.store(), name)?;
                Selection::Group(name)
            }
            Some(Who::Device(named)) => {
                device = self.device_with_sessions(named, running)?;
                Selection::Device(&device)
            }
        };
        let page = running.hub.sessions(selection, after, PAGE);
        Ok(Reply::Sessions(SessionsView::of(&page, running)))
    }

    pub(super) fn show_session(&self, device: &DeviceRef, client_id: Option<&str>) -> Result<Reply, AdminError> {
        let running = self.running()?;
        let device = self.device_with_sessions(device, running)?;
        let client_ids = running.hub.client_ids(&device);
        let client_id = match (client_id, client_ids.as_slice()) {
            (Some(client_id), _) => client_id,
            (None, [only]) => only,
            (None, []) => return Err(no_session(&device)),
            (None, several) => {
                let count = several.len();
                let message = format!("device {device} has {count} sessions; name one by its client id:");
                return Err(AdminError::new(Fault::Missing, listed(message, several)));
            }
        };
        match running.hub.session(&device, client_id) {
            Some(facts) => Ok(Reply::Session(Box::new(SessionDetailView::of(&facts, running)))),
            None => Err(no_client_id(&device, client_id, &client_ids)),
        }
    }

    /// Closes connections; their sessions stay.
    pub(super) fn disconnect_sessions(
        &self,
        call: Call<'_>,
        who: &Who,
        client_id: Option<&str>,
    ) -> Result<Reply, AdminError> {
        let running = self.running()?;
        let mut wakes = Wakes::default();
        let reason = ReasonCode::AdministrativeAction;
        let (whose, disconnected) = match (who, client_id) {
            (Who::Group(group), None) => {
                self.group(self.store(), group)?;
                (format!("group {group}"), running.hub.disconnect_group(group, reason, &mut wakes))
            }
            (Who::Group(_), Some(_)) => {
                return Err(AdminError::new(Fault::Data, "a client id belongs to a device, not to a group"));
            }
            (Who::Device(named), client_id) => {
                let device = self.device_with_sessions(named, running)?;
                let closed = match client_id {
                    Some(client_id) => running
                        .hub
                        .disconnect_session(&device, client_id, reason, &mut wakes)
                        .ok_or_else(|| no_client_id(&device, client_id, &running.hub.client_ids(&device)))?,
                    None if running.hub.client_ids(&device).is_empty() => return Err(no_session(&device)),
                    None => running.hub.disconnect_device(&device, reason, &mut wakes),
                };
                (format!("device {device}"), closed)
            }
        };
        tracing::info!(
            by = call.author,
            whose = %escape(&whose),
            client_id = client_id.map(escape).as_deref(),
            disconnected,
            "an operator closed connections"
        );
        let summary = format!("{disconnected} connection(s) of {whose} closed");
        Ok(Reply::SessionsEnded(SessionsEndedView { disconnected, summary, ..SessionsEndedView::default() }))
    }

    /// Ends sessions for good.
    pub(super) fn remove_sessions(
        &self,
        call: Call<'_>,
        device: &DeviceRef,
        choice: &SessionChoice,
    ) -> Result<Reply, AdminError> {
        let running = self.running()?;
        let device = self.device_with_sessions(device, running)?;
        let client_ids = running.hub.client_ids(&device);
        let chosen = match choice {
            SessionChoice::All => client_ids.clone(),
            SessionChoice::ClientId(client_id) => vec![Arc::from(client_id.as_str())],
        };
        let mut ended = SessionsEndedView::default();
        for client_id in &chosen {
            let reason = ReasonCode::AdministrativeAction;
            let removed = running.hub.remove_session(&device, client_id, reason, running.now, &mut Wakes::default());
            if let Some(Removed { connected, subscriptions, queued, inflight }) = removed {
                ended.removed += 1;
                ended.disconnected += usize::from(connected);
                ended.subscriptions += subscriptions;
                ended.messages += queued + inflight;
            }
        }
        match (choice, ended.removed) {
            (SessionChoice::ClientId(client_id), 0) => return Err(no_client_id(&device, client_id, &client_ids)),
            (SessionChoice::All, 0) => return Err(no_session(&device)),
            (_, removed) => tracing::info!(
                by = call.author,
                device = %escape(&device.to_string()),
                client_ids = %escape(&chosen.join(" ")),
                removed,
                disconnected = ended.disconnected,
                messages = ended.messages,
                "an operator removed sessions"
            ),
        }
        ended.summary = format!(
            "{} session(s) of device {device} removed, with {} subscription(s) and {} message(s); {} connection(s) closed",
            ended.removed, ended.subscriptions, ended.messages, ended.disconnected
        );
        Ok(Reply::SessionsEnded(ended))
    }

    pub(super) fn running(&self) -> Result<Running<'_>, AdminError> {
        self.authority
            .live()
            .running()
            .ok_or_else(|| AdminError::new(Fault::NoBroker, "this is in the memory of a running broker, and none runs"))
    }

    /// The device that is meant: known by its record, or, without one, by a session it has.
    fn device_with_sessions(&self, device: &DeviceRef, running: Running<'_>) -> Result<DeviceKey, AdminError> {
        let unresolved = match self.resolve(device, Unlisted::Accepted) {
            Ok(resolved) => return Ok(resolved.key),
            Err(error) if error.fault == Fault::Missing => error,
            Err(error) => return Err(error),
        };
        let Named::Name(text) = &device.named else { return Err(unresolved) };
        if !self.is_bare(text) || !self.trust_blocks().contains(&device.trust) {
            return Err(unresolved);
        }
        let mut found = running.hub.devices_by_common_name(text);
        found.retain(|key| *key.trust == *device.trust);
        match found.as_slice() {
            [only] => Ok(only.clone()),
            // None with a session, or several: what was said of records holds.
            _ => Err(unresolved),
        }
    }
}

fn no_session(device: &DeviceKey) -> AdminError {
    let remedy = "list those there are with `certmq session list`";
    AdminError::new(Fault::Missing, format!("device {device} has no session; {remedy}"))
}

fn no_client_id(device: &DeviceKey, client_id: &str, client_ids: &[Arc<str>]) -> AdminError {
    if client_ids.is_empty() {
        return no_session(device);
    }
    let mut message = format!("device {device} has no session with the client id {client_id:?}");
    if let Some(near) = nearest(client_id, client_ids.iter().map(|id| &**id)) {
        message.push_str(&format!("; did you mean {}?", escape(near)));
        return AdminError::new(Fault::Missing, message);
    }
    message.push_str("; it has:");
    AdminError::new(Fault::Missing, listed(message, client_ids))
}

fn listed(mut message: String, client_ids: &[Arc<str>]) -> String {
    for client_id in client_ids.iter().take(CANDIDATES) {
        message.push_str("\n  ");
        message.push_str(&escape(client_id));
    }
    if client_ids.len() > CANDIDATES {
        message.push_str("\n  …");
    }
    message
}
