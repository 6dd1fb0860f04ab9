//! `certmq cert revoke`.

use super::identity::Facts;
use super::{CODES, Context, Exit, Outcome, after_help, ca, output};
use crate::pki::{Reason, Revoked, word};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Add a certificate to the revocation list ca.crl; nothing that was revoked before is lost
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq cert revoke device-certs/dev-0001.crt", "its holder is refused once the broker has the new list"),
        ("certmq cert revoke dev-0001 --reason key-compromise", "by its name in the folder, saying why"),
    ],
    CODES,
))]
pub(super) struct Revoke {
    /// A certificate file, or a name of the folder
    #[arg(value_name = "FILE|NAME")]
    certificate: PathBuf,
    /// Why; it stands in the list
    #[arg(long, value_enum, default_value_t)]
    reason: Why,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Why {
    /// None given
    #[default]
    Unspecified,
    /// Somebody else has, or may have, the private key
    KeyCompromise,
    /// The subject's name or owner changed
    AffiliationChanged,
    /// Another certificate took its place
    Superseded,
    /// The device is out of service
    CessationOfOperation,
    /// The right to it was taken away
    PrivilegeWithdrawn,
}

impl From<Why> for Reason {
    fn from(why: Why) -> Self {
        match why {
            Why::Unspecified => Self::Unspecified,
            Why::KeyCompromise => Self::KeyCompromise,
            Why::AffiliationChanged => Self::AffiliationChanged,
            Why::Superseded => Self::Superseded,
            Why::CessationOfOperation => Self::CessationOfOperation,
            Why::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
        }
    }
}

#[derive(Debug, Serialize)]
struct Document {
    #[serde(flatten)]
    facts: Facts,
    crl: Option<CrlDocument>,
}

#[derive(Debug, Serialize)]
struct CrlDocument {
    path: PathBuf,
    number: String,
    next_update: String,
    revoked: usize,
}

impl Revoke {
    pub(super) fn run(self, dir: &Path, context: &Context) -> Outcome {
        let revoked = ca::open(dir)?.revoke(&self.certificate, self.reason.into(), ca::now()).map_err(ca::failure)?;
        let document = match revoked {
            Revoked::Now { identity, crl } => {
                output::message(&format!(
                    "a running broker whose tls.crl names {} takes it within three seconds,\n\
                     or at once with `certmq reload`",
                    word(&crl.path)
                ));
                let crl = CrlDocument {
                    path: crl.path,
                    number: crl.number,
                    next_update: ca::date(crl.next_update),
                    revoked: crl.revoked,
                };
                Document { facts: Facts::from(&identity), crl: Some(crl) }
            }
            Revoked::Already { identity } => {
                output::message("it was revoked before; the list is as it was");
                Document { facts: Facts::from(&identity), crl: None }
            }
        };
        context.output.write(&document, Document::table)?;
        Ok(Exit::Success)
    }
}

impl Document {
    fn table(&self) -> String {
        let mut fields = vec![("revoked", self.facts.subject().to_owned()), ("serial", self.facts.serial().to_owned())];
        if let Some(crl) = &self.crl {
            fields.push(("CRL", format!("{}, number {}, {} revoked", crl.path.display(), crl.number, crl.revoked)));
            fields.push(("CRL until", crl.next_update.clone()));
        }
        ca::lines(&fields)
    }
}
