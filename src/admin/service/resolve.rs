//! From what an operator names to the device that is meant.

use super::Service;
use crate::admin::reply::{AdminError, Fault};
use crate::admin::request::{DeviceRef, Named};
use crate::config::nearest;
use crate::policy::{DeviceKey, DistinguishedName, Identity, Principal, SubjectSelector};
use crate::telemetry::log::escape;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::sync::Arc;

/// How many candidates a message names.
const CANDIDATES: usize = 10;

/// A device that was named.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) key: DeviceKey,
    /// Where it was named by a certificate.
    pub(super) identity: Option<Identity>,
}

/// Whether a name may mean a device that has no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unlisted {
    /// It must be known, by a record or, for rules that groups bring, by its full name.
    Accepted,
    /// It must have a record.
    Missing,
}

impl Service {
    /// The device that `device` names.
    ///
    /// # Errors
    /// Not a name at all (65); a bare name of none or several, no record where one is needed (66, with candidates).
    pub(super) fn resolve(&self, device: &DeviceRef, unlisted: Unlisted) -> Result<Resolved, AdminError> {
        self.judge_trust(&device.trust)?;
        let resolved = match &device.named {
            Named::Certificate(base64) => self.by_certificate(&device.trust, base64)?,
            Named::Name(text) if self.is_bare(text) => self.by_common_name(&device.trust, text)?,
            Named::Name(text) => {
                let name = self.canonical(text)?;
                Resolved { key: DeviceKey { trust: Arc::from(device.trust.as_str()), name }, identity: None }
            }
        };
        if resolved.identity.is_none() || unlisted == Unlisted::Missing {
            self.judge_listed(&resolved.key, unlisted)?;
        }
        Ok(resolved)
    }

    /// The canonical form of a name that a person typed.
    pub(super) fn canonical(&self, text: &str) -> Result<Arc<str>, AdminError> {
        self.selector.typed_name(text).map_err(|error| {
            let remedy =
                "write it as RFC 4514 does, for example 'CN=dev-0001,O=acme'; `certmq cert identity FILE` prints it";
            AdminError::new(Fault::Data, format!("{:?}: {error}; {remedy}", escape(text)))
        })
    }

    /// Whether `text` is a common name where a whole subject names devices.
    pub(super) fn is_bare(&self, text: &str) -> bool {
        self.selector == SubjectSelector::Dn && !text.contains('=')
    }

    /// What rules can ask about a device: from its certificate, or as far as its name says. Without a client id it is
    /// taken to be the common name.
    pub(super) fn principal(&self, resolved: &Resolved, client_id: Option<String>) -> Principal {
        let key = resolved.key.clone();
        let principal = match &resolved.identity {
            Some(identity) => {
                let client_id = identity.common_names.first().map(|name| Arc::from(name.as_str()));
                Principal::of(identity, key, client_id.unwrap_or_default())
            }
            None => Principal::named(key, self.selector),
        };
        match client_id {
            Some(client_id) => Principal { client_id: Arc::from(client_id), ..principal },
            None => principal,
        }
    }

    fn judge_trust(&self, trust: &str) -> Result<(), AdminError> {
        let blocks = self.trust_blocks();
        if blocks.iter().any(|block| block == trust) {
            return Ok(());
        }
        let listed = blocks.join(", ");
        let message = match nearest(trust, blocks.iter().map(String::as_str)) {
            Some(near) => format!("no trust block {trust:?} in the settings; did you mean {near}?"),
            None => format!("no trust block {trust:?} in the settings; there are: {listed} (give one with --trust)"),
        };
        Err(AdminError::new(Fault::Missing, message))
    }

    pub(super) fn by_certificate(&self, trust: &str, base64: &str) -> Result<Resolved, AdminError> {
        let data = |message: String| AdminError::new(Fault::Data, message);
        let der =
            BASE64_STANDARD.decode(base64).map_err(|error| data(format!("the certificate is not Base64: {error}")))?;
        let identity = Identity::of_any_version(&der).map_err(|error| data(error.to_string()))?;
        let name = identity.device_name(self.selector).map_err(|error| data(error.to_string()))?;
        Ok(Resolved { key: DeviceKey { trust: Arc::from(trust), name }, identity: Some(identity) })
    }

    fn by_common_name(&self, trust: &str, text: &str) -> Result<Resolved, AdminError> {
        let mut found = self.authority.policy().devices_by_common_name(text);
        found.retain(|key| &*key.trust == trust);
        match found.len() {
            1 => Ok(Resolved { key: found.remove(0), identity: None }),
            0 => Err(AdminError::new(Fault::Missing, self.no_common_name(text)?)),
            count => {
                let mut message =
                    format!("{count} devices have the common name {text:?}; name one by its whole subject:");
                list(&mut message, found.iter().map(|key| &*key.name));
                Err(AdminError::new(Fault::Missing, message))
            }
        }
    }

    fn no_common_name(&self, text: &str) -> Result<String, AdminError> {
        let mut message = format!("no device has the common name {:?}", escape(text));
        let near = self.near(text)?;
        if near.is_empty() {
            message.push_str("; list the devices with `certmq device list`, or name it by its whole subject");
        } else {
            message.push_str("; did you mean one of these?");
            list(&mut message, near.iter().map(String::as_str));
        }
        Ok(message)
    }

    /// Names of records whose common name looks like `text`.
    fn near(&self, text: &str) -> Result<Vec<String>, AdminError> {
        let mut near = Vec::new();
        for record in self.store().devices() {
            let name = record?.key.name;
            let common = DistinguishedName::parse(&name).map(|name| name.common_names()).unwrap_or_default();
            if nearest(text, common.iter().map(String::as_str)).is_some() {
                near.push(name.to_string());
                if near.len() == CANDIDATES {
                    break;
                }
            }
        }
        Ok(near)
    }

    /// A name without a record may be a slip: one in the wrong order certainly is.
    fn judge_listed(&self, key: &DeviceKey, unlisted: Unlisted) -> Result<(), AdminError> {
        if self.store().device(key)?.is_some() {
            return Ok(());
        }
        if let Some(known) = self.reversed(key)? {
            let message = format!("no device {}; did you mean '{known}'?", key.name);
            return Err(AdminError::new(Fault::Missing, message));
        }
        match unlisted {
            Unlisted::Accepted => Ok(()),
            Unlisted::Missing => Err(AdminError::new(Fault::Missing, self.not_listed(key))),
        }
    }

    fn not_listed(&self, key: &DeviceKey) -> String {
        let mut message = format!("no device {}", key.name);
        let blocks = self.trust_blocks();
        let blocks = blocks.iter().filter(|block| **block != *key.trust);
        let elsewhere: Vec<&String> = blocks
            .filter(|block| {
                let key = DeviceKey { trust: Arc::from(block.as_str()), name: Arc::clone(&key.name) };
                matches!(self.store().device(&key), Ok(Some(_)))
            })
            .collect();
        match elsewhere.as_slice() {
            [] => message.push_str(&format!("; add it with `certmq device add '{}'`", key.name)),
            [block, ..] => message.push_str(&format!(" under {}; there is one with --trust {block}", key.trust)),
        }
        message
    }

    /// The record whose name is `key`'s in the opposite order.
    pub(super) fn reversed(&self, key: &DeviceKey) -> Result<Option<Arc<str>>, AdminError> {
        if self.selector != SubjectSelector::Dn {
            return Ok(None);
        }
        let Ok(name) = DistinguishedName::parse(&key.name) else { return Ok(None) };
        let name: Arc<str> = Arc::from(name.reversed().as_str());
        if name == key.name {
            return Ok(None);
        }
        let reversed = DeviceKey { trust: Arc::clone(&key.trust), name: Arc::clone(&name) };
        Ok(self.store().device(&reversed)?.map(|_| name))
    }
}

/// Appends the first candidates, one a line.
fn list<'a>(message: &mut String, candidates: impl Iterator<Item = &'a str>) {
    for (index, candidate) in candidates.enumerate() {
        if index == CANDIDATES {
            message.push_str("\n  …");
            return;
        }
        message.push_str("\n  ");
        message.push_str(&escape(candidate));
    }
}
