//! `certmq apply FILE`: makes the policy what a file says.

use super::device::{CODES, changed};
use super::{Context, Exit, Failure, Outcome, after_help, backend};
use crate::admin::{Reply, Request};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Make the whole policy what a fleet file says, in one transaction: what is not in the file goes
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq export > fleet.toml", "first: the policy as it is"),
        ("certmq apply fleet.toml", "then: all of the file or nothing; refused if the policy changed in between"),
    ],
    CODES,
))]
pub(super) struct Arguments {
    /// The fleet file; - reads stdin
    file: PathBuf,
}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        // Before the store is opened: root may read files that the owner of the store may not.
        let text = read(&self.file)?;
        match backend::ask(&context.settings()?, Request::Apply { text }) {
            Ok(Reply::Changed(change)) => changed(context, &change),
            Ok(_) => Err(backend::unexpected()),
            Err(failure) if failure.code() == Exit::Data => {
                Err(Failure::new(Exit::Data, format!("{}: {failure}", self.file.display())))
            }
            Err(failure) => Err(failure),
        }
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
