//! Making certificates: the authority's own, and those it signs.

use super::crl::date;
use super::der;
use super::files::{Folder, read_certificate, read_key};
use super::x509::{self, Purpose, Role};
use super::{PkiError, name};
use crate::policy::Identity;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, PublicKeyData, RsaKeySize, SerialNumber,
};
use rustls::pki_types::CertificateDer;

/// Devices with a clock that is a little slow accept a new certificate too. Seconds.
pub(super) const BACKDATED: i64 = 60 * 60;

/// Seconds.
pub(super) const DAY: i64 = 24 * 60 * 60;

/// subjectAltName (RFC 5280 section 4.2.1.6).
const SUBJECT_ALTERNATIVE_NAME: &[u64] = &[2, 5, 29, 17];

/// Which key is made for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA on P-256: small, fast on both ends.
    #[default]
    P256,
    /// RSA with 2048 bits, for devices that know nothing else.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
}

impl KeyType {
    pub(super) fn generate(self) -> Result<KeyPair, PkiError> {
        Ok(match self {
            Self::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Self::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
            Self::Rsa3072 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072),
        }?)
    }

    /// The type of key that `spki` (a SubjectPublicKeyInfo) holds, as near as we make them.
    pub(super) fn like(spki: &[u8]) -> Self {
        match spki.len() {
            // P-256 takes 91 octets, RSA 2048 takes 294, RSA 3072 takes 422.
            0..=200 => Self::P256,
            201..=350 => Self::Rsa2048,
            _ => Self::Rsa3072,
        }
    }
}

/// The authority's certificate.
#[derive(Debug)]
pub(super) struct CaCertificate {
    pub(super) der: CertificateDer<'static>,
    pub(super) identity: Identity,
}

impl CaCertificate {
    pub(super) fn load(folder: &Folder) -> Result<Self, PkiError> {
        let path = folder.ca_certificate();
        let init = format!("run: certmq ca init --dir {}", super::word(folder.path()));
        let der = read_certificate(&path, &init)?;
        let remedy = "put the certificate of a CA there (X.509 v3, basicConstraints CA:TRUE)";
        let identity = Identity::from_der(&der).map_err(|error| PkiError::invalid(&path, error.to_string(), remedy))?;
        let ca = Self { der, identity };
        match ca.fields().and_then(|fields| fields.extensions.role()) {
            Ok(Role::Authority) => Ok(ca),
            Ok(Role::EndEntity) => Err(PkiError::invalid(&path, "is no CA certificate", remedy)),
            Err(error) => Err(PkiError::invalid(&path, error.to_string(), remedy)),
        }
    }

    pub(super) fn fields(&self) -> Result<x509::Certificate<'_>, der::Malformed> {
        x509::Certificate::parse(&self.der)
    }

    /// Whether this CA signed `certificate`: a foreign CA may bear the same name.
    pub(super) fn issued(&self, certificate: &x509::Certificate<'_>) -> bool {
        self.fields().is_ok_and(|ca| certificate.issuer == ca.subject && certificate.signed.is_signed_by(ca.spki))
    }
}

/// The authority's key, ready to sign.
pub(super) struct Signer {
    pub(super) issuer: Issuer<'static, KeyPair>,
    pub(super) key_identifier: KeyIdMethod,
    /// DER.
    pub(super) name: Vec<u8>,
}

impl Signer {
    /// Reads the key, which must be the one of the certificate.
    pub(super) fn load(folder: &Folder, ca: &CaCertificate) -> Result<Self, PkiError> {
        let path = folder.ca_key();
        let key = read_key(&path, "only its holder can sign; bring the CA's key here")?;
        let remedy = "bring the key that belongs to ca.crt here";
        let key = KeyPair::try_from(&key)
            .map_err(|error| PkiError::invalid(&path, format!("the key is not usable ({error})"), remedy))?;
        let damaged = |error: der::Malformed| PkiError::invalid(&folder.ca_certificate(), error.to_string(), remedy);
        let fields = ca.fields().map_err(damaged)?;
        if key.subject_public_key_info() != fields.spki {
            return Err(PkiError::invalid(&path, "is not the key of ca.crt", remedy));
        }
        let usage = fields.extensions.key_usage().map_err(damaged)?;
        if !usage.allows_certificate_signing() || !usage.allows_crl_signing() {
            let fault = "its keyUsage does not allow keyCertSign and cRLSign";
            return Err(PkiError::invalid(&folder.ca_certificate(), fault, "make a CA that may sign both"));
        }
        let key_identifier = match fields.extensions.subject_key_identifier {
            Some(value) => KeyIdMethod::PreSpecified(der::Element::whole(value).map_err(damaged)?.content.to_vec()),
            None => KeyIdMethod::Sha256,
        };
        Ok(Self::new(key, key_identifier, fields.subject.to_vec()))
    }

    fn new(key: KeyPair, key_identifier: KeyIdMethod, name: Vec<u8>) -> Self {
        let mut params = CertificateParams::default();
        params.key_identifier_method = key_identifier.clone();
        Self { issuer: Issuer::new(params, key), key_identifier, name }
    }

    /// Makes a new authority: key and self-signed certificate (DER).
    pub(super) fn create(subject: &str, days: u32, now: i64) -> Result<(Self, Vec<u8>), PkiError> {
        let name = name::encode(subject)?;
        let key = KeyType::P256.generate()?;
        let mut params = CertificateParams::default();
        params.not_before = date(now - BACKDATED)?;
        params.not_after = date(now + i64::from(days) * DAY)?;
        params.serial_number = Some(SerialNumber::from_slice(&random_serial()?));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        let der = der::resigned(certificate.der(), &[(ISSUER, &name), (SUBJECT, &name)], &key)?;
        Ok((Self::new(key, KeyIdMethod::Sha256, name), der))
    }

    /// The private key as PEM.
    pub(super) fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }
}

/// Positions in TBSCertificate (RFC 5280 section 4.1), version 3.
const ISSUER: usize = 3;
const SUBJECT: usize = 5;

/// What a certificate is to say.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// DER.
    pub(super) subject: Vec<u8>,
    /// GeneralNames, DER.
    pub(super) alternative_names: Option<Vec<u8>>,
    pub(super) purposes: Vec<Purpose>,
    /// Unix seconds.
    pub(super) not_before: i64,
    /// Unix seconds.
    pub(super) not_after: i64,
}

impl Leaf {
    /// Encodes and signs the certificate for a public key. It can sign nothing itself.
    pub(super) fn sign(&self, key: &impl PublicKeyData, signer: &Signer) -> Result<Vec<u8>, PkiError> {
        let mut params = CertificateParams::default();
        params.not_before = date(self.not_before)?;
        params.not_after = date(self.not_after)?;
        params.serial_number = Some(SerialNumber::from_slice(&random_serial()?));
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = self.purposes.iter().filter_map(|purpose| usage(*purpose)).collect();
        let names = self.alternative_names.iter();
        params.custom_extensions =
            names.map(|names| CustomExtension::from_oid_content(SUBJECT_ALTERNATIVE_NAME, names.clone())).collect();
        let certificate = params.signed_by(key, &signer.issuer)?;
        let names: [(usize, &[u8]); 2] = [(ISSUER, &signer.name), (SUBJECT, &self.subject)];
        der::resigned(certificate.der(), &names, signer.issuer.key())
    }
}

fn usage(purpose: Purpose) -> Option<ExtendedKeyUsagePurpose> {
    match purpose {
        Purpose::ClientAuth => Some(ExtendedKeyUsagePurpose::ClientAuth),
        Purpose::ServerAuth => Some(ExtendedKeyUsagePurpose::ServerAuth),
        Purpose::Other => None,
    }
}

/// 128 random bits: positive, unique without a counter, and not to be guessed (RFC 5280 section 4.1.2.2).
fn random_serial() -> Result<[u8; 16], PkiError> {
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    let mut serial = [0; 16];
    // One in 256 starts with a zero octet, which its encoding would drop: the next draw is as good.
    while serial[0] == 0 {
        random.fill(&mut serial).map_err(|_| PkiError::Internal("the operating system has no randomness".into()))?;
    }
    Ok(serial)
}
