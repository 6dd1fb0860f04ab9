//! `certmq apply FILE`: makes the policy what a file says.

use super::device::{CODES, changed};
use super::{Context, Exit, Failure, Outcome, after_help, backend};
use crate::admin::{FleetScope, Reply, Request};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Make the whole policy what a fleet file says, in one transaction: what is not in the file goes
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq export > fleet.toml", "first: the policy as it is"),
        ("certmq plan fleet.toml", "then, after editing: what it would change, and for which live devices"),
        ("certmq apply fleet.toml", "last: all of the file or nothing; refused if the policy changed in between"),
        ("certmq apply --merge more.toml", "only add and change: records that the file does not name stay"),
    ],
    CODES,
))]
pub(super) struct Arguments {
    #[command(flatten)]
    fleet: FleetFile,
    /// How many records may go, where they are more than ten, one in a hundred, or half of a few
    #[arg(long, value_name = "COUNT", conflicts_with = "merge")]
    allow_remove: Option<usize>,
}

/// A fleet file and how it is meant.
#[derive(Debug, clap::Args)]
pub(super) struct FleetFile {
    /// The fleet file; - reads stdin
    file: PathBuf,
    /// Only add and change: records that the file does not name stay
    #[arg(long)]
    merge: bool,
}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let Self { fleet, allow_remove } = self;
        let reply = fleet.ask(context, |text, scope| Request::Apply { text, scope, allow_remove })?;
        match reply {
            Reply::Changed(change) => changed(context, &change),
            _ => Err(backend::unexpected()),
        }
    }
}

impl FleetFile {
    /// Reads the file and asks what `request` makes of it. A fault of the data names the file.
    pub(super) fn ask(
        &self,
        context: &Context,
        request: impl FnOnce(String, FleetScope) -> Request,
    ) -> Result<Reply, Failure> {
        // Before the store is opened: root may read files that the owner of the store may not.
        let text = read(&self.file)?;
        let scope = if self.merge { FleetScope::Addition } else { FleetScope::Whole };
        backend::ask(&context.settings()?, request(text, scope)).map_err(|failure| match failure.code() {
            Exit::Data => Failure::new(Exit::Data, format!("{}: {failure}", self.file.display())),
            _ => failure,
        })
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let read = match path.to_str() {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
        }
        _ => std::fs::read_to_string(path),
    };
    read.map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => Failure::new(Exit::Data, format!("{}: is not UTF-8 text", path.display())),
        _ => Failure::reading(path, &error),
    })
}
