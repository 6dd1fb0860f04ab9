//! When the broker's own certificates end.

use super::certificate::CertificateFields;
use super::name::{date, describe};
use std::fmt;

/// One of the certificates that the settings name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateEnd {
    /// What it is for.
    pub role: CertificateRole,
    /// Whose it is, escaped for people.
    pub subject: String,
    /// Its last second, Unix time.
    pub not_after: i64,
}

/// What a certificate of the settings is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateRole {
    /// In the chain that the server presents.
    Server,
    /// Vouches for devices.
    Ca,
}

impl CertificateEnd {
    pub(super) fn of(role: CertificateRole, fields: &CertificateFields<'_>) -> Self {
        Self { role, subject: describe(fields.subject), not_after: fields.not_after }
    }

    /// What to tell the operator, at `now` in Unix seconds.
    pub fn notice(&self, now: i64) -> String {
        let Self { role, subject, not_after } = self;
        match *not_after < now {
            true => format!("the {role} of {subject} expired at {}; renew it", date(*not_after)),
            false => format!("the {role} of {subject} expires at {}; renew it before", date(*not_after)),
        }
    }
}

impl fmt::Display for CertificateRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server certificate",
            Self::Ca => "CA certificate",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_says_whose_and_when() {
        let day = 24 * 3600;
        let end = CertificateEnd { role: CertificateRole::Ca, subject: "CN=ca".to_owned(), not_after: 20 * day };
        assert_eq!(end.notice(0), "the CA certificate of CN=ca expires at 1970-01-21T00:00:00Z; renew it before");
        assert_eq!(end.notice(21 * day), "the CA certificate of CN=ca expired at 1970-01-21T00:00:00Z; renew it");
    }
}
