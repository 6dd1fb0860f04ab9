//! `certmq completions SHELL`: for packagers, so hidden.

use super::{Exit, Outcome, after_help, output};
use clap_complete::Shell;

/// Writes the completion script of a shell to stdout
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[("certmq completions bash > /etc/bash_completion.d/certmq", "completions for bash")],
    &[Exit::CannotCreate],
))]
pub(super) struct Arguments {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Arguments {
    pub(super) fn run(self) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "certmq", &mut script);
        output::print(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Success)
    }
}
