//! `certmq export`: the whole policy as one file.

use super::device::READING;
use super::{Context, Exit, Outcome, Output, after_help, backend, output};
use crate::admin::{Reply, Request};
use serde::Serialize;

/// Write the whole policy to stdout as a fleet file, for review, backup and `certmq apply`
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq export > fleet.toml", "devices, groups and rules as one reviewed file"),
        ("certmq export --output json", "the same text inside a JSON document"),
    ],
    READING,
))]
pub(super) struct Arguments {}

#[derive(Serialize)]
struct Document {
    fleet: String,
}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        match (backend::ask(&context.settings()?, Request::Export {})?, context.output) {
            (Reply::Fleet(text), Output::Table) => output::print(&text)?,
            (Reply::Fleet(fleet), Output::Json) => context.output.write(&Document { fleet }, |_| String::new())?,
            _ => return Err(backend::unexpected()),
        }
        Ok(Exit::Success)
    }
}
