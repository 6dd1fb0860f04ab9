//! `certmq ca`: the built-in certificate authority itself. Also what `ca` and `cert` have in common.

use super::{Context, Exit, Failure, Outcome, after_help, output};
use crate::pki::{Authority, CrlSummary, InitRequest, KeyFile, PkiError, ReissuedCrl, Summary, word};
use output::Table;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The built-in CA for trials and small fleets: make it, show it
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq ca init", "a CA in device-certs/: ca.crt, ca.key (for you alone), ca.crl"),
        ("certmq ca show --output json", "who it is, until when, and how fresh its revocation list is"),
    ],
    CODES,
))]
pub(super) struct Arguments {
    #[command(flatten)]
    folder: FolderArgument,
    #[command(subcommand)]
    command: Command,
}

/// Where the CA lives.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct FolderArgument {
    /// Folder of the CA: ca.crt, ca.key, ca.crl, NAME.crt, NAME.key
    #[arg(long, global = true, value_name = "FOLDER", default_value = "device-certs")]
    pub(super) dir: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a CA: key, certificate, empty revocation list; overwrites nothing
    #[command(after_help = after_help(
        &[
            ("certmq ca init", "CN=certmq development CA, for ten years"),
            ("certmq ca init --dir acme-ca --subject 'CN=ACME device CA,O=acme'", "another name, another folder"),
        ],
        CODES,
    ))]
    Init {
        /// Its distinguished name, RFC 4514
        #[arg(long, value_name = "DN", default_value = "CN=certmq development CA")]
        subject: String,
        /// How long it is valid
        #[arg(long, value_name = "DAYS", default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..=36_500))]
        days: u32,
    },
    /// Who the CA is, where its key is, and how fresh its revocation list is
    #[command(after_help = after_help(&[("certmq ca show", "the CA in device-certs/")], CODES))]
    Show,
}

/// How `ca` and `cert` can end.
pub(super) const CODES: &[Exit] = &[Exit::Data, Exit::Missing, Exit::Software, Exit::CannotCreate, Exit::NotPermitted];

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let dir = &self.folder.dir;
        let authority = match self.command {
            Command::Init { subject, days } => {
                let authority = Authority::init(dir, &InitRequest { subject, days }, now()).map_err(failure)?;
                output::message(&format!("the CA was made; next: certmq cert issue NAME --dir {}", word(dir)));
                authority
            }
            Command::Show => open(dir)?,
        };
        let document = Document::from(authority.summary().map_err(failure)?);
        context.output.write(&document, Document::table)?;
        Ok(Exit::Success)
    }
}

/// Unix seconds.
pub(super) fn now() -> i64 {
    // A clock before 1970 makes every certificate "not yet valid", which says what is wrong.
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|time| i64::try_from(time.as_secs()).ok()).unwrap_or(0)
}

/// Opens the CA of a folder; a revocation list past half of its life is re-issued.
pub(super) fn open(dir: &Path) -> Result<Authority, Failure> {
    let mut authority = Authority::open(dir).map_err(failure)?;
    if let Some(crl) = authority.refresh_crl_if_due(now()).map_err(failure)? {
        tell_reissued(&crl);
    }
    Ok(authority)
}

/// Says on stderr that a new revocation list was written.
pub(super) fn tell_reissued(crl: &ReissuedCrl) {
    output::message(&format!(
        "{}: written anew, because half of its life was over or entries were missing; good until {}",
        crl.path.display(),
        date(crl.next_update)
    ));
}

/// RFC 3339, in UTC.
pub(super) fn date(seconds: i64) -> String {
    let date = OffsetDateTime::from_unix_timestamp(seconds).ok();
    date.and_then(|date| date.format(&Rfc3339).ok()).unwrap_or_else(|| format!("@{seconds}"))
}

/// The exit code and the message of an error of the CA.
pub(super) fn failure(error: PkiError) -> Failure {
    let code = match &error {
        PkiError::Request(_) => Exit::Usage,
        PkiError::Exists { .. } => Exit::CannotCreate,
        PkiError::Missing { .. } => Exit::Missing,
        PkiError::ExposedKey { .. } => Exit::NotPermitted,
        PkiError::Invalid { .. } => Exit::Data,
        PkiError::Read { path, source } => return Failure::reading(path, source),
        PkiError::Write { path, source } => return Failure::writing(path, source),
        PkiError::Internal(_) => Exit::Software,
    };
    Failure::new(code, output::escape(&error.to_string()))
}

/// Lines of a name and a value, aligned.
pub(super) fn lines(fields: &[(&str, String)]) -> String {
    let mut table = Table::default();
    for (name, value) in fields {
        table.row(&[*name, value.as_str()]);
    }
    table.render()
}

#[derive(Debug, Serialize)]
struct Document {
    subject: String,
    serial: String,
    not_before: String,
    not_after: String,
    sha256: String,
    certificate: PathBuf,
    key: KeyFile,
    issued: usize,
    crl: Option<CrlDocument>,
}

#[derive(Debug, Serialize)]
struct CrlDocument {
    path: PathBuf,
    number: String,
    this_update: String,
    next_update: String,
    revoked: usize,
}

impl From<CrlSummary> for CrlDocument {
    fn from(crl: CrlSummary) -> Self {
        Self {
            path: crl.path,
            number: crl.number,
            this_update: date(crl.this_update),
            next_update: date(crl.next_update),
            revoked: crl.revoked,
        }
    }
}

impl From<Summary> for Document {
    fn from(summary: Summary) -> Self {
        let identity = summary.identity;
        Self {
            subject: identity.subject.as_str().to_owned(),
            serial: identity.serial_hex(),
            not_before: date(identity.not_before),
            not_after: date(identity.not_after),
            sha256: identity.sha256.iter().map(|octet| format!("{octet:02x}")).collect(),
            certificate: summary.certificate,
            key: summary.key,
            issued: summary.issued,
            crl: summary.crl.map(CrlDocument::from),
        }
    }
}

impl Document {
    fn table(&self) -> String {
        let crl = match &self.crl {
            Some(crl) => format!("{}, number {}, {} revoked", crl.path.display(), crl.number, crl.revoked),
            None => "none yet".into(),
        };
        let fresh = self.crl.as_ref().map_or("-".into(), |crl| format!("{} to {}", crl.this_update, crl.next_update));
        lines(&[
            ("subject", self.subject.clone()),
            ("serial", self.serial.clone()),
            ("valid", format!("{} to {}", self.not_before, self.not_after)),
            ("sha256", self.sha256.clone()),
            ("certificate", self.certificate.display().to_string()),
            ("private key", describe(self.key).to_owned()),
            ("issued", self.issued.to_string()),
            ("CRL", crl),
            ("CRL valid", fresh),
        ])
    }
}

/// Who can use a key, in words.
pub(super) fn describe(key: KeyFile) -> &'static str {
    match key {
        KeyFile::Present => "here",
        KeyFile::Absent => "not here",
        KeyFile::Exposed => "EXPOSED: chmod go-rwx",
    }
}
