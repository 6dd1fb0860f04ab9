//! Certificate -> `Identity` -> `DeviceKey`. The only file that knows x509-parser.

use super::DistinguishedName;
use std::sync::Arc;

/// The facts of one certificate. Never a key: a renewed certificate is another identity of the same device.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Issuer name.
    pub issuer: DistinguishedName,
    /// Subject name.
    pub subject: DistinguishedName,
    /// Every CN of the subject, in the order of the certificate.
    pub common_names: Vec<String>,
    /// Every O.
    pub organisations: Vec<String>,
    /// Every OU.
    pub units: Vec<String>,
    /// Subject alternative names of type URI.
    pub san_uris: Vec<String>,
    /// Subject alternative names of type dNSName.
    pub san_dns: Vec<String>,
    /// Subject alternative names of type rfc822Name.
    pub san_emails: Vec<String>,
    /// Serial number, the content octets of the DER INTEGER without a leading zero.
    pub serial: Box<[u8]>,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// SHA-256 of the certificate.
    pub sha256: [u8; 32],
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
}

/// Which attribute names a device (`identity.subject`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectSelector {
    /// The subject DN in RFC 4514 form.
    #[default]
    Dn,
    /// The one common name.
    Cn,
    /// The one SAN URI (SPIFFE).
    SanUri,
    /// The one SAN dNSName.
    SanDns,
    /// The one SAN rfc822Name.
    SanEmail,
}

/// A device: the key of records, sessions, queues and writers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct DeviceKey {
    /// The name of the trust block whose roots vouched for it.
    pub trust: Arc<str>,
    /// The attribute that `identity.subject` selects, in canonical form.
    pub name: Arc<str>,
}

/// Why a certificate names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not DER of a certificate.
    #[error("the certificate cannot be parsed: {0}")]
    Parse(String),
    /// An X.509 version 1 certificate.
    #[error("an X.509 version 1 certificate; issue it with extensions (openssl x509 -req needs -extfile)")]
    VersionOne,
    /// The selected attribute is missing.
    #[error("the certificate has no {0}")]
    Missing(&'static str),
    /// The selected attribute occurs more than once.
    #[error("the certificate has more than one {0}")]
    Ambiguous(&'static str),
    /// NUL, control characters, empty or undecodable.
    #[error("the {attribute} of the certificate {fault}")]
    BadValue {
        /// Which attribute.
        attribute: String,
        /// What is wrong with it.
        fault: &'static str,
    },
}

impl Identity {
    /// Reads the facts of a certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, IdentityError> {
        let _ = der;
        todo!()
    }

    /// The name of the device under `selector`.
    pub fn device_name(&self, selector: SubjectSelector) -> Result<Arc<str>, IdentityError> {
        let _ = selector;
        todo!()
    }

    /// The serial number as lower-case hexadecimal digits.
    pub fn serial_hex(&self) -> String {
        todo!()
    }
}
