//! mosquitto's `acl_file`: `user`, `topic` and `pattern` lines.

use super::draft::{Draft, Line, Owner, Placeholder, Placeholders};
use super::{Carried, ImportError, Names, Translation};
use crate::policy::{Action, Bounds, DeviceKey, Effect};

/// In `pattern` lines alone; in `topic` lines they are text.
const PLACEHOLDERS: Placeholders = &[("%c", Placeholder::ClientId), ("%u", Placeholder::UserName)];

/// Holds the rules of `pattern` lines, which mosquitto applies to every client.
const PATTERNS: &str = "mosquitto-patterns";

/// Whose `topic` lines these are.
enum Section {
    /// Before the first `user` line: clients without a user name.
    Anonymous,
    User(DeviceKey),
    /// Of a user that names no device.
    Nobody,
}

/// Translates the text of an ACL file.
///
/// # Errors
/// A line that mosquitto would not read either.
pub fn mosquitto(text: &str, names: &Names) -> Result<Translation, ImportError> {
    let mut draft = Draft::new(names);
    let mut section = Section::Anonymous;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let (keyword, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let (place, rest) = (format!("line {number}"), rest.trim());
        match keyword {
            "" => {}
            comment if comment.starts_with('#') => {}
            _ if rest.is_empty() => {
                return fault(number, format!("{keyword:?} stands alone; a name or topic must follow"));
            }
            "user" => section = draft.user(&place, rest).map_or(Section::Nobody, Section::User),
            "topic" => topic(&mut draft, &section, &place, rest),
            "pattern" => {
                let group = draft.group(PATTERNS);
                add(&mut draft, &Owner::Group(group), &place, rest, PLACEHOLDERS);
            }
            other => {
                return fault(
                    number,
                    format!("{other:?} is no keyword of a mosquitto ACL file: user, topic, pattern, #"),
                );
            }
        }
    }
    join_patterns(&mut draft);
    draft.note(
        Carried::Differs,
        "everywhere",
        "mosquitto grants every subscription and filters what it delivers; certmq refuses a filter that reaches beyond \
         the rights (SUBACK 0x80 or 0x87), so a device that subscribes wider than it may read must ask for less",
    );
    draft.finish().or_else(|error| fault(1, error.to_string()))
}

fn topic(draft: &mut Draft<'_>, section: &Section, place: &str, rest: &str) {
    match section {
        Section::User(key) => add(draft, &Owner::Device(key.clone()), place, rest, &[]),
        Section::Anonymous => draft.note(
            Carried::LeftOut,
            place,
            format!(
                "topic {rest}: it stands before the first user and is for clients without a name; here every client has \
                 a certificate"
            ),
        ),
        Section::Nobody => draft.note(Carried::LeftOut, place, format!("topic {rest}: its user names no device")),
    }
}

fn add(draft: &mut Draft<'_>, owner: &Owner, place: &str, rest: &str, placeholders: Placeholders) {
    let (access, topic) = access(rest);
    for &(effect, action) in access {
        draft.rule(owner, Line { place, effect, action, bounds: Bounds::default(), topic, placeholders });
    }
}

/// The word of access where a topic follows it, and the topic.
fn access(rest: &str) -> (&'static [(Effect, Action)], &str) {
    use {Action::*, Effect::*};
    const BOTH: &[(Effect, Action)] = &[(Allow, Publish), (Allow, Subscribe)];
    let Some((word, topic)) = rest.split_once([' ', '\t']) else { return (BOTH, rest) };
    match word {
        "read" => (&[(Allow, Subscribe)], topic.trim_start()),
        "write" => (&[(Allow, Publish)], topic.trim_start()),
        "readwrite" => (BOTH, topic.trim_start()),
        "deny" => (&[(Deny, Publish), (Deny, Subscribe)], topic.trim_start()),
        _ => (BOTH, rest),
    }
}

fn join_patterns(draft: &mut Draft<'_>) {
    let Some(group) = draft.existing_group(PATTERNS) else { return };
    for device in draft.devices() {
        draft.join(&device, &group);
    }
    draft.note(
        Carried::Differs,
        &format!("group {PATTERNS}"),
        "mosquitto applies pattern lines to every client; here they are for the devices of this file, which are listed \
         in the group. Give it `match = { o = \"…\" }` to include every certificate with that attribute",
    );
}

fn fault<T>(line: usize, message: String) -> Result<T, ImportError> {
    Err(ImportError { line, message })
}
