//! Trust blocks: the CA certificates that vouch for devices, in named groups. The name is part of every device's key.

use super::TlsError;
use super::certificate::{Authority, CertificateFields, CrlSigning, Version};
use super::crl::{Issuer, IssuerId, RevocationRules};
use super::ends::{CertificateEnd, CertificateRole};
use super::files::{self, Item, Wanted};
use super::name::describe;
use crate::config::tls::StaleCrl;
use crate::config::{TlsSettings, TrustBlockSettings};
use crate::policy::chain::first_half;
use crate::policy::{DistinguishedName, identity};
use rustls::pki_types::{CertificateDer, TrustAnchor};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Every block, in the order of the settings.
#[derive(Debug)]
pub(super) struct TrustBlocks {
    blocks: Vec<TrustBlock>,
}

/// One block.
#[derive(Debug)]
pub(super) struct TrustBlock {
    pub(super) name: Arc<str>,
    pub(super) rules: RevocationRules,
    /// Empty: every subject passes.
    subjects: Vec<DistinguishedName>,
    /// For webpki; [`Self::cas`] has the rest of each, at the same place.
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    cas: Vec<TrustedCa>,
    /// DER of the names of the CAs.
    names: HashSet<Box<[u8]>>,
}

/// A CA certificate that is trusted because the settings name it.
#[derive(Debug)]
struct TrustedCa {
    place: String,
    sha256: [u8; 32],
    spki_sha256: [u8; 32],
    name: Box<[u8]>,
    spki: Box<[u8]>,
    id: IssuerId,
    crl_signing: CrlSigning,
    not_before: i64,
    not_after: i64,
}

/// What a path needs to know of its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnchorFacts<'a> {
    pub(super) issuer: Issuer<'a>,
    pub(super) spki_sha256: &'a [u8; 32],
    /// Unix seconds.
    pub(super) not_before: i64,
    /// Unix seconds.
    pub(super) not_after: i64,
}

impl TrustBlocks {
    /// Reads every block.
    pub(super) fn load(settings: &TlsSettings) -> Result<Self, TlsError> {
        if settings.trust.is_empty() {
            return Err(TlsError::Configuration(
                "no CA is trusted, so no device could connect: name one in tls.client_ca".to_owned(),
            ));
        }
        let blocks =
            settings.trust.iter().map(|block| TrustBlock::load(settings, block)).collect::<Result<Vec<_>, _>>()?;
        let trust = Self { blocks };
        trust.check_names()?;
        trust.check_each_ca_is_in_one_block()?;
        Ok(trust)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &TrustBlock> {
        self.blocks.iter()
    }

    /// When each CA ends.
    pub(super) fn ends(&self) -> impl Iterator<Item = CertificateEnd> {
        let end = |facts: AnchorFacts<'_>| CertificateEnd {
            role: CertificateRole::Ca,
            subject: describe(facts.issuer.name),
            not_after: facts.not_after,
        };
        self.issuers_with_dates().map(end)
    }

    /// Every trusted CA, each name and key once.
    pub(super) fn issuers(&self) -> Vec<Issuer<'_>> {
        let mut seen = HashSet::new();
        self.issuers_with_dates().map(|facts| facts.issuer).filter(|issuer| seen.insert(issuer.id)).collect()
    }

    /// Name, digest of the name and SHA-256 of the certificate of every trusted CA.
    pub(super) fn names(&self) -> impl Iterator<Item = (&[u8], [u8; 16], [u8; 32])> {
        let cas = self.blocks.iter().flat_map(|block| &block.cas);
        cas.map(|ca| (&*ca.name, ca.id.name, ca.sha256))
    }

    fn issuers_with_dates(&self) -> impl Iterator<Item = AnchorFacts<'_>> {
        self.blocks.iter().flat_map(|block| block.cas.iter().map(TrustedCa::facts))
    }

    pub(super) fn named(&self, name: &str) -> Option<&TrustBlock> {
        self.blocks.iter().find(|block| *block.name == *name)
    }

    /// The rules of the block that trusts this CA.
    pub(super) fn rules_of(&self, issuer: IssuerId) -> Option<RevocationRules> {
        self.blocks.iter().find(|block| block.trusts(issuer)).map(|block| block.rules)
    }

    /// What goes for a list of a CA outside the blocks: it may meet any of them.
    pub(super) fn strictest(&self) -> StaleCrl {
        let weight = |stale: &StaleCrl| match stale {
            StaleCrl::Disconnect => 2,
            StaleCrl::Deny => 1,
            StaleCrl::Allow => 0,
        };
        self.blocks.iter().map(|block| block.rules.stale).max_by_key(weight).unwrap_or_default()
    }

    fn check_names(&self) -> Result<(), TlsError> {
        let mut names = HashSet::new();
        match self.blocks.iter().find(|block| block.name.is_empty() || !names.insert(&block.name)) {
            None => Ok(()),
            Some(block) if block.name.is_empty() => {
                Err(TlsError::Configuration("a [[tls.trust]] block has an empty name".to_owned()))
            }
            Some(block) => Err(TlsError::Configuration(format!(
                "two [[tls.trust]] blocks are named \"{}\": join them or rename one (its devices become strangers)",
                block.name
            ))),
        }
    }

    /// A CA in two blocks would make one device two, by the order of the settings.
    fn check_each_ca_is_in_one_block(&self) -> Result<(), TlsError> {
        let mut first: HashMap<IssuerId, (&TrustBlock, &TrustedCa)> = HashMap::new();
        for block in &self.blocks {
            for ca in &block.cas {
                let (other_block, other) = *first.entry(ca.id).or_insert((block, ca));
                if other_block.name != block.name {
                    return Err(TlsError::Configuration(format!(
                        "the CA {} is in trust block \"{}\" ({}) and in \"{}\" ({}): leave it in one of them",
                        describe(&ca.name),
                        other_block.name,
                        other.place,
                        block.name,
                        ca.place
                    )));
                }
            }
        }
        Ok(())
    }
}

impl TrustBlock {
    fn load(of_all: &TlsSettings, settings: &TrustBlockSettings) -> Result<Self, TlsError> {
        if settings.ca.is_empty() {
            return Err(TlsError::Configuration(format!(
                "the trust block \"{}\" names no CA, so it vouches for nobody: add one to its `ca`",
                settings.name
            )));
        }
        let rules = RevocationRules {
            stale: settings.stale_crl.unwrap_or(of_all.stale_crl),
            required: settings.crl_required.unwrap_or(of_all.crl_required),
        };
        let mut block = Self {
            name: settings.name.as_str().into(),
            rules,
            subjects: settings.subjects.iter().map(|suffix| suffix.name().clone()).collect(),
            anchors: Vec::new(),
            cas: Vec::new(),
            names: HashSet::new(),
        };
        for path in &settings.ca {
            for item in files::read(path, Wanted::Certificates)? {
                block.add(item)?;
            }
        }
        Ok(block)
    }

    fn add(&mut self, item: Item) -> Result<(), TlsError> {
        let sha256 = Sha256::digest(&item.der).into();
        if self.cas.iter().any(|ca| ca.sha256 == sha256) {
            return Ok(());
        }
        let fault = |fault: String| TlsError::Configuration(format!("{}: {fault}", item.place));
        let fields = CertificateFields::from_der(&item.der)
            .map_err(|error| fault(format!("the certificate cannot be read: {error}")))?;
        check_is_ca(&fields).map_err(fault)?;
        let der = CertificateDer::from(item.der.as_slice());
        let anchor = webpki::anchor_from_trusted_cert(&der)
            .map_err(|error| fault(format!("the certificate cannot be used as a CA: {error}")))?;
        self.anchors.push(anchor.to_owned());
        self.names.insert(fields.subject.into());
        self.cas.push(TrustedCa {
            sha256,
            name: fields.subject.into(),
            spki: fields.spki.into(),
            id: IssuerId::new(fields.subject, &fields.spki_sha256()),
            spki_sha256: fields.spki_sha256(),
            crl_signing: fields.crl_signing,
            not_before: fields.not_before,
            not_after: fields.not_after,
            place: item.place,
        });
        Ok(())
    }

    /// Its CAs, each name and key once.
    pub(super) fn issuers(&self) -> impl Iterator<Item = Issuer<'_>> {
        let mut seen = HashSet::new();
        self.cas.iter().map(|ca| ca.facts().issuer).filter(move |issuer| seen.insert(issuer.id))
    }

    /// The facts of its CAs; one that was certified several times occurs as often.
    pub(super) fn cas(&self) -> impl Iterator<Item = AnchorFacts<'_>> {
        self.cas.iter().map(TrustedCa::facts)
    }

    /// Whether one of its CAs has this name and key.
    pub(super) fn trusts(&self, issuer: IssuerId) -> bool {
        self.cas.iter().any(|ca| ca.id == issuer)
    }

    /// Whom it vouches for; empty: everyone.
    pub(super) fn subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    /// Lets a subject (DER of its Name) pass or not.
    pub(super) fn admit(&self, subject: &[u8]) -> SubjectVerdict {
        if self.subjects.is_empty() {
            return SubjectVerdict::Unlimited;
        }
        let Ok(subject) = identity::name_from_der(subject) else {
            return SubjectVerdict::Refused;
        };
        match self.subjects.iter().find(|suffix| subject.ends_with(suffix)) {
            Some(entry) => SubjectVerdict::Passes(subjects_entry(entry)),
            None => SubjectVerdict::Refused,
        }
    }

    /// Whether a subject that passed by this entry ([`crate::policy::ChainFacts::subjects_entry`]) still does.
    pub(super) fn still_admits(&self, entry: Option<[u8; 16]>) -> bool {
        self.subjects.is_empty() || self.subjects.iter().any(|suffix| Some(subjects_entry(suffix)) == entry)
    }

    /// Whether one of its CAs has this name (DER).
    pub(super) fn names_ca(&self, name: &[u8]) -> bool {
        self.names.contains(name)
    }

    /// The facts of one of [`Self::anchors`].
    pub(super) fn facts_of(&self, anchor: &TrustAnchor<'_>) -> Option<AnchorFacts<'_>> {
        let place = self.anchors.iter().position(|own| std::ptr::addr_eq(own, anchor))?;
        self.cas.get(place).map(TrustedCa::facts)
    }
}

impl TrustedCa {
    fn facts(&self) -> AnchorFacts<'_> {
        AnchorFacts {
            issuer: Issuer { name: &self.name, spki: &self.spki, id: self.id, crl_signing: self.crl_signing },
            spki_sha256: &self.spki_sha256,
            not_before: self.not_before,
            not_after: self.not_after,
        }
    }
}

/// What a block says of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SubjectVerdict {
    /// The block asks for none.
    Unlimited,
    /// By this entry, as [`crate::policy::ChainFacts::subjects_entry`] remembers it.
    Passes([u8; 16]),
    /// It ends with none of the entries.
    Refused,
}

fn subjects_entry(entry: &DistinguishedName) -> [u8; 16] {
    first_half(&Sha256::digest(entry.as_str()).into())
}

/// As an anchor every certificate could issue others, so one that was not made for that must not become one. Roots
/// from before X.509 version 3 cannot say what they are; being self-issued must do.
fn check_is_ca(fields: &CertificateFields<'_>) -> Result<(), String> {
    let subject = describe(fields.subject);
    match (fields.version, fields.authority) {
        (Version::Three, Authority::Ca) => Ok(()),
        (Version::One, _) if fields.subject == fields.issuer => Ok(()),
        (Version::One | Version::Two, _) => Err(format!(
            "{subject} is an old certificate (X.509 version 1 or 2) that is no root; only version 3 can be an \
             intermediate CA"
        )),
        (Version::Three, Authority::EndEntity) => Err(format!(
            "{subject} is no CA (basicConstraints without CA:TRUE); certificates of servers and devices do not belong \
             here"
        )),
    }
}

#[cfg(test)]
mod tests;
