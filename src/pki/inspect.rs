//! Who would this certificate be? The broker's own reading of it, with its faults and their remedies.

#[cfg(test)]
mod tests;

use super::x509::{Certificate, Purpose, Role};
use super::{Authority, PkiError, State, files};
use crate::policy::{Identity, IdentityError, SubjectSelector};
use std::path::Path;
use std::sync::Arc;

/// A certificate as the broker sees it.
#[derive(Debug)]
pub struct Inspection {
    /// Its facts.
    pub identity: Identity,
    /// The name of the device under each setting of `identity.subject`, or why there is none.
    pub names: Vec<(SubjectSelector, Result<Arc<str>, IdentityError>)>,
    /// What it says it is for; None where it does not say, which allows everything.
    pub purposes: Option<Vec<Purpose>>,
    /// Why a broker would refuse it.
    pub faults: Vec<Fault>,
}

/// Why a broker would refuse a certificate in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Its time is over.
    #[error("it has expired; renew it: certmq cert renew")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet; check the clocks of the issuer and of this machine")]
    NotYetValid,
    /// The EKU does not name clientAuth.
    #[error("its extended key usage lacks clientAuth; issue it with extendedKeyUsage=clientAuth")]
    NoClientAuth,
    /// basicConstraints say CA.
    #[error("it is a CA certificate, which cannot be a device; issue one with CA:FALSE")]
    Authority,
    /// keyUsage does not allow to prove possession of the key in a handshake.
    #[error("its key usage lacks digitalSignature; issue it with keyUsage=digitalSignature")]
    NoDigitalSignature,
    /// It stands in the revocation list of the authority.
    #[error("it is revoked; issue a new one with a new key")]
    Revoked,
    /// Its extensions cannot be read.
    #[error("its extensions are damaged; issue it again")]
    Damaged,
}

/// Every setting of `identity.subject`.
const SELECTORS: [SubjectSelector; 5] = [
    SubjectSelector::Dn,
    SubjectSelector::Cn,
    SubjectSelector::SanUri,
    SubjectSelector::SanDns,
    SubjectSelector::SanEmail,
];

/// Reads a certificate file (PEM: its first certificate; or DER) as a broker would at `now` (Unix seconds), asking
/// `authority` for revocations where there is one.
///
/// # Errors
/// A file that cannot be read, or a certificate that can name no device at all, such as X.509 version 1.
pub fn inspect(path: &Path, authority: Option<&Authority>, now: i64) -> Result<Inspection, PkiError> {
    let der = files::read_certificate(path, "name a certificate in PEM or DER form")?;
    let remedy = "issue another certificate, for example with: certmq cert issue NAME";
    let identity = Identity::from_der(&der).map_err(|error| PkiError::invalid(path, error.to_string(), remedy))?;
    let mut faults = Vec::new();
    if now > identity.not_after {
        faults.push(Fault::Expired);
    }
    if now < identity.not_before {
        faults.push(Fault::NotYetValid);
    }
    let purposes = usages(&der, &mut faults);
    if let Some(authority) = authority
        && authority.revocation_of(&der)? == Some(State::Revoked)
    {
        faults.push(Fault::Revoked);
    }
    let names = SELECTORS.map(|selector| (selector, identity.device_name(selector))).to_vec();
    Ok(Inspection { identity, names, purposes, faults })
}

fn usages(der: &[u8], faults: &mut Vec<Fault>) -> Option<Vec<Purpose>> {
    let read = Certificate::parse(der).and_then(|certificate| {
        let extensions = certificate.extensions;
        Ok((extensions.role()?, extensions.key_usage()?, extensions.purposes()?))
    });
    let Ok((role, key_usage, purposes)) = read else {
        faults.push(Fault::Damaged);
        return None;
    };
    if role == Role::Authority {
        faults.push(Fault::Authority);
    }
    if !key_usage.allows_digital_signature() {
        faults.push(Fault::NoDigitalSignature);
    }
    if purposes.as_ref().is_some_and(|purposes| !purposes.contains(&Purpose::ClientAuth)) {
        faults.push(Fault::NoClientAuth);
    }
    purposes
}
