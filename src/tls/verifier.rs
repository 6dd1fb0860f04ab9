//! What rustls asks during one handshake, and what was answered.

use super::refusal::{Cause, CertificateRefusal};
use super::{Denied, Trust, VerifiedClient};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Judges one client and remembers what it found.
pub(super) struct ConnectionVerifier {
    trust: Arc<Trust>,
    denied: Arc<Denied>,
    judged: OnceLock<Arc<VerifiedClient>>,
    /// Set when the client has signed the handshake with the key of its certificate.
    proven: OnceLock<()>,
    refusal: OnceLock<CertificateRefusal>,
}

impl ConnectionVerifier {
    pub(super) fn new(trust: Arc<Trust>, denied: Arc<Denied>) -> Self {
        Self { trust, denied, judged: OnceLock::new(), proven: OnceLock::new(), refusal: OnceLock::new() }
    }

    /// Accepted, and in possession of the key.
    pub(super) fn client(&self) -> Option<Arc<VerifiedClient>> {
        self.proven.get().and(self.judged.get()).cloned()
    }

    /// The client of a connection that was resumed with this chain.
    pub(super) fn judge_resumed(&self, chain: Option<&[CertificateDer<'_>]>) -> Option<Arc<VerifiedClient>> {
        let (leaf, intermediates) = chain?.split_first()?;
        match self.judge(leaf, intermediates, UnixTime::now()) {
            Ok(client) => Some(Arc::new(client)),
            Err(cause) => {
                let _ = self.refuse(leaf, &cause);
                None
            }
        }
    }

    /// Everything that is asked of a certificate but possession of its key, in a full handshake and in a resumed one.
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<VerifiedClient, Cause> {
        let client = self.trust.judge(leaf, intermediates, now)?;
        match self.denied.find(&client.key, &client.chain) {
            Some(entry) => Err(Cause::Denied { device: client.key.to_string(), entry }),
            None => Ok(client),
        }
    }

    pub(super) fn refusal(&self) -> Option<&CertificateRefusal> {
        self.refusal.get()
    }

    fn refuse(&self, leaf: &CertificateDer<'_>, cause: &Cause) -> rustls::Error {
        // Only the first one counts; a handshake has one certificate, so there is no second.
        let _ = self.refusal.set(CertificateRefusal::new(leaf, cause));
        rustls::Error::InvalidCertificate(cause.certificate_error())
    }

    fn prove(
        &self,
        leaf: &CertificateDer<'_>,
        verdict: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match verdict {
            Ok(valid) => {
                let _ = self.proven.set(());
                Ok(valid)
            }
            Err(_) => Err(self.refuse(leaf, &Cause::NoProofOfPossession)),
        }
    }
}

impl ClientCertVerifier for ConnectionVerifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        true
    }

    /// None: some clients send no certificate at all when the hints do not name its issuer, as with an intermediate
    /// CA; and whoever connects need not learn the names of our CAs.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let client = self.judge(end_entity, intermediates, now).map_err(|cause| self.refuse(end_entity, &cause))?;
        let _ = self.judged.set(Arc::new(client));
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.prove(cert, verify_tls12_signature(message, cert, dss, &self.trust.algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.prove(cert, verify_tls13_signature(message, cert, dss, &self.trust.algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.algorithms.supported_schemes()
    }
}

impl fmt::Debug for ConnectionVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ConnectionVerifier")
            .field("judged", &self.judged)
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}
