//! Distinguished names in RFC 4514 form: our own formatter and parser, because the text is the key of a device.

use std::sync::Arc;

/// A distinguished name, canonical: equal names have equal text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DistinguishedName {
    text: Arc<str>,
}

/// Why a typed name is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a distinguished name at character {position}: {fault}")]
pub struct NameError {
    /// Characters from the front, from 1.
    pub position: usize,
    /// What is wrong there.
    pub fault: &'static str,
}

impl DistinguishedName {
    /// Parses what a person typed (RFC 4514 section 3) and makes it canonical.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let _ = text;
        todo!()
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same relative names in the opposite order: what people type who read a certificate from the front.
    pub fn reversed(&self) -> Self {
        todo!()
    }
}
