//! Distinguished names in RFC 4514 form: our own formatter and parser, because the text is the key of a device.
//!
//! ```text
//! DER of a Name --der.rs--> relative names --text.rs--> canonical text
//! typed text    --text.rs------^      attribute.rs: object identifier <-> short name
//! ```
//!
//! Canonical text and sequence of relative names correspond one to one. Nothing is folded (no case, no spaces, no
//! Unicode normalisation): only the choice among string types and the order inside a multi-valued relative name,
//! which is a set, do not count.

mod attribute;
pub(super) mod der;
mod text;

#[cfg(test)]
mod tests;

pub(super) use self::text::is_invisible;

use self::der::{NotDer, RelativeName, Value};
use std::sync::Arc;

const COMMON_NAME: &str = "2.5.4.3";
const ORGANISATION: &str = "2.5.4.10";
const UNIT: &str = "2.5.4.11";

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
    /// Parses what a person typed (RFC 4514 section 3; of RFC 2253 also spaces around separators, `;` and quoted
    /// values) and makes it canonical. Attribute types are taken in any case.
    ///
    /// # Errors
    /// The first place that does not belong to a distinguished name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        text::parse(text).map(Self::from_relative_names)
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same relative names in the opposite order: what people type who read a certificate from the front.
    pub fn reversed(&self) -> Self {
        let mut names = self.relative_names();
        names.reverse();
        Self::from_relative_names(names)
    }

    /// Whether the relative names of `suffix` are the last ones of this name: compared one by one, never as text.
    /// No name ends with the empty one.
    pub fn ends_with(&self, suffix: &Self) -> bool {
        let suffix = suffix.relative_names();
        !suffix.is_empty() && self.relative_names().ends_with(&suffix)
    }

    /// Every CN, in the order of the certificate.
    pub fn common_names(&self) -> Vec<String> {
        self.texts(COMMON_NAME)
    }

    /// Every O, in the order of the certificate.
    pub fn organisations(&self) -> Vec<String> {
        self.texts(ORGANISATION)
    }

    /// Every OU, in the order of the certificate.
    pub fn units(&self) -> Vec<String> {
        self.texts(UNIT)
    }

    /// From the DER of a `Name`, its SEQUENCE header included.
    pub(super) fn from_der(name: &[u8]) -> Result<Self, NotDer> {
        let mut names = der::relative_names(name)?;
        names.reverse();
        Ok(Self::from_relative_names(names))
    }

    /// The relative names as the text has them: the last of the certificate first.
    pub(super) fn relative_names(&self) -> Vec<RelativeName> {
        // The text of an empty name has no attribute; every other one was written by the formatter.
        text::parse(&self.text).unwrap_or_default()
    }

    /// The first attribute that must not name a device, and why.
    pub(super) fn fault(&self) -> Option<(String, &'static str)> {
        self.relative_names().iter().flatten().find_map(|attribute| {
            let fault = match &attribute.value {
                Value::Text(text) => value_fault(text)?,
                Value::Der(_) if attribute.is_undecodable() => "cannot be decoded",
                Value::Der(_) => return None,
            };
            Some((attribute.type_name().to_owned(), fault))
        })
    }

    fn texts(&self, oid: &str) -> Vec<String> {
        let names = self.relative_names();
        let attributes = names.iter().rev().flat_map(|relative| relative.iter().rev());
        let texts = attributes.filter(|attribute| attribute.oid == oid).map(|attribute| match &attribute.value {
            Value::Text(text) => text.clone(),
            // Counts as an occurrence, and an empty value fills no template.
            Value::Der(_) => String::new(),
        });
        texts.collect()
    }

    fn from_relative_names(names: Vec<RelativeName>) -> Self {
        Self { text: text::format(names).into() }
    }
}

impl std::fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why `value` must not name a device.
pub(super) fn value_fault(value: &str) -> Option<&'static str> {
    if value.is_empty() {
        Some("is empty")
    } else if value.contains('\0') {
        Some("contains NUL")
    } else if value.contains(char::is_control) {
        Some("contains a control character")
    } else {
        None
    }
}

/// The relative name `CN=<value>` as canonical texts contain it.
pub(super) fn common_name_text(value: &str) -> String {
    let attribute = der::Attribute { oid: COMMON_NAME.to_owned(), value: Value::Text(value.to_owned()) };
    text::format(vec![vec![attribute]])
}
