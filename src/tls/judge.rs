//! The judgement of a client certificate: chain, dates, purpose, revocation, identity.
//!
//! It calls webpki itself, because what comes after needs the anchor: which block vouches is half of the device's
//! key. Each trust block is tried for itself; of several that vouch the nearest to the leaf wins, so that the block of
//! a CA is not decided by whether the device also sends a path to a CA above it.

use super::certificate::{CertificateFields, Presence};
use super::crl::{Issuer, IssuerId};
use super::name::{describe, hex};
use super::refusal::{CHAIN_CERTIFICATES, Cause};
use super::trust::{AnchorFacts, SubjectVerdict, TrustBlock};
use super::{Trust, VerifiedClient};
use crate::config::tls::ExtendedKeyUsage;
use crate::policy::chain::{Certificate, PathCertificate};
use crate::policy::{ChainFacts, DeviceKey, Identity};
use rustls::pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::sync::Arc;
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

impl Trust {
    /// Chain, dates, purpose, revocation, identity: everything but possession of the key.
    pub(super) fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<VerifiedClient, Cause> {
        let sent = 1 + intermediates.len();
        if sent > CHAIN_CERTIFICATES {
            return Err(Cause::TooManyCertificates(sent));
        }
        let end_entity = EndEntityCert::try_from(leaf).map_err(|error| Cause::from_webpki(&error))?;
        let (block, path) = self.vouching_block(&end_entity, intermediates, now)?;
        self.check_purpose(leaf)?;
        let identity = Identity::from_der(leaf).map_err(Cause::Identity)?;
        let name = identity.device_name(self.selector).map_err(Cause::Identity)?;
        let chain = path.into_facts(leaf);
        Ok(VerifiedClient { identity, key: DeviceKey { trust: Arc::clone(&block.name), name }, chain })
    }

    fn vouching_block(
        &self,
        end_entity: &EndEntityCert<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(&TrustBlock, JudgedPath), Cause> {
        let issuers = issuer_names(end_entity, intermediates);
        let mut nearest: Option<(&TrustBlock, JudgedPath)> = None;
        let mut cause = Cause::UnknownIssuer;
        for block in self.blocks.iter().filter(|block| issuers.iter().any(|name| block.names_ca(name))) {
            match self.judged_path(block, end_entity, intermediates, now) {
                Ok(path) if nearest.as_ref().is_none_or(|(_, other)| path.is_shorter_than(other)) => {
                    nearest = Some((block, path));
                }
                Ok(_) => {}
                Err(other) if other.weight() >= cause.weight() => cause = other,
                Err(_) => {}
            }
        }
        nearest.ok_or(cause)
    }

    fn judged_path(
        &self,
        block: &TrustBlock,
        end_entity: &EndEntityCert<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<JudgedPath, Cause> {
        let unix_seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        // webpki asks about each complete path and goes on to the next when it is refused, as with a CA certificate
        // that was renewed under its old key.
        let judged: RefCell<Result<JudgedPath, Cause>> = RefCell::new(Err(Cause::UnknownIssuer));
        let judge = |path: &VerifiedPath<'_>| {
            let result = self.judge_path(block, path, unix_seconds);
            let verdict = if result.is_ok() { Ok(()) } else { Err(webpki::Error::UnknownIssuer) };
            *judged.borrow_mut() = result;
            verdict
        };
        let built = end_entity.verify_for_usage(
            self.algorithms.all,
            &block.anchors,
            intermediates,
            now,
            KeyUsage::client_auth(),
            None,
            Some(&judge),
        );
        let built = built.map(|_| ()).map_err(|error| Cause::from_webpki(&error));
        match (built, judged.into_inner()) {
            (Ok(()), judged) => judged,
            // A path that was complete but for our own judgement says more than the others.
            (Err(_), Err(cause)) if cause != Cause::UnknownIssuer => Err(cause),
            (Err(cause), _) => Err(cause),
        }
    }

    /// Dates of the anchor and revocation of everything below it, on a path whose signatures hold.
    fn judge_path(&self, block: &TrustBlock, path: &VerifiedPath<'_>, now: i64) -> Result<JudgedPath, Cause> {
        let anchor = block.facts_of(path.anchor()).ok_or(Cause::UnknownIssuer)?;
        check_anchor_dates(&anchor, now)?;
        let leaf = path.end_entity().der();
        let intermediates: Vec<_> = path.intermediate_certificates().map(|certificate| certificate.der()).collect();
        let mut fields = vec![read(&leaf)?];
        for der in &intermediates {
            fields.push(read(der)?);
        }
        let mut certificates = Vec::with_capacity(fields.len());
        for (certificate, above) in fields.iter().zip(fields.iter().skip(1).map(Some).chain([None])) {
            let issuer = above.map_or(anchor.issuer, issuer_of_fields);
            self.check_revocation(block, certificate, &issuer, now)?;
            certificates.push(PathCertificate {
                certificate: Arc::new(Certificate { issuer: issuer.id.name, serial: certificate.serial.into() }),
                issuer_key: issuer.id.key,
            });
        }
        let not_after = fields.iter().map(|fields| fields.not_after).fold(anchor.not_after, i64::min);
        // webpki takes the last second for valid; live connections end in it, and must not come back.
        if not_after <= now {
            return Err(Cause::Expired { not_after });
        }
        let subjects_entry = check_subject(block, &leaf)?;
        Ok(JudgedPath { anchor: *anchor.spki_sha256, certificates, not_after, subjects_entry })
    }

    fn check_revocation(
        &self,
        block: &TrustBlock,
        certificate: &CertificateFields<'_>,
        issuer: &Issuer<'_>,
        now: i64,
    ) -> Result<(), Cause> {
        self.revocation.check(issuer, certificate.serial, block.rules, now).map_err(|fault| Cause::Revocation {
            fault,
            subject: describe(certificate.subject),
            serial: hex(certificate.serial),
            issuer: describe(issuer.name),
        })
    }

    /// webpki has refused an extended key usage without clientAuth; whether there must be one is our question, and
    /// only of the leaf: CA certificates mostly have none.
    fn check_purpose(&self, leaf: &CertificateDer<'_>) -> Result<(), Cause> {
        match (self.extended_key_usage, read(leaf)?.extended_key_usage) {
            (ExtendedKeyUsage::Required, Presence::Absent) => Err(Cause::NoPurpose),
            (ExtendedKeyUsage::Required, Presence::Present) | (ExtendedKeyUsage::Optional, _) => Ok(()),
        }
    }
}

/// A path that holds: signatures, dates, purposes, revocation.
struct JudgedPath {
    /// SHA-256 of the anchor's SubjectPublicKeyInfo.
    anchor: [u8; 32],
    /// Leaf first.
    certificates: Vec<PathCertificate>,
    not_after: i64,
    subjects_entry: Option<[u8; 16]>,
}

impl JudgedPath {
    fn is_shorter_than(&self, other: &Self) -> bool {
        self.certificates.len() < other.certificates.len()
    }

    fn into_facts(self, leaf: &CertificateDer<'_>) -> ChainFacts {
        ChainFacts {
            anchor: self.anchor,
            certificates: self.certificates.into(),
            not_after: self.not_after,
            leaf_sha256: Sha256::digest(leaf).into(),
            subjects_entry: self.subjects_entry,
        }
    }
}

/// DER of the issuer names of everything sent, as far as it can be read.
fn issuer_names(end_entity: &EndEntityCert<'_>, intermediates: &[CertificateDer<'_>]) -> Vec<Box<[u8]>> {
    let leaf = end_entity.der();
    std::iter::once(&leaf)
        .chain(intermediates)
        .filter_map(|der| CertificateFields::from_der(der).ok())
        .map(|fields| fields.issuer.into())
        .collect()
}

fn issuer_of_fields<'a>(fields: &CertificateFields<'a>) -> Issuer<'a> {
    Issuer {
        name: fields.subject,
        spki: fields.spki,
        id: IssuerId::new(fields.subject, &fields.spki_sha256()),
        crl_signing: fields.crl_signing,
    }
}

fn check_subject(block: &TrustBlock, leaf: &CertificateDer<'_>) -> Result<Option<[u8; 16]>, Cause> {
    match block.admit(read(leaf)?.subject) {
        SubjectVerdict::Unlimited => Ok(None),
        SubjectVerdict::Passes(entry) => Ok(Some(entry)),
        SubjectVerdict::Refused => Err(Cause::ForeignSubject { block: block.name.to_string() }),
    }
}

fn check_anchor_dates(anchor: &AnchorFacts<'_>, now: i64) -> Result<(), Cause> {
    if (anchor.not_before..=anchor.not_after).contains(&now) {
        return Ok(());
    }
    Err(Cause::CaOutOfDate {
        ca: describe(anchor.issuer.name),
        not_before: anchor.not_before,
        not_after: anchor.not_after,
    })
}

fn read<'a>(der: &'a CertificateDer<'_>) -> Result<CertificateFields<'a>, Cause> {
    CertificateFields::from_der(der).map_err(|fault| Cause::Unreadable(fault.to_string()))
}
