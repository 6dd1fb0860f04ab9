//! Handshakes that failed, explained in one line each: whose fault, and what to do.

use super::name::escaped;
use super::refusal::CertificateRefusal;
use rustls::{AlertDescription, InvalidMessage};
use std::io;

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeFailure {
    /// The client's certificate, or its lack of one.
    Certificate(CertificateRefusal),
    /// Anything else; escaped.
    Other {
        /// What happened.
        cause: String,
        /// What the operator can do.
        remedy: &'static str,
    },
}

impl HandshakeFailure {
    /// From the error of a TLS stream: most often one of rustls inside.
    pub(super) fn from_io(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => Self::from_tls(error),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::other(
                "the client closed the connection during the handshake",
                "see the client's log; a client that does not trust the server's certificate often just leaves",
            ),
            None => Self::other(&error.to_string(), "see the network between client and broker"),
        }
    }

    pub(super) fn from_tls(error: &rustls::Error) -> Self {
        use rustls::Error;
        match error {
            Error::NoCertificatesPresented => Self::Certificate(CertificateRefusal::no_certificate()),
            Error::AlertReceived(alert) => Self::from_alert(*alert),
            Error::NoApplicationProtocol => Self::other(
                "the client asks for an application protocol (ALPN) that this listener does not speak",
                "set the client's ALPN to \"mqtt\" or none, or add its name to the listener's alpn",
            ),
            Error::PeerIncompatible(reason) => Self::other(
                &format!("client and broker have no TLS version, cipher suite or signature in common: {reason:?}"),
                "the client must speak TLS 1.2 with ECDHE and AEAD or TLS 1.3; see tls.minimum_version and \
                 tls.require_ems",
            ),
            Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
                Self::other(
                    "the client does not speak TLS",
                    "connect with TLS: mosquitto_pub needs --cafile, --cert and --key",
                )
            }
            error => Self::other(&error.to_string(), "see the client's TLS library"),
        }
    }

    fn from_alert(alert: AlertDescription) -> Self {
        use AlertDescription as Alert;
        match alert {
            // The last is what a client says that trusts an older CA of the same name.
            Alert::UnknownCA
            | Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::UnsupportedCertificate
            | Alert::DecryptError => Self::other(
                &format!("the client refused the server's certificate: {alert:?}"),
                "give the client the CA of the server (--cafile), and connect by a name in the server's \
                     subjectAltName",
            ),
            Alert::CertificateExpired => Self::other(
                "the client refused the server's certificate as expired",
                "renew tls.certificate, and look at the client's clock",
            ),
            alert => Self::other(&format!("the client ended the handshake: {alert:?}"), "see the client's log"),
        }
    }

    fn other(cause: &str, remedy: &'static str) -> Self {
        Self::Other { cause: escaped(cause), remedy }
    }
}
