//! What rustls asks during one handshake, and what was answered.

use super::refusal::{Cause, CertificateRefusal};
use super::{PolicyInForce, Trust, VerifiedClient, pinned};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Judges one client and remembers what it found.
pub(super) struct ConnectionVerifier {
    trust: Arc<Trust>,
    policy: Arc<PolicyInForce>,
    /// The key of a certificate that is accepted because its device's record pins it.
    pinned: OnceLock<SubjectPublicKeyInfoDer<'static>>,
    judged: OnceLock<Arc<VerifiedClient>>,
    /// Set when the client has signed the handshake with the key of its certificate.
    proven: OnceLock<()>,
    refusal: OnceLock<CertificateRefusal>,
}

impl ConnectionVerifier {
    pub(super) fn new(trust: Arc<Trust>, policy: Arc<PolicyInForce>) -> Self {
        Self {
            trust,
            policy,
            pinned: OnceLock::new(),
            judged: OnceLock::new(),
            proven: OnceLock::new(),
            refusal: OnceLock::new(),
        }
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
        let judged = self.trust.judge(leaf, intermediates, now);
        let client = match self.policy.pinned(&Sha256::digest(leaf).into()) {
            Some(device) => self.trust.judge_pinned(leaf, &device, judged, now)?,
            None => judged?,
        };
        match self.policy.denied(&client.key, &client.chain) {
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
        if client.chain.is_pinned()
            && let Some(key) = pinned::key_of(end_entity)
        {
            let _ = self.pinned.set(key);
        }
        let _ = self.judged.set(Arc::new(client));
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.trust.algorithms;
        let verdict = match self.pinned.get() {
            Some(key) => pinned::verify_tls12(message, key, dss, algorithms),
            None => verify_tls12_signature(message, cert, dss, algorithms),
        };
        self.prove(cert, verdict)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.trust.algorithms;
        let verdict = match self.pinned.get() {
            Some(key) => pinned::verify_tls13(message, key, dss, algorithms),
            None => verify_tls13_signature(message, cert, dss, algorithms),
        };
        self.prove(cert, verdict)
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
