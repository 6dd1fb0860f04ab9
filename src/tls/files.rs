//! Reads certificates, CRLs and keys: PEM or DER, files or folders.
//!
//! Every block of every file counts. A block that cannot be read is an error and never skipped: a skipped CA locks a
//! fleet out, and a skipped CRL lets the revoked in.

use super::TlsError;
use super::certificate::CertificateFields;
use super::crl_der::CrlFields;
use super::der::{DerReader, tag};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Endings by which a file in a folder claims to hold certificates or CRLs. `c_rehash` makes `HASH.0` and `HASH.r0`.
const ENDINGS: [&str; 9] = ["pem", "crt", "cer", "der", "crl", "0", "1", "r0", "r1"];

/// One certificate or CRL.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) der: Vec<u8>,
    /// File, and line in it, for messages.
    pub(super) place: String,
}

/// What is being looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Certificates,
    Crls,
}

impl Wanted {
    fn matches_label(self, label: &str) -> bool {
        match self {
            Self::Certificates => matches!(label, "CERTIFICATE" | "X509 CERTIFICATE"),
            Self::Crls => label == "X509 CRL",
        }
    }

    fn matches_der(self, der: &[u8]) -> bool {
        match self {
            Self::Certificates => CertificateFields::from_der(der).is_ok(),
            Self::Crls => CrlFields::from_der(der).is_ok(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Certificates => "certificate",
            Self::Crls => "CRL",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Certificates => "CERTIFICATE",
            Self::Crls => "X509 CRL",
        }
    }
}

/// Everything wanted in a file or, one level deep, in the files of a folder. Never empty.
pub(super) fn read(path: &Path, wanted: Wanted) -> Result<Vec<Item>, TlsError> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if metadata.is_dir() {
        return read_folder(path, wanted);
    }
    if !metadata.is_file() {
        // A pipe would keep the broker waiting for ever.
        return Err(TlsError::Configuration(format!("{} is neither a file nor a folder", path.display())));
    }
    let items = read_file(path, wanted)?;
    if items.is_empty() {
        return Err(TlsError::Configuration(format!(
            "{} holds no {}: expected a PEM block \"-----BEGIN {}-----\" or DER",
            path.display(),
            wanted.name(),
            wanted.label()
        )));
    }
    Ok(items)
}

/// A private key: PKCS#8, PKCS#1 or SEC1 in PEM. Refused when anyone but its owner could read the file.
pub(super) fn read_private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
    // Of the opened file, so that it cannot be exchanged between the look and the reading.
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(TlsError::ReadableKey(format!(
            "the private key {} has mode {:04o}, so others than its owner can use it: chmod 600 {}",
            path.display(),
            metadata.mode() & 0o7777,
            path.display()
        )));
    }
    let mut pem = Vec::new();
    file.read_to_end(&mut pem).map_err(|error| unreadable(path, &error))?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        let encrypted = String::from_utf8_lossy(&pem).contains("ENCRYPTED");
        TlsError::Configuration(if encrypted {
            format!(
                "the private key {} is encrypted and certmq has nobody to ask for the passphrase: \
                 openssl pkey -in {} -out KEY, then chmod 600 KEY",
                path.display(),
                path.display()
            )
        } else {
            format!("{} holds no private key that can be read: {error}", path.display())
        })
    })
}

fn read_folder(folder: &Path, wanted: Wanted) -> Result<Vec<Item>, TlsError> {
    let mut items = Vec::new();
    for path in folder_files(folder)? {
        items.extend(read_file(&path, wanted)?);
    }
    if items.is_empty() {
        return Err(TlsError::Configuration(format!(
            "the folder {} holds no {}: put one there or take the folder out of the settings",
            folder.display(),
            wanted.name()
        )));
    }
    Ok(items)
}

/// The files of a folder by name, links followed. Hidden ones are left out: that is where editors and volume mounts
/// keep their second copies.
fn folder_files(folder: &Path) -> Result<Vec<PathBuf>, TlsError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        let entry = entry.map_err(|error| unreadable(folder, &error))?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        let metadata = fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
        if metadata.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_file(path: &Path, wanted: Wanted) -> Result<Vec<Item>, TlsError> {
    // A private key beside the certificates is neither wanted nor, for this user, always readable.
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied && !claims_to_be_wanted(path) => {
            return Ok(Vec::new());
        }
        result => result.map_err(|error| unreadable(path, &error))?,
    };
    let blocks = pem_blocks(path, &bytes)?;
    if !blocks.is_empty() {
        return decode_wanted(path, blocks, wanted);
    }
    if is_one_der_element(&bytes) {
        return read_der(path, bytes, wanted);
    }
    if claims_to_be_wanted(path) {
        return Err(TlsError::Configuration(format!("{} is neither PEM nor DER, or it is cut short", path.display())));
    }
    Ok(Vec::new())
}

fn decode_wanted(path: &Path, blocks: Vec<PemBlock>, wanted: Wanted) -> Result<Vec<Item>, TlsError> {
    let mut items = Vec::new();
    for block in blocks {
        if block.label == "TRUSTED CERTIFICATE" && wanted == Wanted::Certificates {
            return Err(TlsError::Configuration(format!(
                "{}, line {}: OpenSSL's own form of a certificate with trust settings: \
                 openssl x509 -in {} -out PLAIN, and name PLAIN",
                path.display(),
                block.line,
                path.display()
            )));
        }
        if wanted.matches_label(&block.label) {
            items.push(block.decode(path)?);
        }
    }
    Ok(items)
}

fn read_der(path: &Path, der: Vec<u8>, wanted: Wanted) -> Result<Vec<Item>, TlsError> {
    if wanted.matches_der(&der) {
        return Ok(vec![Item { der, place: path.display().to_string() }]);
    }
    let fault = match wanted {
        Wanted::Certificates if Wanted::Crls.matches_der(&der) => return Ok(Vec::new()),
        Wanted::Crls if Wanted::Certificates.matches_der(&der) => return Ok(Vec::new()),
        Wanted::Certificates => CertificateFields::from_der(&der).err(),
        Wanted::Crls => CrlFields::from_der(&der).err(),
    };
    let fault = fault.map_or_else(String::new, |fault| format!(": {fault}"));
    Err(TlsError::Configuration(format!("{} is no {} in DER{fault}", path.display(), wanted.name())))
}

fn claims_to_be_wanted(path: &Path) -> bool {
    path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| ENDINGS.contains(&ending))
}

fn is_one_der_element(bytes: &[u8]) -> bool {
    let mut reader = DerReader::new(bytes);
    reader.expect(tag::SEQUENCE).is_ok() && reader.is_empty()
}

/// One block of a PEM file (RFC 7468), not yet decoded.
struct PemBlock {
    label: String,
    /// Which block of the file, from 1.
    number: usize,
    /// Where it begins, from 1.
    line: usize,
    base64: Vec<u8>,
}

impl PemBlock {
    fn decode(self, path: &Path) -> Result<Item, TlsError> {
        let place = format!("{}, block {} at line {}", path.display(), self.number, self.line);
        match STANDARD.decode(&self.base64) {
            Ok(der) => Ok(Item { der, place }),
            Err(error) => Err(TlsError::Configuration(format!("{place}: the block is damaged: {error}"))),
        }
    }
}

fn pem_blocks(path: &Path, bytes: &[u8]) -> Result<Vec<PemBlock>, TlsError> {
    let damaged = |line: usize, fault: &str| {
        Err(TlsError::Configuration(format!("{}, line {line}: the PEM is damaged: {fault}", path.display())))
    };
    let mut blocks: Vec<PemBlock> = Vec::new();
    let mut open: Option<PemBlock> = None;
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        let number = index + 1;
        if let Some(label) = marker(line, b"-----BEGIN ") {
            if let Some(block) = open {
                return damaged(number, &format!("the block that began at line {} has no end", block.line));
            }
            open = Some(PemBlock { label, number: blocks.len() + 1, line: number, base64: Vec::new() });
        } else if let Some(label) = marker(line, b"-----END ") {
            match open.take() {
                Some(block) if block.label == label => blocks.push(block),
                Some(block) => return damaged(number, &format!("\"{label}\" ends what began as \"{}\"", block.label)),
                None => return damaged(number, "a block ends that did not begin"),
            }
        } else if let Some(block) = &mut open {
            block.base64.extend_from_slice(line);
        }
    }
    match open {
        Some(block) => damaged(block.line, "the block that begins here has no end"),
        None => Ok(blocks),
    }
}

/// The label of a line like `-----BEGIN CERTIFICATE-----`.
fn marker(line: &[u8], start: &[u8]) -> Option<String> {
    let label = line.strip_prefix(start)?.strip_suffix(b"-----")?;
    Some(String::from_utf8_lossy(label).into_owned())
}

fn unreadable(path: &Path, error: &std::io::Error) -> TlsError {
    TlsError::Configuration(format!("{} cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests;
