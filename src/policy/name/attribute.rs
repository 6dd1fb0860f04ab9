//! The attribute types that have a short name: one name an object identifier, one object identifier a name.

/// Object identifier and the short name that the canonical text uses, OpenSSL's spelling.
const SHORT_NAMES: [(&str, &str); 36] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.14", "searchGuide"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.16", "postalAddress"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.18", "postOfficeBox"),
    ("2.5.4.19", "physicalDeliveryOfficeName"),
    ("2.5.4.20", "telephoneNumber"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.45", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.72", "role"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.3", "mail"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.2.840.113549.1.9.8", "unstructuredAddress"),
    ("1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL"),
    ("1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST"),
    ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC"),
];

/// Other names that people type for the same types.
const LONG_NAMES: [(&str, &str); 12] = [
    ("commonName", "2.5.4.3"),
    ("surname", "2.5.4.4"),
    ("countryName", "2.5.4.6"),
    ("localityName", "2.5.4.7"),
    ("stateOrProvinceName", "2.5.4.8"),
    ("streetAddress", "2.5.4.9"),
    ("organizationName", "2.5.4.10"),
    ("organizationalUnitName", "2.5.4.11"),
    ("givenName", "2.5.4.42"),
    ("userId", "0.9.2342.19200300.100.1.1"),
    ("domainComponent", "0.9.2342.19200300.100.1.25"),
    ("rfc822Mailbox", "0.9.2342.19200300.100.1.3"),
];

/// The short name of an object identifier, where it has one.
pub(super) fn short_name(oid: &str) -> Option<&'static str> {
    SHORT_NAMES.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name)
}

/// The object identifier that a typed attribute type means: a short or long name in any case, or dotted digits
/// with or without the prefix `OID.` of RFC 1779.
pub(super) fn oid_of(typed: &str) -> Option<String> {
    if typed.starts_with(|first: char| first.is_ascii_digit()) {
        return is_dotted(typed).then(|| typed.to_owned());
    }
    if let Some(dotted) = typed.get(..4).filter(|prefix| prefix.eq_ignore_ascii_case("oid.")).and(typed.get(4..)) {
        return is_dotted(dotted).then(|| dotted.to_owned());
    }
    let short = SHORT_NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(typed)).map(|(oid, _)| *oid);
    let long = || LONG_NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(typed)).map(|(_, oid)| *oid);
    short.or_else(long).map(str::to_owned)
}

/// Whether `text` is an object identifier in its only spelling: no leading zeros, arcs in their ranges.
fn is_dotted(text: &str) -> bool {
    let plain = |arc: &str| {
        !arc.is_empty() && arc.bytes().all(|digit| digit.is_ascii_digit()) && (arc == "0" || !arc.starts_with('0'))
    };
    text.split('.').all(plain) && encode_oid(text).is_some()
}

/// The content octets of an object identifier (X.690 section 8.19); `None` where `dotted` is none.
pub(super) fn encode_oid(dotted: &str) -> Option<Vec<u8>> {
    let mut arcs = dotted.split('.').map(|arc| arc.parse::<u64>().ok());
    let (first, second) = (arcs.next()??, arcs.next()??);
    if first > 2 || (first < 2 && second > 39) {
        return None;
    }
    let mut content = Vec::new();
    push_base128(&mut content, second.checked_add(first * 40)?);
    for arc in arcs {
        push_base128(&mut content, arc?);
    }
    Some(content)
}

fn push_base128(content: &mut Vec<u8>, number: u64) {
    let groups = (64 - number.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group == 0 { 0 } else { 0x80 };
        content.push((number >> (group * 7) & 0x7f) as u8 | more);
    }
}

/// The dotted form of an object identifier's content octets; `None` where they are malformed or beyond 64 bits.
pub(super) fn decode_oid(content: &[u8]) -> Option<String> {
    let mut arcs = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        arcs.push(take_base128(&mut rest)?);
    }
    let (joined, others) = arcs.split_first()?;
    let first = (joined / 40).min(2);
    let mut dotted = format!("{first}.{}", joined - first * 40);
    for arc in others {
        dotted.push_str(&format!(".{arc}"));
    }
    Some(dotted)
}

fn take_base128(rest: &mut &[u8]) -> Option<u64> {
    let mut number: u64 = 0;
    let mut leading = true;
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        if leading && *byte == 0x80 {
            return None;
        }
        leading = false;
        number = number.checked_mul(128)? | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
}
