//! The few fields of a certificate that path building, CRLs and log lines need and webpki keeps to itself. What
//! names a device is read elsewhere, by the policy.

use super::der::{DerFault, DerReader, Extension, tag};
use sha2::{Digest, Sha256};

const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// A certificate, read but not judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct CertificateFields<'a> {
    pub(super) version: Version,
    /// Without leading zeros.
    pub(super) serial: &'a [u8],
    /// DER of the Name.
    pub(super) issuer: &'a [u8],
    /// DER of the Name.
    pub(super) subject: &'a [u8],
    /// Unix seconds.
    pub(super) not_before: i64,
    /// Unix seconds.
    pub(super) not_after: i64,
    /// DER of the SubjectPublicKeyInfo.
    pub(super) spki: &'a [u8],
    pub(super) authority: Authority,
    pub(super) crl_signing: CrlSigning,
    pub(super) extended_key_usage: Presence,
    pub(super) subject_alternative_name: Presence,
}

/// The version field. Only the third can carry extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
    Three,
}

/// What basic constraints say (RFC 5280 section 4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authority {
    /// It may issue certificates.
    Ca,
    /// It may not; also where the extension is missing.
    EndEntity,
}

/// What the key usage says of CRLs (RFC 5280 section 4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrlSigning {
    /// cRLSign is set, or there is no key usage.
    Allowed,
    /// There is a key usage without it.
    Forbidden,
}

/// Whether an extension is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Present,
    Absent,
}

impl<'a> CertificateFields<'a> {
    /// Reads a certificate (RFC 5280 section 4.1).
    pub(super) fn from_der(der: &'a [u8]) -> Result<Self, DerFault> {
        let mut outer = DerReader::new(der);
        let mut certificate = outer.nested(tag::SEQUENCE)?;
        outer.finish()?;
        let mut tbs = certificate.nested(tag::SEQUENCE)?;
        certificate.expect(tag::SEQUENCE)?;
        certificate.bit_string()?;
        certificate.finish()?;

        let version = version(&mut tbs)?;
        let serial = tbs.integer()?;
        tbs.expect(tag::SEQUENCE)?;
        let issuer = tbs.expect(tag::SEQUENCE)?.whole;
        let mut validity = tbs.nested(tag::SEQUENCE)?;
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        let subject = tbs.expect(tag::SEQUENCE)?.whole;
        let spki = tbs.expect(tag::SEQUENCE)?.whole;
        let mut fields = Self {
            version,
            serial,
            issuer,
            subject,
            not_before,
            not_after,
            spki,
            authority: Authority::EndEntity,
            crl_signing: CrlSigning::Allowed,
            extended_key_usage: Presence::Absent,
            subject_alternative_name: Presence::Absent,
        };
        while !tbs.is_empty() {
            let field = tbs.element()?;
            if field.tag == tag::CONTEXT_3 {
                fields.read_extensions(field.content)?;
            }
        }
        Ok(fields)
    }

    fn read_extensions(&mut self, wrapped: &'a [u8]) -> Result<(), DerFault> {
        let mut list = DerReader::new(wrapped).nested(tag::SEQUENCE)?;
        while !list.is_empty() {
            let extension = Extension::read(&mut list)?;
            match extension.id {
                BASIC_CONSTRAINTS => self.authority = authority(extension.value)?,
                KEY_USAGE => self.crl_signing = crl_signing(extension.value)?,
                EXTENDED_KEY_USAGE => self.extended_key_usage = Presence::Present,
                SUBJECT_ALTERNATIVE_NAME => self.subject_alternative_name = Presence::Present,
                _ => {}
            }
        }
        Ok(())
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    pub(super) fn spki_sha256(&self) -> [u8; 32] {
        Sha256::digest(self.spki).into()
    }
}

fn version(tbs: &mut DerReader<'_>) -> Result<Version, DerFault> {
    let Some(wrapped) = tbs.optional(tag::CONTEXT_0)? else {
        return Ok(Version::One);
    };
    match DerReader::new(wrapped.content).integer()? {
        [0] => Ok(Version::One),
        [1] => Ok(Version::Two),
        [2] => Ok(Version::Three),
        _ => Err(DerFault("a certificate of an unknown version")),
    }
}

fn authority(value: &[u8]) -> Result<Authority, DerFault> {
    match DerReader::new(value).nested(tag::SEQUENCE)?.optional(tag::BOOLEAN)?.map(|flag| flag.content) {
        Some([0xff]) => Ok(Authority::Ca),
        _ => Ok(Authority::EndEntity),
    }
}

fn crl_signing(value: &[u8]) -> Result<CrlSigning, DerFault> {
    const CRL_SIGN: u8 = 0x02; // bit 6 from the left
    let bits = DerReader::new(value).expect(tag::BIT_STRING)?.content;
    match bits.get(1) {
        Some(flags) if flags & CRL_SIGN != 0 => Ok(CrlSigning::Allowed),
        _ => Ok(CrlSigning::Forbidden),
    }
}

#[cfg(test)]
mod tests;
