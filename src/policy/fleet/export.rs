//! Records -> fleet file, in a stable order.

use crate::policy::name::is_invisible;
use crate::policy::record::{DeviceStatus, RetainBound};
use crate::policy::{DeviceKey, DeviceRecord, Effect, GroupRecord, RecordLimits, Records, Rule};
use crate::protocol::QoS;
use std::fmt::Write;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Writes `records` as a fleet file that parses to the same records: groups first, then devices, each by name.
pub fn export(records: &Records) -> String {
    let mut text = format!("version = 1\ngeneration = {}\n", records.generation);
    records.groups.values().for_each(|group| push_group(&mut text, group));
    records.devices.values().for_each(|device| push_device(&mut text, device));
    text
}

fn push_group(text: &mut String, group: &GroupRecord) {
    line(text, format_args!("\n[groups.{}]", key(&group.name)));
    if !group.matches.is_empty() {
        let pairs =
            group.matches.iter().map(|(attribute, value)| format!("{} = {}", attribute.as_str(), quoted(value)));
        line(text, format_args!("match = {{ {} }}", pairs.collect::<Vec<_>>().join(", ")));
    }
    push_rules(text, &group.rules);
    push_limits(text, group.limits);
}

fn push_device(text: &mut String, device: &DeviceRecord) {
    line(text, format_args!("\n[[devices]]\nsubject = {}", quoted(&device.key.name)));
    if &*device.key.trust != DeviceKey::DEFAULT_TRUST {
        line(text, format_args!("trust = {}", quoted(&device.key.trust)));
    }
    if device.status == DeviceStatus::Disabled {
        line(text, format_args!("enabled = false"));
    }
    if !device.groups.is_empty() {
        let groups: Vec<String> = device.groups.iter().map(|group| quoted(group)).collect();
        line(text, format_args!("groups = [{}]", groups.join(", ")));
    }
    let pins: Vec<String> = device.pins.iter().map(|pin| quoted(&hexadecimal(pin))).collect();
    match &pins[..] {
        [] => {}
        [pin] => line(text, format_args!("certificate_sha256 = {pin}")),
        pins => line(text, format_args!("certificate_sha256 = [{}]", pins.join(", "))),
    }
    push_rules(text, &device.rules);
    push_limits(text, device.limits);
}

fn push_limits(text: &mut String, of: RecordLimits) {
    if !of.is_unlimited() {
        line(text, format_args!("limits = {{ {of} }}"));
    }
}

fn push_rules(text: &mut String, rules: &[Rule]) {
    for effect in [Effect::Allow, Effect::Deny] {
        let rules: Vec<String> = rules.iter().filter(|rule| rule.effect == effect).map(rule).collect();
        match &rules[..] {
            [] => {}
            [rule] => line(text, format_args!("{} = [{rule}]", effect.as_str())),
            rules => {
                line(text, format_args!("{} = [", effect.as_str()));
                rules.iter().for_each(|rule| line(text, format_args!("    {rule},")));
                line(text, format_args!("]"));
            }
        }
    }
}

/// A rule as the file writes it.
pub(super) fn rule(rule: &Rule) -> String {
    let mut text = format!("{{ {} = {}", rule.action.as_str(), quoted(&rule.filter));
    if rule.max_qos.0 != QoS::ExactlyOnce {
        text.push_str(&format!(", max_qos = {}", rule.max_qos.0 as u8));
    }
    if rule.retain == RetainBound::NotRetained {
        text.push_str(", retain = false");
    }
    let time = rule.until.and_then(|until| OffsetDateTime::from_unix_timestamp(until).ok());
    if let Some(time) = time.and_then(|time| time.format(&Rfc3339).ok()) {
        text.push_str(&format!(", until = {time}"));
    }
    text.push_str(" }");
    text
}

fn key(name: &str) -> String {
    let bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if bare && !name.is_empty() { name.to_owned() } else { quoted(name) }
}

/// A TOML string: literal where backslashes would be doubled, else basic. What an editor would not show is escaped,
/// so that a reviewer sees what the file says.
fn quoted(text: &str) -> String {
    if text.contains('\\') && !text.contains(|character: char| character == '\'' || is_invisible(character)) {
        return format!("'{text}'");
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            invisible if is_invisible(invisible) => quoted.push_str(&format!("\\U{:08X}", u32::from(invisible))),
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

pub(super) fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(arguments);
    text.push('\n');
}
