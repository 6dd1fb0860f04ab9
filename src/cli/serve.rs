//! `certmq serve`: the broker.

use super::{Context, Exit, Failure, Outcome, after_help, output};
use crate::config::{LogFormat, Settings};
use crate::server::{self, ErrorKind, Ready, ServerError, SettingsSource};
use crate::telemetry::log;
use serde::Serialize;
use std::net::SocketAddr;

/// Run the broker in the foreground; SIGTERM ends it in order, SIGHUP reloads
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq serve --config config/certmq.toml", "the broker with your settings"),
        ("certmq serve --set listeners.mqtts=127.0.0.1:0", "on a port that the system chooses; stdout names it"),
        ("CERTMQ__LOG__LEVEL=debug certmq serve", "a setting from the environment"),
    ],
    CODES,
))]
pub(super) struct Arguments {}

/// How a broker can end.
pub(super) const CODES: &[Exit] = &[
    Exit::Data,
    Exit::Missing,
    Exit::Unavailable,
    Exit::Software,
    Exit::CannotCreate,
    Exit::InUse,
    Exit::NotPermitted,
    Exit::Configuration,
];

/// What is told when the broker serves.
#[derive(Serialize)]
struct Document {
    mqtts: Vec<String>,
    wss: Vec<String>,
}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let settings = context.settings()?;
        let context = context.clone();
        let output = context.output;
        serve(settings, again(move || context.settings()), |ready| {
            let list = |list: &[SocketAddr]| list.iter().map(ToString::to_string).collect();
            let document = Document { mqtts: list(&ready.mqtts), wss: list(&ready.wss) };
            // A reader of stdout that went away is no reason to stop serving.
            let _ = output.write(&document, Document::text);
        })
    }
}

impl Document {
    fn text(&self) -> String {
        let listeners = [("mqtts", &self.mqtts), ("wss", &self.wss)];
        let open = listeners.into_iter().filter(|(_, addresses)| !addresses.is_empty());
        open.map(|(name, addresses)| format!("serving {name} on {}\n", addresses.join(", "))).collect()
    }
}

/// Runs the broker with its log until it is told to stop.
pub(super) fn serve(settings: Settings, source: SettingsSource, ready: impl FnOnce(&Ready)) -> Outcome {
    start_log(&settings)?;
    server::run(settings, source, ready).map_err(failure)?;
    Ok(Exit::Success)
}

/// Where a reload finds the settings: the file as it is by then, with the environment and flags of this process.
pub(super) fn again(load: impl Fn() -> Result<Settings, Failure> + Send + Sync + 'static) -> SettingsSource {
    Box::new(move || load().map_err(|failure| failure.message().to_owned()))
}

fn start_log(settings: &Settings) -> Result<(), Failure> {
    let format = match settings.log.format {
        LogFormat::Text => log::Format::Text,
        LogFormat::Json => log::Format::Json,
    };
    log::init(&settings.log.level, format)
        .map_err(|fault| Failure::new(Exit::Configuration, format!("log.level: {fault}")))
}

fn failure(error: ServerError) -> Failure {
    let code = match error.kind {
        ErrorKind::Configuration => Exit::Configuration,
        ErrorKind::StoreInUse => Exit::InUse,
        ErrorKind::CannotListen => Exit::Unavailable,
        ErrorKind::Store => Exit::Data,
        ErrorKind::NoRoom => Exit::CannotCreate,
        ErrorKind::NotPermitted => Exit::NotPermitted,
        ErrorKind::System => Exit::Software,
    };
    Failure::new(code, output::escape(&error.message))
}
