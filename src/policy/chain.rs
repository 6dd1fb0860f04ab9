//! What later judgements of a live connection need of its certificate chain.

/// About 100 bytes; the chain itself is dropped after the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainFacts {
    /// SHA-256 of the SubjectPublicKeyInfo of the trust anchor.
    pub anchor: [u8; 32],
    /// (issuer, serial) of every certificate of the path below the anchor, leaf first.
    pub certificates: Box<[Certificate]>,
    /// The earliest end of validity in the path, Unix seconds.
    pub not_after: i64,
    /// SHA-256 of the leaf certificate.
    pub leaf_sha256: [u8; 32],
}

/// One certificate as a CRL names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Certificate {
    /// First 16 bytes of SHA-256 of the issuer's DER name.
    pub issuer: [u8; 16],
    /// Serial number, content octets without a leading zero.
    pub serial: Box<[u8]>,
}
