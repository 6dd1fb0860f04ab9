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
use std::path::Path;
use std::sync::Arc;

/// Reads chain and key and proves that they belong together. The ends of the chain go to `ends`, notices to `notices`.
pub(super) fn load(
    certificate: &Path,
    private_key: &Path,
    provider: &CryptoProvider,
    ends: &mut Vec<CertificateEnd>,
    notices: &mut Vec<String>,
) -> Result<Arc<SingleCertAndKey>, TlsError> {
    let items = files::read(certificate, Wanted::Certificates)?;
    for item in &items {
        let fields = CertificateFields::from_der(&item.der).map_err(|fault| {
            TlsError::Configuration(format!("{}: the certificate cannot be read: {fault}", item.place))
        })?;
        check_version(&fields, &item.place)?;
        ends.push(CertificateEnd::of(CertificateRole::Server, &fields));
    }
    let chain: Vec<_> = items.into_iter().map(|item| CertificateDer::from(item.der)).collect();
    notice_chain(&chain, certificate, notices);
    let key = files::read_private_key(private_key)?;
    match CertifiedKey::from_der(chain, key, provider) {
        Ok(pair) => Ok(Arc::new(SingleCertAndKey::from(pair))),
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
