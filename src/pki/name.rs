//! From the text of a distinguished name to its DER, and subject alternative names.

#[cfg(test)]
mod tests;

use super::PkiError;
use super::der::{self, Element, IA5_STRING, PRINTABLE_STRING, SEQUENCE, SET, UTF8_STRING};
use crate::policy::DistinguishedName;
use std::net::IpAddr;

/// The string type that the standards want for an attribute's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StringType {
    /// UTF8String (RFC 5280 section 4.1.2.4).
    Utf8,
    /// PrintableString where its letters suffice.
    Printable,
    /// IA5String where its letters suffice.
    Ia5,
}

/// Attribute types by the names that canonical text uses. Types whose values are no strings are written as `#` and
/// their DER.
const ATTRIBUTE_TYPES: &[(&str, &str, StringType)] = &[
    ("CN", "2.5.4.3", StringType::Utf8),
    ("SN", "2.5.4.4", StringType::Utf8),
    ("serialNumber", "2.5.4.5", StringType::Printable),
    ("C", "2.5.4.6", StringType::Printable),
    ("L", "2.5.4.7", StringType::Utf8),
    ("ST", "2.5.4.8", StringType::Utf8),
    ("street", "2.5.4.9", StringType::Utf8),
    ("O", "2.5.4.10", StringType::Utf8),
    ("OU", "2.5.4.11", StringType::Utf8),
    ("title", "2.5.4.12", StringType::Utf8),
    ("description", "2.5.4.13", StringType::Utf8),
    ("businessCategory", "2.5.4.15", StringType::Utf8),
    ("postalCode", "2.5.4.17", StringType::Utf8),
    ("postOfficeBox", "2.5.4.18", StringType::Utf8),
    ("physicalDeliveryOfficeName", "2.5.4.19", StringType::Utf8),
    ("telephoneNumber", "2.5.4.20", StringType::Printable),
    ("name", "2.5.4.41", StringType::Utf8),
    ("GN", "2.5.4.42", StringType::Utf8),
    ("initials", "2.5.4.43", StringType::Utf8),
    ("generationQualifier", "2.5.4.44", StringType::Utf8),
    ("dnQualifier", "2.5.4.46", StringType::Printable),
    ("pseudonym", "2.5.4.65", StringType::Utf8),
    ("role", "2.5.4.72", StringType::Utf8),
    ("organizationIdentifier", "2.5.4.97", StringType::Utf8),
    ("UID", "0.9.2342.19200300.100.1.1", StringType::Utf8),
    ("mail", "0.9.2342.19200300.100.1.3", StringType::Ia5),
    ("DC", "0.9.2342.19200300.100.1.25", StringType::Ia5),
    ("emailAddress", "1.2.840.113549.1.9.1", StringType::Ia5),
    ("unstructuredName", "1.2.840.113549.1.9.2", StringType::Utf8),
    ("unstructuredAddress", "1.2.840.113549.1.9.8", StringType::Utf8),
    ("jurisdictionL", "1.3.6.1.4.1.311.60.2.1.1", StringType::Utf8),
    ("jurisdictionST", "1.3.6.1.4.1.311.60.2.1.2", StringType::Utf8),
    ("jurisdictionC", "1.3.6.1.4.1.311.60.2.1.3", StringType::Printable),
];

/// Encodes the name that `text` (RFC 4514) writes. The text starts with the last component, the DER with the first.
pub(super) fn encode(text: &str) -> Result<Vec<u8>, PkiError> {
    let refused =
        |fault: &str| PkiError::Request(format!("the subject {text:?} {fault}; write it like CN=dev-1,O=acme"));
    let name = DistinguishedName::parse(text).map_err(|error| refused(&format!("is {error}")))?;
    if name.as_str().is_empty() {
        return Err(refused("is empty"));
    }
    let mut components = Vec::new();
    for relative in split(name.as_str(), ',') {
        let mut attributes = Vec::new();
        for attribute in split(relative, '+') {
            attributes.push(
                encode_attribute(attribute)
                    .ok_or_else(|| refused(&format!("has {attribute:?}, which cannot be issued")))?,
            );
        }
        // A SET OF is sorted by its encodings (X.690 section 11.6).
        attributes.sort_unstable();
        components.push(der::element(SET, &attributes.concat()));
    }
    components.reverse();
    Ok(der::element(SEQUENCE, &components.concat()))
}

/// `CN=value` with the characters of `value` escaped as RFC 4514 section 2.4 wants it.
pub(super) fn common_name(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::from("CN=");
    for (index, c) in value.chars().enumerate() {
        let edge = (c == ' ' && (index == 0 || index == last)) || (c == '#' && index == 0);
        if edge || "\",+;<>\\".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

fn encode_attribute(text: &str) -> Option<Vec<u8>> {
    let (kind, value) = text.split_once('=')?;
    let known = ATTRIBUTE_TYPES.iter().find(|(name, oid, _)| *name == kind || *oid == kind);
    let identifier = der::object_identifier(known.map_or(kind, |(_, oid, _)| oid))?;
    let value = match value.strip_prefix('#') {
        Some(digits) => {
            let raw = super::hexadecimal(digits)?;
            Element::whole(&raw).ok()?;
            raw
        }
        None => {
            let value = unescape(value)?;
            let tag = match known.map_or(StringType::Utf8, |(.., string_type)| *string_type) {
                StringType::Printable if value.chars().all(is_printable) => PRINTABLE_STRING,
                StringType::Ia5 if value.is_ascii() => IA5_STRING,
                StringType::Utf8 | StringType::Printable | StringType::Ia5 => UTF8_STRING,
            };
            der::element(tag, value.as_bytes())
        }
    };
    Some(der::element(SEQUENCE, &[identifier, value].concat()))
}

/// The letters of PrintableString (X.680 section 41.4).
fn is_printable(c: char) -> bool {
    c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c)
}

/// Splits at separators that no backslash escapes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut from = 0;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == separator && !escaped {
            parts.extend(text.get(from..at));
            from = at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    parts.extend(text.get(from..));
    parts
}

/// Resolves `\,` and `\C3\A9` (RFC 4514 section 2.4).
fn unescape(text: &str) -> Option<String> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        octets.extend_from_slice(rest.get(..at)?.as_bytes());
        let escape = rest.get(at + 1..)?;
        if let Some(octet) = escape.get(..2).and_then(super::hexadecimal) {
            octets.extend_from_slice(&octet);
            rest = escape.get(2..)?;
        } else {
            let c = escape.chars().next()?;
            octets.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            rest = escape.get(c.len_utf8()..)?;
        }
    }
    octets.extend_from_slice(rest.as_bytes());
    String::from_utf8(octets).ok()
}

/// Tags of GeneralName (RFC 5280 section 4.2.1.6): rfc822Name, dNSName, URI, iPAddress.
const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;
const IP: u8 = 0x87;

/// Encodes GeneralNames from what people type: `broker.example`, `192.0.2.1`, `spiffe://acme/dev-1`, `me@acme.example`.
/// None for none.
pub(super) fn alternative_names(texts: &[String]) -> Result<Option<Vec<u8>>, PkiError> {
    if texts.is_empty() {
        return Ok(None);
    }
    let mut names = Vec::new();
    for text in texts {
        names.extend(alternative_name(text).ok_or_else(|| {
            PkiError::Request(format!(
                "--san {text:?} is no host name, IP address, URI or e-mail address; write it like broker.example, 192.0.2.1 or spiffe://acme/dev-1"
            ))
        })?);
    }
    Ok(Some(der::element(SEQUENCE, &names)))
}

fn alternative_name(text: &str) -> Option<Vec<u8>> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(match address {
            IpAddr::V4(address) => der::element(IP, &address.octets()),
            IpAddr::V6(address) => der::element(IP, &address.octets()),
        });
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && !rest.is_empty();
        return named.then(|| der::element(URI, text.as_bytes()));
    }
    if let Some((local, domain)) = text.split_once('@') {
        return (!local.is_empty() && is_host(domain)).then(|| der::element(EMAIL, text.as_bytes()));
    }
    is_host(text.strip_prefix("*.").unwrap_or(text)).then(|| der::element(DNS, text.as_bytes()))
}

/// Labels of letters, digits, hyphens and underscores, at most 253 in all (RFC 1034 section 3.5).
fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// The names of `names` (GeneralNames) that a device may choose for itself, and how many others there were.
pub(super) fn allowed_alternative_names(names: &[u8]) -> Result<(Option<Vec<u8>>, usize), der::Malformed> {
    let mut allowed = Vec::new();
    let mut dropped = 0;
    for name in Element::whole(names)?.inside() {
        let name = name?;
        match name.tag {
            EMAIL | DNS | URI | IP => allowed.extend_from_slice(name.raw),
            _ => dropped += 1,
        }
    }
    let kept = (!allowed.is_empty()).then(|| der::element(SEQUENCE, &allowed));
    Ok((kept, dropped))
}
