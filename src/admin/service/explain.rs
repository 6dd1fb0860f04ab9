//! Why somebody may or may not.

use super::devices::data;
use super::resolve::Unlisted;
use super::{Call, Service};
use crate::admin::reply::{AdminError, ExplanationView, Fault, Reply};
use crate::admin::request::{DeviceRef, Named, Who};
use crate::policy::record::DeviceStatus;
use crate::policy::{
    Action, Attributes, Change, ChangeSet, DeviceKey, DeviceRecord, Explanation, Policy, Principal, RecordLimits,
    Refusal,
};
use crate::protocol::{TopicFilter, TopicName};
use std::sync::Arc;

/// The device that lists a group, and exists only in a question about that group.
const MEMBER: &str = "a member of the group";

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
            Err(error) if error.fault == Fault::Missing => {
                judge_topic(action, topic)?;
                return self.unknown(&policy, device, error);
            }
            Err(error) => return Err(error),
        };
        let principal = self.principal(&resolved, client_id);
        let mut explanation = policy.explain(&principal, action, topic).map_err(data)?;
        match &resolved.identity {
            // The rules are about the device; whether this certificate may speak for it comes before them.
            Some(identity) => {
                if let Err(refusal @ Refusal::NotPinned(_)) = policy.admit(&principal, &identity.sha256) {
                    explanation = Explanation { allowed: false, rule: None, lines: vec![refusal.to_string()] };
                }
            }
            None if !explanation.allowed && self.store().device(&resolved.key)?.is_none() => {
                let hint = "judged by this name alone: --cert FILE judges the whole certificate";
                explanation.lines.push(hint.to_owned());
            }
            None => {}
        }
        Ok((resolved.key.to_string(), explanation))
    }

    /// The answer about a name that means no known device. Several of one common name are no answer.
    fn unknown(
        &self,
        policy: &Policy,
        device: &DeviceRef,
        error: AdminError,
    ) -> Result<(String, Explanation), AdminError> {
        let Named::Name(text) = &device.named else { return Err(error) };
        if !self.trust_blocks().contains(&device.trust) {
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
        let key = DeviceKey { trust: Arc::from(DeviceKey::DEFAULT_TRUST), name: Arc::from(MEMBER) };
        let member = DeviceRecord::new(
            key.clone(),
            DeviceStatus::Enabled,
            vec![record.name],
            Vec::new(),
            Vec::new(),
            RecordLimits::default(),
        )
        .map_err(data)?;
        let changes = ChangeSet { expected_generation: None, changes: vec![Change::PutDevice(member)] };
        let policy = self.authority.policy().with_changes(&changes, call.now)?;
        let principal =
            Principal { key, client_id: Arc::from(""), attributes: Arc::new(Attributes::default()), chain: None };
        let mut explanation = policy.explain(&principal, action, topic).map_err(data)?;
        let about_rules = |line: &String| !line.starts_with(&format!("device {MEMBER}"));
        explanation.lines.retain(about_rules);
        for line in &mut explanation.lines {
            *line = line.replace(&format!("'{MEMBER}'"), &format!("--group {group}"));
        }
        let judged = "judged for a member of which nothing else is known";
        explanation.lines.insert(0, judged.to_owned());
        Ok((format!("group {group}"), explanation))
    }
}

/// Text that is no topic is a fault of the question, whoever is asked about.
fn judge_topic(action: Action, topic: &str) -> Result<(), AdminError> {
    let judged = match action {
        Action::Publish => TopicName::parse(topic).map(|_| ()),
        Action::Subscribe => TopicFilter::parse(topic).map(|_| ()),
    };
    judged.map_err(|fault| data(format!("{topic:?}: {fault}")))
}
