//! Names from certificates for messages to people: escaped, bounded, and never an identity.
//!
//! A refused certificate often cannot be read as an identity, and then the log line must still say whose it is.

use super::der::{DerFault, DerReader, tag};
use std::fmt::Write;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Characters of a text from a certificate that a message shows.
const SHOWN_CHARACTERS: usize = 256;

/// Text for a log or terminal: control, format and other invisible characters escaped, overlong text cut.
pub(super) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(SHOWN_CHARACTERS));
    for (count, character) in text.chars().enumerate() {
        if count == SHOWN_CHARACTERS {
            shown.push('…');
            break;
        }
        match character {
            '"' | '\'' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
}

/// The DER of a Name in the order of RFC 4514, lossy where a value is not text.
pub(super) fn describe(name: &[u8]) -> String {
    match attributes(name) {
        Ok(attributes) if attributes.is_empty() => "(empty name)".to_owned(),
        Ok(attributes) => escaped(&attributes.into_iter().rev().collect::<Vec<_>>().join(",")),
        Err(_) => "(unreadable name)".to_owned(),
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Unix seconds as RFC 3339.
pub(super) fn date(unix_seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(unix_seconds)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{unix_seconds} s after 1970"))
}

/// The relative names, first to last, each as `TYPE=value` with `+` between the parts of one.
fn attributes(name: &[u8]) -> Result<Vec<String>, DerFault> {
    let mut sequence = DerReader::new(name).nested(tag::SEQUENCE)?;
    let mut relative_names = Vec::new();
    while !sequence.is_empty() {
        let mut set = sequence.nested(tag::SET)?;
        let mut parts = Vec::new();
        while !set.is_empty() {
            let mut pair = set.nested(tag::SEQUENCE)?;
            let kind = pair.expect(tag::OID)?.content;
            let value = pair.element()?;
            parts.push(format!("{}={}", type_name(kind), value_text(value.tag, value.content)));
        }
        relative_names.push(parts.join("+"));
    }
    Ok(relative_names)
}

fn type_name(oid: &[u8]) -> String {
    let known = match oid {
        [0x55, 0x04, 3] => "CN",
        [0x55, 0x04, 6] => "C",
        [0x55, 0x04, 7] => "L",
        [0x55, 0x04, 8] => "ST",
        [0x55, 0x04, 9] => "STREET",
        [0x55, 0x04, 10] => "O",
        [0x55, 0x04, 11] => "OU",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19] => "DC",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01] => "UID",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01] => "emailAddress",
        _ => return format!("OID:{}", hex(oid)),
    };
    known.to_owned()
}

fn value_text(tag: u8, content: &[u8]) -> String {
    const BMP_STRING: u8 = 0x1e;
    if tag == BMP_STRING {
        let units = content.chunks_exact(2).map(|pair| pair.iter().fold(0, |unit, &byte| unit << 8 | u16::from(byte)));
        return specials_escaped(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
    }
    specials_escaped(String::from_utf8_lossy(content).chars())
}

/// So that a value never looks like another relative name.
fn specials_escaped(characters: impl Iterator<Item = char>) -> String {
    let mut text = String::new();
    for character in characters {
        if matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests;
