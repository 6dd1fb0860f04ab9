//! A strict reader of DER (X.690), as far as certificates and CRLs need it: definite, minimal lengths, one-byte tags,
//! nothing left over. It borrows and allocates nothing, and no input makes it panic.

use time::{Date, Month, PrimitiveDateTime, Time};

/// What is wrong with some DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct DerFault(pub(super) &'static str);

/// Universal and context tags that occur in certificates and CRLs.
pub(super) mod tag {
    pub(in crate::tls) const BOOLEAN: u8 = 0x01;
    pub(in crate::tls) const INTEGER: u8 = 0x02;
    pub(in crate::tls) const BIT_STRING: u8 = 0x03;
    pub(in crate::tls) const OCTET_STRING: u8 = 0x04;
    pub(in crate::tls) const OID: u8 = 0x06;
    pub(in crate::tls) const ENUMERATED: u8 = 0x0a;
    pub(in crate::tls) const UTC_TIME: u8 = 0x17;
    pub(in crate::tls) const GENERALIZED_TIME: u8 = 0x18;
    pub(in crate::tls) const SEQUENCE: u8 = 0x30;
    /// `[0]`, constructed: the version of a certificate, the extensions of a CRL.
    pub(in crate::tls) const CONTEXT_0: u8 = 0xa0;
    /// `[3]`, constructed: the extensions of a certificate.
    pub(in crate::tls) const CONTEXT_3: u8 = 0xa3;
}

/// One element: its tag, its content, and both with the length between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    pub(super) whole: &'a [u8],
}

/// Reads elements from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct DerReader<'a> {
    rest: &'a [u8],
}

impl<'a> DerReader<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element, whatever it is.
    pub(super) fn element(&mut self) -> Result<Element<'a>, DerFault> {
        let input = self.rest;
        let (&tag, after_tag) = input.split_first().ok_or(DerFault("it ends where an element should begin"))?;
        if tag & 0x1f == 0x1f {
            return Err(DerFault("a tag of more than one byte"));
        }
        let (length, after_length) = read_length(after_tag)?;
        let (content, rest) =
            after_length.split_at_checked(length).ok_or(DerFault("it ends in the middle of an element"))?;
        let whole = input.get(..input.len() - rest.len()).unwrap_or(input);
        self.rest = rest;
        Ok(Element { tag, content, whole })
    }

    /// The next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<Element<'a>, DerFault> {
        let element = self.element()?;
        if element.tag == tag { Ok(element) } else { Err(DerFault("an element of another type than expected")) }
    }

    /// The next element if it has this tag; otherwise nothing is read.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, DerFault> {
        if self.rest.first() == Some(&tag) { self.expect(tag).map(Some) } else { Ok(None) }
    }

    /// A reader of the content of the next element, which must have this tag.
    pub(super) fn nested(&mut self, tag: u8) -> Result<Self, DerFault> {
        Ok(Self::new(self.expect(tag)?.content))
    }

    /// An INTEGER's content octets without leading zeros (at least one octet).
    pub(super) fn integer(&mut self) -> Result<&'a [u8], DerFault> {
        let content = self.expect(tag::INTEGER)?.content;
        if content.is_empty() {
            return Err(DerFault("an empty integer"));
        }
        Ok(without_leading_zeros(content))
    }

    /// A UTCTime or GeneralizedTime in the form of RFC 5280 section 4.1.2.5, as Unix seconds.
    pub(super) fn time(&mut self) -> Result<i64, DerFault> {
        let element = self.element()?;
        match element.tag {
            tag::UTC_TIME => utc_time(element.content),
            tag::GENERALIZED_TIME => generalized_time(element.content),
            _ => Err(DerFault("something else where a time should be")),
        }
    }

    /// A BIT STRING of whole bytes: a key or a signature.
    pub(super) fn bit_string(&mut self) -> Result<&'a [u8], DerFault> {
        match self.expect(tag::BIT_STRING)?.content.split_first() {
            Some((0, bytes)) => Ok(bytes),
            _ => Err(DerFault("a bit string that is not whole bytes")),
        }
    }

    /// Nothing may follow.
    pub(super) fn finish(self) -> Result<(), DerFault> {
        if self.rest.is_empty() { Ok(()) } else { Err(DerFault("bytes left over at the end")) }
    }
}

/// One extension of a certificate or CRL (RFC 5280 section 4.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Extension<'a> {
    /// Content octets of its object identifier.
    pub(super) id: &'a [u8],
    pub(super) criticality: Criticality,
    /// What its OCTET STRING holds.
    pub(super) value: &'a [u8],
}

/// Whether who does not know an extension may ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Criticality {
    Critical,
    Ignorable,
}

impl<'a> Extension<'a> {
    /// Reads the next one of a list.
    pub(super) fn read(list: &mut DerReader<'a>) -> Result<Self, DerFault> {
        let mut fields = list.nested(tag::SEQUENCE)?;
        let id = fields.expect(tag::OID)?.content;
        let criticality = match fields.optional(tag::BOOLEAN)?.map(|flag| flag.content) {
            Some([0xff]) => Criticality::Critical,
            Some([0]) | None => Criticality::Ignorable,
            Some(_) => return Err(DerFault("a boolean that is neither true nor false")),
        };
        let value = fields.expect(tag::OCTET_STRING)?.content;
        fields.finish()?;
        Ok(Self { id, criticality, value })
    }
}

/// The canonical form of a serial or CRL number: two encodings of one number are one number.
pub(super) fn without_leading_zeros(mut octets: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = octets {
        if rest.is_empty() {
            break;
        }
        octets = rest;
    }
    octets
}

fn read_length(input: &[u8]) -> Result<(usize, &[u8]), DerFault> {
    const FAULT: DerFault = DerFault("a length that is not minimal or too large");
    let (&first, rest) = input.split_first().ok_or(DerFault("it ends where a length should be"))?;
    if first < 0x80 {
        return Ok((usize::from(first), rest));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return Err(FAULT);
    }
    let (octets, rest) = rest.split_at_checked(count).ok_or(DerFault("it ends in the middle of a length"))?;
    let length = octets.iter().fold(0_usize, |length, &octet| length << 8 | usize::from(octet));
    let minimal = if count == 1 { length >= 0x80 } else { octets.first() != Some(&0) };
    if minimal { Ok((length, rest)) } else { Err(FAULT) }
}

fn utc_time(text: &[u8]) -> Result<i64, DerFault> {
    let (year, rest) = decimal(text, 2)?;
    // RFC 5280 section 4.1.2.5.1: 50 to 99 are of the last century.
    unix_seconds(if year >= 50 { 1900 + year } else { 2000 + year }, rest)
}

fn generalized_time(text: &[u8]) -> Result<i64, DerFault> {
    let (year, rest) = decimal(text, 4)?;
    unix_seconds(year, rest)
}

fn unix_seconds(year: u16, text: &[u8]) -> Result<i64, DerFault> {
    const FAULT: DerFault = DerFault("a time that does not exist");
    let mut fields = [0_u8; 5];
    let mut rest = text;
    for field in &mut fields {
        let (value, after) = decimal(rest, 2)?;
        *field = u8::try_from(value).map_err(|_| FAULT)?;
        rest = after;
    }
    if rest != b"Z" {
        return Err(DerFault("a time that is not in whole seconds of UTC"));
    }
    let [month, day, hour, minute, second] = fields;
    let month = Month::try_from(month).map_err(|_| FAULT)?;
    let date = Date::from_calendar_date(i32::from(year), month, day).map_err(|_| FAULT)?;
    let time = Time::from_hms(hour, minute, second).map_err(|_| FAULT)?;
    Ok(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
}

fn decimal(text: &[u8], digits: usize) -> Result<(u16, &[u8]), DerFault> {
    const FAULT: DerFault = DerFault("a time with something else than digits");
    let (number, rest) = text.split_at_checked(digits).ok_or(FAULT)?;
    let value = number.iter().try_fold(0_u16, |value, &digit| {
        if digit.is_ascii_digit() { Ok(value * 10 + u16::from(digit - b'0')) } else { Err(FAULT) }
    })?;
    Ok((value, rest))
}

#[cfg(test)]
mod tests;
