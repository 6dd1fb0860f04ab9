//! The little DER (X.690) that rcgen does not offer: names as they are, and the fields of requests and lists.
//!
//! rcgen keeps a distinguished name in a map, so that `DC=acme,DC=com` would lose a component and two attributes
//! in one RDN are refused. Names are therefore carried as the bytes they are, and put in place here.

#[cfg(test)]
mod tests;

use rcgen::{KeyPair, SigningKey};

/// BOOLEAN.
pub(super) const BOOLEAN: u8 = 0x01;
/// INTEGER.
pub(super) const INTEGER: u8 = 0x02;
/// BIT STRING.
pub(super) const BIT_STRING: u8 = 0x03;
/// OCTET STRING.
pub(super) const OCTET_STRING: u8 = 0x04;
/// OBJECT IDENTIFIER.
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
/// UTF8String.
pub(super) const UTF8_STRING: u8 = 0x0c;
/// PrintableString.
pub(super) const PRINTABLE_STRING: u8 = 0x13;
/// IA5String.
pub(super) const IA5_STRING: u8 = 0x16;
/// UTCTime.
pub(super) const UTC_TIME: u8 = 0x17;
/// GeneralizedTime.
pub(super) const GENERALIZED_TIME: u8 = 0x18;
/// SEQUENCE.
pub(super) const SEQUENCE: u8 = 0x30;
/// SET.
pub(super) const SET: u8 = 0x31;

/// `[number]`, constructed.
pub(super) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// Not the DER that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its encoding is damaged")]
pub(super) struct Malformed;

/// One element: tag, content, and both as they stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    pub(super) raw: &'a [u8],
}

impl<'a> Element<'a> {
    /// Reads the one element that `bytes` are.
    pub(super) fn whole(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let element = reader.any()?;
        reader.end()?;
        Ok(element)
    }

    /// The elements inside.
    pub(super) fn inside(self) -> Reader<'a> {
        Reader::new(self.content)
    }

    /// A BIT STRING's octets; one of whole octets is all that keys and signatures need.
    pub(super) fn bits(self) -> Result<&'a [u8], Malformed> {
        match (self.tag, self.content) {
            (BIT_STRING, [0, octets @ ..]) => Ok(octets),
            _ => Err(Malformed),
        }
    }

    /// A non-negative INTEGER's octets without leading zeros.
    pub(super) fn unsigned(self) -> Result<&'a [u8], Malformed> {
        match self.content.first() {
            Some(first) if self.tag == INTEGER && *first < 0x80 => Ok(without_leading_zeros(self.content)),
            _ => Err(Malformed),
        }
    }

    /// UTCTime or GeneralizedTime in the forms of RFC 5280 section 4.1.2.5, as Unix seconds.
    pub(super) fn time(self) -> Result<i64, Malformed> {
        let text = std::str::from_utf8(self.content).map_err(|_| Malformed)?.strip_suffix('Z').ok_or(Malformed)?;
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Malformed);
        }
        let number = |from: usize, to: usize| -> Result<i32, Malformed> {
            text.get(from..to).and_then(|digits| digits.parse().ok()).ok_or(Malformed)
        };
        let (year, rest) = match (self.tag, text.len()) {
            (UTC_TIME, 12) => (number(0, 2).map(|year| if year < 50 { 2000 + year } else { 1900 + year })?, 2),
            (GENERALIZED_TIME, 14) => (number(0, 4)?, 4),
            _ => return Err(Malformed),
        };
        let field = |index: usize| {
            number(rest + 2 * index, rest + 2 * index + 2).and_then(|value| u8::try_from(value).map_err(|_| Malformed))
        };
        let month = time::Month::try_from(field(0)?).map_err(|_| Malformed)?;
        let date = time::Date::from_calendar_date(year, month, field(1)?).map_err(|_| Malformed)?;
        let clock = time::Time::from_hms(field(2)?, field(3)?, field(4)?).map_err(|_| Malformed)?;
        Ok(date.with_time(clock).assume_utc().unix_timestamp())
    }
}

/// `bytes` of a number without leading zeros; the last octet stays.
pub(super) fn without_leading_zeros(mut bytes: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = bytes
        && !rest.is_empty()
    {
        bytes = rest;
    }
    bytes
}

/// Elements one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next element, whatever it is. Tags of one octet and lengths in their shortest form only.
    pub(super) fn any(&mut self) -> Result<Element<'a>, Malformed> {
        let (&tag, after_tag) = self.rest.split_first().ok_or(Malformed)?;
        let (&first, after_first) = after_tag.split_first().ok_or(Malformed)?;
        if tag & 0x1f == 0x1f {
            return Err(Malformed);
        }
        let (length, body) = match first {
            0..=0x7f => (usize::from(first), after_first),
            0x81..=0x84 => {
                let (octets, body) = after_first.split_at_checked(usize::from(first & 0x7f)).ok_or(Malformed)?;
                let length = octets.iter().fold(0_usize, |length, octet| (length << 8) | usize::from(*octet));
                if octets.first() == Some(&0) || length < 0x80 {
                    return Err(Malformed);
                }
                (length, body)
            }
            _ => return Err(Malformed),
        };
        let (content, rest) = body.split_at_checked(length).ok_or(Malformed)?;
        let (raw, _) = self.rest.split_at_checked(self.rest.len() - rest.len()).ok_or(Malformed)?;
        self.rest = rest;
        Ok(Element { tag, content, raw })
    }

    /// The next element, which must carry `tag`.
    pub(super) fn expect(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        self.optional(tag)?.ok_or(Malformed)
    }

    /// The next element if it carries `tag`.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        if self.rest.first() == Some(&tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// Nothing may follow.
    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Element<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let element = self.any();
        if element.is_err() {
            self.rest = &[];
        }
        Some(element)
    }
}

/// Encodes one element.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut encoded = vec![tag];
    let length = content.len().to_be_bytes();
    let octets = without_leading_zeros(&length);
    match octets {
        [short] if *short < 0x80 => encoded.push(*short),
        // An in-memory slice is far below the 126 octets of length that this form can say.
        _ => {
            encoded.push(0x80 | u8::try_from(octets.len()).unwrap_or(u8::MAX));
            encoded.extend_from_slice(octets);
        }
    }
    encoded.extend_from_slice(content);
    encoded
}

/// Encodes a dotted object identifier.
pub(super) fn object_identifier(dotted: &str) -> Option<Vec<u8>> {
    let arcs: Vec<u64> = dotted.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    let (first, second, rest) = match arcs.as_slice() {
        [first @ 0..=1, second @ 0..=39, rest @ ..] | [first @ 2, second, rest @ ..] => (first, second, rest),
        _ => return None,
    };
    let mut content = Vec::new();
    for arc in std::iter::once(first.checked_mul(40)?.checked_add(*second)?).chain(rest.iter().copied()) {
        let groups = (u64::BITS - arc.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let more = if group == 0 { 0 } else { 0x80 };
            content.push(u8::try_from(arc >> (7 * group) & 0x7f).ok()? | more);
        }
    }
    Some(element(OBJECT_IDENTIFIER, &content))
}

/// `SIGNED { … }` (RFC 5280 section 4.1): what certificates, requests and revocation lists have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    /// What the signature covers.
    pub(super) body: Element<'a>,
    algorithm: Element<'a>,
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Element::whole(der)?.inside();
        let signed = Self {
            body: outer.expect(SEQUENCE)?,
            algorithm: outer.expect(SEQUENCE)?,
            signature: outer.expect(BIT_STRING)?.bits()?,
        };
        outer.end()?;
        Ok(signed)
    }

    /// Whether the key of `spki` (a SubjectPublicKeyInfo) made the signature, with an algorithm that the broker's
    /// own verifier accepts; RSA below 2048 bits is none.
    pub(super) fn is_signed_by(&self, spki: &[u8]) -> bool {
        let Ok((key_algorithm, key)) = public_key(spki) else { return false };
        webpki::ALL_VERIFICATION_ALGS
            .iter()
            .filter(|algorithm| algorithm.signature_alg_id().as_ref() == self.algorithm.content)
            .filter(|algorithm| algorithm.public_key_alg_id().as_ref() == key_algorithm)
            .any(|algorithm| algorithm.verify_signature(key, self.body.raw, self.signature).is_ok())
    }
}

/// Algorithm and key octets of a SubjectPublicKeyInfo.
fn public_key(spki: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut fields = Element::whole(spki)?.inside();
    let algorithm = fields.expect(SEQUENCE)?.content;
    let key = fields.expect(BIT_STRING)?.bits()?;
    fields.end()?;
    Ok((algorithm, key))
}

/// Replaces fields of what rcgen made, by their position, and signs it again.
pub(super) fn resigned(der: &[u8], replaced: &[(usize, &[u8])], key: &KeyPair) -> Result<Vec<u8>, super::PkiError> {
    let internal = |_| super::PkiError::Internal("an encoding of rcgen was not understood".into());
    let signed = Signed::parse(der).map_err(internal)?;
    let mut fields = Vec::new();
    for (position, field) in signed.body.inside().enumerate() {
        let field = field.map_err(internal)?;
        let new = replaced.iter().find(|(at, _)| *at == position).map(|(_, bytes)| *bytes);
        fields.extend_from_slice(new.unwrap_or(field.raw));
    }
    let body = element(SEQUENCE, &fields);
    let mut signature = vec![0];
    signature.extend_from_slice(&key.sign(&body)?);
    let parts = [body.as_slice(), signed.algorithm.raw, &element(BIT_STRING, &signature)].concat();
    Ok(element(SEQUENCE, &parts))
}
