//! From a file's bytes to a list, and whose signature it bears.

use super::{Algorithms, Issuer, IssuerId, RevocationList};
use crate::policy::Certificate;
use crate::tls::TlsError;
use crate::tls::certificate::CrlSigning;
use crate::tls::crl::SerialSet;
use crate::tls::crl_der::CrlFields;
use crate::tls::files::Item;
use crate::tls::name::describe;
use crate::tls::signature::{self, SignatureFault, Signed};
use std::sync::Arc;

/// A list as it was read, its signature not verified.
pub(super) struct ReadList<'a> {
    fields: CrlFields<'a>,
    place: &'a str,
    /// As in [`IssuerId`].
    pub(super) name: [u8; 16],
}

/// A list with what its signature covers, for an issuer that may appear later.
#[derive(Debug)]
pub(super) struct SignedList {
    pub(super) list: Arc<RevocationList>,
    content: Box<[u8]>,
    algorithm: Box<[u8]>,
    signature: Box<[u8]>,
}

impl<'a> ReadList<'a> {
    pub(super) fn from_item(item: &'a Item) -> Result<Self, TlsError> {
        let fields = CrlFields::from_der(&item.der)
            .map_err(|fault| TlsError::Configuration(format!("{}: the CRL cannot be used: {fault}", item.place)))?;
        let name = Certificate::issuer_digest(fields.issuer);
        Ok(Self { fields, place: &item.place, name })
    }

    /// The trusted CA that signed it; `None` where no trusted CA has that name.
    ///
    /// # Errors
    ///
    /// Trusted CAs have its name, but none of them signed it, or may.
    pub(super) fn signer(&self, issuers: &[Issuer<'_>], algorithms: Algorithms) -> Result<Option<IssuerId>, TlsError> {
        let signed =
            Signed { content: self.fields.tbs, algorithm: self.fields.algorithm, signature: self.fields.signature };
        let mut fault = None;
        for issuer in issuers.iter().filter(|issuer| issuer.id.name == self.name) {
            match (signature::verify(algorithms, issuer.spki, signed), issuer.crl_signing) {
                (Ok(()), CrlSigning::Allowed) => return Ok(Some(issuer.id)),
                (Ok(()), CrlSigning::Forbidden) => fault = Some(SignerFault::Barred),
                (Err(SignatureFault::UnsupportedAlgorithm), _) => fault = fault.or(Some(SignerFault::Algorithm)),
                (Err(SignatureFault::Mismatch), _) if fault != Some(SignerFault::Barred) => {
                    fault = Some(SignerFault::Foreign);
                }
                (Err(SignatureFault::Mismatch), _) => {}
            }
        }
        match fault {
            None => Ok(None),
            Some(fault) => Err(TlsError::Configuration(format!(
                "{}: the CRL names {}, {}",
                self.place,
                describe(self.fields.issuer),
                fault.text()
            ))),
        }
    }

    /// What counts of it; the rest is dropped.
    pub(super) fn into_list(self) -> Arc<RevocationList> {
        Arc::new(RevocationList {
            issuer: describe(self.fields.issuer),
            place: self.place.to_owned(),
            number: self.fields.number.map(Box::from),
            this_update: self.fields.this_update,
            next_update: self.fields.next_update,
            serials: SerialSet::new(self.fields.serials),
        })
    }

    /// All of it.
    pub(super) fn into_signed(self) -> SignedList {
        let [content, algorithm, signature] =
            [self.fields.tbs, self.fields.algorithm, self.fields.signature].map(Box::from);
        SignedList { list: self.into_list(), content, algorithm, signature }
    }
}

impl SignedList {
    pub(super) fn is_signed_by(&self, issuer: &Issuer<'_>, algorithms: Algorithms) -> bool {
        let signed = Signed { content: &self.content, algorithm: &self.algorithm, signature: &self.signature };
        issuer.crl_signing == CrlSigning::Allowed && signature::verify(algorithms, issuer.spki, signed).is_ok()
    }
}

/// Why no trusted CA of a list's name is its signer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SignerFault {
    /// Signed by another key, or damaged.
    Foreign,
    /// Signed by a CA that may not.
    Barred,
    /// Signed with an algorithm that does not count.
    Algorithm,
}

impl SignerFault {
    fn text(self) -> &'static str {
        match self {
            Self::Foreign => {
                "but no trusted CA of that name signed it: it is damaged, or of another CA with the same name; fetch \
                 it again or take it out of the crl files"
            }
            Self::Barred => {
                "which signed it, but whose key usage forbids cRLSign: certify that CA anew with cRLSign, or let it \
                 stop issuing CRLs and take this one out of the crl files"
            }
            Self::Algorithm => {
                "but its signature uses an algorithm that is not supported: let the CA sign it with SHA-256 or \
                 stronger and ECDSA, Ed25519, or RSA of 2048 bits and more"
            }
        }
    }
}
