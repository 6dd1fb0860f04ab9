//! The built-in certificate authority for trials and small fleets: issue, sign, renew, revoke, CRL.
//!
//! ```text
//! device-certs/  ca.crt ca.key ca.crl ca.index      the authority      authority.rs, files.rs, index.rs
//!                NAME.crt NAME.key                   what it issued
//!
//! IssueRequest | CSR | old certificate -> Leaf -> rcgen -> names put in place, signed -> read back as an Identity
//!                                         certificate.rs, name.rs, der.rs, x509.rs
//! revoke, half-life -> RevocationList -> ca.crl      crl.rs, authority/revocation.rs
//! ```
//!
//! A folder is locked while an [`Authority`] of it lives. Files appear whole or not at all; private keys are made with
//! mode 0600 and refused when others can use them. `now` is always an argument, in Unix seconds.

mod authority;
mod certificate;
mod crl;
mod der;
mod error;
mod files;
mod index;
mod inspect;
mod name;
mod x509;

pub use authority::{
    Authority, CrlSummary, InitRequest, IssueRequest, Issued, KeyChoice, Listed, ReissuedCrl, RenewRequest, Revoked,
    Service, SignRequest, State, Summary, refresh_crl_if_due,
};
pub use certificate::KeyType;
pub use crl::Reason;
pub use error::{PkiError, word};
pub use files::KeyFile;
pub use inspect::{Fault, Inspection, inspect};
pub use x509::Purpose;

/// Octets as lower-case hexadecimal digits.
fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The octets that an even number of hexadecimal digits says.
fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let digit = |c: char| c.to_digit(16).and_then(|value| u8::try_from(value).ok());
    let digits: Vec<u8> = digits.chars().map(digit).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs
        .remainder()
        .is_empty()
        .then(|| pairs.map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit)).collect())
}
