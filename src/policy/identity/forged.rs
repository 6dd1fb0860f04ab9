//! Certificates built octet by octet, for names that no tool agrees to write. Their signatures are zeros.

/// Object identifiers of attribute types, content octets.
pub(crate) const CN: &[u8] = &[0x55, 4, 3];
pub(crate) const O: &[u8] = &[0x55, 4, 10];
pub(crate) const OU: &[u8] = &[0x55, 4, 11];

/// Tags of string types.
pub(crate) const UTF8: u8 = 0x0c;
pub(crate) const PRINTABLE: u8 = 0x13;
pub(crate) const TELETEX: u8 = 0x14;
pub(crate) const IA5: u8 = 0x16;
pub(crate) const UNIVERSAL: u8 = 0x1c;
pub(crate) const BMP: u8 = 0x1e;

/// One attribute: type, tag and content octets of its value.
pub(crate) type Attribute<'a> = (&'a [u8], u8, &'a [u8]);

/// What to build.
#[derive(Clone)]
pub(crate) struct Forged {
    pub(crate) subject: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    /// The content of the version INTEGER; `None` for version 1.
    pub(crate) version: Option<u8>,
    /// GeneralNames: context tag and content.
    pub(crate) alternative_names: Vec<(u8, Vec<u8>)>,
}

impl Forged {
    /// A version 3 certificate for the relative names `subject`, in the order of the certificate.
    pub(crate) fn of(subject: &[&[Attribute<'_>]]) -> Self {
        Self {
            subject: name(subject),
            issuer: name(&[&[(O, UTF8, b"acme")], &[(CN, UTF8, b"test CA")]]),
            serial: vec![0x01, 0x02],
            version: Some(2),
            alternative_names: Vec::new(),
        }
    }

    pub(crate) fn with_alternative_name(mut self, tag: u8, content: &[u8]) -> Self {
        self.alternative_names.push((tag, content.to_vec()));
        self
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        let algorithm = tlv(0x30, &tlv(0x06, &[0x2b, 0x65, 0x70]));
        let key = tlv(0x30, &[&algorithm[..], &tlv(0x03, &[0; 33])].concat());
        let validity = tlv(0x30, &[tlv(0x17, b"260101000000Z"), tlv(0x17, b"360101000000Z")].concat());
        let mut body = Vec::new();
        if let Some(version) = self.version {
            body.extend(tlv(0xa0, &tlv(0x02, &[version])));
        }
        body.extend(tlv(0x02, &self.serial));
        for part in [&algorithm, &self.issuer, &validity, &self.subject, &key] {
            body.extend_from_slice(part);
        }
        if !self.alternative_names.is_empty() {
            let names: Vec<u8> = self.alternative_names.iter().flat_map(|(tag, content)| tlv(*tag, content)).collect();
            let extension = tlv(0x30, &[tlv(0x06, &[0x55, 0x1d, 0x11]), tlv(0x04, &tlv(0x30, &names))].concat());
            body.extend(tlv(0xa3, &tlv(0x30, &extension)));
        }
        tlv(0x30, &[tlv(0x30, &body), algorithm, tlv(0x03, &[0; 65])].concat())
    }
}

/// The DER of a `Name`.
pub(crate) fn name(relative_names: &[&[Attribute<'_>]]) -> Vec<u8> {
    let relative_name = |attributes: &&[Attribute<'_>]| {
        let attributes =
            attributes.iter().flat_map(|(oid, tag, content)| tlv(0x30, &[tlv(0x06, oid), tlv(*tag, content)].concat()));
        tlv(0x31, &attributes.collect::<Vec<u8>>())
    };
    tlv(0x30, &relative_names.iter().flat_map(relative_name).collect::<Vec<u8>>())
}

/// Tag, shortest length, content.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut whole = vec![tag];
    match content.len() {
        short @ 0..=0x7f => whole.push(short as u8),
        medium @ 0x80..=0xff => whole.extend([0x81, medium as u8]),
        long => whole.extend([0x82, (long >> 8) as u8, long as u8]),
    }
    whole.extend_from_slice(content);
    whole
}
