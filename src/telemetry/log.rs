//! Log set-up, and the escaping of what comes from the network or a certificate.

use std::borrow::Cow;
use std::fmt::Write;

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

/// C0 and C1 controls, and the marks that reverse the direction of text on a terminal.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
