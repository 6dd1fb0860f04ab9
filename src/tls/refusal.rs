//! Why a certificate or a handshake is refused, in words: for the operator's log. What the peer sees is a TLS alert.

use super::certificate::CertificateFields;
use super::crl::RevocationFault;
use super::name::{date, describe, escaped};
use crate::policy::{DenyId, IdentityError};
use rustls::CertificateError;

/// The most certificates a client may send, its own included. Longer chains are an attack on path building or a
/// mistake.
pub(super) const CHAIN_CERTIFICATES: usize = 4;

/// A certificate that was refused: the log line's fields. Texts from the certificate are escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRefusal {
    /// As far as it could be read.
    pub subject: String,
    /// As far as it could be read.
    pub issuer: String,
    /// Why.
    pub cause: String,
    /// What the operator can do.
    pub remedy: String,
}

/// Why a certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// So many were sent.
    TooManyCertificates(usize),
    /// X.509 version 1 or 2.
    OldVersion,
    Unreadable(String),
    UnknownIssuer,
    /// A trusted CA has the issuer's name, but another key.
    ForeignIssuer,
    /// Unix seconds.
    Expired {
        not_after: i64,
    },
    /// Unix seconds.
    NotYetValid {
        not_before: i64,
    },
    /// The trusted CA at the end of the path, with its dates in Unix seconds.
    CaOutOfDate {
        ca: String,
        not_before: i64,
        not_after: i64,
    },
    /// The trust block whose CA vouches takes other subjects only.
    ForeignSubject {
        block: String,
    },
    WrongPurpose,
    NoPurpose,
    CaAsDevice,
    /// Constraints of a CA of the path.
    PathConstraint(&'static str),
    UnsupportedAlgorithm,
    CriticalExtension,
    PathTooComplex,
    /// A certificate of the path, by subject and serial.
    Revocation {
        fault: RevocationFault,
        subject: String,
        serial: String,
        issuer: String,
    },
    Identity(IdentityError),
    /// An operator revoked it, or its device.
    Denied {
        device: String,
        entry: DenyId,
    },
    /// Pinned, but by the record of a device of another name, or of a block that the settings do not have.
    PinnedForAnother {
        device: String,
    },
    /// The client does not hold the key of its certificate.
    NoProofOfPossession,
    Other(String),
}

impl Cause {
    /// From path building. Unix seconds are taken from webpki's own time.
    pub(super) fn from_webpki(error: &webpki::Error) -> Self {
        use webpki::Error;
        let seconds = |time: &rustls::pki_types::UnixTime| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        match error {
            Error::UnknownIssuer => Self::UnknownIssuer,
            Error::CertExpired { not_after, .. } => Self::Expired { not_after: seconds(not_after) },
            Error::CertNotValidYet { not_before, .. } => Self::NotYetValid { not_before: seconds(not_before) },
            Error::InvalidSignatureForPublicKey => Self::ForeignIssuer,
            Error::UnsupportedCertVersion => Self::OldVersion,
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => Self::WrongPurpose,
            Error::CaUsedAsEndEntity => Self::CaAsDevice,
            Error::EndEntityUsedAsCa => Self::PathConstraint("a certificate of the chain that is no CA issued another"),
            Error::PathLenConstraintViolated => {
                Self::PathConstraint("a CA of the chain may not have so many CAs below it (pathLenConstraint)")
            }
            Error::NameConstraintViolation => {
                Self::PathConstraint("a CA of the chain may not issue for this name (nameConstraints)")
            }
            Error::CertDistrusted => Self::PathConstraint("a key of the chain is on webpki's list of broken ones"),
            Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Self::UnsupportedAlgorithm,
            Error::UnsupportedCriticalExtension => Self::CriticalExtension,
            Error::MaximumPathBuildCallsExceeded
            | Error::MaximumPathDepthExceeded
            | Error::MaximumSignatureChecksExceeded
            | Error::MaximumNameConstraintComparisonsExceeded => Self::PathTooComplex,
            Error::BadDer
            | Error::BadDerTime
            | Error::TrailingData(_)
            | Error::ExtensionValueInvalid
            | Error::InvalidCertValidity
            | Error::InvalidSerialNumber
            | Error::MalformedExtensions
            | Error::SignatureAlgorithmMismatch => Self::Unreadable(error.to_string()),
            _ => Self::Other(error.to_string()),
        }
    }

    /// How much a cause says: when several trust blocks refuse a certificate, each for its own reason, the one that
    /// says most is reported.
    pub(super) fn weight(&self) -> u8 {
        match self {
            Self::UnknownIssuer => 0,
            Self::ForeignIssuer => 1,
            Self::Revocation { .. } | Self::CaOutOfDate { .. } | Self::ForeignSubject { .. } => 3,
            _ => 2,
        }
    }

    /// What rustls sends the client as an alert.
    pub(super) fn certificate_error(&self) -> CertificateError {
        match self {
            Self::OldVersion | Self::Unreadable(_) | Self::CriticalExtension | Self::Identity(_) => {
                CertificateError::BadEncoding
            }
            Self::UnknownIssuer | Self::ForeignIssuer | Self::PathConstraint(_) | Self::ForeignSubject { .. } => {
                CertificateError::UnknownIssuer
            }
            Self::Expired { .. } | Self::CaOutOfDate { .. } => CertificateError::Expired,
            Self::NotYetValid { .. } => CertificateError::NotValidYet,
            Self::PinnedForAnother { .. } => CertificateError::ApplicationVerificationFailure,
            Self::WrongPurpose | Self::NoPurpose | Self::CaAsDevice => CertificateError::InvalidPurpose,
            Self::Revocation { fault: RevocationFault::Revoked, .. } | Self::Denied { .. } => CertificateError::Revoked,
            Self::Revocation { .. } => CertificateError::UnknownRevocationStatus,
            Self::NoProofOfPossession => CertificateError::BadSignature,
            Self::TooManyCertificates(_) | Self::UnsupportedAlgorithm | Self::PathTooComplex | Self::Other(_) => {
                CertificateError::ApplicationVerificationFailure
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::TooManyCertificates(count) => {
                format!("the client sent {count} certificates; at most {CHAIN_CERTIFICATES} are read")
            }
            Self::OldVersion => "it, or a CA certificate sent with it, is an X.509 version 1 certificate".to_owned(),
            Self::Unreadable(fault) => format!("the certificate cannot be read: {}", escaped(fault)),
            Self::UnknownIssuer => "its issuer is no trusted CA, and no chain to one was sent".to_owned(),
            Self::ForeignIssuer => {
                "a trusted CA has the name of its issuer, but did not sign it: it is of another CA with the same name"
                    .to_owned()
            }
            Self::Expired { not_after } => format!("it, or a CA of its chain, expired at {}", date(*not_after)),
            Self::NotYetValid { not_before } => {
                format!("it, or a CA of its chain, is not valid before {}", date(*not_before))
            }
            Self::CaOutOfDate { ca, not_before, not_after } => {
                format!("the trusted CA {ca} is valid from {} to {} only", date(*not_before), date(*not_after))
            }
            Self::ForeignSubject { block } => {
                format!("its subject ends with none of the `subjects` of trust block \"{block}\", whose CA issued it")
            }
            Self::WrongPurpose => "its extended key usage does not include clientAuth".to_owned(),
            Self::NoPurpose => "it has no extended key usage, and tls.require_eku demands one".to_owned(),
            Self::CaAsDevice => "it is a CA certificate (basicConstraints CA:TRUE), not a device's".to_owned(),
            Self::PathConstraint(fault) => (*fault).to_owned(),
            Self::UnsupportedAlgorithm => "a signature of the chain uses an algorithm that is not supported".to_owned(),
            Self::CriticalExtension => "it has a critical extension that certmq does not know".to_owned(),
            Self::PathTooComplex => "the chain takes too many steps to verify".to_owned(),
            Self::Revocation { fault, subject, serial, issuer } => revocation_text(fault, subject, serial, issuer),
            Self::Identity(error) => escaped(&error.to_string()),
            Self::Denied { device, entry } => format!("entry {entry} of the deny list revokes it ({device})"),
            Self::PinnedForAnother { device } => {
                format!("it is pinned in the record of {device}, which it does not name")
            }
            Self::NoProofOfPossession => "the client does not hold the private key of the certificate".to_owned(),
            Self::Other(fault) => escaped(fault),
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::TooManyCertificates(_) => "send the device's certificate and its intermediate CAs only",
            Self::OldVersion => {
                "issue it again with extensions: `openssl x509 -req` makes version 1 unless -extfile is given"
            }
            Self::Unreadable(_) => "issue the certificate again",
            Self::UnknownIssuer => {
                "if it should be trusted, add the root CA to tls.client_ca, or let the device send its intermediate CAs"
            }
            Self::ForeignIssuer => {
                "compare the keys: openssl x509 -pubkey -in CA; issue the certificate from the \
                                    trusted one"
            }
            Self::Expired { .. } => "renew the certificate, and look at the broker's clock",
            Self::NotYetValid { .. } => "look at the clocks of the CA and of the broker",
            Self::CaOutOfDate { .. } => "renew the CA certificate in tls.client_ca",
            Self::ForeignSubject { .. } => {
                "if it should be trusted, add the end of its subject to the block's `subjects`; ask that CA why it \
                 issued the certificate"
            }
            Self::WrongPurpose | Self::NoPurpose => "issue the certificate with extendedKeyUsage = clientAuth",
            Self::CaAsDevice => {
                "issue the device's certificate with basicConstraints = CA:FALSE (`openssl req -x509` makes CA:TRUE)"
            }
            Self::PathConstraint(_) => "issue the certificate from a CA that may issue it",
            Self::UnsupportedAlgorithm => "use ECDSA (P-256, P-384, P-521), Ed25519, or RSA of 2048 bits and more",
            Self::CriticalExtension => "issue the certificate without it, or not critical",
            Self::PathTooComplex => "send only the intermediate CAs between the device and its root",
            Self::Revocation { fault, .. } => match fault {
                RevocationFault::Revoked => "issue a new certificate if the device should be let in again",
                RevocationFault::Stale { .. } => "fetch the CA's present CRL, or see tls.stale_crl",
                RevocationFault::Unverified { .. } => "fetch that CA's own CRL into tls.crl",
                RevocationFault::Missing => "add the CA's CRL to tls.crl, or see tls.crl_required",
            },
            Self::Identity(_) => "issue a certificate that names the device once and plainly (see identity.subject)",
            Self::Denied { .. } => "see `certmq revoke --list`; `certmq revoke --undo ID` lifts an entry",
            Self::PinnedForAnother { .. } => {
                "pin it in the record of its own subject: certmq device add --cert FILE --pin"
            }
            Self::NoProofOfPossession => "give the device the key that belongs to its certificate",
            Self::Other(_) => "see the cause",
        }
    }
}

fn revocation_text(fault: &RevocationFault, subject: &str, serial: &str, issuer: &str) -> String {
    match fault {
        RevocationFault::Revoked => format!("{subject}, serial {serial}, is revoked by {issuer}"),
        RevocationFault::Stale { next_update, place } => {
            format!("the CRL of {issuer} ({place}) is stale since {}", date(*next_update))
        }
        RevocationFault::Unverified { place } => {
            format!("the CRL under the name {issuer} ({place}) is not signed by that CA")
        }
        RevocationFault::Missing => format!("{issuer} has no CRL, and tls.crl_required = \"all\" demands one"),
    }
}

impl CertificateRefusal {
    /// Of the certificate in `der`, whatever of it can be read.
    pub(super) fn new(der: &[u8], cause: &Cause) -> Self {
        let (subject, issuer) = names(der);
        Self { subject, issuer, cause: cause.text(), remedy: cause.remedy().to_owned() }
    }

    /// The client sent none.
    pub(super) fn no_certificate() -> Self {
        Self {
            subject: "(none)".to_owned(),
            issuer: "(none)".to_owned(),
            cause: "the client presented no certificate".to_owned(),
            remedy: "give it one and its key, for mosquitto_pub with --cert and --key".to_owned(),
        }
    }
}

fn names(der: &[u8]) -> (String, String) {
    match CertificateFields::from_der(der) {
        Ok(fields) => (describe(fields.subject), describe(fields.issuer)),
        Err(_) => ("(unreadable)".to_owned(), "(unreadable)".to_owned()),
    }
}

#[cfg(test)]
mod tests;
