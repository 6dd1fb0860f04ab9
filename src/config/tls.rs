//! Section `[tls]` and its trust blocks.

use std::path::PathBuf;

/// Section `[tls]`.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsSettings {
    /// PEM file of the server's chain, leaf first.
    pub certificate: PathBuf,
    /// PEM file of its key; must not be readable by others.
    pub private_key: PathBuf,
    /// The trust blocks: `[[tls.trust]]`, or the one named `default` from `client_ca` and `crl`.
    pub trust: Vec<TrustBlockSettings>,
    /// What happens to new handshakes after a CRL's nextUpdate.
    pub stale_crl: StaleCrl,
    /// Whether every issuer must have a CRL as soon as one has.
    pub crl_required: CrlRequired,
    /// The lowest TLS version.
    pub minimum_version: TlsVersion,
    /// Refuse certificates without an extended key usage (`tls.require_eku`).
    pub extended_key_usage: ExtendedKeyUsage,
    /// TLS 1.2 only with extended master secret (`tls.require_ems`).
    pub extended_master_secret: ExtendedMasterSecret,
}

/// One `[[tls.trust]]` block.
#[derive(Clone, Debug, PartialEq)]
pub struct TrustBlockSettings {
    /// Part of every [`crate::policy::DeviceKey`] it vouches for.
    pub name: String,
    /// Files or folders with CA certificates.
    pub ca: Vec<PathBuf>,
    /// Files or folders with CRLs.
    pub crl: Vec<PathBuf>,
}

/// `tls.stale_crl`. `disconnect` comes with the trust issue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StaleCrl {
    /// New handshakes of its issuer are refused.
    #[default]
    Deny,
    /// They are served, with an alarm in the log.
    Allow,
}

/// `tls.crl_required`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CrlRequired {
    /// Issuers without a CRL are not checked.
    #[default]
    Listed,
    /// Every issuer of a path must have a CRL.
    All,
}

/// `tls.minimum_version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum TlsVersion {
    /// ECDHE with AEAD only.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    Tls13,
}

/// `tls.require_eku`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtendedKeyUsage {
    /// Absent is accepted (RFC 5280 section 4.2.1.12).
    #[default]
    Optional,
    /// Must be there and name clientAuth.
    Required,
}

/// `tls.require_ems`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtendedMasterSecret {
    /// Used where the client offers it.
    #[default]
    Optional,
    /// A TLS 1.2 client without it is refused (RFC 7627).
    Required,
}
