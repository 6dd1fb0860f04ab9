//! [`Service`]: carries out requests on a [`PolicyAuthority`]; the same in the broker and offline.

mod audited;
mod denials;
mod devices;
mod explain;
mod fleet;
mod groups;
mod leftovers;
mod pending;
mod reload;
mod resolve;
mod revocations;
mod rules;
mod sessions;

#[cfg(test)]
mod tests;

pub use audited::Place;
pub use reload::Reload;

use super::authority::{CommitError, PolicyAuthority};
use super::reply::{AdminError, ChangeOutcome, ChangeView, Fault, PolicyView, Reply, StatusView};
use super::request::Request;
use crate::config::TlsSettings;
use crate::policy::{Change, ChangeSet, CompileError, SubjectSelector};
use crate::store::policy_store::{PolicyStore, StoreError};
use crate::telemetry::audit::Audit;
use audited::Command;
use reload::TlsSource;
use std::sync::Arc;

/// Carries out requests.
#[derive(Debug)]
pub struct Service {
    /// Goes first: the trail ends in the store below.
    audit: Audit,
    place: Place,
    authority: Arc<PolicyAuthority>,
    selector: SubjectSelector,
    /// Whose blocks records belong to, and where the CAs are that issuers are named after.
    tls: TlsSource,
}

/// Who asks, and when.
#[derive(Clone, Copy, Debug)]
struct Call<'a> {
    author: &'a str,
    /// Unix seconds.
    now: i64,
}

/// What a request wants to change.
struct Plan {
    /// Empty: it is so already.
    changes: Vec<Change>,
    summary: String,
    rule: Option<super::reply::RuleView>,
    notes: Vec<String>,
}

impl Service {
    /// A service on `authority`. `selector` is what names a device; records of other trust blocks than those of `tls`
    /// could never connect.
    pub fn new(authority: Arc<PolicyAuthority>, selector: SubjectSelector, tls: TlsSettings) -> Self {
        let (audit, place) = (Audit::default(), Place::default());
        Self { audit, place, authority, selector, tls: TlsSource::Settings(tls) }
    }

    /// The same in a broker that `reload` reloads.
    #[must_use]
    pub fn reloaded_by(self, reload: Arc<dyn Reload>) -> Self {
        Self { tls: TlsSource::Broker(reload), ..self }
    }

    /// The authority below.
    pub fn authority(&self) -> &Arc<PolicyAuthority> {
        &self.authority
    }

    /// Carries out `request`. `author` goes into the journal; `now` in Unix seconds. Blocks while a change becomes
    /// durable.
    ///
    /// # Errors
    /// [`AdminError`]; nothing was changed then, but for [`Fault::NotDurable`].
    pub fn execute(&self, request: Request, author: &str, now: i64) -> Result<Reply, AdminError> {
        let command = Command::of(&request);
        let answer = self.carry_out(request, author, now);
        match command {
            Some(command) => self.record(&command, author, answer),
            None => answer,
        }
    }

    fn carry_out(&self, request: Request, author: &str, now: i64) -> Result<Reply, AdminError> {
        let call = Call { author, now };
        match request {
            Request::Status {} => Ok(Reply::Status(self.status())),
            Request::AddDevice { device, groups, pinning } => self.add_device(call, &device, &groups, pinning),
            Request::UnpinDevice { device, sha256 } => self.unpin_device(call, &device, sha256.as_deref()),
            Request::ListDevices {} => self.list_devices(),
            Request::ListPending {} => self.list_pending(),
            Request::ApproveDevice { device, groups } => self.approve_device(call, &device, &groups),
            Request::ShowDevice { device } => self.show_device(&device),
            Request::SetDeviceStatus { device, status } => self.set_device_status(call, &device, status),
            Request::RemoveDevice { device, leftovers } => self.remove_device(call, &device, leftovers),
            Request::AddGroup { name, matches } => self.add_group(call, &name, matches),
            Request::ListGroups {} => self.list_groups(),
            Request::ShowGroup { name } => self.show_group(&name),
            Request::RemoveGroup { name } => self.remove_group(call, &name),
            Request::AddRule { who, rule } => self.add_rule(call, &who, &rule),
            Request::ListRules { who } => self.list_rules(&who),
            Request::RemoveRule { rule, who } => self.remove_rule(call, &rule, who.as_ref()),
            Request::Explain { who, action, topic, client_id } => self.explain(call, &who, action, &topic, client_id),
            Request::Export {} => self.export(),
            Request::Apply { text, scope, allow_remove } => self.apply(call, &text, scope, allow_remove),
            Request::Plan { target } => self.plan(call, &target),
            Request::History { limit } => self.history(limit),
            Request::Rollback { generation } => self.rollback(call, generation),
            Request::Revoke { target, leftovers } => self.revoke(call, &target, leftovers),
            Request::Reload {} => self.reload(call),
            Request::ListDenials {} => Ok(self.list_denials()),
            Request::LiftDenial { id } => self.lift(call, id),
            Request::ListSessions { who, after } => self.list_sessions(who.as_ref(), after),
            Request::ShowSession { device, client_id } => self.show_session(&device, client_id.as_deref()),
            Request::DisconnectSessions { who, client_id } => {
                self.disconnect_sessions(call, &who, client_id.as_deref())
            }
            Request::RemoveSessions { device, choice } => self.remove_sessions(call, &device, &choice),
            Request::Denials { who, after, .. } => self.denials(who.as_ref(), after),
            Request::AuditAnchor {} => self.audit_anchor(),
        }
    }

    fn status(&self) -> StatusView {
        let policy = self.authority.policy();
        StatusView {
            broker: self.authority.live().status(),
            policy: PolicyView {
                generation: policy.generation(),
                devices: policy.device_count(),
                compiled_bytes: policy.heap_bytes(),
                store: self.store().folder().display().to_string(),
                not_durable: self.store().held_changes(),
            },
        }
    }

    fn store(&self) -> &PolicyStore {
        self.authority.store()
    }

    /// Plans from the records and commits; nobody else changes them in between.
    fn change(
        &self,
        call: Call<'_>,
        plan: impl FnOnce(&PolicyStore) -> Result<Plan, AdminError>,
    ) -> Result<Reply, AdminError> {
        let (policy, plan) = self.authority.change(call.author, call.now, |store| {
            let mut plan = plan(store)?;
            let changes = std::mem::take(&mut plan.changes);
            let outcome = if changes.is_empty() { ChangeOutcome::Unchanged } else { ChangeOutcome::Changed };
            let changes = (!changes.is_empty()).then_some(ChangeSet { expected_generation: None, changes });
            Ok::<_, AdminError>((changes, (outcome, plan)))
        })?;
        let (outcome, Plan { summary, rule, notes, .. }) = plan;
        Ok(Reply::Changed(ChangeView { outcome, generation: policy.generation(), summary, rule, notes }))
    }
}

impl Plan {
    fn new(changes: Vec<Change>, summary: String) -> Self {
        Self { changes, summary, rule: None, notes: Vec::new() }
    }

    /// It is so already.
    fn nothing(summary: String) -> Self {
        Self::new(Vec::new(), summary)
    }
}

impl From<CommitError> for AdminError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Compile(error) => error.into(),
            CommitError::Store(error) => error.into(),
            CommitError::NotDurable(_) => Self::new(Fault::NotDurable, error.to_string()),
        }
    }
}

impl From<CompileError> for AdminError {
    fn from(error: CompileError) -> Self {
        let fault = match &error {
            CompileError::NoSuchGroup { .. } | CompileError::NoSuchDevice(_) | CompileError::NoSuchDenial(_) => {
                Fault::Missing
            }
            _ => Fault::Data,
        };
        Self::new(fault, error.to_string())
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        let fault = match &error {
            StoreError::InUse { .. } => Fault::InUse,
            StoreError::NoSuchDevice { .. }
            | StoreError::NoSuchGroup { .. }
            | StoreError::NoSuchDenial { .. }
            | StoreError::NoSuchGeneration { .. } => Fault::Missing,
            StoreError::Exposed { .. } => Fault::NotPermitted,
            StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Fault::NotPermitted
            }
            StoreError::Io { .. } | StoreError::Full { .. } | StoreError::ReadOnly { .. } => Fault::CannotCreate,
            _ => Fault::Data,
        };
        Self::new(fault, error.to_string())
    }
}
