//! The CAs that the settings trust, by name: for operators who name the issuer of a certificate.

use super::TlsError;
use super::trust::TrustBlocks;
use crate::config::TlsSettings;
use crate::policy::identity::name_from_der;

/// A trusted CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaName {
    /// Its subject as RFC 4514 writes it.
    pub name: String,
    /// As in [`crate::policy::Certificate::issuer`].
    pub name_digest: [u8; 16],
    /// SHA-256 of its certificate.
    pub sha256: [u8; 32],
}

/// Reads the files that the settings name.
///
/// # Errors
///
/// As [`super::ServerTls::load`] has them for CAs.
pub fn trusted_cas(settings: &TlsSettings) -> Result<Vec<CaName>, TlsError> {
    let blocks = TrustBlocks::load(settings)?;
    let readable = |(name, digest, sha256): (&[u8], [u8; 16], [u8; 32])| {
        let name = name_from_der(name).ok()?.as_str().to_owned();
        Some(CaName { name, name_digest: digest, sha256 })
    };
    Ok(blocks.names().filter_map(readable).collect())
}
