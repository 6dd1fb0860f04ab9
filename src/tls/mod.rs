//! Server configuration, client verifier, trust blocks, CRLs.

use crate::config::TlsSettings;
use crate::policy::{ChainFacts, DeviceKey, Identity, SubjectSelector};
use std::sync::Arc;
use tokio_rustls::rustls::ServerConfig;

/// Everything a listener needs to judge a client, built from the settings whole or not at all.
#[derive(Debug)]
pub struct ServerTls {}

/// The operator's fault in the TLS settings or the files they name: path, what was found, what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(pub String);

/// One handshake: the configuration to run it with, and what the verifier concluded.
#[derive(Debug)]
pub struct Handshake {
    /// For this connection alone; its verifier writes the outcome.
    pub config: Arc<ServerConfig>,
}

/// A client whose certificate was accepted.
#[derive(Debug)]
pub struct VerifiedClient {
    /// The leaf's facts.
    pub identity: Identity,
    /// The device it names.
    pub key: DeviceKey,
    /// What later judgements need.
    pub chain: ChainFacts,
}

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

impl ServerTls {
    /// Reads every file, builds and self-tests the configuration. Returns it with notices for the log (CRLs that
    /// are stale or of unknown issuers, certificates near their end). `now` in Unix seconds.
    pub fn load(settings: &TlsSettings, selector: SubjectSelector, now: i64) -> Result<(Self, Vec<String>), TlsError> {
        let _ = (settings, selector, now);
        todo!()
    }

    /// Starts one handshake.
    pub fn begin(&self) -> Handshake {
        todo!()
    }
}

impl Handshake {
    /// The accepted client, once the handshake has succeeded.
    pub fn client(&self) -> Option<Arc<VerifiedClient>> {
        todo!()
    }

    /// Why the certificate was refused, where the handshake failed for that.
    pub fn refusal(&self) -> Option<CertificateRefusal> {
        todo!()
    }
}
