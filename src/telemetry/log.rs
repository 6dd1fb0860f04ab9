//! Log set-up, and the escaping of what comes from the network or a certificate.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::io::IsTerminal;
use tracing::field::{Field, Visit};
use tracing_subscriber::field::{MakeVisitor, VisitFmt, VisitOutput};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt, util::SubscriberInitExt};

#[cfg(test)]
mod tests;

/// The words that are levels, from silent to all.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line of text per event.
    Text,
    /// One JSON object per line.
    Json,
}

/// Sends every event of `level` (with exceptions, see [`judge_level`]) to stderr. Once per process; a second call
/// leaves the first in force.
///
/// # Errors
/// What is wrong with `level`.
pub fn init(level: &str, format: Format) -> Result<(), String> {
    judge_level(level)?;
    // What rustls warns of (a client's odd SNI, say) is no operator's business; its errors reach our own lines.
    let filter = EnvFilter::try_new(format!("rustls=error,{level}")).map_err(|error| error.to_string())?;
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match format {
        // JSON escapes by itself.
        Format::Json => layer.json().flatten_event(true).boxed(),
        Format::Text => layer.with_ansi(std::io::stderr().is_terminal()).fmt_fields(Escaped).boxed(),
    };
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
    Ok(())
}

/// Judges a level: one of off, error, warn, info, debug and trace, then exceptions per target, as in
/// `info,certmq::net=debug`.
///
/// # Errors
/// What is wrong and what to write.
pub fn judge_level(text: &str) -> Result<(), String> {
    let known = |word: &str| LEVELS.contains(&word);
    for (index, part) in text.split(',').enumerate() {
        match part.trim().split_once('=') {
            None if index == 0 && known(part.trim()) => {}
            Some((target, level)) if index > 0 && !target.is_empty() && known(level) => {}
            _ => {
                return Err(format!(
                    "{text:?} is not a level: write one of {}, then exceptions, as in \"info,certmq::net=debug\"",
                    LEVELS.join(", ")
                ));
            }
        }
    }
    Ok(())
}

/// `text` with every control character written as an escape (`\n`, `\u{1b}`), so that a name can neither start a
/// new log line nor steer a terminal. Borrowed where nothing had to change.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if steers(character) {
            let _ = write!(escaped, "{}", character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// As [`escape`] for JSON, by the escapes of JSON: the values stay what they were. Controls below U+007F stand in its
/// strings escaped already, and between them as white space.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    let steers = |character: char| !character.is_ascii_whitespace() && steers(character);
    if !json.chars().any(steers) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if steers(character) {
            // All of them lie in the basic plane.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// C0 and C1 controls, and the marks that reverse the direction of text on a terminal.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes the fields of an event as `message key=value`, every value escaped: whoever logs a name need not
/// remember to.
struct Escaped;

struct EscapedFields<'w> {
    writer: Writer<'w>,
    first: bool,
    outcome: fmt::Result,
}

impl<'w> MakeVisitor<Writer<'w>> for Escaped {
    type Visitor = EscapedFields<'w>;

    fn make_visitor(&self, writer: Writer<'w>) -> EscapedFields<'w> {
        EscapedFields { writer, first: true, outcome: Ok(()) }
    }
}

impl EscapedFields<'_> {
    fn field(&mut self, field: &Field, text: &str) {
        if self.outcome.is_err() {
            return;
        }
        let space = if std::mem::take(&mut self.first) { "" } else { " " };
        self.outcome = match field.name() {
            "message" => write!(self.writer, "{space}{}", escape(text)),
            name => write!(self.writer, "{space}{name}={}", escape(text)),
        };
    }
}

impl Visit for EscapedFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" { self.field(field, value) } else { self.field(field, &format!("{value:?}")) }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field, &format!("{value:?}"));
    }
}

impl VisitOutput<fmt::Result> for EscapedFields<'_> {
    fn finish(self) -> fmt::Result {
        self.outcome
    }
}

impl VisitFmt for EscapedFields<'_> {
    fn writer(&mut self) -> &mut dyn Write {
        &mut self.writer
    }
}
