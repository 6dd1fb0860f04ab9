//! The authority: one folder with its certificate, key, revocation list and index.

mod listing;
mod request;
mod revocation;
#[cfg(test)]
mod tests;

use super::certificate::{BACKDATED, CaCertificate, DAY, KeyType, Leaf, Signer};
use super::crl::RevocationList;
use super::files::{Access, Folder, KeyFile, pem, read_certificate, read_crl, read_request};
use super::index::{Index, Record};
use super::x509::{self, Purpose, Role};
use super::{PkiError, hex, name};
use crate::policy::{Identity, SubjectSelector};
use rcgen::{PublicKeyData, SubjectPublicKeyInfo};
use std::path::{Path, PathBuf};

pub use listing::{CrlSummary, Listed, State, Summary};
pub use request::{InitRequest, IssueRequest, KeyChoice, RenewRequest, Service, SignRequest};
pub use revocation::{ReissuedCrl, Revoked, refresh_crl_if_due};

/// The certificate authority of one folder. The folder stays locked while this lives: other processes and threads
/// that open it wait, so do not hold one across a wait for anything else.
#[derive(Debug)]
pub struct Authority {
    folder: Folder,
    ca: CaCertificate,
    index: Index,
}

/// A certificate that was made.
#[derive(Debug)]
pub struct Issued {
    /// Who it is.
    pub identity: Identity,
    /// Its file.
    pub certificate: PathBuf,
    /// The file of its private key, where the authority made one or has one.
    pub key: Option<PathBuf>,
    /// Where the files that it replaced were put.
    pub set_aside: Vec<PathBuf>,
    /// What the operator should know, one sentence each.
    pub notices: Vec<String>,
}

impl Authority {
    /// Makes a new authority with an empty revocation list. Refuses when any of its files is there.
    pub fn init(dir: &Path, request: &InitRequest, now: i64) -> Result<Self, PkiError> {
        let folder = Folder::create(dir)?;
        for path in [folder.ca_certificate(), folder.ca_key(), folder.ca_crl(), folder.index()] {
            if path.symlink_metadata().is_ok() {
                let remedy = "there is a CA already (certmq ca show); for a second one give another --dir".into();
                return Err(PkiError::Exists { path, remedy });
            }
        }
        let (signer, der) = Signer::create(&request.subject, request.days, now)?;
        folder.create_new(&folder.ca_key(), signer.key_pem().as_bytes(), Access::Owner)?;
        folder.create_new(&folder.ca_certificate(), &pem("CERTIFICATE", &der), Access::Public)?;
        let ca = CaCertificate::load(&folder)?;
        let mut authority = Self { folder, ca, index: Index::default() };
        authority.publish(&signer, None, now)?;
        Ok(authority)
    }

    /// Opens the authority of a folder, made by certmq or by hand (`ca.crt`, `ca.key`). The key is only read when
    /// something is signed.
    pub fn open(dir: &Path) -> Result<Self, PkiError> {
        let folder = Folder::open(dir)?;
        let ca = CaCertificate::load(&folder)?;
        let index = Index::load(&folder)?;
        Ok(Self { folder, ca, index })
    }

    /// The authority's own certificate.
    pub fn identity(&self) -> &Identity {
        &self.ca.identity
    }

    /// Its certificate file: what clients need as `--cafile` and the broker as `tls.client_ca`.
    pub fn certificate_path(&self) -> PathBuf {
        self.folder.ca_certificate()
    }

    /// Makes a key and a certificate for it: `NAME.key`, `NAME.crt`. Neither may be there.
    pub fn issue(&mut self, request: &IssueRequest, now: i64) -> Result<Issued, PkiError> {
        request::check_name(&request.name)?;
        let subject = request.subject.clone().unwrap_or_else(|| name::common_name(&request.name));
        let signer = self.signer(now)?;
        let (certificate, key_path) = (self.folder.certificate(&request.name), self.folder.key(&request.name));
        for path in [&certificate, &key_path] {
            if path.symlink_metadata().is_ok() {
                let remedy = format!("certmq cert renew {} replaces it and keeps the old one", request.name);
                return Err(PkiError::Exists { path: path.clone(), remedy });
            }
        }
        let mut notices = Vec::new();
        let leaf = Leaf {
            subject: name::encode(&subject)?,
            alternative_names: name::alternative_names(&request.names())?,
            purposes: vec![request.service.purpose()],
            not_before: self.not_before(now),
            not_after: self.not_after(now, request.days, &mut notices)?,
        };
        let key = request.key.generate()?;
        let (der, identity) = self.sign_leaf(&leaf, &key, &signer).map_err(PkiError::Request)?;
        self.folder.create_new(&key_path, key.serialize_pem().as_bytes(), Access::Owner)?;
        if let Err(error) = self.hand_out(&certificate, &der, &identity, &request.name) {
            // A key without its certificate would only stand in the way.
            let _ = std::fs::remove_file(&key_path);
            return Err(error);
        }
        Ok(Issued { identity, certificate, key: Some(key_path), set_aside: Vec::new(), notices })
    }

    /// Signs the request of a device that made its own key. The device chooses its name and its alternative names,
    /// nothing else: it becomes a TLS client, never a CA.
    pub fn sign(&mut self, request: &SignRequest, now: i64) -> Result<Issued, PkiError> {
        let der = read_request(&request.csr)?;
        let invalid = |fault: String| PkiError::invalid(&request.csr, fault, "let the device make a new request");
        let csr = x509::Request::parse(&der).map_err(|_| invalid("no certificate signing request is in it".into()))?;
        if !csr.signed.is_signed_by(csr.spki) {
            return Err(invalid(
                "the signature is not by the key it asks for, or that key is too weak (P-256, P-384, P-521, Ed25519 and RSA from 2048 bits are accepted)".into(),
            ));
        }
        let key = SubjectPublicKeyInfo::from_der(csr.spki).map_err(|error| invalid(error.to_string()))?;
        let certificate = match &request.out {
            Some(path) => path.clone(),
            None => self.folder.certificate(&request::name_of(&request.csr)?),
        };
        if certificate.symlink_metadata().is_ok() {
            let remedy = "move it away first, or give another file with --out".into();
            return Err(PkiError::Exists { path: certificate, remedy });
        }
        let mut notices = Vec::new();
        if csr.extensions.wishes() > 0 {
            notices
                .push("the request asks for more than names (key usage, CA flag or others); that was ignored".into());
        }
        let leaf = Leaf {
            subject: csr.subject.to_vec(),
            alternative_names: kept_names(&csr.extensions, &mut notices).map_err(&invalid)?,
            purposes: vec![Purpose::ClientAuth],
            not_before: self.not_before(now),
            not_after: self.not_after(now, request.days, &mut notices)?,
        };
        let signer = self.signer(now)?;
        let (der, identity) = self.sign_leaf(&leaf, &key, &signer).map_err(invalid)?;
        self.hand_out(&certificate, &der, &identity, &request::stem(&certificate))?;
        Ok(Issued { identity, certificate, key: None, set_aside: Vec::new(), notices })
    }

    /// Makes a new certificate with the names and purposes of an old one, which is set aside and stays valid.
    pub fn renew(&mut self, request: &RenewRequest, now: i64) -> Result<Issued, PkiError> {
        let path = self.find(&request.certificate)?;
        let old_der = read_certificate(&path, "")?;
        let (old, fields) = self.own_certificate(&path, &old_der)?;
        let signer = self.signer(now)?;
        let key_path = path.with_extension("key");
        let revoked = self.crl()?.is_some_and(|list| list.lists(&old.serial));
        let mut notices = Vec::new();
        if revoked && request.key == KeyChoice::Keep {
            return Err(PkiError::invalid(&path, "is revoked", "give the device a new key: leave out --keep-key"));
        }
        if revoked {
            notices.push("the old certificate is revoked; the new one lets its holder in again".into());
        }
        if request.key == KeyChoice::New && KeyFile::at(&key_path) == KeyFile::Absent {
            return Err(PkiError::missing(
                &key_path,
                "the device made its key itself: sign a new request of it (certmq cert sign), or give --keep-key to certify the same key again",
            ));
        }
        let days = request.days.unwrap_or_else(|| u32::try_from((old.not_after - old.not_before) / DAY).unwrap_or(0));
        let fault = |fault: String| PkiError::invalid(&path, fault, "issue a new certificate: certmq cert issue NAME");
        let leaf = Leaf {
            subject: fields.subject.to_vec(),
            alternative_names: kept_names(&fields.extensions, &mut notices).map_err(&fault)?,
            purposes: purposes(&fields.extensions).map_err(&fault)?,
            not_before: self.not_before(now),
            not_after: self.not_after(now, days.max(1), &mut notices)?,
        };
        let mut set_aside = Vec::new();
        let (der, identity) = match request.key {
            KeyChoice::Keep => {
                let key = SubjectPublicKeyInfo::from_der(fields.spki).map_err(|error| fault(error.to_string()))?;
                self.sign_leaf(&leaf, &key, &signer).map_err(fault)?
            }
            KeyChoice::New => {
                let key = KeyType::like(fields.spki).generate()?;
                let made = self.sign_leaf(&leaf, &key, &signer).map_err(fault)?;
                set_aside.push(self.folder.set_aside(&key_path)?);
                self.folder.replace(&key_path, key.serialize_pem().as_bytes(), Access::Owner)?;
                made
            }
        };
        set_aside.push(self.folder.set_aside(&path)?);
        self.folder.replace(&path, &pem("CERTIFICATE", &der), Access::Public)?;
        self.record(&identity, &request::stem(&path), Some(old.serial_hex()))?;
        let key = (KeyFile::at(&key_path) != KeyFile::Absent).then_some(key_path);
        Ok(Issued { identity, certificate: path, key, set_aside, notices })
    }

    /// Whether this authority made `der` and revoked it. None: it is not of this authority.
    pub fn revocation_of(&self, der: &[u8]) -> Result<Option<State>, PkiError> {
        let Ok(fields) = x509::Certificate::parse(der) else { return Ok(None) };
        let Ok(identity) = Identity::from_der(der) else { return Ok(None) };
        if !self.ca.issued(&fields) {
            return Ok(None);
        }
        let revoked = self.crl()?.is_some_and(|list| list.lists(&identity.serial));
        Ok(Some(if revoked { State::Revoked } else { State::Valid }))
    }

    /// Reads a certificate that this authority must have signed.
    fn own_certificate<'a>(&self, path: &Path, der: &'a [u8]) -> Result<(Identity, x509::Certificate<'a>), PkiError> {
        let remedy = "name a certificate that this CA issued";
        let identity = Identity::from_der(der).map_err(|error| PkiError::invalid(path, error.to_string(), remedy))?;
        let fields =
            x509::Certificate::parse(der).map_err(|error| PkiError::invalid(path, error.to_string(), remedy))?;
        if identity.sha256 == self.ca.identity.sha256 {
            let remedy = "to end a CA, take it out of tls.client_ca of the broker";
            return Err(PkiError::invalid(path, "is the CA's own certificate", remedy));
        }
        if !self.ca.issued(&fields) {
            let fault = format!("was not issued by {}", self.folder.ca_certificate().display());
            return Err(PkiError::invalid(path, fault, "give the --dir of the CA that issued it"));
        }
        Ok((identity, fields))
    }

    /// A file, or a name in the folder.
    fn find(&self, wanted: &Path) -> Result<PathBuf, PkiError> {
        if wanted.is_file() {
            return Ok(wanted.to_owned());
        }
        let named = self.folder.path().join(format!("{}.crt", wanted.display()));
        if named.is_file() {
            return Ok(named);
        }
        Err(PkiError::missing(wanted, "name a certificate file, or one of the names of: certmq cert list"))
    }

    fn crl(&self) -> Result<Option<RevocationList>, PkiError> {
        let path = self.folder.ca_crl();
        let der = match read_crl(&path) {
            Ok(der) => der,
            Err(PkiError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let remedy = "restore it from your backup; it is not rewritten, because entries could be lost";
        let list = RevocationList::parse(&der).map_err(|fault| PkiError::invalid(&path, fault, remedy))?;
        let issuer = self.ca.fields().map(|fields| (fields.subject.to_vec(), fields.spki.to_vec()));
        let signed = super::der::Signed::parse(&der);
        match (issuer, signed) {
            (Ok((subject, spki)), Ok(signed)) if list.issuer == subject && signed.is_signed_by(&spki) => Ok(Some(list)),
            _ => Err(PkiError::invalid(&path, "was not signed by the key of ca.crt", remedy)),
        }
    }

    /// The key, after a look at the calendar.
    fn signer(&self, now: i64) -> Result<Signer, PkiError> {
        if now > self.ca.identity.not_after {
            let remedy = "make a new CA in another --dir, and let the broker trust both for a while";
            return Err(PkiError::invalid(&self.folder.ca_certificate(), "the CA has expired", remedy));
        }
        Signer::load(&self.folder, &self.ca)
    }

    fn not_before(&self, now: i64) -> i64 {
        (now - BACKDATED).max(self.ca.identity.not_before)
    }

    fn not_after(&self, now: i64, days: u32, notices: &mut Vec<String>) -> Result<i64, PkiError> {
        request::check_days(days)?;
        let end = now + i64::from(days) * DAY;
        if end > self.ca.identity.not_after {
            notices.push("it ends with the CA's own certificate, earlier than asked".into());
        }
        Ok(end.min(self.ca.identity.not_after))
    }

    /// Signs, and reads the result back as the broker would: what names nobody is not handed out.
    fn sign_leaf(&self, leaf: &Leaf, key: &impl PublicKeyData, signer: &Signer) -> Result<(Vec<u8>, Identity), String> {
        if leaf.subject == signer.name {
            return Err("the subject is that of the CA itself; choose another".into());
        }
        let der = leaf.sign(key, signer).map_err(|error| error.to_string())?;
        let identity = Identity::from_der(&der).map_err(|error| error.to_string())?;
        identity.device_name(SubjectSelector::Dn).map_err(|error| error.to_string())?;
        Ok((der, identity))
    }

    /// Writes a certificate that is new, and remembers it. A crash between the two is harmless: `list` finds it by its
    /// file.
    fn hand_out(&mut self, path: &Path, der: &[u8], identity: &Identity, name: &str) -> Result<(), PkiError> {
        self.folder.create_new(path, &pem("CERTIFICATE", der), Access::Public)?;
        self.record(identity, name, None).inspect_err(|_| {
            let _ = std::fs::remove_file(path);
        })
    }

    fn record(&mut self, identity: &Identity, name: &str, renews: Option<String>) -> Result<(), PkiError> {
        self.index.records.push(new_record(identity, name, renews));
        self.index.save(&self.folder)
    }
}

fn new_record(identity: &Identity, name: &str, renews: Option<String>) -> Record {
    Record {
        serial: identity.serial_hex(),
        name: name.to_owned(),
        subject: identity.subject.as_str().to_owned(),
        not_before: identity.not_before,
        not_after: identity.not_after,
        sha256: hex(&identity.sha256),
        renews,
        revoked: None,
    }
}

fn kept_names(extensions: &x509::Extensions<'_>, notices: &mut Vec<String>) -> Result<Option<Vec<u8>>, String> {
    let Some(names) = extensions.subject_alternative_name else { return Ok(None) };
    let (kept, dropped) = name::allowed_alternative_names(names).map_err(|error| error.to_string())?;
    if dropped > 0 {
        notices.push(format!("{dropped} alternative names were left out: only DNS, URI, IP and e-mail are issued"));
    }
    Ok(kept)
}

/// The purposes to renew with: of an old certificate without any, those of a device.
fn purposes(extensions: &x509::Extensions<'_>) -> Result<Vec<Purpose>, String> {
    if extensions.role().map_err(|error| error.to_string())? == Role::Authority {
        return Err("is a CA certificate".into());
    }
    let mut purposes = extensions.purposes().map_err(|error| error.to_string())?.unwrap_or_default();
    purposes.retain(|purpose| *purpose != Purpose::Other);
    if purposes.is_empty() {
        purposes.push(Purpose::ClientAuth);
    }
    Ok(purposes)
}
