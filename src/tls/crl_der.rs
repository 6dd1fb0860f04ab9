//! A certificate revocation list as it is on disk (RFC 5280 section 5.1), read strictly and borrowed.
//!
//! Only complete lists of their own issuer are read: delta, indirect and partitioned lists would need their other
//! half, and half a list lets the revoked in.

use super::der::{Criticality, DerFault, DerReader, Extension, tag};

const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 0x14];
const DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1d, 0x1b];
const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 0x1c];
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 0x23];
const REASON_CODE: &[u8] = &[0x55, 0x1d, 0x15];
const INVALIDITY_DATE: &[u8] = &[0x55, 0x1d, 0x18];
const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 0x1d];
const INDIRECT_CRL: &str = "an indirect CRL, which certmq does not read; give each issuer's own CRL";
const REMOVE_FROM_CRL: u8 = 8;
/// RFC 5280 section 5.2.3.
const CRL_NUMBER_OCTETS: usize = 20;

/// One list, read but its signature not verified.
#[derive(Clone, Debug)]
pub(super) struct CrlFields<'a> {
    /// What the signature covers.
    pub(super) tbs: &'a [u8],
    /// Content of the AlgorithmIdentifier of the signature.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
    /// DER of the Name.
    pub(super) issuer: &'a [u8],
    /// Unix seconds.
    pub(super) this_update: i64,
    /// Unix seconds.
    pub(super) next_update: i64,
    /// Without leading zeros; lists of version 1 have none.
    pub(super) number: Option<&'a [u8]>,
    /// Serial numbers without leading zeros, as listed.
    pub(super) serials: Vec<&'a [u8]>,
}

impl<'a> CrlFields<'a> {
    pub(super) fn from_der(der: &'a [u8]) -> Result<Self, DerFault> {
        let mut outer = DerReader::new(der);
        let mut list = outer.nested(tag::SEQUENCE)?;
        outer.finish()?;
        let tbs = list.expect(tag::SEQUENCE)?;
        let algorithm = list.expect(tag::SEQUENCE)?.content;
        let signature = list.bit_string()?;
        list.finish()?;

        let mut fields = DerReader::new(tbs.content);
        let version = version(&mut fields)?;
        if fields.expect(tag::SEQUENCE)?.content != algorithm {
            return Err(DerFault("two different signature algorithms in one CRL"));
        }
        let issuer = fields.expect(tag::SEQUENCE)?.whole;
        let this_update = fields.time()?;
        let next_update = next_update(&mut fields)?;
        let serials = revoked_serials(&mut fields, version)?;
        let number = crl_number(&mut fields, version)?;
        fields.finish()?;
        Ok(Self { tbs: tbs.whole, algorithm, signature, issuer, this_update, next_update, number, serials })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

fn version(fields: &mut DerReader<'_>) -> Result<Version, DerFault> {
    match fields.optional(tag::INTEGER)?.map(|version| version.content) {
        None => Ok(Version::One),
        Some([1]) => Ok(Version::Two),
        Some(_) => Err(DerFault("a CRL of an unknown version")),
    }
}

fn next_update(fields: &mut DerReader<'_>) -> Result<i64, DerFault> {
    let mut ahead = *fields;
    match ahead.element().map(|element| element.tag) {
        Ok(tag::UTC_TIME | tag::GENERALIZED_TIME) => fields.time(),
        _ => Err(DerFault("no nextUpdate, so nobody could tell when it is stale (RFC 5280 section 5.1.2.5)")),
    }
}

fn revoked_serials<'a>(fields: &mut DerReader<'a>, version: Version) -> Result<Vec<&'a [u8]>, DerFault> {
    let mut serials = Vec::new();
    let Some(list) = fields.optional(tag::SEQUENCE)? else {
        return Ok(serials);
    };
    let mut entries = DerReader::new(list.content);
    while !entries.is_empty() {
        let mut entry = entries.nested(tag::SEQUENCE)?;
        serials.push(entry.integer()?);
        entry.time()?;
        if let Some(extensions) = entry.optional(tag::SEQUENCE)? {
            check_version(version)?;
            check_entry_extensions(extensions.content)?;
        }
        entry.finish()?;
    }
    Ok(serials)
}

fn check_entry_extensions(list: &[u8]) -> Result<(), DerFault> {
    let mut list = DerReader::new(list);
    while !list.is_empty() {
        let extension = Extension::read(&mut list)?;
        match extension.id {
            REASON_CODE => {
                let reason = DerReader::new(extension.value).expect(tag::ENUMERATED)?.content;
                if reason == [REMOVE_FROM_CRL] {
                    return Err(DerFault("an entry of a delta CRL; give the complete CRL"));
                }
            }
            INVALIDITY_DATE => {}
            CERTIFICATE_ISSUER => {
                return Err(DerFault(INDIRECT_CRL));
            }
            _ => check_unknown(&extension)?,
        }
    }
    Ok(())
}

fn crl_number<'a>(fields: &mut DerReader<'a>, version: Version) -> Result<Option<&'a [u8]>, DerFault> {
    let Some(wrapped) = fields.optional(tag::CONTEXT_0)? else {
        return Ok(None);
    };
    check_version(version)?;
    let mut wrapped = DerReader::new(wrapped.content);
    let mut list = wrapped.nested(tag::SEQUENCE)?;
    wrapped.finish()?;
    let mut number = None;
    while !list.is_empty() {
        let extension = Extension::read(&mut list)?;
        match extension.id {
            CRL_NUMBER if number.is_some() => return Err(DerFault("two CRL numbers")),
            CRL_NUMBER => number = Some(number_octets(extension.value)?),
            AUTHORITY_KEY_IDENTIFIER => {}
            DELTA_CRL_INDICATOR => return Err(DerFault("a delta CRL; give the complete CRL")),
            ISSUING_DISTRIBUTION_POINT => return Err(partition(extension.value)),
            _ => check_unknown(&extension)?,
        }
    }
    Ok(number)
}

/// What an issuing distribution point (RFC 5280 section 5.2.5) says is missing. Even one without any limit makes a
/// list that counts for some certificates only: those that name the same distribution point.
fn partition(value: &[u8]) -> DerFault {
    const ONLY_USERS: u8 = 0x81;
    const ONLY_CAS: u8 = 0x82;
    const SOME_REASONS: u8 = 0x83;
    const INDIRECT: u8 = 0x84;
    const ONLY_ATTRIBUTES: u8 = 0x85;
    let mut limits = Vec::new();
    if let Ok(mut fields) = DerReader::new(value).nested(tag::SEQUENCE) {
        while let Ok(field) = fields.element() {
            limits.push((field.tag, field.content));
        }
    }
    let has = |tag: u8| limits.iter().any(|(found, content)| *found == tag && *content != [0]);
    DerFault(if has(INDIRECT) {
        INDIRECT_CRL
    } else if has(ONLY_USERS) {
        "a partitioned CRL (onlyContainsUserCerts): it leaves out CAs; let the CA issue one complete CRL"
    } else if has(ONLY_CAS) {
        "a partitioned CRL (onlyContainsCACerts): it leaves out devices; let the CA issue one complete CRL"
    } else if has(ONLY_ATTRIBUTES) {
        "a partitioned CRL (onlyContainsAttributeCerts): it leaves out all others; let the CA issue one complete CRL"
    } else if has(SOME_REASONS) {
        "a partitioned CRL (onlySomeReasons): it leaves out other reasons; let the CA issue one complete CRL"
    } else {
        "a partitioned CRL (it has an issuing distribution point); let the CA issue one complete CRL"
    })
}

fn number_octets(value: &[u8]) -> Result<&[u8], DerFault> {
    let mut value = DerReader::new(value);
    let number = value.integer()?;
    value.finish()?;
    if number.len() <= CRL_NUMBER_OCTETS { Ok(number) } else { Err(DerFault("a CRL number of more than 20 octets")) }
}

fn check_version(version: Version) -> Result<(), DerFault> {
    match version {
        Version::Two => Ok(()),
        Version::One => Err(DerFault("extensions in a CRL of version 1")),
    }
}

/// RFC 5280 section 5.2: a CRL with a critical extension that one does not know must not be used.
fn check_unknown(extension: &Extension<'_>) -> Result<(), DerFault> {
    match extension.criticality {
        Criticality::Ignorable => Ok(()),
        Criticality::Critical => Err(DerFault("a critical extension that certmq does not know")),
    }
}

#[cfg(test)]
mod tests;
