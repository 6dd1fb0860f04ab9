//! The server's own certificate and key.

use super::TlsError;
use super::certificate::{CertificateFields, Presence, Version};
use super::ends::{CertificateEnd, CertificateRole};
use super::files::{self, Wanted};
use super::name::describe;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// What the server shows, and proves to have the key of.
#[derive(Debug)]
pub(super) struct ServerIdentity {
    pub(super) pair: Arc<SingleCertAndKey>,
    pub(super) certificate: ServerCertificate,
}

/// The server's own certificate, to tell whether it is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerCertificate {
    /// Its subject, escaped.
    pub subject: String,
    /// SHA-256 of the certificate.
    pub sha256: [u8; 32],
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// Its last second, Unix time.
    pub not_after: i64,
}

/// Reads chain and key and proves that they belong together. The ends of the chain go to `ends`, notices to `notices`.
pub(super) fn load(
    certificate: &Path,
    private_key: &Path,
    provider: &CryptoProvider,
    ends: &mut Vec<CertificateEnd>,
    notices: &mut Vec<String>,
) -> Result<Arc<ServerIdentity>, TlsError> {
    let items = files::read(certificate, Wanted::Certificates)?;
    let mut own = None;
    for item in &items {
        let fields = CertificateFields::from_der(&item.der).map_err(|fault| {
            TlsError::Configuration(format!("{}: the certificate cannot be read: {fault}", item.place))
        })?;
        check_version(&fields, &item.place)?;
        ends.push(CertificateEnd::of(CertificateRole::Server, &fields));
        own.get_or_insert_with(|| ServerCertificate::of(&item.der, &fields));
    }
    let chain: Vec<_> = items.into_iter().map(|item| CertificateDer::from(item.der)).collect();
    notice_chain(&chain, certificate, notices);
    let own = own.ok_or_else(|| TlsError::Configuration(format!("{} holds no certificate", certificate.display())))?;
    let key = files::read_private_key(private_key)?;
    match CertifiedKey::from_der(chain, key, provider) {
        Ok(pair) => Ok(Arc::new(ServerIdentity { pair: Arc::new(SingleCertAndKey::from(pair)), certificate: own })),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(TlsError::Configuration(format!(
            "the private key {} does not belong to the first certificate in {}: name the key it was issued for, and \
             put the server's own certificate before its CAs",
            private_key.display(),
            certificate.display()
        ))),
        Err(error) => Err(TlsError::Configuration(format!(
            "the certificate {} with the key {} cannot be used: {error}",
            certificate.display(),
            private_key.display()
        ))),
    }
}

impl ServerCertificate {
    fn of(der: &[u8], fields: &CertificateFields<'_>) -> Self {
        Self {
            subject: describe(fields.subject),
            sha256: Sha256::digest(der).into(),
            spki_sha256: fields.spki_sha256(),
            not_after: fields.not_after,
        }
    }
}

fn check_version(fields: &CertificateFields<'_>, place: &str) -> Result<(), TlsError> {
    match fields.version {
        Version::Three => Ok(()),
        Version::One | Version::Two => Err(TlsError::Configuration(format!(
            "{place}: an X.509 version 1 certificate, which clients refuse: issue it with extensions (openssl x509 \
             -req needs -extfile with a subjectAltName)"
        ))),
    }
}

/// What a client will stumble over, while the broker could serve all the same.
fn notice_chain(chain: &[CertificateDer<'_>], path: &Path, notices: &mut Vec<String>) {
    let fields: Vec<_> = chain.iter().filter_map(|der| CertificateFields::from_der(der).ok()).collect();
    for pair in fields.windows(2) {
        if let [below, above] = pair
            && below.issuer != above.subject
        {
            notices.push(format!(
                "{}: {} is not the issuer of {} before it; clients may fail to build the chain",
                path.display(),
                describe(above.subject),
                describe(below.subject)
            ));
        }
    }
    if let Some(leaf) = fields.first()
        && leaf.subject_alternative_name == Presence::Absent
    {
        notices.push(format!(
            "{}: {} has no subjectAltName, so most clients will refuse it; issue it with the server's names",
            path.display(),
            describe(leaf.subject)
        ));
    }
}
