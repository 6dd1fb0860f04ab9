//! WHO: a device by name or certificate, or a group.

use super::{Exit, Failure};
use crate::admin::{DeviceRef, Named, Who};
use crate::policy::DeviceKey;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};

/// The trust block that is meant where none is given.
const DEFAULT_TRUST: &str = DeviceKey::DEFAULT_TRUST;

/// A device: by name, or by certificate.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct DeviceArgument {
    /// Its name, as RFC 4514 writes it ('CN=dev-0001,O=acme'), or the common name of the one record that has it
    #[arg(value_name = "SUBJECT", required_unless_present = "cert", conflicts_with = "cert")]
    subject: Option<String>,
    /// Its certificate, PEM or DER, instead of its name
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The trust block that vouches for it
    #[arg(long, value_name = "NAME", default_value = DEFAULT_TRUST)]
    trust: String,
}

/// The options that name somebody beside, or instead of, the word WHO.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct WhoOptions {
    /// A group instead of a device
    #[arg(long, value_name = "NAME", conflicts_with = "cert")]
    group: Option<String>,
    /// The device of this certificate, PEM or DER, instead of its name
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The trust block that vouches for the device
    #[arg(long, value_name = "NAME", default_value = DEFAULT_TRUST)]
    trust: String,
}

impl DeviceArgument {
    /// What the service is asked about.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub(super) fn reference(self) -> Result<DeviceRef, Failure> {
        let named = match (self.cert, self.subject) {
            (Some(file), _) => certificate(&file)?,
            (None, subject) => Named::Name(subject.unwrap_or_default()),
        };
        Ok(DeviceRef { trust: self.trust, named })
    }
}

impl WhoOptions {
    /// Whether an option names somebody, so that no word does.
    pub(super) fn given(&self) -> bool {
        self.group.is_some() || self.cert.is_some()
    }

    /// Somebody: of the options, or the `word`.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub(super) fn who(self, word: Option<String>) -> Result<Who, Failure> {
        let named = match (self.group, self.cert, word) {
            (Some(group), ..) => return Ok(Who::Group(group)),
            (None, Some(file), _) => certificate(&file)?,
            (None, None, word) => Named::Name(word.unwrap_or_default()),
        };
        Ok(Who::Device(DeviceRef { trust: self.trust, named }))
    }
}

fn certificate(path: &Path) -> Result<Named, Failure> {
    Ok(Named::Certificate(BASE64_STANDARD.encode(der(path)?)))
}

/// The first certificate of a PEM file, or a DER file.
///
/// # Errors
/// When there is none.
pub(super) fn der(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::reading(path, &error))?;
    match bytes.first() {
        // A DER certificate is a SEQUENCE.
        Some(0x30) => Ok(bytes),
        _ => CertificateDer::from_pem_slice(&bytes).map(|der| der.to_vec()).map_err(|_| {
            Failure::new(Exit::Data, format!("{}: no certificate in it; give a PEM or DER certificate", path.display()))
        }),
    }
}
