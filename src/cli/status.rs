//! `certmq status`: how the broker and its policy are.

use super::device::READING;
use super::{Context, Exit, Outcome, after_help, backend, output};
use crate::admin::reply::StatusView;
use crate::admin::{Reply, Request};
use output::Table;

/// How the broker and its policy are; without a broker, the policy in the store
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq status", "running or not, since when, which policy, what it counted"),
        ("certmq status --output json", "the same for scripts: broker is null when none runs"),
    ],
    READING,
))]
pub(super) struct Arguments {}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        match backend::ask(&context.settings()?, Request::Status {})? {
            Reply::Status(status) => context.output.write(&status, text)?,
            _ => return Err(backend::unexpected()),
        }
        Ok(Exit::Success)
    }
}

fn text(status: &StatusView) -> String {
    let mut table = Table::default();
    let policy = &status.policy;
    match &status.broker {
        Some(broker) => {
            table.row(&["broker", &format!("running, version {}, process {}", broker.version, broker.pid)]);
            table.row(&["uptime", &format!("{} s", broker.uptime_seconds)]);
            table.row(&["mqtts", &broker.mqtts.join(", ")]);
            if !broker.wss.is_empty() {
                table.row(&["wss", &broker.wss.join(", ")]);
            }
        }
        None => table.row(&["broker", "not running"]),
    }
    for end in status.broker.iter().flat_map(|broker| &broker.certificates) {
        let left = match end.days_left {
            days @ ..0 => format!("EXPIRED {} day(s) ago", -days),
            days @ 0..30 => format!("ENDS in {days} day(s)"),
            days => format!("{days} days left"),
        };
        table.row(&[&end.role, &format!("{} until {}, {left}", end.subject, end.expires)]);
    }
    table.row(&["store", &policy.store]);
    table.row(&["policy", &format!("generation {}, {} device(s)", policy.generation, policy.devices)]);
    if policy.not_durable > 0 {
        table.row(&["not durable", &format!("{} change(s) in force wait for room on the disk", policy.not_durable)]);
    }
    table.row(&["compiled", &format!("{} bytes", policy.compiled_bytes)]);
    for warning in status.broker.iter().flat_map(|broker| &broker.warnings) {
        table.row(&["warning", warning]);
    }
    for (name, value) in status.broker.iter().flat_map(|broker| &broker.metrics) {
        table.row(&[name, &value.to_string()]);
    }
    table.render()
}
