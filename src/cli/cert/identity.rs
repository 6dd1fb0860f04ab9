//! `certmq cert identity`: who would this be?

use super::{CODES, Context, Exit, Outcome, after_help, ca, output};
use crate::pki::{self, Authority, Inspection};
use crate::policy::{self, SubjectSelector};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Who would this certificate be? Read as the broker reads it, with every fault and what to do
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq cert identity device-certs/dev-0001.crt", "its names, under each setting of identity.subject"),
        ("certmq cert identity dev.pem --output json", "the same for scripts; exit 1 when a broker would refuse it"),
    ],
    &[CODES, &[Exit::Denied]].concat(),
))]
pub(super) struct Identity {
    /// A certificate, PEM (its first one) or DER
    file: PathBuf,
}

/// The facts of a certificate, for people and scripts.
#[derive(Debug, Serialize)]
pub(super) struct Facts {
    subject: String,
    issuer: String,
    serial: String,
    not_before: String,
    not_after: String,
    sha256: String,
    spki_sha256: String,
    cn: Vec<String>,
    o: Vec<String>,
    ou: Vec<String>,
    san_uri: Vec<String>,
    san_dns: Vec<String>,
    san_email: Vec<String>,
}

impl From<&policy::Identity> for Facts {
    fn from(identity: &policy::Identity) -> Self {
        let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect();
        Self {
            subject: identity.subject.as_str().to_owned(),
            issuer: identity.issuer.as_str().to_owned(),
            serial: identity.serial_hex(),
            not_before: ca::date(identity.not_before),
            not_after: ca::date(identity.not_after),
            sha256: hex(&identity.sha256),
            spki_sha256: hex(&identity.spki_sha256),
            cn: identity.common_names.clone(),
            o: identity.organisations.clone(),
            ou: identity.units.clone(),
            san_uri: identity.san_uris.clone(),
            san_dns: identity.san_dns.clone(),
            san_email: identity.san_emails.clone(),
        }
    }
}

impl Facts {
    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    pub(super) fn serial(&self) -> &str {
        &self.serial
    }

    /// The lines that name the certificate.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("subject", self.subject.clone()),
            ("issuer", self.issuer.clone()),
            ("serial", self.serial.clone()),
            ("valid", format!("{} to {}", self.not_before, self.not_after)),
            ("sha256", self.sha256.clone()),
        ]
    }

    /// What rules and groups can use.
    fn attributes(&self) -> impl Iterator<Item = (&'static str, String)> {
        let lists = [
            ("cn", &self.cn),
            ("o", &self.o),
            ("ou", &self.ou),
            ("san.uri", &self.san_uri),
            ("san.dns", &self.san_dns),
            ("san.email", &self.san_email),
        ];
        lists.into_iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value.clone())))
    }
}

#[derive(Debug, Serialize)]
struct Document {
    #[serde(flatten)]
    facts: Facts,
    /// None: for everything.
    purposes: Option<Vec<pki::Purpose>>,
    /// By the value of the setting `identity.subject`.
    device: BTreeMap<&'static str, Name>,
    faults: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    Name(String),
    Refused(String),
}

impl Identity {
    pub(super) fn run(self, dir: &Path, context: &Context) -> Outcome {
        let authority = authority(dir);
        let inspection = pki::inspect(&self.file, authority.as_ref(), ca::now()).map_err(ca::failure)?;
        let code = if inspection.faults.is_empty() { Exit::Success } else { Exit::Denied };
        context.output.write(&Document::from(inspection), Document::table)?;
        Ok(code)
    }
}

/// The CA of the folder, if there is one: it knows what is revoked. Without it the certificate still says who it is.
fn authority(dir: &Path) -> Option<Authority> {
    if !dir.join("ca.crt").exists() {
        return None;
    }
    let mut authority = match Authority::open(dir) {
        Ok(authority) => authority,
        Err(error) => {
            output::message(&format!("note: revocation is not looked at: {}", ca::failure(error)));
            return None;
        }
    };
    match authority.refresh_crl_if_due(ca::now()) {
        Ok(Some(crl)) => ca::tell_reissued(&crl),
        Ok(None) => {}
        Err(error) => output::message(&format!("note: {}", ca::failure(error))),
    }
    Some(authority)
}

impl From<Inspection> for Document {
    fn from(inspection: Inspection) -> Self {
        let named = |(selector, name): (SubjectSelector, Result<std::sync::Arc<str>, policy::IdentityError>)| {
            let name = match name {
                Ok(name) => Name::Name(name.to_string()),
                Err(error) => Name::Refused(error.to_string()),
            };
            (setting(selector), name)
        };
        Self {
            facts: Facts::from(&inspection.identity),
            purposes: inspection.purposes,
            device: inspection.names.into_iter().map(named).collect(),
            faults: inspection.faults.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Document {
    fn table(&self) -> String {
        let mut fields = self.facts.fields();
        fields.push(("key sha256", self.facts.spki_sha256.clone()));
        let purposes = match &self.purposes {
            None => "anything (no extended key usage)".into(),
            Some(purposes) => purposes.iter().map(|purpose| describe(*purpose)).collect::<Vec<_>>().join(", "),
        };
        fields.push(("made for", purposes));
        fields.extend(self.facts.attributes());
        for (setting, name) in &self.device {
            let value = match name {
                Name::Name(name) => format!("{setting:<10}{name}"),
                Name::Refused(why) => format!("{setting:<10}none: {why}"),
            };
            fields.push(("device by", value));
        }
        fields.extend(self.faults.iter().map(|fault| ("REFUSED", fault.clone())));
        ca::lines(&fields)
    }
}

/// The value of the setting `identity.subject`.
fn setting(selector: SubjectSelector) -> &'static str {
    match selector {
        SubjectSelector::Dn => "dn",
        SubjectSelector::Cn => "cn",
        SubjectSelector::SanUri => "san_uri",
        SubjectSelector::SanDns => "san_dns",
        SubjectSelector::SanEmail => "san_email",
    }
}

fn describe(purpose: pki::Purpose) -> &'static str {
    match purpose {
        pki::Purpose::ClientAuth => "TLS client",
        pki::Purpose::ServerAuth => "TLS server",
        pki::Purpose::Other => "other",
    }
}
