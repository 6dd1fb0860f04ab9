//! Server configuration, client verifier, trust blocks, CRLs.
//!
//! ```text
//! settings ── files ──┬── server_identity ── chain and key ───────────┐
//!                     ├── trust ── blocks of CAs ──┐                  ├── ServerTls ── begin ── Handshake
//!                     └── crl ── (issuer, serial) ─┴── Trust::judge ──┘                           │
//!                                                            one verifier per connection ◄────────┘
//! ```
//!
//! A client certificate is always required; there is no switch for that. A resumed connection is judged like a full
//! one: rustls would copy the chain of the earlier connection and verify nothing again.

mod cas;
mod certificate;
mod crl;
mod crl_der;
mod der;
mod difference;
mod ends;
mod failure;
mod files;
mod judge;
mod live;
mod name;
mod pinned;
mod policy_in_force;
mod refusal;
mod resumption;
mod self_test;
mod server_identity;
mod signature;
mod trust;
mod verifier;

pub use cas::{CaName, trusted_cas};
pub use crl::{Freshness, ListWarning, RevocationStatus};
pub use difference::{
    AnchorChange, BlockChange, BlockChangeKind, RenewedList, RevokedCertificates, StaleList, TrustDifference,
};
pub use ends::{CertificateEnd, CertificateRole};
pub use failure::HandshakeFailure;
pub use live::LiveFault;
pub use policy_in_force::PolicyInForce;
pub use refusal::CertificateRefusal;
pub use resumption::TicketKeys;
pub use server_identity::ServerCertificate;

use crate::config::TlsSettings;
use crate::config::tls::{ExtendedKeyUsage, ExtendedMasterSecret, TlsVersion};
use crate::policy::{ChainFacts, DeviceKey, Identity, SubjectSelector};
use crl::RevocationIndex;
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, StoresServerSessions};
use rustls::{ConfigBuilder, HandshakeKind, ServerConfig, ServerConnection, SupportedProtocolVersion, WantsVerifier};
use server_identity::ServerIdentity;
use std::io;
use std::sync::Arc;
use trust::TrustBlocks;
use verifier::ConnectionVerifier;

/// What an MQTT client may ask for by ALPN unless the settings name more.
pub const MQTT_PROTOCOL: &str = "mqtt";

/// What a WebSocket client may ask for by ALPN unless the settings name more.
pub const HTTP_PROTOCOL: &str = "http/1.1";

/// How long before its end a CA or server certificate is worth a notice when it is loaded, seconds.
const NEAR_ITS_END: i64 = 30 * 24 * 3600;

/// Everything a listener needs to judge a client, built from the settings whole or not at all.
#[derive(Clone, Debug)]
pub struct ServerTls {
    trust: Arc<Trust>,
    policy: Arc<PolicyInForce>,
    identity: Arc<ServerIdentity>,
    /// With versions and cryptography chosen; a connection adds its verifier.
    builder: ConfigBuilder<ServerConfig, WantsVerifier>,
    no_sessions: Arc<dyn StoresServerSessions>,
    extended_master_secret: ExtendedMasterSecret,
    alpn: Vec<Vec<u8>>,
    /// `None`: nothing is resumed.
    tickets: Option<TicketKeys>,
    ends: Arc<[CertificateEnd]>,
    /// `None`: as long as TLS allows.
    max_record: Option<usize>,
}

/// Who is let in, and who may stay.
#[derive(Debug)]
pub struct Trust {
    blocks: TrustBlocks,
    revocation: RevocationIndex,
    selector: SubjectSelector,
    extended_key_usage: ExtendedKeyUsage,
    algorithms: WebPkiSupportedAlgorithms,
}

/// The operator's fault in the TLS settings or the files they name: path, what was found, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// Settings or files that cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// A private key that others than its owner can read.
    #[error("{0}")]
    ReadableKey(String),
}

/// One handshake: the configuration to run it with, and what the verifier concluded. Drop it when the client is
/// known, so that an idle connection does not keep it.
#[derive(Debug)]
pub struct Handshake {
    /// For this connection alone; its verifier writes the outcome.
    pub config: Arc<ServerConfig>,
    verifier: Arc<ConnectionVerifier>,
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

impl ServerTls {
    /// Reads every file, builds and self-tests the configuration. Returns it with notices for the log (CRLs that
    /// are stale or of unknown issuers, certificates near their end). `now` in Unix seconds.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or understood, a key that others can read or that does not belong to the
    /// certificate, a CA in two trust blocks, a CRL that a trusted CA did not sign.
    pub fn load(settings: &TlsSettings, selector: SubjectSelector, now: i64) -> Result<(Self, Vec<String>), TlsError> {
        let (mut notices, mut ends) = (Vec::new(), Vec::new());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let identity =
            server_identity::load(&settings.certificate, &settings.private_key, &provider, &mut ends, &mut notices)?;
        let blocks = TrustBlocks::load(settings)?;
        ends.extend(blocks.ends());
        let near = ends.iter().filter(|end| end.not_after - now < NEAR_ITS_END);
        notices.extend(near.map(|end| end.notice(now)));
        let revocation = RevocationIndex::load(&settings.trust, &blocks.issuers(), algorithms.all)?;
        notices.extend(revocation.notices(&blocks, now));
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions(settings.minimum_version))
            .map_err(|error| TlsError::Configuration(format!("tls.minimum_version cannot be served: {error}")))?;
        let trust = Trust { blocks, revocation, selector, extended_key_usage: settings.extended_key_usage, algorithms };
        notices.extend(trust.list_warnings(now).iter().map(ToString::to_string));
        let tls = Self {
            trust: Arc::new(trust),
            policy: Arc::default(),
            identity,
            builder,
            no_sessions: Arc::new(NoServerSessionStorage {}),
            extended_master_secret: settings.extended_master_secret,
            alpn: vec![MQTT_PROTOCOL.into()],
            tickets: None,
            ends: ends.into(),
            max_record: max_record(settings.max_record),
        };
        self_test::run(&tls)?;
        Ok((tls, notices))
    }

    /// SHA-256 of the server's certificate, and of the key in it.
    pub fn server_certificate(&self) -> &ServerCertificate {
        &self.identity.certificate
    }

    /// The certificates that the settings name for the server and as CAs, with their ends.
    pub fn ends(&self) -> &Arc<[CertificateEnd]> {
        &self.ends
    }

    /// The same, asking `policy` for what operators revoked and for what records pin.
    #[must_use]
    pub fn with_policy(&self, policy: Arc<PolicyInForce>) -> Self {
        Self { policy, ..self.clone() }
    }

    /// The same, asking the policy that `other` asks.
    #[must_use]
    pub fn with_policy_of(&self, other: &Self) -> Self {
        self.with_policy(Arc::clone(&other.policy))
    }

    /// The same for a listener that accepts `own` and these protocols by ALPN (RFC 7301). A client that asks for none
    /// is accepted, one that asks only for others is refused with the alert no_application_protocol.
    #[must_use]
    pub fn with_alpn(&self, own: &str, more: &[String]) -> Self {
        let mut alpn = vec![own.as_bytes().to_vec()];
        alpn.extend(more.iter().filter(|name| *name != own).map(|name| name.as_bytes().to_vec()));
        Self { alpn, ..self.clone() }
    }

    /// The same for a listener that sends records of at most so many bytes, for devices with small buffers.
    #[must_use]
    pub fn with_max_record(&self, bytes: usize) -> Self {
        Self { max_record: max_record(bytes), ..self.clone() }
    }

    /// The same for a listener whose clients may resume, by tickets under these keys.
    #[must_use]
    pub fn with_tickets(&self, tickets: Option<TicketKeys>) -> Self {
        Self { tickets, ..self.clone() }
    }

    /// Whom this configuration trusts: for judging live connections, and to compare with another one's.
    pub fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    /// Starts one handshake.
    pub fn begin(&self) -> Handshake {
        let verifier = Arc::new(ConnectionVerifier::new(Arc::clone(&self.trust), Arc::clone(&self.policy)));
        let mut config = self
            .builder
            .clone()
            .with_client_cert_verifier(Arc::clone(&verifier) as _)
            .with_cert_resolver(Arc::clone(&self.identity.pair) as _);
        config.session_storage = Arc::clone(&self.no_sessions);
        if let Some(tickets) = &self.tickets {
            config.ticketer = Arc::new(tickets.clone());
        }
        // One is enough for one return; each holds the client's chain.
        config.send_tls13_tickets = usize::from(self.tickets.is_some());
        config.max_tls13_tickets = config.send_tls13_tickets;
        config.max_early_data_size = 0;
        config.require_ems = self.extended_master_secret == ExtendedMasterSecret::Required;
        config.alpn_protocols.clone_from(&self.alpn);
        config.max_fragment_size = self.max_record;
        // No compression of any kind, whatever features another crate switches on.
        config.cert_compressors.clear();
        config.cert_decompressors.clear();
        Handshake { config: Arc::new(config), verifier }
    }
}

impl Handshake {
    /// The client, once `connection` has come through its handshake. A resumed one is judged now, by its chain of then,
    /// exactly as a full one has been; only the proof of possession lies in the ticket.
    ///
    /// # Errors
    /// [`Self::refusal`] says why: close the connection before a byte of it is decoded.
    pub fn conclude(&self, connection: &ServerConnection) -> Result<Arc<VerifiedClient>, HandshakeFailure> {
        let client = match connection.handshake_kind() {
            Some(HandshakeKind::Resumed) => self.verifier.judge_resumed(connection.peer_certificates()),
            Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest) => self.verifier.client(),
            None => None,
        };
        let missing = || HandshakeFailure::Certificate(CertificateRefusal::no_certificate());
        client.ok_or_else(|| self.certificate_failure().unwrap_or_else(missing))
    }

    /// Why the certificate was refused, where the handshake failed for that.
    pub fn refusal(&self) -> Option<CertificateRefusal> {
        self.verifier.refusal().cloned()
    }

    /// Why the handshake failed, for one log line: the certificate's fault where there is one.
    pub fn explain(&self, error: &rustls::Error) -> HandshakeFailure {
        self.certificate_failure().unwrap_or_else(|| HandshakeFailure::from_tls(error))
    }

    /// [`Self::explain`] for the error of a TLS stream.
    pub fn explain_io(&self, error: &io::Error) -> HandshakeFailure {
        self.certificate_failure().unwrap_or_else(|| HandshakeFailure::from_io(error))
    }

    fn certificate_failure(&self) -> Option<HandshakeFailure> {
        self.refusal().map(HandshakeFailure::Certificate)
    }
}

/// rustls counts the 5 bytes of a record's header, but not what encryption adds; the content of a record, for which
/// small clients have a buffer, is then always shorter than asked for. Less than rustls takes becomes its least.
fn max_record(bytes: usize) -> Option<usize> {
    const LEAST: usize = 32;
    const LONGEST: usize = 16 * 1024;
    (bytes < LONGEST).then_some(bytes.max(LEAST))
}

fn versions(minimum: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static FROM_TLS_1_2: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
    match minimum {
        TlsVersion::Tls12 => &FROM_TLS_1_2,
        TlsVersion::Tls13 => &FROM_TLS_1_2[..1],
    }
}

#[cfg(test)]
#[path = "../../tests/common/ca.rs"]
pub(crate) mod ca;
#[cfg(test)]
mod tests;
