//! Verifies what an issuer signed, with the algorithms of the crypto provider. Certificates are verified by webpki;
//! this is for CRLs, which webpki would verify anew in every handshake.

use super::der::{DerReader, tag};
use rustls::pki_types::SignatureVerificationAlgorithm;

/// A signature that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignatureFault {
    /// No algorithm of the provider fits the key and the signature.
    UnsupportedAlgorithm,
    /// Another key made it, or the content was changed.
    Mismatch,
}

/// Content, signature and algorithm, as they stand in a certificate or CRL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    pub(super) content: &'a [u8],
    /// Content of the AlgorithmIdentifier.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
}

/// Verifies `signed` with the key in `spki`, the DER of a SubjectPublicKeyInfo.
pub(super) fn verify(
    algorithms: &[&dyn SignatureVerificationAlgorithm],
    spki: &[u8],
    signed: Signed<'_>,
) -> Result<(), SignatureFault> {
    let (key_algorithm, key) = split_spki(spki).ok_or(SignatureFault::UnsupportedAlgorithm)?;
    let mut verdict = SignatureFault::UnsupportedAlgorithm;
    for algorithm in algorithms {
        if algorithm.signature_alg_id().as_ref() != signed.algorithm
            || algorithm.public_key_alg_id().as_ref() != key_algorithm
        {
            continue;
        }
        if algorithm.verify_signature(key, signed.content, signed.signature).is_ok() {
            return Ok(());
        }
        verdict = SignatureFault::Mismatch;
    }
    Err(verdict)
}

/// The content of the key's AlgorithmIdentifier, and the key.
fn split_spki(spki: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = DerReader::new(spki).nested(tag::SEQUENCE).ok()?;
    let algorithm = fields.expect(tag::SEQUENCE).ok()?.content;
    Some((algorithm, fields.bit_string().ok()?))
}
