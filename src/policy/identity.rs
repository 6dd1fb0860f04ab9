//! Certificate -> `Identity` -> `DeviceKey`. The only file that knows x509-parser, and it takes from it only the
//! outer structure: names and alternative names are read by our own strict DER, because the library drops what it
//! cannot read.

use super::chain::{Certificate, CertificateFacts};
use super::name::der::{self, NotDer};
use super::name::{DistinguishedName, NameError, is_invisible, value_fault};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

#[cfg(test)]
mod forged;
#[cfg(test)]
mod tests;

/// The facts of one certificate. Never a key: a renewed certificate is another identity of the same device.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Issuer name.
    pub issuer: DistinguishedName,
    /// Subject name.
    pub subject: DistinguishedName,
    /// Every CN of the subject, in the order of the certificate.
    pub common_names: Vec<String>,
    /// Every O.
    pub organisations: Vec<String>,
    /// Every OU.
    pub units: Vec<String>,
    /// Subject alternative names of type URI.
    pub san_uris: Vec<String>,
    /// Subject alternative names of type dNSName.
    pub san_dns: Vec<String>,
    /// Subject alternative names of type rfc822Name.
    pub san_emails: Vec<String>,
    /// Serial number, the content octets of the DER INTEGER without a leading zero.
    pub serial: Box<[u8]>,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// SHA-256 of the certificate.
    pub sha256: [u8; 32],
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// X.509 version 1 or 2: accepted only where a record pins it.
    pub is_old: bool,
}

/// Which attribute names a device (`identity.subject`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectSelector {
    /// The subject DN in RFC 4514 form.
    #[default]
    Dn,
    /// The one common name.
    Cn,
    /// The one SAN URI (SPIFFE).
    SanUri,
    /// The one SAN dNSName.
    SanDns,
    /// The one SAN rfc822Name.
    SanEmail,
}

/// A device: the key of records, sessions, queues and writers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct DeviceKey {
    /// The name of the trust block whose roots vouched for it.
    pub trust: Arc<str>,
    /// The attribute that `identity.subject` selects, in canonical form.
    pub name: Arc<str>,
}

/// Why a certificate names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not DER of a certificate.
    #[error("the certificate cannot be parsed: {0}")]
    Parse(String),
    /// An X.509 version 1 certificate.
    #[error("an X.509 version 1 certificate; issue it with extensions (openssl x509 -req needs -extfile), or pin it")]
    VersionOne,
    /// The selected attribute is missing.
    #[error("the certificate has no {0}")]
    Missing(&'static str),
    /// The selected attribute occurs more than once.
    #[error("the certificate has more than one {0}")]
    Ambiguous(&'static str),
    /// NUL, control characters, empty or undecodable.
    #[error("the {attribute} of the certificate {fault}")]
    BadValue {
        /// Which attribute.
        attribute: String,
        /// What is wrong with it.
        fault: &'static str,
    },
}

/// Subject alternative names (RFC 5280 section 4.2.1.6) that rules use.
#[derive(Default)]
struct AlternativeNames {
    uris: Vec<String>,
    dns: Vec<String>,
    emails: Vec<String>,
}

impl Identity {
    /// Reads the facts of a certificate, whoever signed it and whenever.
    ///
    /// # Errors
    /// As [`Identity::of_any_version`], and [`IdentityError::VersionOne`].
    pub fn from_der(der: &[u8]) -> Result<Self, IdentityError> {
        match Self::of_any_version(der)? {
            identity if identity.is_old => Err(IdentityError::VersionOne),
            identity => Ok(identity),
        }
    }

    /// As [`Identity::from_der`], also of a certificate before version 3, which is good for a pin alone.
    ///
    /// # Errors
    /// What is no certificate; a string of the subject or of the alternative names that cannot be
    /// decoded (even a count of values would be a guess then); a negative serial number.
    pub fn of_any_version(der: &[u8]) -> Result<Self, IdentityError> {
        let certificate = parse(der)?;
        let issuer =
            DistinguishedName::from_der(certificate.issuer().as_raw()).map_err(|NotDer| malformed("issuer"))?;
        let subject = decodable_subject(certificate.subject().as_raw())?;
        let alternative = AlternativeNames::of(&certificate)?;
        if certificate.raw_serial().first().is_none_or(|octet| octet & 0x80 != 0) {
            return Err(bad("serial number", "is not a positive number"));
        }
        let facts = facts_of(&certificate, der);
        Ok(Self {
            common_names: subject.common_names(),
            organisations: subject.organisations(),
            units: subject.units(),
            issuer,
            subject,
            san_uris: alternative.uris,
            san_dns: alternative.dns,
            san_emails: alternative.emails,
            serial: facts.certificate.serial,
            not_before: facts.not_before,
            not_after: facts.not_after,
            sha256: facts.sha256,
            spki_sha256: facts.spki_sha256,
            is_old: certificate.version() != X509Version::V3,
        })
    }

    /// The name of the device under `selector`.
    ///
    /// # Errors
    /// The selected attribute is missing, occurs more than once, is empty, or contains NUL or control characters.
    pub fn device_name(&self, selector: SubjectSelector) -> Result<Arc<str>, IdentityError> {
        let values = match selector {
            SubjectSelector::Dn => return self.subject_name(),
            SubjectSelector::Cn => &self.common_names,
            SubjectSelector::SanUri => &self.san_uris,
            SubjectSelector::SanDns => &self.san_dns,
            SubjectSelector::SanEmail => &self.san_emails,
        };
        match &values[..] {
            [] => Err(IdentityError::Missing(selector.attribute())),
            [value] => match value_fault(value) {
                None => Ok(Arc::from(&value[..])),
                Some(fault) => Err(bad(selector.attribute(), fault)),
            },
            _ => Err(IdentityError::Ambiguous(selector.attribute())),
        }
    }

    /// The serial number as lower-case hexadecimal digits.
    pub fn serial_hex(&self) -> String {
        self.serial.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    fn subject_name(&self) -> Result<Arc<str>, IdentityError> {
        if self.subject.as_str().is_empty() {
            return Err(IdentityError::Missing(SubjectSelector::Dn.attribute()));
        }
        match self.subject.fault() {
            None => Ok(Arc::from(self.subject.as_str())),
            Some((attribute, fault)) => Err(IdentityError::BadValue { attribute, fault }),
        }
    }
}

impl SubjectSelector {
    /// The attribute in words.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::Dn => "subject",
            Self::Cn => "common name",
            Self::SanUri => "URI among the subject alternative names",
            Self::SanDns => "DNS name among the subject alternative names",
            Self::SanEmail => "e-mail address among the subject alternative names",
        }
    }

    /// The name of a device as a person typed it, in the form that [`Identity::device_name`] gives. Text for another
    /// selector than the DN is taken as it is.
    ///
    /// # Errors
    /// Text that no certificate could give.
    pub fn typed_name(self, text: &str) -> Result<Arc<str>, NameError> {
        let (name, fault) = match self {
            Self::Dn => {
                let name = DistinguishedName::parse(text)?;
                let fault = name.fault().map(|(_, fault)| fault);
                (Arc::from(name.as_str()), fault)
            }
            Self::Cn | Self::SanUri | Self::SanDns | Self::SanEmail => (Arc::from(text), value_fault(text)),
        };
        match fault {
            None => Ok(name),
            Some("is empty") => Err(NameError { position: 1, fault: "an empty value names no device" }),
            Some(_) => Err(NameError { position: 1, fault: "a NUL or control character names no device" }),
        }
    }
}

impl DeviceKey {
    /// The trust block that `tls.client_ca` stands for.
    pub const DEFAULT_TRUST: &'static str = "default";

    /// A device of the trust block `default`.
    pub fn in_default_trust(name: Arc<str>) -> Self {
        Self { trust: Arc::from(Self::DEFAULT_TRUST), name }
    }
}

impl std::fmt::Display for DeviceKey {
    /// The name, and the trust block where it is not `default`. Nothing in it moves a terminal's cursor or hides.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.name.chars() {
            if is_invisible(character) {
                write!(f, "{}", character.escape_unicode())?;
            } else {
                f.write_char(character)?;
            }
        }
        if &*self.trust == Self::DEFAULT_TRUST { Ok(()) } else { write!(f, " (trust block {:?})", self.trust) }
    }
}

/// What revocation, expiry and pinning need of any certificate of a path, whatever its version or names.
///
/// # Errors
/// [`IdentityError::Parse`].
pub fn certificate_facts(der: &[u8]) -> Result<CertificateFacts, IdentityError> {
    Ok(facts_of(&parse(der)?, der))
}

/// How a CRL names this certificate.
///
/// # Errors
/// [`IdentityError::Parse`].
pub fn chain_certificate(der: &[u8]) -> Result<Certificate, IdentityError> {
    certificate_facts(der).map(|facts| facts.certificate)
}

/// The text of a DER `Name` (its SEQUENCE header included) for people, such as the issuer of a CRL.
///
/// # Errors
/// [`IdentityError::Parse`].
pub fn name_from_der(name: &[u8]) -> Result<DistinguishedName, IdentityError> {
    DistinguishedName::from_der(name).map_err(|NotDer| malformed("name"))
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, IdentityError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(IdentityError::Parse("octets follow after its end".to_owned())),
        Err(error) => Err(IdentityError::Parse(error.to_string())),
    }
}

fn facts_of(certificate: &X509Certificate<'_>, der: &[u8]) -> CertificateFacts {
    let validity = certificate.validity();
    CertificateFacts {
        certificate: Certificate::new(certificate.issuer().as_raw(), certificate.raw_serial()),
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
        sha256: Sha256::digest(der).into(),
        spki_sha256: Sha256::digest(certificate.public_key().raw).into(),
    }
}

fn decodable_subject(raw: &[u8]) -> Result<DistinguishedName, IdentityError> {
    let names = der::relative_names(raw).map_err(|NotDer| malformed("subject"))?;
    for attribute in names.iter().flatten() {
        let must_be_text = matches!(attribute.type_name(), "CN" | "O" | "OU");
        if attribute.is_undecodable() || (must_be_text && matches!(attribute.value, der::Value::Der(_))) {
            return Err(bad(attribute.type_name(), "cannot be decoded"));
        }
    }
    DistinguishedName::from_der(raw).map_err(|NotDer| malformed("subject"))
}

impl AlternativeNames {
    fn of(certificate: &X509Certificate<'_>) -> Result<Self, IdentityError> {
        let oid = x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
        let mut names = Self::default();
        let extension = certificate.get_extension_unique(&oid).map_err(|_| malformed("extensions"))?;
        let Some(extension) = extension else { return Ok(names) };
        for name in der::sequence(extension.value).map_err(|NotDer| malformed("subject alternative names"))? {
            let (list, attribute) = match name.tag {
                0x81 => (&mut names.emails, "SAN e-mail address"),
                0x82 => (&mut names.dns, "SAN DNS name"),
                0x86 => (&mut names.uris, "SAN URI"),
                // A name of ours in a form that DER forbids would escape being counted.
                0xa1 | 0xa2 | 0xa6 => return Err(malformed("subject alternative names")),
                0x80..0xc0 => continue,
                _ => return Err(malformed("subject alternative names")),
            };
            list.push(der::ascii(name.content).ok_or_else(|| bad(attribute, "cannot be decoded"))?);
        }
        Ok(names)
    }
}

fn malformed(part: &str) -> IdentityError {
    IdentityError::Parse(format!("its {part} is not DER"))
}

fn bad(attribute: &str, fault: &'static str) -> IdentityError {
    IdentityError::BadValue { attribute: attribute.to_owned(), fault }
}
