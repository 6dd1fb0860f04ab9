//! What later judgements of a live connection need of its certificate chain.

use sha2::{Digest, Sha256};
use std::sync::Arc;

/// About 180 bytes for a device right below its root; the chain itself is dropped after the handshake. Certificates of
/// CAs can be shared among the chains of live connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChainFacts {
    /// SHA-256 of the SubjectPublicKeyInfo of the trust anchor.
    pub anchor: [u8; 32],
    /// Every certificate of the path below the anchor, leaf first. The issuer of the last one is the anchor.
    pub certificates: Box<[PathCertificate]>,
    /// The earliest end of validity in the path, Unix seconds.
    pub not_after: i64,
    /// SHA-256 of the leaf certificate.
    pub leaf_sha256: [u8; 32],
    /// First 16 bytes of SHA-256 of the entry of the trust block's `subjects` that let the subject pass (canonical
    /// text); `None`: the block has no `subjects`.
    pub subjects_entry: Option<[u8; 16]>,
}

/// One certificate of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathCertificate {
    /// How CRLs and the deny list name it: the key of an index.
    pub certificate: Arc<Certificate>,
    /// First 16 bytes of SHA-256 of the SubjectPublicKeyInfo of its issuer: two CAs of one name are two issuers.
    pub issuer_key: [u8; 16],
}

/// One certificate as a CRL names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Certificate {
    /// First 16 bytes of SHA-256 of the issuer's DER name.
    pub issuer: [u8; 16],
    /// Serial number, content octets without a leading zero.
    pub serial: Box<[u8]>,
}

/// What of a certificate outlives its parsing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// How a CRL names it.
    pub certificate: Certificate,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// SHA-256 of the certificate.
    pub sha256: [u8; 32],
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
}

impl ChainFacts {
    /// The anchor of a certificate that no CA vouches for: the record of its device pins it. No key has this digest.
    pub const PINNED: [u8; 32] = *b"pinned: a record vouches, no CA.";

    /// Whether the record of the device stands for the chain, and no CA.
    pub fn is_pinned(&self) -> bool {
        self.anchor == Self::PINNED
    }

    /// The facts of a verified path in a trust block without `subjects`: the SHA-256 of the anchor's
    /// SubjectPublicKeyInfo, the leaf, and the intermediates from the leaf upwards, without the anchor.
    pub fn new(anchor: [u8; 32], leaf: &CertificateFacts, intermediates: &[CertificateFacts]) -> Self {
        let path = || std::iter::once(leaf).chain(intermediates);
        let issuer_keys = intermediates.iter().map(|above| &above.spki_sha256).chain([&anchor]).map(first_half);
        let of_path = |(facts, issuer_key): (&CertificateFacts, _)| PathCertificate {
            certificate: Arc::new(facts.certificate.clone()),
            issuer_key,
        };
        Self {
            anchor,
            certificates: path().zip(issuer_keys).map(of_path).collect(),
            not_after: path().map(|facts| facts.not_after).fold(leaf.not_after, i64::min),
            leaf_sha256: leaf.sha256,
            subjects_entry: None,
        }
    }
}

impl Certificate {
    /// From the issuer's DER name (its SEQUENCE header included) and the content octets of the serial number.
    pub fn new(issuer_name: &[u8], serial: &[u8]) -> Self {
        let zeros = serial.iter().take(serial.len().saturating_sub(1)).take_while(|octet| **octet == 0).count();
        Self { issuer: Self::issuer_digest(issuer_name), serial: serial.iter().skip(zeros).copied().collect() }
    }

    /// The first 16 bytes of SHA-256 of a DER name, its SEQUENCE header included.
    pub fn issuer_digest(issuer_name: &[u8]) -> [u8; 16] {
        first_half(&Sha256::digest(issuer_name).into())
    }
}

/// The first 16 bytes of a SHA-256.
pub fn first_half(digest: &[u8; 32]) -> [u8; 16] {
    std::array::from_fn(|index| digest.get(index).copied().unwrap_or_default())
}
