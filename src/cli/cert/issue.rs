//! `certmq cert issue`, `sign`, `renew`: what makes certificates.

use super::identity::Facts;
use super::{CODES, Context, Exit, Outcome, after_help, ca, output};
use crate::cli::Failure;
use crate::pki::{IssueRequest, Issued, KeyChoice, KeyType, RenewRequest, Service, SignRequest};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Make a key and a certificate for it: NAME.key (for its owner alone) and NAME.crt
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq cert issue dev-0001", "a device named CN=dev-0001, for a year"),
        ("certmq cert issue dev-0001 --subject CN=dev-0001,OU=sensors,O=acme --key rsa", "more of a name, an RSA key"),
        ("certmq cert issue server --server --san broker.example --san 192.0.2.7", "the broker's own"),
    ],
    CODES,
))]
pub(super) struct Issue {
    /// Name of the files, and the common name unless --subject is given
    name: String,
    /// Distinguished name, RFC 4514 [default: CN=NAME]
    #[arg(long, value_name = "DN")]
    subject: Option<String>,
    /// How long it is valid; never longer than the CA
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Which key is made
    #[arg(long, value_enum, default_value_t)]
    key: Key,
    /// For a broker (serverAuth) instead of a device (clientAuth)
    #[arg(long)]
    server: bool,
    /// Subject alternative name: host name, IP address, URI or e-mail address; may be repeated [default with --server:
    /// localhost, 127.0.0.1, ::1]
    #[arg(long = "san", value_name = "NAME")]
    names: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Key {
    /// ECDSA on P-256
    #[default]
    P256,
    /// RSA with 2048 bits
    Rsa,
    /// RSA with 3072 bits
    Rsa3072,
}

impl From<Key> for KeyType {
    fn from(key: Key) -> Self {
        match key {
            Key::P256 => Self::P256,
            Key::Rsa => Self::Rsa2048,
            Key::Rsa3072 => Self::Rsa3072,
        }
    }
}

impl Issue {
    pub(super) fn run(self, dir: &Path, context: &Context) -> Outcome {
        let request = IssueRequest {
            name: self.name,
            subject: self.subject,
            days: self.days,
            key: self.key.into(),
            service: if self.server { Service::Server } else { Service::Device },
            alternative_names: self.names,
        };
        let issued = ca::open(dir)?.issue(&request, ca::now()).map_err(ca::failure)?;
        report(issued, context)
    }
}

/// Sign the request of a device that made its own key; the key never leaves it
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("openssl req -new -key dev.key -subj /O=acme/CN=dev-0001 -out dev-0001.csr", "on the device"),
        ("certmq cert sign dev-0001.csr", "here: writes device-certs/dev-0001.crt"),
    ],
    CODES,
))]
pub(super) struct Sign {
    /// Certificate signing request, PEM or DER
    csr: PathBuf,
    /// How long it is valid; never longer than the CA
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Where the certificate goes [default: NAME.crt in the folder, with the NAME of the request's file]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Sign {
    pub(super) fn run(self, dir: &Path, context: &Context) -> Outcome {
        let request = SignRequest { csr: self.csr, days: self.days, out: self.out };
        let issued = ca::open(dir)?.sign(&request, ca::now()).map_err(ca::failure)?;
        report(issued, context)
    }
}

/// Make a new certificate for the same name; the old one is kept beside it and stays valid
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq cert renew dev-0001", "a new key and certificate; the old ones become dev-0001.key.old, dev-0001.crt.old"),
        ("certmq cert renew dev-0001 --keep-key --days 30", "the same key certified again"),
    ],
    CODES,
))]
pub(super) struct Renew {
    /// A name of the folder, or a certificate file
    #[arg(value_name = "NAME|FILE")]
    certificate: PathBuf,
    /// How long it is valid [default: as long as the old one was]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    /// Certify the same key again instead of making a new one
    #[arg(long)]
    keep_key: bool,
}

impl Renew {
    pub(super) fn run(self, dir: &Path, context: &Context) -> Outcome {
        let key = if self.keep_key { KeyChoice::Keep } else { KeyChoice::New };
        let request = RenewRequest { certificate: self.certificate, days: self.days, key };
        let issued = ca::open(dir)?.renew(&request, ca::now()).map_err(ca::failure)?;
        output::message("the old certificate stays valid until it expires; to end it now: certmq cert revoke FILE");
        report(issued, context)
    }
}

#[derive(Debug, Serialize)]
struct Document {
    certificate: PathBuf,
    key: Option<PathBuf>,
    set_aside: Vec<PathBuf>,
    #[serde(flatten)]
    facts: Facts,
}

fn report(issued: Issued, context: &Context) -> Outcome {
    for notice in &issued.notices {
        output::message(&format!("note: {}", output::escape(notice)));
    }
    let document = Document {
        facts: Facts::from(&issued.identity),
        certificate: issued.certificate,
        key: issued.key,
        set_aside: issued.set_aside,
    };
    written(&document, context)?;
    Ok(Exit::Success)
}

fn written(document: &Document, context: &Context) -> Result<(), Failure> {
    context.output.write(document, |document| {
        let key = document.key.as_ref().map_or("stays on the device".into(), |key| key.display().to_string());
        let mut fields = document.facts.fields();
        fields.push(("certificate", document.certificate.display().to_string()));
        fields.push(("private key", key));
        fields.extend(document.set_aside.iter().map(|path| ("set aside", path.display().to_string())));
        ca::lines(&fields)
    })
}
