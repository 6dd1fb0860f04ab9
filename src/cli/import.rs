//! `certmq import`: access rules of other brokers as a fleet file.

use super::{Context, Exit, Failure, Outcome, Output, after_help, output};
use crate::policy::fleet::export;
use crate::policy::import::{Carried, ImportError, Names, Note, Translation, UserName};
use crate::policy::{Records, SubjectSelector, import};
use output::Table;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Turn another broker's access rules into a fleet file, and tell what carried over and what differs
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq import mosquitto --acl-file /etc/mosquitto/acl > fleet.toml", "the fleet file; the account on stderr"),
        ("certmq import emqx --acl-file acl.conf --output json", "fleet file and account in one document"),
    ],
    CODES,
))]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// From mosquitto: an ACL file, or the document of its dynamic security plugin
    #[command(after_help = after_help(
        &[
            (
                "certmq import mosquitto --acl-file acl --crl-file ca.crl --subject-suffix O=acme > fleet.toml",
                "users are common names, as with use_identity_as_username; all subjects end with O=acme",
            ),
            (
                "certmq import mosquitto --dynamic-security dynamic-security.json --user-name subject > fleet.toml",
                "users are whole subjects, as with use_subject_as_username",
            ),
        ],
        CODES,
    ))]
    Mosquitto {
        /// Its acl_file
        #[arg(
            long,
            value_name = "FILE",
            required_unless_present = "dynamic_security",
            conflicts_with = "dynamic_security"
        )]
        acl_file: Option<PathBuf>,
        /// The JSON document of its dynamic security plugin
        #[arg(long, value_name = "FILE")]
        dynamic_security: Option<PathBuf>,
        /// Its crlfile: looked at, and told how the settings name it
        #[arg(long, value_name = "FILE")]
        crl_file: Option<PathBuf>,
        #[command(flatten)]
        users: Users,
    },
    /// From EMQX: the rules of its file authorizer
    #[command(after_help = after_help(
        &[("certmq import emqx --acl-file acl.conf > fleet.toml", "first match there, deny before allow here: the account tells where it matters")],
        CODES,
    ))]
    Emqx {
        /// Its acl.conf
        #[arg(long, value_name = "FILE")]
        acl_file: PathBuf,
        #[command(flatten)]
        users: Users,
    },
}

/// How the user names there become devices here.
#[derive(Debug, clap::Args)]
struct Users {
    /// What of the certificate a user name is there
    #[arg(long, value_enum, default_value_t)]
    user_name: UserNameIs,
    /// What follows the common name in every subject, such as O=acme
    #[arg(long, value_name = "DN")]
    subject_suffix: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum UserNameIs {
    /// Its common name
    #[default]
    Cn,
    /// Its whole subject
    Subject,
}

const CODES: &[Exit] = &[Exit::Data, Exit::Missing, Exit::CannotCreate, Exit::NotPermitted, Exit::Configuration];

#[derive(Serialize)]
struct Document {
    /// The fleet file.
    fleet: String,
    /// Lines for the settings file.
    settings: Vec<String>,
    notes: Vec<NoteView>,
}

#[derive(Serialize)]
struct NoteView {
    outcome: Carried,
    place: String,
    text: String,
}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let (translation, settings) = match self.command {
            Command::Mosquitto { acl_file, dynamic_security, crl_file, users } => {
                let names = users.names(context)?;
                let settings = crl_file.as_deref().map(crl_setting).transpose()?;
                let translation = match (&acl_file, &dynamic_security) {
                    (Some(file), _) => translate(file, &names, import::mosquitto)?,
                    (None, Some(file)) => translate(file, &names, import::dynamic_security)?,
                    (None, None) => return Err(Failure::new(Exit::Usage, "name --acl-file or --dynamic-security")),
                };
                (translation, settings.into_iter().collect())
            }
            Command::Emqx { acl_file, users } => {
                (translate(&acl_file, &users.names(context)?, import::emqx)?, Vec::new())
            }
        };
        write(context.output, translation, settings)
    }
}

impl Users {
    fn names(&self, context: &Context) -> Result<Names, Failure> {
        let settings = context.settings()?;
        let user_name = match self.user_name {
            UserNameIs::Cn => UserName::CommonName,
            UserNameIs::Subject => UserName::Subject,
        };
        if let Some(suffix) = &self.subject_suffix {
            SubjectSelector::Dn
                .typed_name(suffix)
                .map_err(|error| Failure::new(Exit::Data, format!("--subject-suffix {suffix:?}: {error}")))?;
        }
        Ok(Names {
            selector: settings.identity.subject,
            client_id: settings.policy_settings().client_id,
            user_name,
            subject_suffix: self.subject_suffix.clone(),
        })
    }
}

fn translate(
    file: &Path,
    names: &Names,
    translation: impl FnOnce(&str, &Names) -> Result<Translation, ImportError>,
) -> Result<Translation, Failure> {
    let bytes = std::fs::read(file).map_err(|error| Failure::reading(file, &error))?;
    let refused = |message: String| Failure::new(Exit::Data, format!("{}: {message}", file.display()));
    let text = String::from_utf8(bytes).map_err(|_| refused("is not UTF-8 text".to_owned()))?;
    translation(&text, names).map_err(|error| refused(error.to_string()))
}

/// The line of the settings that names a CRL, once it has been seen to be one.
fn crl_setting(file: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(file).map_err(|error| Failure::reading(file, &error))?;
    let is_der = bytes.first() == Some(&0x30);
    if !is_der && CertificateRevocationListDer::from_pem_slice(&bytes).is_err() {
        let message = format!("{}: holds no CRL, neither PEM (BEGIN X509 CRL) nor DER", file.display());
        return Err(Failure::new(Exit::Data, message));
    }
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    Ok(format!("tls.crl = [{:?}]", path.display().to_string()))
}

fn write(form: Output, translation: Translation, settings: Vec<String>) -> Outcome {
    let Translation { records, notes } = translation;
    match form {
        Output::Table => {
            output::print(&fleet_text(&records))?;
            output::message(&account(&records, &notes, &settings));
        }
        Output::Json => {
            let notes = notes.into_iter().map(|Note { outcome, place, text }| NoteView { outcome, place, text });
            let document = Document { fleet: fleet_text(&records), settings, notes: notes.collect() };
            form.write(&document, |_| String::new())?;
        }
    }
    Ok(Exit::Success)
}

/// Without a generation: the file belongs to no state of the policy yet.
fn fleet_text(records: &Records) -> String {
    export(records).replacen("generation = 0\n", "", 1)
}

fn account(records: &Records, notes: &[Note], settings: &[String]) -> String {
    let mut table = Table::new(&["WHERE", "WHAT BECAME OF IT", ""]);
    let mut sorted: Vec<&Note> = notes.iter().collect();
    sorted.sort_by_key(|note| note.outcome);
    for note in sorted {
        let outcome = match note.outcome {
            Carried::Over => "carried over",
            Carried::Differs => "DIFFERS",
            Carried::LeftOut => "LEFT OUT",
        };
        table.row(&[&note.place, outcome, &note.text]);
    }
    let mut text = table.render();
    for setting in settings {
        text.push_str(&format!("\nIn config/certmq.toml: {setting}\n"));
    }
    let count = |outcome| notes.iter().filter(|note| note.outcome == outcome).count();
    text.push_str(&format!(
        "\n{} devices, {} groups; {} carried over, {} differ, {} left out. Next: certmq plan FILE, certmq apply --merge FILE",
        records.devices.len(),
        records.groups.len(),
        count(Carried::Over),
        count(Carried::Differs),
        count(Carried::LeftOut),
    ));
    text
}
