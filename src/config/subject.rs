//! [`SubjectSuffix`]: which subjects a trust block vouches for.

use crate::policy::DistinguishedName;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// The last relative names of a subject as RFC 4514 writes it: `O=acme` lets `CN=dev-0001,O=acme` pass. Compared
/// relative name by relative name, never as text. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubjectSuffix(DistinguishedName);

impl SubjectSuffix {
    /// The relative names, canonical.
    pub fn name(&self) -> &DistinguishedName {
        &self.0
    }
}

impl FromStr for SubjectSuffix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match DistinguishedName::parse(text) {
            Ok(name) => Ok(Self(name)),
            Err(fault) => Err(format!("{text:?}: {fault}; write the end of a subject as in \"OU=sensors,O=acme\"")),
        }
    }
}

impl TryFrom<String> for SubjectSuffix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<SubjectSuffix> for String {
    fn from(suffix: SubjectSuffix) -> Self {
        suffix.0.as_str().to_owned()
    }
}
