//! `certmq store`: is the store whole, and how to make it so again.

use super::{Context, Exit, Failure, Outcome, after_help, backend, output};
use crate::config::Settings;
use crate::store::policy_store::{self, CheckReport, RestoreReport, RestoreSource};
use output::Table;

/// The store: check it, restore it; no broker may run meanwhile
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq store check", "every record, and the backup beside them"),
        ("certmq store restore --policy", "rebuild a damaged policy from snapshot and journal"),
    ],
    CODES,
))]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Read the whole store and its backup, and compare them
    #[command(after_help = after_help(&[("certmq store check", "exit code 65 and every fault when something is damaged")], CODES))]
    Check,
    /// Make the store whole again; what was damaged is kept aside
    #[command(after_help = after_help(
        &[("certmq store restore --policy", "from snapshot and journal, or the backup from the store, whichever is whole")],
        CODES,
    ))]
    Restore {
        /// The policy: devices, groups and rules
        #[arg(long, required = true)]
        policy: bool,
    },
}

const CODES: &[Exit] = &[
    Exit::Data,
    Exit::Missing,
    Exit::Software,
    Exit::CannotCreate,
    Exit::InUse,
    Exit::NotPermitted,
    Exit::Configuration,
];

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let settings = context.settings()?;
        take(&settings)?;
        let failure = |error| backend::store_failure(&error, &settings);
        match self.command {
            Command::Check => {
                let report = policy_store::check(&settings.storage.path).map_err(failure)?;
                context.output.write(&report, check_text)?;
                Ok(if report.faults.is_empty() { Exit::Success } else { Exit::Data })
            }
            Command::Restore { .. } => {
                let report = policy_store::restore_policy(&settings.storage.path).map_err(failure)?;
                context.output.write(&report, restore_text)?;
                Ok(Exit::Success)
            }
        }
    }
}

/// Makes sure that a store is there, that no broker has it, and that we are its owner.
fn take(settings: &Settings) -> Result<(), Failure> {
    if backend::broker(settings)?.is_some() {
        let socket = settings.storage.admin_socket();
        let message = format!(
            "{}: a broker runs on this store (it answers at {}); it verified the store when it started; stop it first",
            settings.storage.path.display(),
            socket.display()
        );
        return Err(Failure::new(Exit::InUse, message));
    }
    backend::judge_present(&settings.storage.path)?;
    backend::become_owner(&settings.storage.path)
}

pub(super) fn check_text(report: &CheckReport) -> String {
    let mut table = Table::default();
    let whole = if report.faults.is_empty() { "whole" } else { "DAMAGED" };
    table.row(&["store", &format!("{} ({whole})", report.folder.display())]);
    table.row(&["generation", &report.generation.to_string()]);
    table.row(&["records", &format!("{} device(s), {} group(s)", report.devices, report.groups)]);
    table.row(&["hash", &report.hash]);
    let backup =
        format!("snapshot of generation {}, {} change(s) since", report.snapshot_generation, report.journal_entries);
    table.row(&["backup", &backup]);
    table.row(&["database", &format!("{} bytes, schema {}", report.database_bytes, report.schema)]);
    for fault in &report.faults {
        table.row(&["fault", fault]);
    }
    table.render()
}

fn restore_text(report: &RestoreReport) -> String {
    let mut table = Table::default();
    let done = match report.source {
        RestoreSource::Unharmed => "nothing to do: store and backup are whole",
        RestoreSource::Store => "the backup was written anew from the store",
        RestoreSource::Backup => "the store was rebuilt from snapshot and journal",
    };
    table.row(&["restore", done]);
    table.row(&["generation", &report.generation.to_string()]);
    table.row(&["records", &format!("{} device(s), {} group(s)", report.devices, report.groups)]);
    for path in &report.kept_aside {
        table.row(&["kept aside", &path.display().to_string()]);
    }
    if let Some(line) = report.unfinished_line {
        table.row(&[
            "left out",
            &format!("line {line} of the journal: it was never finished, and nobody was told it was"),
        ]);
    }
    table.render()
}
