//! Exit codes after sysexits, and the failure that carries one together with its message.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// It did what was asked.
    Success = 0,
    /// The answer is "denied", or "differs".
    Denied = 1,
    /// The command line is wrong (`EX_USAGE`).
    Usage = 64,
    /// The data given is wrong (`EX_DATAERR`).
    Data = 65,
    /// No such file or record (`EX_NOINPUT`).
    Missing = 66,
    /// The broker cannot be reached (`EX_UNAVAILABLE`).
    Unavailable = 69,
    /// A bug of certmq (`EX_SOFTWARE`).
    Software = 70,
    /// A file cannot be created or written (`EX_CANTCREAT`).
    CannotCreate = 73,
    /// The store is in use by another broker (`EX_TEMPFAIL`).
    InUse = 75,
    /// Not permitted, or a private key that others can read (`EX_NOPERM`).
    NotPermitted = 77,
    /// Wrong settings (`EX_CONFIG`).
    Configuration = 78,
}

impl Exit {
    /// Every code, in order.
    pub const ALL: &'static [Self] = &[
        Self::Success,
        Self::Denied,
        Self::Usage,
        Self::Data,
        Self::Missing,
        Self::Unavailable,
        Self::Software,
        Self::CannotCreate,
        Self::InUse,
        Self::NotPermitted,
        Self::Configuration,
    ];

    /// What it means, for `--help`.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Success => "ok",
            Self::Denied => "the answer is \"denied\" or \"differs\"",
            Self::Usage => "the command line is wrong",
            Self::Data => "the data given is wrong",
            Self::Missing => "no such file or record",
            Self::Unavailable => "the broker cannot be reached, or the address is taken",
            Self::Software => "a bug of certmq, please report it",
            Self::CannotCreate => "a file cannot be created or written, or a change is in force and not yet durable",
            Self::InUse => "the store is in use by a broker that does not answer",
            Self::NotPermitted => "not permitted, or others can read a private key",
            Self::Configuration => "the settings are wrong",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What a command returns.
pub type Outcome = Result<Exit, Failure>;

/// Why a command could not do what was asked: an exit code, and a message that names the thing, the place and
/// the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    code: Exit,
    message: String,
}

impl Failure {
    /// A failure with `message` (no leading "error:", no final newline; more lines may follow the first).
    pub fn new(code: Exit, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Its exit code.
    pub fn code(&self) -> Exit {
        self.code
    }

    /// Its message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// A file that cannot be read: 66 when it is not there, 77 when it may not be read, else 65.
    pub fn reading(path: &std::path::Path, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::new(Exit::Missing, format!("{}: no such file", path.display())),
            io::ErrorKind::PermissionDenied => Self::new(
                Exit::NotPermitted,
                format!("{}: you may not read it; run the command as its owner", path.display()),
            ),
            _ => Self::new(Exit::Data, format!("{}: cannot be read: {error}", path.display())),
        }
    }

    /// A file that cannot be created or written: 73, or 77 where permission is what lacks.
    pub fn writing(path: &std::path::Path, error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::PermissionDenied => Exit::NotPermitted,
            _ => Exit::CannotCreate,
        };
        Self::new(code, format!("{}: cannot be written: {error}", path.display()))
    }

    /// Tells it on stderr. A reader of stdout that went away is no failure worth a message.
    pub(super) fn report(&self) -> Exit {
        if !self.message.is_empty() {
            super::output::message(&format!("error: {}", self.message));
        }
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Tells what clap found: help and version on stdout with success, everything else on stderr with 64.
pub(super) fn usage(error: &clap::Error) -> Exit {
    let rendered = error.render();
    if error.use_stderr() {
        let _ = write!(io::stderr(), "{rendered}");
        Exit::Usage
    } else {
        let _ = write!(io::stdout(), "{rendered}");
        Exit::Success
    }
}
