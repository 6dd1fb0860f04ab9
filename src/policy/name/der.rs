//! Just enough strict DER (X.690) for names: a parser that forgives, or drops what it cannot read, would let two
//! certificates share a device.

use super::attribute;

/// One element: identifier octet, content, and all its octets.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct Element<'a> {
    pub(in crate::policy) tag: u8,
    pub(in crate::policy) content: &'a [u8],
    pub(in crate::policy) whole: &'a [u8],
}

/// The octets are not DER, or not of the expected shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) struct NotDer;

/// One attribute of a relative name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) struct Attribute {
    /// Dotted object identifier of its type.
    pub(in crate::policy) oid: String,
    pub(in crate::policy) value: Value,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Value {
    /// A string of a type that has a short name, decoded.
    Text(String),
    /// Anything else: its DER.
    Der(Box<[u8]>),
}

/// A relative distinguished name: one attribute, seldom several.
pub(in crate::policy) type RelativeName = Vec<Attribute>;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const NUMERIC_STRING: u8 = 0x12;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const VISIBLE_STRING: u8 = 0x1a;
const UNIVERSAL_STRING: u8 = 0x1c;
const BMP_STRING: u8 = 0x1e;

/// Takes the next element off `input`. Only definite, minimal lengths and one-octet identifiers pass.
pub(in crate::policy) fn take<'a>(input: &mut &'a [u8]) -> Result<Element<'a>, NotDer> {
    let all = *input;
    let [tag, length, rest @ ..] = all else { return Err(NotDer) };
    if tag & 0x1f == 0x1f {
        return Err(NotDer);
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(length & 0x7f)).ok_or(NotDer)?;
            let number = octets.iter().fold(0usize, |sum, octet| sum << 8 | usize::from(*octet));
            if octets.first() == Some(&0) || number < 0x80 {
                return Err(NotDer);
            }
            (number, rest)
        }
        _ => return Err(NotDer),
    };
    let (content, rest) = rest.split_at_checked(length).ok_or(NotDer)?;
    let whole = all.get(..all.len() - rest.len()).ok_or(NotDer)?;
    *input = rest;
    Ok(Element { tag: *tag, content, whole })
}

/// The one element that `input` consists of.
pub(in crate::policy) fn only(mut input: &[u8]) -> Result<Element<'_>, NotDer> {
    let element = take(&mut input)?;
    if input.is_empty() { Ok(element) } else { Err(NotDer) }
}

fn expect(element: Element<'_>, tag: u8) -> Result<&[u8], NotDer> {
    if element.tag == tag { Ok(element.content) } else { Err(NotDer) }
}

/// The elements of a SEQUENCE that `input` consists of.
pub(in crate::policy) fn sequence(input: &[u8]) -> Result<Vec<Element<'_>>, NotDer> {
    elements(expect(only(input)?, SEQUENCE)?)
}

fn elements(mut content: &[u8]) -> Result<Vec<Element<'_>>, NotDer> {
    let mut found = Vec::new();
    while !content.is_empty() {
        found.push(take(&mut content)?);
    }
    Ok(found)
}

/// The relative names of a `Name` (RFC 5280 section 4.1.2.4), in the order of the certificate.
pub(in crate::policy) fn relative_names(name: &[u8]) -> Result<Vec<RelativeName>, NotDer> {
    sequence(name)?.into_iter().map(relative_name).collect()
}

fn relative_name(set: Element<'_>) -> Result<RelativeName, NotDer> {
    let attributes = elements(expect(set, SET)?)?;
    if attributes.is_empty() {
        return Err(NotDer);
    }
    attributes.into_iter().map(attribute).collect()
}

fn attribute(element: Element<'_>) -> Result<Attribute, NotDer> {
    let [kind, value] = elements(expect(element, SEQUENCE)?)?[..] else { return Err(NotDer) };
    let oid = attribute::decode_oid(expect(kind, OBJECT_IDENTIFIER)?).ok_or(NotDer)?;
    Ok(Attribute { value: Value::of(&oid, value), oid })
}

impl Value {
    /// A type without a short name keeps its DER: nothing says how to compare it, so it is compared octet by octet.
    pub(in crate::policy) fn of(oid: &str, element: Element<'_>) -> Self {
        match attribute::short_name(oid).and_then(|_| decode_string(element)) {
            Some(text) => Self::Text(text),
            None => Self::Der(element.whole.into()),
        }
    }
}

impl Attribute {
    /// A string that its own type forbids, or (T61) that every program reads differently.
    pub(in crate::policy) fn is_undecodable(&self) -> bool {
        match &self.value {
            Value::Text(_) => false,
            Value::Der(der) => {
                only(der).is_ok_and(|element| is_string(element.tag) && decode_string(element).is_none())
            }
        }
    }

    /// The type as the canonical text writes it.
    pub(in crate::policy) fn type_name(&self) -> &str {
        attribute::short_name(&self.oid).unwrap_or(&self.oid)
    }

    /// The order of a multi-valued relative name: that of DER's SET OF, with every text as a UTF8String, so that it
    /// does not depend on the string type that the authority happened to choose.
    pub(super) fn sort_key(&self) -> Vec<u8> {
        let mut content = tagged(OBJECT_IDENTIFIER, &attribute::encode_oid(&self.oid).unwrap_or_default());
        match &self.value {
            Value::Text(text) => content.extend(tagged(UTF8_STRING, text.as_bytes())),
            Value::Der(der) => content.extend_from_slice(der),
        }
        tagged(SEQUENCE, &content)
    }
}

fn is_string(tag: u8) -> bool {
    matches!(
        tag,
        UTF8_STRING
            | NUMERIC_STRING
            | PRINTABLE_STRING
            | TELETEX_STRING
            | IA5_STRING
            | VISIBLE_STRING
            | UNIVERSAL_STRING
            | BMP_STRING
    )
}

/// The text of a string element. Eight-bit T61 is not decoded: some read it as Latin-1, some as T.61.
pub(in crate::policy) fn decode_string(element: Element<'_>) -> Option<String> {
    match element.tag {
        UTF8_STRING => std::str::from_utf8(element.content).ok().map(str::to_owned),
        NUMERIC_STRING | PRINTABLE_STRING | TELETEX_STRING | IA5_STRING | VISIBLE_STRING => ascii(element.content),
        UNIVERSAL_STRING => characters(element.content, |octets: [u8; 4]| u32::from_be_bytes(octets)),
        BMP_STRING => characters(element.content, |octets: [u8; 2]| u32::from(u16::from_be_bytes(octets))),
        _ => None,
    }
}

/// The text of an IA5String whose octets are `content`.
pub(in crate::policy) fn ascii(content: &[u8]) -> Option<String> {
    content.is_ascii().then(|| String::from_utf8_lossy(content).into_owned())
}

fn characters<const N: usize>(content: &[u8], number: fn([u8; N]) -> u32) -> Option<String> {
    let (units, rest) = content.as_chunks::<N>();
    rest.is_empty().then(|| units.iter().map(|unit| char::from_u32(number(*unit))).collect())?
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut whole = vec![tag];
    match content.len() {
        short @ 0..=0x7f => whole.push(short as u8),
        long => {
            let octets = long.to_be_bytes();
            let skip = octets.iter().take_while(|octet| **octet == 0).count();
            whole.push(0x80 | (octets.len() - skip) as u8);
            whole.extend(octets.iter().skip(skip));
        }
    }
    whole.extend_from_slice(content);
    whole
}
