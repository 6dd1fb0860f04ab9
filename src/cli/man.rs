//! `certmq man DIR`: for packagers, so hidden.

use super::{Exit, Failure, Outcome, after_help};
use std::path::PathBuf;

/// Writes one man page per command into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[("certmq man target/man", "certmq.1, certmq-device.1, certmq-device-add.1, …")],
    &[Exit::CannotCreate, Exit::NotPermitted],
))]
pub(super) struct Arguments {
    /// Where to; created when it is missing
    dir: PathBuf,
}

impl Arguments {
    pub(super) fn run(self) -> Outcome {
        std::fs::create_dir_all(&self.dir)
            .and_then(|()| clap_mangen::generate_to(super::command(), &self.dir))
            .map_err(|error| Failure::writing(&self.dir, &error))?;
        Ok(Exit::Success)
    }
}
