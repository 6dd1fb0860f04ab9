//! One handshake in memory before a configuration is put in force: the chain is presented, the key signs, a client
//! without a certificate is refused.

use super::{ServerTls, TlsError};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConnection, SignatureScheme};
use std::sync::Arc;

/// Flights that a handshake needs at most.
const FLIGHTS: usize = 8;

/// Lets a client connect that checks the server's signature and has no certificate of its own.
///
/// # Errors
/// What went otherwise than it must.
pub(super) fn run(tls: &ServerTls) -> Result<(), TlsError> {
    let fault = |fault: &str| {
        TlsError::Configuration(format!("the self-test of the TLS configuration failed, so it is not used: {fault}"))
    };
    let mut client = client().map_err(|error| fault(&error.to_string()))?;
    let handshake = tls.begin();
    let mut server = ServerConnection::new(Arc::clone(&handshake.config)).map_err(|error| fault(&error.to_string()))?;
    for _ in 0..FLIGHTS {
        let asked = pass(|out| client.write_tls(out), |input| server.read_tls(input))
            .map_err(|error| fault(&error.to_string()))
            .map(|()| server.process_new_packets());
        match asked? {
            Ok(_) => {}
            // The client has verified our signature by then: its answer with no certificate in it is complete.
            Err(Error::NoCertificatesPresented) => return Ok(()),
            Err(error) => return Err(fault(&format!("the server: {error}"))),
        }
        pass(|out| server.write_tls(out), |input| client.read_tls(input)).map_err(|error| fault(&error.to_string()))?;
        client.process_new_packets().map_err(|error| fault(&format!("a client: {error}")))?;
    }
    Err(fault("a client without a certificate was not refused"))
}

fn client() -> Result<ClientConnection, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let signature = SignatureOnly { algorithms: provider.signature_verification_algorithms };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(signature))
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), ServerName::from(std::net::IpAddr::from([127, 0, 0, 1])))
}

/// Everything that one side has to say goes to the other.
fn pass(
    mut from: impl FnMut(&mut Vec<u8>) -> std::io::Result<usize>,
    mut to: impl FnMut(&mut &[u8]) -> std::io::Result<usize>,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    while from(&mut bytes)? > 0 {}
    let mut rest = bytes.as_slice();
    while !rest.is_empty() && to(&mut rest)? > 0 {}
    Ok(())
}

/// Whether the server holds the key of the certificate it shows; whose that is does not matter to it.
#[derive(Debug)]
struct SignatureOnly {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for SignatureOnly {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
