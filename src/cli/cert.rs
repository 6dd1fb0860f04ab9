//! `certmq cert`: the certificates of the built-in CA.

mod identity;
mod issue;
mod list;
mod revoke;

use super::ca::{self, CODES, FolderArgument};
use super::{Context, Exit, Outcome, after_help, output};

/// Certificates of the built-in CA: issue, sign, renew, list, revoke; and who a certificate would be
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq cert issue server --server --san broker.example", "certificate and key of the broker"),
        ("certmq cert issue dev-0001 --subject CN=dev-0001,O=acme", "certificate and key of a device"),
        ("certmq cert identity dev-0001.crt", "the device that the broker would see"),
    ],
    CODES,
))]
pub(super) struct Arguments {
    #[command(flatten)]
    folder: FolderArgument,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Issue(issue::Issue),
    Sign(issue::Sign),
    Renew(issue::Renew),
    List(list::List),
    Revoke(revoke::Revoke),
    Identity(identity::Identity),
}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let dir = &self.folder.dir;
        match self.command {
            Command::Issue(arguments) => arguments.run(dir, context),
            Command::Sign(arguments) => arguments.run(dir, context),
            Command::Renew(arguments) => arguments.run(dir, context),
            Command::List(arguments) => arguments.run(dir, context),
            Command::Revoke(arguments) => arguments.run(dir, context),
            Command::Identity(arguments) => arguments.run(dir, context),
        }
    }
}
