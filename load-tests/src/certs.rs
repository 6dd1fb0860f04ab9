//! Certificates for one run: nothing of them outlives the temporary folder.

use crate::LoadError;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The organisation in every client certificate: what a broker can match a group by.
pub const ORGANISATION: &str = "load tests";

/// The folder that [`Certificates::make`] filled.
#[derive(Clone, Debug)]
pub struct Certificates {
    folder: PathBuf,
}

/// Where one client's files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFiles {
    /// The CA that the server must be from.
    pub ca: PathBuf,
    /// The client's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Certificates {
    /// Makes a CA, a server certificate for loopback and a certificate for each of `pairs` in `folder`.
    pub fn make(folder: &Path, pairs: usize) -> Result<Self, LoadError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "load test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let certificates = Self { folder: folder.to_owned() };
        write(&certificates.ca(), &ca.pem())?;

        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let mut server = CertificateParams::new(names)?;
        server.distinguished_name.push(DnType::CommonName, "localhost");
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        certificates.issue("server", server, &ca)?;
        for pair in 0..pairs {
            let mut client = CertificateParams::new(Vec::new())?;
            client.distinguished_name.push(DnType::OrganizationName, ORGANISATION);
            client.distinguished_name.push(DnType::CommonName, common_name(pair));
            client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            certificates.issue(&common_name(pair), client, &ca)?;
        }
        Ok(certificates)
    }

    fn issue(
        &self,
        name: &str,
        mut params: CertificateParams,
        ca: &CertifiedIssuer<'_, KeyPair>,
    ) -> Result<(), LoadError> {
        let key = KeyPair::generate()?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let certificate = params.signed_by(&key, ca)?;
        write(&self.certificate(name), &certificate.pem())?;
        write(&self.key(name), &key.serialize_pem())
    }

    /// A folder that was filled before.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The CA's certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// A certificate by the name of its file: `server`, or a [`common_name`].
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.crt"))
    }

    /// A private key.
    pub fn key(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    /// The files of one pair.
    pub fn client(&self, pair: usize) -> ClientFiles {
        let name = common_name(pair);
        ClientFiles { ca: self.ca(), certificate: self.certificate(&name), key: self.key(&name) }
    }
}

impl ClientFiles {
    /// What rustls needs to be this client.
    pub fn config(&self) -> Result<Arc<ClientConfig>, LoadError> {
        let mut roots = RootCertStore::empty();
        for certificate in read_certificates(&self.ca)? {
            roots.add(certificate)?;
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|fault| unreadable(&self.key, fault))?;
        let mut config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(read_certificates(&self.certificate)?, key)?;
        // Every connection pays for a whole handshake, so that runs are alike.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// The common name in the certificate of a pair.
pub fn common_name(pair: usize) -> String {
    format!("load-{pair:05}")
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|fault| unreadable(path, fault))
}

fn unreadable(path: &Path, fault: rustls::pki_types::pem::Error) -> LoadError {
    LoadError::File(path.to_owned(), std::io::Error::other(fault.to_string()))
}

fn write(path: &Path, text: &str) -> Result<(), LoadError> {
    let _ = fs::remove_file(path);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|fault| LoadError::File(path.to_owned(), fault))
}
