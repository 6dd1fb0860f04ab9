//! `certmq rollback N`: the policy as it was.

use super::device::{CODES, changed};
use super::{Context, Outcome, after_help, backend, plan};
use crate::admin::{PlanTarget, Reply, Request};

/// Make the policy what it was at a generation, as a change of its own; entries of the deny list stay
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq rollback 41 --dry-run", "first: what would change, and for which live devices; exit 1: it differs"),
        ("certmq rollback 41", "then: back to it; `certmq history` lists the generations"),
    ],
    CODES,
))]
pub(super) struct Arguments {
    /// The generation to go back to
    generation: u64,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let Self { generation, dry_run } = self;
        let request = match dry_run {
            true => Request::Plan { target: PlanTarget::Generation(generation) },
            false => Request::Rollback { generation },
        };
        match backend::ask(&context.settings()?, request)? {
            Reply::Changed(change) => changed(context, &change),
            Reply::Plan(view) => plan::show(context, &view),
            _ => Err(backend::unexpected()),
        }
    }
}
