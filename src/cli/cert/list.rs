//! `certmq cert list`.

use super::{CODES, Context, Exit, Outcome, after_help, ca, output};
use crate::pki::{KeyFile, Listed, State};
use output::Table;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What this CA issued, and what of it is good
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq cert list", "one line a certificate: name, state, end, key, serial, subject"),
        ("certmq cert list --output json", "the same for scripts, with fingerprints"),
    ],
    CODES,
))]
pub(super) struct List {}

#[derive(Debug, Serialize)]
struct Document {
    certificates: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    subject: String,
    serial: String,
    not_before: String,
    not_after: String,
    sha256: String,
    state: State,
    key: KeyFile,
    file: Option<PathBuf>,
}

impl From<Listed> for Row {
    fn from(listed: Listed) -> Self {
        Self {
            name: listed.name,
            subject: listed.subject,
            serial: listed.serial,
            not_before: ca::date(listed.not_before),
            not_after: ca::date(listed.not_after),
            sha256: listed.sha256,
            state: listed.state,
            key: listed.key,
            file: listed.file,
        }
    }
}

impl List {
    pub(super) fn run(self, dir: &Path, context: &Context) -> Outcome {
        let listed = ca::open(dir)?.list(ca::now()).map_err(ca::failure)?;
        let document = Document { certificates: listed.into_iter().map(Row::from).collect() };
        context.output.write(&document, Document::table)?;
        Ok(Exit::Success)
    }
}

impl Document {
    fn table(&self) -> String {
        let mut table = Table::new(&["NAME", "STATE", "EXPIRES", "KEY", "SERIAL", "SUBJECT"]);
        for row in &self.certificates {
            let state = match row.state {
                State::Valid if row.file.is_none() => "valid, no file",
                State::Valid => "valid",
                State::NotYetValid => "not yet valid",
                State::Expired => "expired",
                State::Revoked => "revoked",
            };
            table.row(&[&row.name, state, &row.not_after, ca::describe(row.key), &row.serial, &row.subject]);
        }
        table.render()
    }
}
