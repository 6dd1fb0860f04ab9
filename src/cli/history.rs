//! `certmq history`: the generations of the policy.

use super::device::READING;
use super::{Context, Exit, Outcome, after_help, backend, output};
use crate::admin::reply::HistoryView;
use crate::admin::{Reply, Request};
use output::Table;
use std::fmt::Write;

/// The last changes of the policy: generation, time, author, records; `rollback` goes back to one
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq history", "the last twenty, the newest first"),
        ("certmq history --limit 1000 --output json", "more of them, for scripts"),
    ],
    READING,
))]
pub(super) struct Arguments {
    /// How many generations at most
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: usize,
}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        match backend::ask(&context.settings()?, Request::History { limit: self.limit })? {
            Reply::History(view) => context.output.write(&view, text)?,
            _ => return Err(backend::unexpected()),
        }
        Ok(Exit::Success)
    }
}

fn text(view: &HistoryView) -> String {
    let mut table = Table::new(&["GENERATION", "TIME", "AUTHOR", "PUT", "REMOVED", "RECORDS"]);
    for generation in &view.generations {
        let more = generation.put + generation.removed > generation.records.len();
        let records = generation.records.join(", ");
        table.row(&[
            generation.generation.to_string(),
            generation.time.clone(),
            generation.author.clone(),
            generation.put.to_string(),
            generation.removed.to_string(),
            if more { format!("{records}, …") } else { records },
        ]);
    }
    let mut text = table.render();
    let _ = writeln!(text, "`certmq rollback N` goes back to any generation from {} on", view.oldest);
    text
}
