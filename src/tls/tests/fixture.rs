//! A server, a client, and the bytes between them.

use crate::config::tls::{
    CrlRequired, ExtendedKeyUsage, ExtendedMasterSecret, SessionResumption, StaleCrl, TlsVersion,
};
use crate::config::{TlsSettings, TrustBlockSettings};
use crate::policy::SubjectSelector;
use crate::tls::ca::{TestCa, TestCertificate};
use crate::tls::{CertificateRefusal, Handshake, HandshakeFailure, ServerTls, TlsError, VerifiedClient};
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Error, RootCertStore, ServerConnection, SignatureScheme,
    SupportedProtocolVersion,
};
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use time::OffsetDateTime;

/// A CA that the broker trusts, the broker's certificate, and its settings.
pub(super) struct Site {
    pub(super) folder: TempDir,
    pub(super) ca: TestCa,
    pub(super) settings: TlsSettings,
    pub(super) selector: SubjectSelector,
}

impl Site {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca = TestCa::root(folder.path(), "ca");
        let server = ca.server("server");
        let settings = TlsSettings {
            certificate: server.certificate,
            private_key: server.private_key,
            trust: vec![block("default", &[&ca])],
            stale_crl: StaleCrl::Deny,
            crl_required: CrlRequired::Listed,
            minimum_version: TlsVersion::Tls12,
            extended_key_usage: ExtendedKeyUsage::Optional,
            extended_master_secret: ExtendedMasterSecret::Optional,
            session_resumption: SessionResumption::Tickets,
            max_record: 16 * 1024,
        };
        Self { folder, ca, settings, selector: SubjectSelector::Dn }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn try_load(&self) -> Result<(ServerTls, Vec<String>), TlsError> {
        ServerTls::load(&self.settings, self.selector, OffsetDateTime::now_utc().unix_timestamp())
    }

    pub(super) fn load(&self) -> ServerTls {
        self.try_load().unwrap().0
    }

    pub(super) fn load_error(&self) -> String {
        self.try_load().unwrap_err().to_string()
    }

    pub(super) fn notices(&self) -> Vec<String> {
        self.try_load().unwrap().1
    }

    /// A client that shows this certificate and trusts this site's CA.
    pub(super) fn client(&self, certificate: &TestCertificate) -> Client {
        self.client_with(certificate.chain.clone(), certificate.key())
    }

    pub(super) fn client_with(&self, chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Client {
        let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
        Client::new(&self.ca, Some(Arc::new(CertifiedKey::new(chain, key))))
    }

    pub(super) fn client_without_certificate(&self) -> Client {
        Client::new(&self.ca, None)
    }
}

pub(super) fn block(name: &str, cas: &[&TestCa]) -> TrustBlockSettings {
    TrustBlockSettings {
        name: name.to_owned(),
        ca: cas.iter().map(|ca| ca.certificate.clone()).collect(),
        ..TrustBlockSettings::default()
    }
}

/// What a client brings to a handshake.
pub(super) struct Client {
    pub(super) config: ClientConfig,
}

impl Client {
    fn new(server_ca: &TestCa, certificate: Option<Arc<CertifiedKey>>) -> Self {
        Self { config: client_config(server_ca, certificate, rustls::ALL_VERSIONS) }
    }

    pub(super) fn versions(
        site: &Site,
        certificate: &TestCertificate,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let key = aws_lc_rs::sign::any_supported_type(&certificate.key()).unwrap();
        let certified = Arc::new(CertifiedKey::new(certificate.chain.clone(), key));
        Self { config: client_config(&site.ca, Some(certified), versions) }
    }

    pub(super) fn alpn(mut self, protocols: &[&str]) -> Self {
        self.config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }
}

fn client_config(
    server_ca: &TestCa,
    certificate: Option<Arc<CertifiedKey>>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(server_ca.der().clone()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(Shows(certificate)))
}

/// Shows what it is told to, however bad: rustls' own builder would refuse some of it.
#[derive(Debug)]
struct Shows(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

/// How a handshake ended, seen from both ends.
pub(super) struct Outcome {
    pub(super) handshake: Handshake,
    pub(super) server: ServerConnection,
    pub(super) client: ClientConnection,
    pub(super) server_error: Option<Error>,
    pub(super) client_error: Option<Error>,
}

pub(super) fn handshake(tls: &ServerTls, client: Client) -> Outcome {
    handshake_with(tls, Arc::new(client.config))
}

pub(super) fn handshake_with(tls: &ServerTls, client: Arc<ClientConfig>) -> Outcome {
    let handshake = tls.begin();
    let mut server = ServerConnection::new(Arc::clone(&handshake.config)).unwrap();
    let mut client = ClientConnection::new(client, "localhost".try_into().unwrap()).unwrap();
    let (mut server_error, mut client_error) = (None, None);
    loop {
        let mut to_server = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut to_server).unwrap();
        }
        let mut unread = to_server.as_slice();
        while !unread.is_empty() && server_error.is_none() {
            server.read_tls(&mut unread).unwrap();
            server_error = server.process_new_packets().err();
        }
        let mut to_client = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut to_client).unwrap();
        }
        let mut unread = to_client.as_slice();
        while !unread.is_empty() && client_error.is_none() {
            client.read_tls(&mut unread).unwrap();
            client_error = client.process_new_packets().err();
        }
        if to_server.is_empty() && to_client.is_empty() {
            return Outcome { handshake, server, client, server_error, client_error };
        }
    }
}

impl Outcome {
    #[track_caller]
    pub(super) fn accepted(&self) -> Arc<VerifiedClient> {
        assert_eq!(self.server_error, None, "{:?}", self.handshake.refusal());
        assert_eq!(self.client_error, None);
        assert!(!self.server.is_handshaking() && !self.client.is_handshaking());
        assert_eq!(self.handshake.refusal(), None);
        self.handshake.conclude(&self.server).unwrap()
    }

    #[track_caller]
    pub(super) fn key_name(&self) -> String {
        self.accepted().key.name.to_string()
    }

    /// Refused for its certificate, with this alert and a cause that holds `words`.
    #[track_caller]
    pub(super) fn refused(&self, alert: AlertDescription, words: &str) -> CertificateRefusal {
        let error = self.server_error.clone().expect("the handshake was to fail");
        assert!(self.handshake.conclude(&self.server).is_err(), "no client after a refusal");
        assert_eq!(self.client_error, Some(Error::AlertReceived(alert)), "{error:?}");
        match self.handshake.explain(&error) {
            HandshakeFailure::Certificate(refusal) => {
                assert!(refusal.cause.contains(words), "{refusal:?} does not say {words:?}");
                assert!(!refusal.remedy.is_empty() && !refusal.subject.is_empty() && !refusal.issuer.is_empty());
                refusal
            }
            other => panic!("not a refusal of the certificate: {other:?}"),
        }
    }
}
