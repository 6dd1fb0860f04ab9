//! The folder of the authority: its file names, its lock, and how files get there without being lost or seen.

#[cfg(test)]
mod tests;

use super::PkiError;
use super::error::word;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, CertificateSigningRequestDer, PrivateKeyDer};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Larger than any certificate, request or key, and than the revocation list of a small fleet.
const MAXIMUM_FILE: u64 = 64 * 1024 * 1024;

/// Who may read a file that is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everyone: certificates, lists.
    Public,
    /// The owner alone: keys.
    Owner,
}

impl Access {
    fn mode(self) -> u32 {
        match self {
            Self::Public => 0o644,
            Self::Owner => 0o600,
        }
    }
}

/// The folder, locked for this value's life: whoever comes second waits.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing.
    pub(super) fn create(path: &Path) -> Result<Self, PkiError> {
        fs::create_dir_all(path).map_err(|error| PkiError::write(path, error))?;
        Self::open(path)
    }

    /// Opens and locks the folder.
    pub(super) fn open(path: &Path) -> Result<Self, PkiError> {
        let read = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => PkiError::missing(path, format!("run: certmq ca init --dir {}", word(path))),
            _ => PkiError::Read { path: path.to_owned(), source: error },
        };
        let handle = File::open(path).map_err(read)?;
        if !handle.metadata().map_err(read)?.is_dir() {
            return Err(PkiError::invalid(path, "is no folder", "name the folder of the CA with --dir"));
        }
        handle.lock().map_err(read)?;
        Ok(Self { path: path.to_owned(), _lock: handle })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn ca_certificate(&self) -> PathBuf {
        self.path.join("ca.crt")
    }

    pub(super) fn ca_key(&self) -> PathBuf {
        self.path.join("ca.key")
    }

    pub(super) fn ca_crl(&self) -> PathBuf {
        self.path.join("ca.crl")
    }

    pub(super) fn index(&self) -> PathBuf {
        self.path.join("ca.index")
    }

    pub(super) fn certificate(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.crt"))
    }

    pub(super) fn key(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.key"))
    }

    /// Creates a file that must not be there yet. Its mode is right from the first instant.
    pub(super) fn create_new(&self, path: &Path, content: &[u8], access: Access) -> Result<(), PkiError> {
        let mut file = match OpenOptions::new().write(true).create_new(true).mode(access.mode()).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(PkiError::Exists { path: path.to_owned(), remedy: "move it away first".into() });
            }
            Err(error) => return Err(PkiError::write(path, error)),
        };
        let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| sync_folder_of(path));
        written.map_err(|error| {
            // Half a file must not stand in the way of the next attempt.
            let _ = fs::remove_file(path);
            PkiError::write(path, error)
        })
    }

    /// Puts `content` where `path` is, so that every reader sees the old or the new file, and a crash leaves one of
    /// them.
    pub(super) fn replace(&self, path: &Path, content: &[u8], access: Access) -> Result<(), PkiError> {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".new");
        let new = path.with_file_name(name);
        // Only the holder of the lock makes such files: one that is there was left by a crash.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(PkiError::write(&new, error)),
            _ => {}
        }
        self.create_new(&new, content, access)?;
        fs::rename(&new, path).and_then(|()| sync_folder_of(path)).map_err(|error| {
            let _ = fs::remove_file(&new);
            PkiError::write(path, error)
        })
    }

    /// Gives a file its first free name among `NAME.old`, `NAME.old.2`, …
    pub(super) fn set_aside(&self, path: &Path) -> Result<PathBuf, PkiError> {
        let mut number = 1_u32;
        loop {
            let mut name = path.as_os_str().to_owned();
            name.push(".old");
            if number > 1 {
                name.push(format!(".{number}"));
            }
            let old = PathBuf::from(name);
            match fs::hard_link(path, &old) {
                Ok(()) => return sync_folder_of(path).map(|()| old).map_err(|error| PkiError::write(path, error)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(PkiError::write(&old, error)),
            }
        }
    }
}

/// Makes the entry of a file in its folder durable.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Reads a whole file. `remedy` says what to do where it is missing.
pub(super) fn read(path: &Path, remedy: &str) -> Result<Vec<u8>, PkiError> {
    read_from(open(path, remedy)?, path)
}

/// Reads a private key that only its owner may use.
pub(super) fn read_key(path: &Path, remedy: &str) -> Result<PrivateKeyDer<'static>, PkiError> {
    let file = open(path, remedy)?;
    let mode = file.metadata().map_err(|source| PkiError::Read { path: path.to_owned(), source })?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(PkiError::ExposedKey { path: path.to_owned(), mode: mode & 0o7777 });
    }
    let content = read_from(file, path)?;
    PrivateKeyDer::from_pem_slice(&content).map_err(|_| {
        let (fault, remedy) = if contains(&content, b"ENCRYPTED") {
            ("the private key is encrypted", "decrypt it with: openssl pkey -in … -out …, and keep it mode 0600")
        } else {
            ("no private key in PEM form is in it", "restore it from your backup")
        };
        PkiError::invalid(path, fault, remedy)
    })
}

/// Who can use a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFile {
    /// Its owner alone.
    Present,
    /// Not in this folder: the device made it itself, or it was moved there.
    Absent,
    /// Group or others too.
    Exposed,
}

impl KeyFile {
    pub(super) fn at(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => Self::Exposed,
            Ok(_) => Self::Present,
            Err(_) => Self::Absent,
        }
    }
}

/// Reads the first certificate of a PEM file, or the one of a DER file.
pub(super) fn read_certificate(path: &Path, remedy: &str) -> Result<CertificateDer<'static>, PkiError> {
    let content = read(path, remedy)?;
    if is_pem(&content) {
        CertificateDer::from_pem_slice(&content)
            .map_err(|_| PkiError::invalid(path, "no certificate is in it", "name a certificate in PEM or DER form"))
    } else {
        Ok(content.into())
    }
}

/// Reads a certificate signing request, PEM or DER.
pub(super) fn read_request(path: &Path) -> Result<CertificateSigningRequestDer<'static>, PkiError> {
    let remedy = "make it on the device with: openssl req -new -key NAME.key -subj /CN=NAME -out NAME.csr";
    let content = read(path, remedy)?;
    if is_pem(&content) {
        // Old tools write NEW CERTIFICATE REQUEST, which means the same.
        let text = String::from_utf8_lossy(&content).replace("NEW CERTIFICATE REQUEST", "CERTIFICATE REQUEST");
        CertificateSigningRequestDer::from_pem_slice(text.as_bytes())
            .map_err(|_| PkiError::invalid(path, "no certificate signing request is in it", remedy))
    } else {
        Ok(content.into())
    }
}

/// Reads the one revocation list of a file, PEM or DER. More than one is refused: rewriting would lose the others.
pub(super) fn read_crl(path: &Path) -> Result<CertificateRevocationListDer<'static>, PkiError> {
    let remedy = "restore it from your backup, or move it away: then what ca.index knows to be revoked is listed anew";
    let content = read(path, remedy)?;
    if !is_pem(&content) {
        return Ok(content.into());
    }
    let mut lists = CertificateRevocationListDer::pem_slice_iter(&content);
    match (lists.next(), lists.next()) {
        (Some(Ok(list)), None) => Ok(list),
        (Some(_), Some(_)) => Err(PkiError::invalid(path, "more than one revocation list is in it", "leave one")),
        (Some(Err(_)) | None, _) => Err(PkiError::invalid(path, "no revocation list is in it", remedy)),
    }
}

/// PEM (RFC 7468): base64 in lines of 64.
pub(super) fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    let mut text = format!("-----BEGIN {label}-----\n").into_bytes();
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text.extend_from_slice(format!("-----END {label}-----\n").as_bytes());
    text
}

fn open(path: &Path, remedy: &str) -> Result<File, PkiError> {
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => PkiError::missing(path, remedy),
        _ => PkiError::Read { path: path.to_owned(), source: error },
    })
}

fn read_from(file: File, path: &Path) -> Result<Vec<u8>, PkiError> {
    let mut content = Vec::new();
    let read = file.take(MAXIMUM_FILE + 1).read_to_end(&mut content);
    match read {
        Ok(octets) if octets as u64 > MAXIMUM_FILE => {
            Err(PkiError::invalid(path, "larger than 64 MiB", "name the right file"))
        }
        Ok(_) => Ok(content),
        Err(source) => Err(PkiError::Read { path: path.to_owned(), source }),
    }
}

fn is_pem(content: &[u8]) -> bool {
    contains(content, b"-----BEGIN ")
}

fn contains(content: &[u8], wanted: &[u8]) -> bool {
    content.windows(wanted.len()).any(|window| window == wanted)
}
