//! Access rules of other brokers as records of ours, with an account of what became of every line.
//!
//! ```text
//! mosquitto ACL file         --mosquitto.rs---------.
//! mosquitto dynamic security --dynamic_security.rs---+-- Draft --> Translation { records, notes }
//! EMQX file rules            --emqx.rs, terms.rs----'
//! ```
//!
//! Nothing is widened in silence: what cannot be said here is left out and told; a deny that is left out says what it
//! opens. The three differ from certmq in two ways that matter everywhere: they filter at delivery what certmq refuses
//! at SUBSCRIBE, and the last two decide by order where here every deny beats every allow.

mod draft;
mod dynamic_security;
mod emqx;
mod mosquitto;

#[cfg(test)]
mod tests;

pub use dynamic_security::dynamic_security;
pub use emqx::emqx;
pub use mosquitto::mosquitto;

use super::name::common_name_text;
use super::{ClientIdRule, DeviceKey, Records, SubjectSelector};
use std::sync::Arc;

/// What came of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    /// The policy.
    pub records: Records,
    /// The account, in the order of the file.
    pub notes: Vec<Note>,
}

/// What became of one place of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How.
    pub outcome: Carried,
    /// Which: a line, or a path into the document.
    pub place: String,
    /// In words.
    pub text: String,
}

/// How much of something carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Carried {
    /// With the same meaning.
    Over,
    /// With another meaning, which the note tells.
    Differs,
    /// Not at all.
    LeftOut,
}

/// A file that cannot be read as what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ImportError {
    /// From 1.
    pub line: usize,
    /// What was found and what to do.
    pub message: String,
}

/// What the other broker made a client's user name of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UserName {
    /// The common name: mosquitto's `use_identity_as_username`, EMQX's `peer_cert_as_username = cn`.
    #[default]
    CommonName,
    /// The whole subject: mosquitto's `use_subject_as_username`, EMQX's `peer_cert_as_username = dn`.
    Subject,
}

/// How user names become devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// What names a device here (`identity.subject`).
    pub selector: SubjectSelector,
    /// Which client ids a device may use here (`identity.client_id`).
    pub client_id: ClientIdRule,
    /// What a user name is there.
    pub user_name: UserName,
    /// The rest of every subject, such as `O=acme`, where a user name is a common name and a device a subject.
    pub subject_suffix: Option<String>,
}

impl Names {
    /// The device of a user name.
    fn device(&self, user: &str) -> Result<DeviceKey, String> {
        let name = match (self.user_name, self.selector) {
            (UserName::CommonName, SubjectSelector::Dn) => {
                let common_name = common_name_text(user);
                let suffix = self.subject_suffix.as_deref().filter(|suffix| !suffix.is_empty());
                suffix.map_or_else(|| common_name.clone(), |suffix| format!("{common_name},{suffix}"))
            }
            (UserName::CommonName, SubjectSelector::Cn) | (UserName::Subject, SubjectSelector::Dn) => user.to_owned(),
            (UserName::Subject, SubjectSelector::Cn) => only_common_name(user)?,
            (_, SubjectSelector::SanUri | SubjectSelector::SanDns | SubjectSelector::SanEmail) => {
                return Err(
                    "identity.subject names devices by an alternative name, which a user name is not".to_owned()
                );
            }
        };
        let name = self.selector.typed_name(&name).map_err(|error| error.to_string())?;
        Ok(DeviceKey { trust: Arc::from(DeviceKey::DEFAULT_TRUST), name })
    }

    /// The device of a client id, where it says who somebody is.
    fn device_of_client(&self, client_id: &str) -> Result<DeviceKey, String> {
        match (self.client_id, self.user_name) {
            (ClientIdRule::CommonName, UserName::CommonName) => self.device(client_id),
            (ClientIdRule::CommonName, UserName::Subject) => Err("a client id is no subject".to_owned()),
            (ClientIdRule::Free, _) => Err("a client id proves nothing unless identity.client_id = \"cn\"".to_owned()),
        }
    }

    /// The template that a user name in a topic becomes.
    fn user_template(&self) -> &'static str {
        match self.user_name {
            UserName::CommonName => "{cn}",
            UserName::Subject => "{subject}",
        }
    }
}

fn only_common_name(subject: &str) -> Result<String, String> {
    let name = super::DistinguishedName::parse(subject).map_err(|error| error.to_string())?;
    match &name.common_names()[..] {
        [only] => Ok(only.clone()),
        _ => Err("the subject has not exactly one common name".to_owned()),
    }
}
