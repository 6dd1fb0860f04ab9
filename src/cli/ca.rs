//! `certmq ca`.

use super::{Context, Exit, Failure, Outcome, after_help};

/// Placeholder until the built-in CA is merged
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(&[("certmq ca", "")], &[Exit::Software]))]
pub(super) struct Arguments {}

impl Arguments {
    pub(super) fn run(self, _context: &Context) -> Outcome {
        Err(Failure::new(Exit::Software, "not built yet"))
    }
}
