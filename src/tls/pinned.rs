//! Pinned certificates: the record of a device names exactly one or two certificates, and no CA needs to vouch for
//! them. What counts is that it is that certificate, that it is in its dates, and that the client holds its key. Key
//! usage, CA flag and version do not matter, so `openssl req -x509` is enough.

use super::certificate::CertificateFields;
use super::crl::RevocationFault;
use super::refusal::Cause;
use super::{Trust, VerifiedClient};
use crate::policy::chain::{Certificate, PathCertificate};
use crate::policy::{ChainFacts, DeviceKey, Identity};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error};
use sha2::{Digest, Sha256};
use std::sync::Arc;

impl Trust {
    /// Judges a certificate that the record of `device` pins. `judged` is what the trust blocks say of it: a pin
    /// stands for their word, but for one thing, that its issuer has revoked it.
    pub(super) fn judge_pinned(
        &self,
        leaf: &CertificateDer<'_>,
        device: &DeviceKey,
        judged: Result<VerifiedClient, Cause>,
        now: UnixTime,
    ) -> Result<VerifiedClient, Cause> {
        if let Err(cause @ Cause::Revocation { fault: RevocationFault::Revoked, .. }) = judged {
            return Err(cause);
        }
        let fields = CertificateFields::from_der(leaf).map_err(|fault| Cause::Unreadable(fault.to_string()))?;
        let unix = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if unix < fields.not_before {
            return Err(Cause::NotYetValid { not_before: fields.not_before });
        }
        if fields.not_after <= unix {
            return Err(Cause::Expired { not_after: fields.not_after });
        }
        let identity = Identity::of_any_version(leaf).map_err(Cause::Identity)?;
        let name = identity.device_name(self.selector).map_err(Cause::Identity)?;
        if name != device.name || self.blocks.named(&device.trust).is_none() {
            return Err(Cause::PinnedForAnother { device: device.to_string() });
        }
        let own = || {
            let certificate = Certificate::new(fields.issuer, fields.serial);
            vec![PathCertificate { certificate: Arc::new(certificate), issuer_key: [0; 16] }].into()
        };
        let chain = ChainFacts {
            anchor: ChainFacts::PINNED,
            certificates: judged.map_or_else(|_| own(), |client| client.chain.certificates),
            not_after: fields.not_after,
            leaf_sha256: Sha256::digest(leaf).into(),
            subjects_entry: None,
        };
        Ok(VerifiedClient { identity, key: device.clone(), chain })
    }
}

/// The key of a certificate, whatever else webpki would say of that.
pub(super) fn key_of(leaf: &CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'static>> {
    let fields = CertificateFields::from_der(leaf).ok()?;
    Some(SubjectPublicKeyInfoDer::from(fields.spki.to_vec()))
}

/// Proof of possession in TLS 1.3.
pub(super) fn verify_tls13(
    message: &[u8],
    key: &SubjectPublicKeyInfoDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    verify_tls13_signature_with_raw_key(message, key, signature, algorithms)
}

/// Proof of possession in TLS 1.2, where a scheme does not say which curve the key has.
pub(super) fn verify_tls12(
    message: &[u8],
    key: &SubjectPublicKeyInfoDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let bad = Error::InvalidCertificate(CertificateError::BadSignature);
    let key = webpki::RawPublicKeyEntity::try_from(key).map_err(|_| bad.clone())?;
    let offered = algorithms.mapping.iter().find(|(scheme, _)| *scheme == signature.scheme);
    let fits = offered.is_some_and(|(_, algorithms)| {
        algorithms.iter().any(|algorithm| key.verify_signature(*algorithm, message, signature.signature()).is_ok())
    });
    if fits { Ok(HandshakeSignatureValid::assertion()) } else { Err(bad) }
}
