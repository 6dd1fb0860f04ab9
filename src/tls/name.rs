//! Texts from certificates for messages to people: escaped and bounded. A refused certificate often cannot be read as
//! an identity, and the log line must still say whose it is.

use crate::policy::identity::name_from_der;
use crate::telemetry::log::escape;
use std::fmt::Write;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Characters of a text from a certificate that a message shows.
const SHOWN_CHARACTERS: usize = 256;

/// Text for a log or terminal: nothing in it steers either, and overlong text is cut.
pub(super) fn escaped(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", escape(text.get(..end).unwrap_or_default())),
        None => escape(text).into_owned(),
    }
}

/// The DER of a Name, as the policy writes it.
pub(super) fn describe(name: &[u8]) -> String {
    match name_from_der(name) {
        Ok(name) if name.as_str().is_empty() => "(empty name)".to_owned(),
        Ok(name) => escaped(name.as_str()),
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

#[cfg(test)]
mod tests;
