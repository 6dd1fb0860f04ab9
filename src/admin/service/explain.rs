//! Why somebody may or may not.

use super::devices::data;
use super::resolve::{Resolved, Unlisted};
use super::{Call, Service};
use crate::admin::reply::{AdminError, ExplanationView, Fault, Reply};
use crate::admin::request::{DeviceRef, Named, Who};
use crate::policy::record::DeviceStatus;
use crate::policy::{
    Action, Attributes, Change, ChangeSet, DeviceKey, DeviceRecord, Explanation, Policy, Principal, Refusal,
};
use std::sync::Arc;

impl Service {
    pub(super) fn explain(
        &self,
        call: Call<'_>,
        who: &Who,
        action: Action,
        topic: &str,
        client_id: Option<String>,
    ) -> Result<Reply, AdminError> {
        let (name, explanation) = match who {
            Who::Group(group) => self.explain_group(call, group, action, topic)?,
            Who::Device(device) => self.explain_device(device, action, topic, client_id)?,
        };
        Ok(Reply::Explanation(ExplanationView { who: name, action, topic: topic.to_owned(), explanation }))
    }

    fn explain_device(
        &self,
        device: &DeviceRef,
        action: Action,
        topic: &str,
        client_id: Option<String>,
    ) -> Result<(String, Explanation), AdminError> {
        let policy = self.authority.policy();
        let resolved = match self.resolve(device, Unlisted::Accepted) {
            Ok(resolved) => resolved,
            // Nobody of that name: to the broker it is an unknown device, and that is the answer.
            Err(error) if error.fault == Fault::Missing => return self.unknown(&policy, device, error),
            Err(error) => return Err(error),
        };
        let principal = self.principal(&resolved, client_id);
        let explanation = match policy.admit(&principal, &self.certificate(&resolved)?) {
            Ok(_) => policy.explain(&principal, action, topic).map_err(data)?,
            Err(refusal) => refused(&refusal, &resolved),
        };
        Ok((resolved.key.to_string(), explanation))
    }

    /// The certificate it is judged with: the one given, or for a name one that its record accepts.
    fn certificate(&self, resolved: &Resolved) -> Result<[u8; 32], AdminError> {
        if let Some(identity) = &resolved.identity {
            return Ok(identity.sha256);
        }
        let record = self.store().device(&resolved.key)?;
        Ok(record.and_then(|record| record.pins.first().copied()).unwrap_or_default())
    }

    /// The answer about a name that means no known device. Several of one common name are no answer.
    fn unknown(
        &self,
        policy: &Policy,
        device: &DeviceRef,
        error: AdminError,
    ) -> Result<(String, Explanation), AdminError> {
        let Named::Name(text) = &device.named else { return Err(error) };
        if !self.trust_blocks.contains(&device.trust) {
            return Err(error);
        }
        if self.is_bare(text) && policy.devices_by_common_name(text).iter().any(|key| *key.trust == *device.trust) {
            return Err(error);
        }
        let lines = std::iter::once("unknown device".to_owned()).chain(error.message.lines().map(str::to_owned));
        Ok((text.clone(), Explanation { allowed: false, rule: None, lines: lines.collect() }))
    }

    /// What a group's rules say by themselves: judged for a device that lists this group, and of which nothing else
    /// is known. It exists only in this question.
    fn explain_group(
        &self,
        call: Call<'_>,
        group: &str,
        action: Action,
        topic: &str,
    ) -> Result<(String, Explanation), AdminError> {
        let record = self.group(self.store(), group)?;
        let key = DeviceKey { trust: Arc::from(DeviceKey::DEFAULT_TRUST), name: Arc::from("a member of the group") };
        let member = DeviceRecord::new(key.clone(), DeviceStatus::Enabled, vec![record.name], Vec::new(), Vec::new())
            .map_err(data)?;
        let changes = ChangeSet { expected_generation: None, changes: vec![Change::PutDevice(member)] };
        let policy = self.authority.policy().with_changes(&changes, call.now)?;
        let principal = Principal { key, client_id: Arc::from(""), attributes: Arc::new(Attributes::default()) };
        let explanation = policy.explain(&principal, action, topic).map_err(data)?;
        Ok((format!("group {group}"), explanation))
    }
}

fn refused(refusal: &Refusal, resolved: &Resolved) -> Explanation {
    let mut lines = vec![refusal.to_string()];
    if resolved.identity.is_none() && matches!(refusal, Refusal::Unknown(_)) {
        lines.push(
            "groups that match a certificate were judged by this name alone: --cert FILE judges the whole".into(),
        );
    }
    Explanation { allowed: false, rule: None, lines }
}
