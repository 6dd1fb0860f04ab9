//! Fleet file -> records.

use super::table::{Source, Table, Value};
use super::{FleetError, FleetFile};
use crate::config::units::parse_size;
use crate::policy::record::{Attribute, Bounds, DeviceStatus, QoSBound, RetainBound};
use crate::policy::{
    Action, DeviceKey, DeviceRecord, Effect, GroupRecord, RecordLimits, Records, Rule, SubjectSelector,
};
use crate::protocol::QoS;
use std::collections::BTreeMap;
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use toml::de::DeTable;

const FILE_KEYS: [&str; 4] = ["version", "generation", "groups", "devices"];
const GROUP_KEYS: [&str; 4] = ["match", "allow", "deny", "limits"];
const DEVICE_KEYS: [&str; 8] =
    ["subject", "trust", "enabled", "groups", "allow", "deny", "limits", "certificate_sha256"];
const RULE_KEYS: [&str; 5] = ["publish", "subscribe", "max_qos", "retain", "until"];

/// Groups that the file does not define are looked for in `existing`.
pub(super) fn parse(text: &str, selector: SubjectSelector, existing: &Records) -> Result<FleetFile, FleetError> {
    let source = Source(text);
    let document = DeTable::parse(text).or_else(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        source.fault(offset, error.message())
    })?;
    let file = Table::new(source, 0, "the fleet file", document.get_ref(), &FILE_KEYS)?;
    let version = file.require("version")?;
    match version.number()? {
        1 => {}
        other => return version.fault(format!("{other} is unknown to this program, which reads version 1")),
    }
    let generation = file.find("generation").map(|value| value.number()).transpose()?;
    let mut records = Records::default();
    for (name, value) in file.find("groups").map_or_else(|| Ok(Vec::new()), |groups| groups.named())? {
        let group = group(name, &value)?;
        records.groups.insert(Arc::clone(&group.name), group);
    }
    for value in list(&file, "devices")? {
        let device = device(&value, selector, [&records, existing])?;
        if records.devices.contains_key(&device.key) {
            return value.fault(format!("{} is named twice", device.key));
        }
        records.devices.insert(device.key.clone(), device);
    }
    Ok(FleetFile { generation, records })
}

fn list<'t>(table: &Table<'t>, key: &str) -> Result<Vec<Value<'t>>, FleetError> {
    table.find(key).map_or_else(|| Ok(Vec::new()), |value| value.list())
}

fn group(name: &str, value: &Value<'_>) -> Result<GroupRecord, FleetError> {
    let table = value.table(&format!("group {name:?}"), &GROUP_KEYS)?;
    let mut matches = BTreeMap::new();
    if let Some(given) = table.find("match") {
        let keys = Attribute::ALL.map(Attribute::as_str);
        let pairs = given.table("match", &keys)?;
        for attribute in Attribute::ALL {
            if let Some(value) = pairs.find(attribute.as_str()) {
                matches.insert(attribute, value.string()?.to_owned());
            }
        }
    }
    GroupRecord::new(name, matches, rules(&table)?, limits(&table)?).or_else(|error| table.fault(error.to_string()))
}

fn device(value: &Value<'_>, selector: SubjectSelector, records: [&Records; 2]) -> Result<DeviceRecord, FleetError> {
    let table = value.table("a device", &DEVICE_KEYS)?;
    let subject = table.require("subject")?;
    let name = selector.typed_name(subject.string()?).or_else(|error| subject.fault(error))?;
    let trust = match table.find("trust") {
        None => DeviceKey::DEFAULT_TRUST,
        Some(value) => match value.string()? {
            "" => return value.fault("the name of a trust block is expected"),
            trust => trust,
        },
    };
    let status = match table.find("enabled").map(|value| value.boolean()).transpose()? {
        None | Some(true) => DeviceStatus::Enabled,
        Some(false) => DeviceStatus::Disabled,
    };
    let mut groups = Vec::new();
    for value in list(&table, "groups")? {
        let group = value.string()?;
        match records.iter().find_map(|records| records.groups.get_key_value(group)) {
            Some((name, _)) => groups.push(Arc::clone(name)),
            None => return value.fault(format!("group {group:?} is not in this file; add [groups.{group}]")),
        }
    }
    let pins = match table.find("certificate_sha256") {
        None => Vec::new(),
        Some(value) => value.strings()?.into_iter().map(|(value, text)| pin(&value, text)).collect::<Result<_, _>>()?,
    };
    let key = DeviceKey { trust: Arc::from(trust), name };
    let (rules, limits) = (rules(&table)?, limits(&table)?);
    DeviceRecord::new(key, status, groups, rules, pins, limits).or_else(|error| table.fault(error.to_string()))
}

fn limits(table: &Table<'_>) -> Result<RecordLimits, FleetError> {
    let Some(given) = table.find("limits") else { return Ok(RecordLimits::default()) };
    let table = given.table("limits", &RecordLimits::KEYS)?;
    let count = |key: &str| match table.find(key) {
        None => Ok(None),
        Some(value) => match u32::try_from(value.number()?) {
            Ok(number) => Ok(Some(number)),
            Err(_) => value.fault(format!("the highest limit is {}; leave it out to have none", u32::MAX)),
        },
    };
    let size = |value: Value<'_>| parse_size(value.string()?).or_else(|fault| value.fault(fault));
    Ok(RecordLimits {
        connections: count("connections")?,
        messages_per_second: count("messages_per_second")?,
        queued_bytes: table.find("queued_bytes").map(size).transpose()?,
    })
}

fn pin(value: &Value<'_>, text: &str) -> Result<[u8; 32], FleetError> {
    fingerprint(text).or_else(|fault| value.fault(fault))
}

/// The SHA-256 of a certificate: 64 hexadecimal digits, with or without the colons that OpenSSL prints.
///
/// # Errors
/// It is none, in words.
pub fn fingerprint(text: &str) -> Result<[u8; 32], &'static str> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|character| *character != ':')
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect();
    let octets: Vec<u8> = match &digits {
        Some(digits) => digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect(),
        None => Vec::new(),
    };
    match (digits.map(|digits| digits.len()), octets.try_into()) {
        (Some(64), Ok(pin)) => Ok(pin),
        _ => Err("the SHA-256 of a certificate has 64 hexadecimal digits"),
    }
}

fn rules(table: &Table<'_>) -> Result<Vec<Rule>, FleetError> {
    let mut rules = Vec::new();
    for (key, effect) in [("allow", Effect::Allow), ("deny", Effect::Deny)] {
        for value in list(table, key)? {
            rules.push(rule(&value, effect)?);
        }
    }
    Ok(rules)
}

fn rule(value: &Value<'_>, effect: Effect) -> Result<Rule, FleetError> {
    let table = value.table("a rule", &RULE_KEYS)?;
    let (action, filter) = match (table.find("publish"), table.find("subscribe")) {
        (Some(filter), None) => (Action::Publish, filter),
        (None, Some(filter)) => (Action::Subscribe, filter),
        _ => return value.fault("a rule has either publish or subscribe"),
    };
    let mut bounds = Bounds::default();
    if let Some(value) = table.find("max_qos") {
        bounds.max_qos = QoSBound(match value.number()? {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            2 => QoS::ExactlyOnce,
            other => return value.fault(format!("{other} is no QoS; use 0, 1 or 2")),
        });
    }
    if let Some(value) = table.find("retain") {
        bounds.retain = if value.boolean()? { RetainBound::Retained } else { RetainBound::NotRetained };
    }
    let until = table.find("until").map(|value| until(&value)).transpose()?;
    Rule::new(effect, action, filter.string()?, bounds, until).or_else(|error| value.fault(error))
}

fn until(value: &Value<'_>) -> Result<i64, FleetError> {
    match OffsetDateTime::parse(&value.time()?, &Rfc3339) {
        Ok(time) if time.nanosecond() == 0 => Ok(time.unix_timestamp()),
        Ok(_) => value.fault("whole seconds are expected"),
        Err(_) => value.fault("a time with its offset is expected, such as 2027-01-01T00:00:00Z (RFC 3339)"),
    }
}
