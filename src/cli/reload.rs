//! `certmq reload`: settings, certificates, CAs and revocation lists read anew.

use super::{Context, Exit, Outcome, after_help, backend};
use crate::admin::reply::ReloadView;
use crate::admin::{Reply, Request};
use std::fmt::Write;

/// Read settings, certificates, CAs and CRLs anew in the running broker; all or nothing
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq reload", "after a renewed certificate, a new CRL, a CA that came or went; says what changed"),
        ("certmq reload --output json", "the same for scripts: changes, connections closed, settings that wait"),
        ("certmq check", "look first; a reload that fails changes nothing either"),
    ],
    &[Exit::Unavailable, Exit::NotPermitted, Exit::Configuration],
))]
pub(super) struct Arguments {}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        match backend::running_broker(&context.settings()?)?.ask(Request::Reload {})? {
            Reply::Reloaded(view) => context.output.write(&view, text)?,
            _ => return Err(backend::unexpected()),
        }
        Ok(Exit::Success)
    }
}

fn text(view: &ReloadView) -> String {
    let mut text = String::new();
    for change in &view.changes {
        let _ = writeln!(text, "{change}");
    }
    if view.changes.is_empty() {
        text.push_str("reloaded: nothing has changed\n");
    }
    if view.closed > 0 {
        let unnamed = if view.devices.len() as u64 >= view.closed { "" } else { " …" };
        let _ = writeln!(text, "{} connection(s) closed: {}{unnamed}", view.closed, view.devices.join(", "));
    }
    for key in &view.restart {
        let _ = writeln!(text, "{key} has changed and waits for a restart");
    }
    for warning in &view.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}
