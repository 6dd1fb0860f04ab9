//! `certmq plan FILE`: what applying a file would change.

use super::apply::FleetFile;
use super::device::ANSWERING;
use super::{Context, Exit, Outcome, after_help, backend, output};
use crate::admin::reply::{ChangeOutcome, LiveImpactView, PlanCounts, PlanView};
use crate::admin::{PlanTarget, Reply, Request};
use crate::policy::fleet::Part;
use output::escape;
use std::fmt::Write;

/// Show what `apply` would change, and what that would do to live devices; changes nothing. Exit 1: it differs
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq plan fleet.toml", "records that come, change and go; subscriptions cut, devices that lose write"),
        ("certmq plan --merge more.toml", "the same for a file that only adds and changes"),
        ("certmq plan fleet.toml --output json", "for a pipeline; exit code 0 means that nothing would change"),
    ],
    ANSWERING,
))]
pub(super) struct Arguments {
    #[command(flatten)]
    fleet: FleetFile,
}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let plan = |text, scope| Request::Plan { target: PlanTarget::File { text, scope } };
        match self.fleet.ask(context, plan)? {
            Reply::Plan(view) => show(context, &view),
            _ => Err(backend::unexpected()),
        }
    }
}

/// Tells a plan; whether it changes anything is the exit code.
pub(super) fn show(context: &Context, view: &PlanView) -> Outcome {
    for note in &view.notes {
        output::message(&format!("note: {}", escape(note)));
    }
    context.output.write(view, text)?;
    Ok(match view.outcome {
        ChangeOutcome::Changed => Exit::Denied,
        ChangeOutcome::Unchanged => Exit::Success,
    })
}

fn text(view: &PlanView) -> String {
    let mut text = String::new();
    for record in &view.records {
        let sign = match record.change {
            Part::Add => '+',
            Part::Change => '~',
            Part::Remove => '-',
        };
        let _ = writeln!(text, "{sign} {}", escape(&record.record));
        for line in &record.lines {
            let _ = writeln!(text, "    {}", escape(line));
        }
    }
    if view.unlisted > 0 {
        let _ = writeln!(text, "… and {} more; --output json lists no more either", view.unlisted);
    }
    let _ = match view.outcome {
        ChangeOutcome::Unchanged => writeln!(text, "nothing would change (generation {})", view.generation),
        ChangeOutcome::Changed => writeln!(text, "{} (from generation {})", counted(view.counts), view.generation),
    };
    match &view.live {
        Some(live) => push_live(&mut text, live),
        None => text.push_str("no broker runs: nothing is known of live devices\n"),
    }
    text
}

fn counted(counts: PlanCounts) -> String {
    let told = [
        (counts.groups_added, "group(s) added"),
        (counts.groups_changed, "group(s) changed"),
        (counts.groups_removed, "group(s) removed"),
        (counts.devices_added, "device(s) added"),
        (counts.devices_changed, "device(s) changed"),
        (counts.devices_removed, "device(s) removed"),
    ];
    let told = told.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    told.collect::<Vec<_>>().join(", ")
}

fn push_live(text: &mut String, live: &LiveImpactView) {
    let _ = writeln!(
        text,
        "live ({} sessions): {} device(s) closed, {} subscription(s) cut, {} narrowed, {} device(s) lose write, \
         {} gain write, {} gain `#`",
        live.sessions,
        live.devices_closed,
        live.subscriptions_cut,
        live.subscriptions_narrowed,
        live.devices_losing_publish,
        live.devices_gaining_publish,
        live.devices_gaining_everything
    );
    for example in &live.examples {
        let _ = writeln!(text, "    {}", escape(example));
    }
}
