//! The revocation list: reading what is there without losing an entry, and writing the next one.

#[cfg(test)]
mod tests;

use super::PkiError;
use super::certificate::Signer;
use super::der::{self, Element, INTEGER, Malformed, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, Signed, context};
use rcgen::{CertificateRevocationListParams, RevocationReason, RevokedCertParams, SerialNumber};
use rustls::pki_types::UnixTime;
use time::OffsetDateTime;
use webpki::BorrowedCertRevocationList;

/// How long a list of ours is valid: 30 days, in seconds.
pub(super) const LIFE: i64 = 30 * 24 * 60 * 60;

/// id-ce-cRLNumber, 2.5.29.20 (RFC 5280 section 5.2.3).
const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];

/// Why a certificate was revoked (RFC 5280 section 5.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// None given.
    #[default]
    Unspecified,
    /// Somebody else has, or may have, the private key.
    KeyCompromise,
    /// The same of a CA's key.
    CaCompromise,
    /// The subject's name or owner changed.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// The device is out of service.
    CessationOfOperation,
    /// Held for now.
    CertificateHold,
    /// No longer held; only in lists of differences.
    RemoveFromCrl,
    /// The right to it was taken away.
    PrivilegeWithdrawn,
    /// The key of an attribute authority.
    AaCompromise,
}

impl From<Reason> for RevocationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Unspecified => Self::Unspecified,
            Reason::KeyCompromise => Self::KeyCompromise,
            Reason::CaCompromise => Self::CaCompromise,
            Reason::AffiliationChanged => Self::AffiliationChanged,
            Reason::Superseded => Self::Superseded,
            Reason::CessationOfOperation => Self::CessationOfOperation,
            Reason::CertificateHold => Self::CertificateHold,
            Reason::RemoveFromCrl => Self::RemoveFromCrl,
            Reason::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
            Reason::AaCompromise => Self::AaCompromise,
        }
    }
}

impl From<webpki::RevocationReason> for Reason {
    fn from(reason: webpki::RevocationReason) -> Self {
        use webpki::RevocationReason as Read;
        match reason {
            Read::Unspecified => Self::Unspecified,
            Read::KeyCompromise => Self::KeyCompromise,
            Read::CaCompromise => Self::CaCompromise,
            Read::AffiliationChanged => Self::AffiliationChanged,
            Read::Superseded => Self::Superseded,
            Read::CessationOfOperation => Self::CessationOfOperation,
            Read::CertificateHold => Self::CertificateHold,
            Read::RemoveFromCrl => Self::RemoveFromCrl,
            Read::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
            Read::AaCompromise => Self::AaCompromise,
        }
    }
}

/// One revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Without leading zeros.
    pub(super) serial: Vec<u8>,
    /// Unix seconds.
    pub(super) at: i64,
    pub(super) reason: Reason,
    /// Unix seconds: since when the key was or may have been in other hands.
    pub(super) invalid_since: Option<i64>,
}

/// What a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RevocationList {
    /// DER.
    pub(super) issuer: Vec<u8>,
    /// Unix seconds.
    pub(super) this_update: i64,
    /// Unix seconds.
    pub(super) next_update: i64,
    /// Big-endian, without leading zeros.
    pub(super) number: Vec<u8>,
    pub(super) entries: Vec<Entry>,
}

impl RevocationList {
    /// Reads a list whole, or says why the next one could not keep all of it.
    pub(super) fn parse(der: &[u8]) -> Result<Self, String> {
        let damaged = |error: Malformed| error.to_string();
        // The broker's own parser: version 2, nextUpdate, no delta and no indirect lists, no unknown critical extension.
        let list = BorrowedCertRevocationList::from_der(der)
            .map_err(|error| format!("not a revocation list that certmq can keep ({error})"))?;
        let mut entries = Vec::new();
        for entry in &list {
            let entry = entry.map_err(|error| format!("an entry that certmq cannot keep ({error})"))?;
            entries.push(Entry {
                serial: der::without_leading_zeros(entry.serial_number).to_vec(),
                at: seconds(entry.revocation_date)?,
                reason: entry.reason_code.map(Reason::from).unwrap_or_default(),
                invalid_since: entry.invalidity_date.map(seconds).transpose()?,
            });
        }
        if webpki::CertRevocationList::from(list).issuing_distribution_point().is_some() {
            return Err("covers only a part of the certificates (issuing distribution point)".into());
        }
        let head = Head::parse(der).map_err(damaged)?;
        Ok(Self {
            issuer: head.issuer.to_vec(),
            this_update: head.this_update,
            next_update: head.next_update,
            number: head.number.map(<[u8]>::to_vec).unwrap_or_default(),
            entries,
        })
    }

    pub(super) fn lists(&self, serial: &[u8]) -> bool {
        self.entries.iter().any(|entry| entry.serial == der::without_leading_zeros(serial))
    }

    /// Half of its life is over, so that nobody is locked out because the next one came late.
    pub(super) fn is_past_half_life(&self, now: i64) -> bool {
        now - self.this_update >= (self.next_update - self.this_update) / 2
    }

    /// Encodes and signs the list.
    pub(super) fn sign(&self, signer: &Signer) -> Result<Vec<u8>, PkiError> {
        let revoked = |entry: &Entry| -> Result<RevokedCertParams, PkiError> {
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&entry.serial),
                revocation_time: date(entry.at)?,
                reason_code: Some(entry.reason.into()),
                invalidity_date: entry.invalid_since.map(date).transpose()?,
            })
        };
        let list = CertificateRevocationListParams {
            this_update: date(self.this_update)?,
            next_update: date(self.next_update)?,
            crl_number: SerialNumber::from_slice(&self.number),
            issuing_distribution_point: None,
            revoked_certs: self.entries.iter().map(revoked).collect::<Result<_, _>>()?,
            key_identifier_method: signer.key_identifier.clone(),
        };
        let signed = list.signed_by(&signer.issuer)?;
        // Position 2 of TBSCertList (RFC 5280 section 5.1): version, signature, issuer.
        der::resigned(signed.der(), &[(2, &self.issuer)], signer.issuer.key())
    }
}

/// The fields of TBSCertList that webpki keeps to itself.
struct Head<'a> {
    issuer: &'a [u8],
    this_update: i64,
    next_update: i64,
    number: Option<&'a [u8]>,
}

impl<'a> Head<'a> {
    fn parse(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Signed::parse(der)?.body.inside();
        fields.expect(INTEGER)?;
        fields.expect(SEQUENCE)?;
        let mut head = Self {
            issuer: fields.expect(SEQUENCE)?.raw,
            this_update: fields.any()?.time()?,
            next_update: fields.any()?.time()?,
            number: None,
        };
        fields.optional(SEQUENCE)?;
        for extension in Element::whole(fields.expect(context(0))?.content)?.inside() {
            let mut extension = extension?.inside();
            if extension.expect(OBJECT_IDENTIFIER)?.content == CRL_NUMBER {
                extension.optional(der::BOOLEAN)?;
                head.number = Some(Element::whole(extension.expect(OCTET_STRING)?.content)?.unsigned()?);
            }
        }
        Ok(head)
    }
}

/// The number after `number` (both big-endian). None beyond the 20 octets of RFC 5280 section 5.2.3.
pub(super) fn next_number(number: &[u8]) -> Option<Vec<u8>> {
    let mut next = der::without_leading_zeros(number).to_vec();
    let mut carry = true;
    for octet in next.iter_mut().rev() {
        if carry {
            (*octet, carry) = octet.overflowing_add(1);
        }
    }
    if carry {
        next.insert(0, 1);
    }
    let octets = next.len() + usize::from(next.first().is_some_and(|first| *first >= 0x80));
    (octets <= 20).then_some(next)
}

/// The larger of two numbers (both big-endian).
pub(super) fn larger_number<'a>(one: &'a [u8], other: &'a [u8]) -> &'a [u8] {
    let (one, other) = (der::without_leading_zeros(one), der::without_leading_zeros(other));
    if (one.len(), one) >= (other.len(), other) { one } else { other }
}

/// Unix seconds as rcgen wants them.
pub(super) fn date(seconds: i64) -> Result<OffsetDateTime, PkiError> {
    // Certificates know four digits of a year (RFC 5280 section 4.1.2.5).
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .filter(|date| (1950..=9999).contains(&date.year()))
        .ok_or_else(|| PkiError::Request("a date outside of the years 1950 to 9999".into()))
}

fn seconds(time: UnixTime) -> Result<i64, String> {
    i64::try_from(time.as_secs()).map_err(|_| "a date beyond all years".to_owned())
}
