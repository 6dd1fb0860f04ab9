//! The fields of certificates and requests that an [`Identity`](crate::policy::Identity) does not carry: names as
//! bytes, the key, and what the certificate may be used for.

use super::der::{BOOLEAN, Element, Malformed, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE, Signed, context};

/// Content octets of the extensions' object identifiers, all below 2.5.29 (RFC 5280 section 4.2.1).
const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 14];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];

/// id-kp-serverAuth, id-kp-clientAuth (RFC 5280 section 4.2.1.12).
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// PKCS #9 extensionRequest (RFC 2985 section 5.4.2).
const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14];

/// What a certificate says in its EKU that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    /// A TLS client: a device or an operator.
    ClientAuth,
    /// A TLS server: the broker.
    ServerAuth,
    /// Something else.
    Other,
}

/// Whether a certificate may sign others (basicConstraints).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A CA.
    Authority,
    /// Anything else.
    EndEntity,
}

/// What keyUsage allows; everything where it is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyUsage {
    bits: Option<u16>,
}

impl KeyUsage {
    pub(super) fn allows_digital_signature(self) -> bool {
        self.allows(0)
    }

    pub(super) fn allows_certificate_signing(self) -> bool {
        self.allows(5)
    }

    pub(super) fn allows_crl_signing(self) -> bool {
        self.allows(6)
    }

    fn allows(self, bit: u16) -> bool {
        self.bits.is_none_or(|bits| bits & (0x8000 >> bit) != 0)
    }
}

/// The extensions that matter here, read once. The contents are those of the extnValue.
#[derive(Clone, Debug, Default)]
pub(super) struct Extensions<'a> {
    pub(super) subject_key_identifier: Option<&'a [u8]>,
    pub(super) subject_alternative_name: Option<&'a [u8]>,
    key_usage: Option<&'a [u8]>,
    basic_constraints: Option<&'a [u8]>,
    extended_key_usage: Option<&'a [u8]>,
    /// How many others there were.
    pub(super) others: usize,
}

impl<'a> Extensions<'a> {
    fn parse(sequence: Element<'a>) -> Result<Self, Malformed> {
        let mut found = Self::default();
        for extension in sequence.inside() {
            let mut fields = extension?.inside();
            let identifier = fields.expect(OBJECT_IDENTIFIER)?.content;
            fields.optional(BOOLEAN)?;
            let value = fields.expect(OCTET_STRING)?.content;
            fields.end()?;
            let slot = match identifier {
                SUBJECT_KEY_IDENTIFIER => &mut found.subject_key_identifier,
                KEY_USAGE => &mut found.key_usage,
                SUBJECT_ALTERNATIVE_NAME => &mut found.subject_alternative_name,
                BASIC_CONSTRAINTS => &mut found.basic_constraints,
                EXTENDED_KEY_USAGE => &mut found.extended_key_usage,
                _ => {
                    found.others += 1;
                    continue;
                }
            };
            // A certificate must not say the same thing twice (RFC 5280 section 4.2).
            if slot.replace(value).is_some() {
                return Err(Malformed);
            }
        }
        Ok(found)
    }

    pub(super) fn role(&self) -> Result<Role, Malformed> {
        let Some(value) = self.basic_constraints else { return Ok(Role::EndEntity) };
        let authority = Element::whole(value)?.inside().optional(BOOLEAN)?.is_some_and(|flag| flag.content != [0]);
        Ok(if authority { Role::Authority } else { Role::EndEntity })
    }

    pub(super) fn key_usage(&self) -> Result<KeyUsage, Malformed> {
        let Some(value) = self.key_usage else { return Ok(KeyUsage { bits: None }) };
        let bits = match Element::whole(value)?.content {
            [_unused] => 0,
            [_unused, first] => u16::from_be_bytes([*first, 0]),
            [_unused, first, second, ..] => u16::from_be_bytes([*first, *second]),
            [] => return Err(Malformed),
        };
        Ok(KeyUsage { bits: Some(bits) })
    }

    /// None where the extension is absent: then it is for everything.
    pub(super) fn purposes(&self) -> Result<Option<Vec<Purpose>>, Malformed> {
        let Some(value) = self.extended_key_usage else { return Ok(None) };
        let purpose = |element: Result<Element<'_>, Malformed>| {
            Ok(match element?.content {
                CLIENT_AUTH => Purpose::ClientAuth,
                SERVER_AUTH => Purpose::ServerAuth,
                _ => Purpose::Other,
            })
        };
        Element::whole(value)?.inside().map(purpose).collect::<Result<_, _>>().map(Some)
    }

    /// What a request asks for beyond names: the CA decides that, not the device.
    pub(super) fn wishes(&self) -> usize {
        let ignored = [self.key_usage, self.basic_constraints, self.extended_key_usage, self.subject_key_identifier];
        ignored.iter().flatten().count() + self.others
    }
}

/// A certificate's fields. Names and key are whole elements.
#[derive(Clone, Debug)]
pub(super) struct Certificate<'a> {
    pub(super) signed: Signed<'a>,
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    pub(super) spki: &'a [u8],
    pub(super) extensions: Extensions<'a>,
}

impl<'a> Certificate<'a> {
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, Malformed> {
        let signed = Signed::parse(der)?;
        let mut fields = signed.body.inside();
        fields.optional(context(0))?;
        let _serial = fields.any()?;
        let _algorithm = fields.expect(SEQUENCE)?;
        let issuer = fields.expect(SEQUENCE)?.raw;
        let _validity = fields.expect(SEQUENCE)?;
        let subject = fields.expect(SEQUENCE)?.raw;
        let spki = fields.expect(SEQUENCE)?.raw;
        fields.optional(0x81)?;
        fields.optional(0x82)?;
        let extensions = match fields.optional(context(3))? {
            Some(tagged) => Extensions::parse(Element::whole(tagged.content)?)?,
            None => Extensions::default(),
        };
        fields.end()?;
        Ok(Self { signed, issuer, subject, spki, extensions })
    }
}

/// A certificate signing request (PKCS #10, RFC 2986).
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    pub(super) signed: Signed<'a>,
    pub(super) subject: &'a [u8],
    pub(super) spki: &'a [u8],
    pub(super) extensions: Extensions<'a>,
}

impl<'a> Request<'a> {
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, Malformed> {
        let signed = Signed::parse(der)?;
        let mut fields = signed.body.inside();
        let _version = fields.any()?;
        let subject = fields.expect(SEQUENCE)?.raw;
        let spki = fields.expect(SEQUENCE)?.raw;
        let extensions = match fields.optional(context(0))? {
            Some(attributes) => Self::extension_request(attributes.inside())?,
            None => Extensions::default(),
        };
        fields.end()?;
        Ok(Self { signed, subject, spki, extensions })
    }

    fn extension_request(attributes: Reader<'a>) -> Result<Extensions<'a>, Malformed> {
        let mut extensions = None;
        for attribute in attributes {
            let mut fields = attribute?.inside();
            if fields.expect(OBJECT_IDENTIFIER)?.content == EXTENSION_REQUEST {
                let value = Element::whole(fields.any()?.content)?;
                if extensions.replace(Extensions::parse(value)?).is_some() {
                    return Err(Malformed);
                }
            }
        }
        Ok(extensions.unwrap_or_default())
    }
}
