//! What the authority can be asked for.

use super::super::PkiError;
use super::super::certificate::KeyType;
use super::super::x509::Purpose;
use std::path::{Path, PathBuf};

/// The longest validity that may be asked for: a century.
const MAXIMUM_DAYS: u32 = 36_500;

/// A new authority.
#[derive(Clone, Debug)]
pub struct InitRequest {
    /// RFC 4514.
    pub subject: String,
    /// How long it is valid.
    pub days: u32,
}

impl Default for InitRequest {
    fn default() -> Self {
        Self { subject: "CN=certmq development CA".into(), days: 3650 }
    }
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Service {
    /// A device or an operator: a TLS client.
    #[default]
    Device,
    /// The broker: a TLS server.
    Server,
}

impl Service {
    pub(super) fn purpose(self) -> Purpose {
        match self {
            Self::Device => Purpose::ClientAuth,
            Self::Server => Purpose::ServerAuth,
        }
    }
}

/// A key and a certificate for it.
#[derive(Clone, Debug)]
pub struct IssueRequest {
    /// Of the files `NAME.crt` and `NAME.key`.
    pub name: String,
    /// RFC 4514; default `CN=NAME`.
    pub subject: Option<String>,
    /// How long it is valid.
    pub days: u32,
    /// Which key is made.
    pub key: KeyType,
    /// What it is for.
    pub service: Service,
    /// Subject alternative names as people type them. A server without any gets localhost, 127.0.0.1 and ::1.
    pub alternative_names: Vec<String>,
}

impl IssueRequest {
    /// A year for a device or an operator, with `CN=NAME`.
    pub fn device(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            subject: None,
            days: 365,
            key: KeyType::P256,
            service: Service::Device,
            alternative_names: Vec::new(),
        }
    }

    /// A year for a broker on this machine, with `CN=NAME`.
    pub fn server(name: impl Into<String>) -> Self {
        Self { service: Service::Server, ..Self::device(name) }
    }

    pub(super) fn names(&self) -> Vec<String> {
        if self.service == Service::Server && self.alternative_names.is_empty() {
            return ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        }
        self.alternative_names.clone()
    }
}

/// A certificate for a key that stays on its device.
#[derive(Clone, Debug)]
pub struct SignRequest {
    /// The certificate signing request, PEM or DER.
    pub csr: PathBuf,
    /// How long it is valid.
    pub days: u32,
    /// Where the certificate goes; default `NAME.crt` in the folder, NAME being that of the request's file.
    pub out: Option<PathBuf>,
}

impl SignRequest {
    /// A year.
    pub fn new(csr: impl Into<PathBuf>) -> Self {
        Self { csr: csr.into(), days: 365, out: None }
    }
}

/// Whether a renewed certificate gets a new key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyChoice {
    /// It does; the old one is set aside.
    #[default]
    New,
    /// The same public key is certified again.
    Keep,
}

/// A certificate in place of one that will expire.
#[derive(Clone, Debug)]
pub struct RenewRequest {
    /// A file, or a name in the folder.
    pub certificate: PathBuf,
    /// How long it is valid; default as long as the old one was.
    pub days: Option<u32>,
    /// Which key it is for.
    pub key: KeyChoice,
}

impl RenewRequest {
    /// A new key, and as long as before.
    pub fn new(certificate: impl Into<PathBuf>) -> Self {
        Self { certificate: certificate.into(), days: None, key: KeyChoice::New }
    }
}

/// Names become file names in the folder of the CA: they must stay in it, be visible, and not be the CA's own.
pub(super) fn check_name(name: &str) -> Result<(), PkiError> {
    let fault = if name.is_empty() {
        "is empty"
    } else if name.starts_with(['.', '-']) {
        "starts with a dot or a hyphen"
    } else if name.chars().any(|c| c == '/' || c.is_control()) {
        "has a slash or a control character"
    } else if name.len() > 200 {
        "is longer than 200 octets"
    } else if name.eq_ignore_ascii_case("ca") {
        "is the CA's own"
    } else if [".crt", ".key", ".crl"].iter().any(|ending| name.to_ascii_lowercase().ends_with(ending)) {
        "has the ending of a file"
    } else {
        return Ok(());
    };
    Err(PkiError::Request(format!(
        "the name {name:?} {fault}; names are for files, like dev-1; the subject is --subject"
    )))
}

pub(super) fn check_days(days: u32) -> Result<(), PkiError> {
    if (1..=MAXIMUM_DAYS).contains(&days) {
        return Ok(());
    }
    Err(PkiError::Request(format!("--days {days} is not between 1 and {MAXIMUM_DAYS}")))
}

/// The name that a request's file gives to its certificate.
pub(super) fn name_of(path: &Path) -> Result<String, PkiError> {
    let name = stem(path);
    check_name(&name)?;
    Ok(name)
}

/// The file's name without folder and ending.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
