//! The command line: one file per command.
//!
//! ```text
//! arguments -> Cli -> one command's Arguments::run(Context) -> Outcome -> exit code (sysexits)
//! ```
//!
//! stdout carries results only, stderr the messages. Help, shell completions and man pages come from the same
//! definitions.

mod acl;
mod apply;
mod audit;
mod backend;
mod ca;
mod cert;
mod check;
mod completions;
mod denials;
mod device;
pub mod exit;
mod export;
mod group;
mod help;
mod history;
mod import;
mod man;
pub mod output;
mod plan;
mod quickstart;
mod reload;
mod revoke;
mod rollback;
mod serve;
mod session;
mod settings;
mod status;
mod store;
mod who;

use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

pub use exit::{Exit, Failure, Outcome};
pub use output::Output;

use help::after_help;

/// An MQTT broker that knows every device by its client certificate.
#[derive(Debug, Parser)]
#[command(
    name = "certmq",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    infer_subcommands = false,
    after_help = after_help(
        &[
            ("certmq quickstart", "a working, secure broker for a first try"),
            ("certmq serve --config config/certmq.toml", "the broker with your settings"),
            ("certmq acl explain dev-0001 publish sensors/dev-0001/temperature", "why a device may or may not"),
        ],
        Exit::ALL,
    )
)]
pub struct Cli {
    #[command(flatten)]
    context: Context,
    #[command(subcommand)]
    command: Command,
}

/// What every command is told besides its own arguments.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Context {
    /// Settings file [default: config/certmq.toml if it exists, else the folders of quickstart]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Overrides one setting of file and environment, as in `--set log.level=debug`; may be repeated
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE")]
    pub overrides: Vec<String>,
    /// How results are written to stdout: for people or for scripts (stable, versioned)
    #[arg(long, global = true, value_enum, default_value_t)]
    pub output: Output,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    Check(check::Arguments),
    Quickstart(quickstart::Arguments),
    Device(device::Arguments),
    Group(group::Arguments),
    Acl(acl::Arguments),
    Plan(plan::Arguments),
    Apply(apply::Arguments),
    History(history::Arguments),
    Rollback(rollback::Arguments),
    Export(export::Arguments),
    Import(import::Arguments),
    Audit(audit::Arguments),
    Denials(denials::Arguments),
    Ca(ca::Arguments),
    Cert(cert::Arguments),
    Revoke(revoke::Arguments),
    Session(session::Arguments),
    Status(status::Arguments),
    Reload(reload::Arguments),
    Store(store::Arguments),
    #[command(hide = true)]
    Completions(completions::Arguments),
    #[command(hide = true)]
    Man(man::Arguments),
}

/// Runs the program and maps its outcome to an exit code (sysexits).
pub fn main() -> ExitCode {
    run(std::env::args_os()).into()
}

/// The definition of every command, for help, completions, man pages and tests.
pub fn command() -> clap::Command {
    Cli::command()
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    match cli.command.run(&cli.context) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

impl Command {
    fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Serve(arguments) => arguments.run(context),
            Self::Check(arguments) => arguments.run(context),
            Self::Quickstart(arguments) => arguments.run(context),
            Self::Device(arguments) => arguments.run(context),
            Self::Group(arguments) => arguments.run(context),
            Self::Acl(arguments) => arguments.run(context),
            Self::Plan(arguments) => arguments.run(context),
            Self::Apply(arguments) => arguments.run(context),
            Self::History(arguments) => arguments.run(context),
            Self::Rollback(arguments) => arguments.run(context),
            Self::Export(arguments) => arguments.run(context),
            Self::Import(arguments) => arguments.run(context),
            Self::Audit(arguments) => arguments.run(context),
            Self::Denials(arguments) => arguments.run(context),
            Self::Ca(arguments) => arguments.run(context),
            Self::Cert(arguments) => arguments.run(context),
            Self::Revoke(arguments) => arguments.run(context),
            Self::Session(arguments) => arguments.run(context),
            Self::Status(arguments) => arguments.run(context),
            Self::Reload(arguments) => arguments.run(context),
            Self::Store(arguments) => arguments.run(context),
            Self::Completions(arguments) => arguments.run(),
            Self::Man(arguments) => arguments.run(),
        }
    }
}
