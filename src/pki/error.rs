//! Why the certificate authority did not do what was asked: the thing, the place, the remedy.

use std::io;
use std::path::{Path, PathBuf};

/// An error of the certificate authority. Nothing was changed when one is returned, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// What was asked for is wrong in itself: a name, a distinguished name, a validity.
    #[error("{0}")]
    Request(String),
    /// A file would have to be overwritten.
    #[error("{} exists and is never overwritten; {remedy}", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
        /// What to do.
        remedy: String,
    },
    /// A file that is needed is not there.
    #[error("{}: no such file; {remedy}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What to do.
        remedy: String,
    },
    /// Group or others have access to a private key.
    #[error("{}: others may use this private key (mode {mode:04o}); run: chmod go-rwx {}", path.display(), word(path))]
    ExposedKey {
        /// The key.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file holds something else than it should.
    #[error("{}: {fault}; {remedy}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What was found.
        fault: String,
        /// What to do.
        remedy: String,
    },
    /// The operating system refused to read a file.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system refused to create or write a file.
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A fault of certmq itself or of its cryptography.
    #[error("a bug of certmq, please report it: {0}")]
    Internal(String),
}

impl PkiError {
    pub(super) fn invalid(path: &Path, fault: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_owned(), fault: fault.into(), remedy: remedy.into() }
    }

    pub(super) fn missing(path: &Path, remedy: impl Into<String>) -> Self {
        Self::Missing { path: path.to_owned(), remedy: remedy.into() }
    }

    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }
}

impl From<rcgen::Error> for PkiError {
    fn from(error: rcgen::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

/// `path` as one word of a shell command line, so that a printed remedy can be pasted.
pub fn word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
