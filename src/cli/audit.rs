//! `certmq audit`: the audit trail, and whether it is whole.

mod text;

use super::ca::now;
use super::{Context, Exit, Failure, Outcome, after_help, backend, output};
use crate::admin::{Reply, Request};
use crate::config::Settings;
use crate::config::units::parse_duration;
use crate::telemetry::audit::{self, ChainHash, Expected, Report, numbers, readers, time_text, verify};
use crate::telemetry::log::escape_json;
use output::{JSON_VERSION, Output};
use serde::Serialize;
use serde_json::Value;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The audit trail: who changed what, which device came when, what was refused
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq audit show --since 2h", "the events of the last two hours"),
        ("certmq audit verify", "exit code 1 when a line was altered, removed or moved, or the tail cut off"),
    ],
    CODES,
))]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show events
    #[command(after_help = after_help(
        &[
            ("certmq audit show", "all that are kept"),
            ("certmq audit show --since 2026-11-24T10:00:00Z --output json", "for scripts; docs/audit.md lists the events"),
            ("certmq audit show --follow", "and those that come, one a line"),
        ],
        READING,
    ))]
    Show {
        /// From when: '2027-01-31T12:00:00Z' (RFC 3339), or '2h', '30min', '7d' ago
        #[arg(long, value_name = "TIME", value_parser = since)]
        since: Option<Since>,
        /// Go on with new events as they come
        #[arg(long)]
        follow: bool,
    },
    /// Check that the chain holds, up to what the store knows as its end
    #[command(after_help = after_help(
        &[
            ("certmq audit verify", "against the anchor in the store, with and without a running broker"),
            (
                "certmq audit verify --head 52fdfc072182654f163f5f0f9a621d729566c74d10037c4d7bbb0407d1e2c649",
                "against a head that was noted elsewhere, too",
            ),
        ],
        CODES,
    ))]
    Verify {
        /// The hash of a line that must be there, as an earlier `audit verify` printed it
        #[arg(long, value_name = "HASH")]
        head: Option<ChainHash>,
    },
}

/// How `audit verify` can end.
const CODES: &[Exit] = &[
    Exit::Denied,
    Exit::Data,
    Exit::Missing,
    Exit::Unavailable,
    Exit::Software,
    Exit::InUse,
    Exit::NotPermitted,
    Exit::Configuration,
];

/// How `audit show` can end.
const READING: &[Exit] = &[Exit::Data, Exit::Missing, Exit::NotPermitted, Exit::Configuration];

/// How often `--follow` looks.
const LOOK: Duration = Duration::from_millis(300);

/// A point in time, as lines write it.
#[derive(Clone, Debug)]
struct Since(String);

#[derive(Serialize)]
struct Events {
    events: Vec<Value>,
}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let settings = context.settings()?;
        match self.command {
            Command::Show { since, follow } => {
                backend::judge_present(&settings.storage.path)?;
                backend::become_owner(&settings.storage.path)?;
                let folder = audit::folder(&settings.storage.path);
                let since = since.map(|Since(text)| text).unwrap_or_default();
                let mut cursor = Cursor { folder, since, shown: 0 };
                match follow {
                    true => cursor.follow(context.output),
                    false => {
                        let events = Events { events: cursor.fresh()? };
                        context.output.write(&events, |events| text::table(&events.events))?;
                        Ok(Exit::Success)
                    }
                }
            }
            Command::Verify { head } => {
                let report = check(&settings, head)?;
                context.output.write(&report, text::report)?;
                Ok(if report.faults.is_empty() { Exit::Success } else { Exit::Denied })
            }
        }
    }
}

/// Reads the trail, and again where it moved on meanwhile: a file that rotation removes is named in one that came later.
fn check(settings: &Settings, external: Option<ChainHash>) -> Result<Report, Failure> {
    let folder = audit::folder(&settings.storage.path);
    loop {
        let anchor = match backend::ask(settings, Request::AuditAnchor {})? {
            Reply::AuditAnchor(anchor) => anchor,
            _ => return Err(backend::unexpected()),
        };
        let before = numbers(&folder).map_err(|error| Failure::reading(&folder, &error))?;
        let report = readers(&folder)
            .and_then(|readers| verify(readers, Expected { anchor, external }))
            .map_err(|error| Failure::reading(&folder, &error))?;
        let after = numbers(&folder).map_err(|error| Failure::reading(&folder, &error))?;
        if report.faults.is_empty() || before == after {
            return Ok(report);
        }
    }
}

/// What of the trail was shown.
struct Cursor {
    folder: PathBuf,
    since: String,
    /// The number of the last line.
    shown: u64,
}

impl Cursor {
    /// The lines that were not shown yet; one that cannot be read is for `audit verify` to name.
    fn fresh(&mut self) -> Result<Vec<Value>, Failure> {
        let failed = |path: &Path, error: &std::io::Error| Failure::reading(path, error);
        let mut fresh = Vec::new();
        for (name, reader) in readers(&self.folder).map_err(|error| failed(&self.folder, &error))? {
            for line in reader.split(b'\n') {
                let line = line.map_err(|error| failed(Path::new(&name), &error))?;
                let Ok(event) = serde_json::from_slice::<Value>(&line) else { continue };
                let number = event.get("n").and_then(Value::as_u64).unwrap_or_default();
                if number > self.shown && event.get("time").and_then(Value::as_str).unwrap_or_default() >= &*self.since
                {
                    self.shown = number;
                    fresh.push(event);
                }
            }
        }
        Ok(fresh)
    }

    fn follow(&mut self, output: Output) -> Outcome {
        loop {
            for event in self.fresh()? {
                let line = match output {
                    Output::Table => text::line(&event),
                    Output::Json => {
                        let document = serde_json::json!({ "version": JSON_VERSION, "event": event });
                        escape_json(&document.to_string()).into_owned()
                    }
                };
                output::print(&format!("{line}\n"))?;
            }
            std::thread::park_timeout(LOOK);
        }
    }
}

fn since(text: &str) -> Result<Since, String> {
    let seconds = match parse_duration(text) {
        Ok(ago) => now().saturating_sub(i64::try_from(ago.as_secs()).unwrap_or(i64::MAX)),
        Err(_) => OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| "write a time as '2027-01-31T12:00:00Z' (RFC 3339), or how long ago: '2h', '30min', '7d'")?
            .unix_timestamp(),
    };
    let seconds = u64::try_from(seconds).unwrap_or_default();
    Ok(Since(time_text(UNIX_EPOCH + Duration::from_secs(seconds))))
}
