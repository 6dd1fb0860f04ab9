//! The audit trail as people read it.

use super::output::{Table, escape};
use crate::telemetry::audit::{Finding, Report};
use serde_json::Value;

/// What every line has; the rest is particular to the event.
const COMMON: [&str; 4] = ["n", "time", "event", "chain"];

/// Events in columns.
pub(super) fn table(events: &[Value]) -> String {
    let mut table = Table::new(&["N", "TIME", "EVENT", "DETAILS"]);
    for event in events {
        let number = event.get("n").map(Value::to_string).unwrap_or_default();
        table.row(&[&number, word(event, "time"), word(event, "event"), &details(event)]);
    }
    table.render()
}

/// One event.
pub(super) fn line(event: &Value) -> String {
    escape(&format!("{}  {}  {}", word(event, "time"), word(event, "event"), details(event)))
}

fn word<'a>(event: &'a Value, field: &str) -> &'a str {
    event.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn details(event: &Value) -> String {
    let Some(fields) = event.as_object() else { return String::new() };
    let told = fields.iter().filter(|(name, value)| !COMMON.contains(&name.as_str()) && !value.is_null());
    let told = told.map(|(name, value)| match value {
        Value::String(text) if !text.is_empty() && !text.contains([' ', '"', '=']) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    });
    told.collect::<Vec<_>>().join(" ")
}

/// Whether the trail is whole.
pub(super) fn report(report: &Report) -> String {
    let mut table = Table::default();
    let whole = if report.faults.is_empty() { "holds" } else { "DOES NOT HOLD" };
    table.row(&["chain", whole]);
    table.row(&["lines", &format!("{} in {} file(s), from number {}", report.lines, report.files, report.first)]);
    table.row(&["head", &format!("{} {}", report.head.count, report.head.hash)]);
    let anchored = match report.anchored {
        Some(count) => format!("up to number {count}"),
        None => "no".to_owned(),
    };
    table.row(&["anchored", &anchored]);
    if let Some(count) = report.external {
        table.row(&["--head", &format!("is number {count}")]);
    }
    for note in &report.notes {
        table.row(&["note", note]);
    }
    for Finding { file, line, fault } in &report.faults {
        table.row(&["fault", &format!("{file}, line {line}: {fault}")]);
    }
    table.render()
}
