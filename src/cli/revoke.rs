//! `certmq revoke`: the deny list, in force at once and without any CA.

use super::device::{CODES, changed};
use super::who::der;
use super::{Context, Exit, Failure, Outcome, after_help, backend, output};
use crate::admin::reply::{DenialView, DeniedView};
use crate::admin::{DeviceRef, Leftovers, Named, Reply, Request, RevokeTarget};
use crate::policy::DeviceKey;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use output::Table;
use serde::Serialize;
use std::path::PathBuf;

/// Refuse a device or a certificate from now on: handshakes, live connections, what it has queued and retained
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "certmq revoke [OPTIONS] <WHO|--cert FILE|--serial HEX|--list|--undo ID>",
    after_help = after_help(
        &[
            ("certmq revoke dev-0001", "the device, with every certificate it has or will have"),
            ("certmq revoke --cert lost.crt", "this certificate alone; the device may come with another one"),
            ("certmq revoke --serial 0A1B --issuer 'CN=acme CA,O=acme'", "the same, where only the number is at hand"),
            ("certmq revoke dev-0001 --purge", "and delete the retained messages and wills it leaves behind"),
            ("certmq revoke --list", "what is revoked here, with the number of each entry"),
            ("certmq revoke --undo 42", "lift an entry; no apply or rollback ever does"),
        ],
        CODES,
    ),
)]
pub(super) struct Arguments {
    /// The device's name
    #[arg(value_name = "WHO", conflicts_with_all = ["cert", "serial", "list", "undo"])]
    word: Option<String>,
    /// The trust block that vouches for the device
    #[arg(long, value_name = "NAME", default_value = DeviceKey::DEFAULT_TRUST)]
    trust: String,
    /// A certificate, PEM or DER, of a device or of a CA between device and root
    #[arg(long, value_name = "FILE", conflicts_with_all = ["serial", "list", "undo"])]
    cert: Option<PathBuf>,
    /// A certificate by its serial number, as openssl prints it
    #[arg(long, value_name = "HEX", conflicts_with_all = ["list", "undo"])]
    serial: Option<String>,
    /// Who issued it, where several CAs are trusted
    #[arg(long, value_name = "DN", requires = "serial")]
    issuer: Option<String>,
    /// Delete the retained messages and wills it leaves behind, which are withheld else
    #[arg(long, conflicts_with_all = ["list", "undo"])]
    purge: bool,
    /// Show what is revoked here
    #[arg(long, conflicts_with = "undo")]
    list: bool,
    /// Lift the entry of this number
    #[arg(long, value_name = "ID")]
    undo: Option<u64>,
}

#[derive(Serialize)]
struct Document {
    revocations: Vec<DenialView>,
}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        if self.list {
            return list(context);
        }
        let request = match self.undo {
            Some(id) => Request::LiftDenial { id },
            None => {
                let leftovers = if self.purge { Leftovers::Purge } else { Leftovers::Withhold };
                Request::Revoke { target: self.target()?, leftovers }
            }
        };
        match backend::ask(&context.settings()?, request)? {
            Reply::Changed(change) => changed(context, &change),
            _ => Err(backend::unexpected()),
        }
    }

    fn target(self) -> Result<RevokeTarget, Failure> {
        match (self.word, self.cert, self.serial) {
            (Some(word), ..) => Ok(RevokeTarget::Device(DeviceRef { trust: self.trust, named: Named::Name(word) })),
            (None, Some(file), _) => Ok(RevokeTarget::Certificate(BASE64_STANDARD.encode(der(&file)?))),
            (None, None, Some(serial)) => Ok(RevokeTarget::Serial { serial, issuer: self.issuer }),
            (None, None, None) => {
                let message =
                    "say what to revoke: `certmq revoke WHO`, --cert FILE or --serial HEX; --list shows what is";
                Err(Failure::new(Exit::Usage, message))
            }
        }
    }
}

fn list(context: &Context) -> Outcome {
    match backend::ask(&context.settings()?, Request::ListDenials {})? {
        Reply::DenyList(revocations) => {
            context.output.write(&Document { revocations }, table)?;
            Ok(Exit::Success)
        }
        _ => Err(backend::unexpected()),
    }
}

fn table(document: &Document) -> String {
    let mut table = Table::new(&["ID", "REVOKED", "SINCE", "BY"]);
    for entry in &document.revocations {
        let what = match &entry.target {
            DeniedView::Device { subject, trust } if trust == DeviceKey::DEFAULT_TRUST => {
                format!("device {subject}")
            }
            DeniedView::Device { subject, trust } => format!("device {subject} (trust block {trust})"),
            DeniedView::Certificate { serial, issuer, .. } => format!("certificate {serial} of {issuer}"),
        };
        table.row(&[entry.id.to_string(), what, entry.since.clone(), entry.author.clone()]);
    }
    table.render()
}
