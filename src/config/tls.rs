//! Section `[tls]` and its trust blocks.

use super::{SubjectSuffix, units};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The name of the block that `tls.client_ca` and `tls.crl` make.
pub const DEFAULT_TRUST: &str = "default";

/// Section `[tls]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Section", into = "Section")]
pub struct TlsSettings {
    /// PEM file of the server's chain, leaf first.
    pub certificate: PathBuf,
    /// PEM file of its key; must not be readable by others.
    pub private_key: PathBuf,
    /// The trust blocks: `[[tls.trust]]`, or the one named `default` from `client_ca` and `crl`.
    pub trust: Vec<TrustBlockSettings>,
    /// What happens after a CRL's nextUpdate, in blocks that say nothing of their own.
    pub stale_crl: StaleCrl,
    /// Whether every issuer must have a CRL, in blocks that say nothing of their own.
    pub crl_required: CrlRequired,
    /// The lowest TLS version.
    pub minimum_version: TlsVersion,
    /// Refuse certificates without an extended key usage (`tls.require_eku`).
    pub extended_key_usage: ExtendedKeyUsage,
    /// TLS 1.2 only with extended master secret (`tls.require_ems`).
    pub extended_master_secret: ExtendedMasterSecret,
    /// Whether clients may resume TLS sessions (`tls.session_resumption`).
    pub session_resumption: SessionResumption,
    /// Bytes of the longest TLS record sent by listeners that set none of their own, 1 KiB to 16 KiB.
    pub max_record: usize,
}

/// One `[[tls.trust]]` block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustBlockSettings {
    /// Part of every [`crate::policy::DeviceKey`] it vouches for.
    pub name: String,
    /// Files or folders with CA certificates.
    pub ca: Vec<PathBuf>,
    /// Whom it vouches for: subjects that end with one of these. Empty: every subject.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<SubjectSuffix>,
    /// Files or folders with CRLs.
    #[serde(default)]
    pub crl: Vec<PathBuf>,
    /// `None`: as `tls.stale_crl` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_crl: Option<StaleCrl>,
    /// `None`: as `tls.crl_required` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl_required: Option<CrlRequired>,
}

/// `tls.stale_crl`, and that of a trust block: what happens after a CRL's nextUpdate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StaleCrl {
    /// New handshakes of its issuer are refused.
    #[default]
    Deny,
    /// They are refused, and live connections of its issuer are closed.
    Disconnect,
    /// They are served, with an alarm in the log.
    Allow,
}

/// `tls.crl_required`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CrlRequired {
    /// Issuers without a CRL are not checked.
    #[default]
    Listed,
    /// Every issuer of a path must have a CRL.
    All,
}

/// `tls.minimum_version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsVersion {
    /// ECDHE with AEAD only.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    Tls13,
}

/// `tls.require_eku`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtendedKeyUsage {
    /// Absent is accepted (RFC 5280 section 4.2.1.12).
    #[default]
    Optional,
    /// Must be there and name clientAuth.
    Required,
}

/// `tls.require_ems`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtendedMasterSecret {
    /// Used where the client offers it.
    #[default]
    Optional,
    /// A TLS 1.2 client without it is refused (RFC 7627).
    Required,
}

/// `tls.session_resumption`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionResumption {
    /// Clients get tickets; a resumed handshake is judged like a full one.
    #[default]
    Tickets,
    /// Every handshake is a full one.
    Never,
}

/// The section as the file writes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Section {
    certificate: PathBuf,
    private_key: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ca: Option<Vec<PathBuf>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crl: Option<Vec<PathBuf>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust: Option<Vec<TrustBlockSettings>>,
    stale_crl: StaleCrl,
    crl_required: CrlRequired,
    minimum_version: TlsVersion,
    require_eku: bool,
    require_ems: bool,
    session_resumption: bool,
    #[serde(with = "units::bytes")]
    max_record: usize,
}

impl TryFrom<Section> for TlsSettings {
    type Error = String;

    fn try_from(section: Section) -> Result<Self, String> {
        Ok(Self {
            trust: trust_blocks(section.client_ca, section.crl, section.trust)?,
            certificate: section.certificate,
            private_key: section.private_key,
            stale_crl: section.stale_crl,
            crl_required: section.crl_required,
            minimum_version: section.minimum_version,
            extended_key_usage: match section.require_eku {
                true => ExtendedKeyUsage::Required,
                false => ExtendedKeyUsage::Optional,
            },
            extended_master_secret: match section.require_ems {
                true => ExtendedMasterSecret::Required,
                false => ExtendedMasterSecret::Optional,
            },
            session_resumption: match section.session_resumption {
                true => SessionResumption::Tickets,
                false => SessionResumption::Never,
            },
            max_record: section.max_record,
        })
    }
}

/// The plain keys make the block `default`; where neither they nor blocks are set, the files that `certmq ca`
/// writes are meant.
fn trust_blocks(
    client_ca: Option<Vec<PathBuf>>,
    crl: Option<Vec<PathBuf>>,
    trust: Option<Vec<TrustBlockSettings>>,
) -> Result<Vec<TrustBlockSettings>, String> {
    let plain =
        |ca, crl| vec![TrustBlockSettings { name: DEFAULT_TRUST.to_owned(), ca, crl, ..TrustBlockSettings::default() }];
    let blocks = match (client_ca, crl, trust) {
        (None, None, None) => return Ok(TlsSettings::default().trust),
        (Some(ca), crl, None) => plain(ca, crl.unwrap_or_default()),
        (None, Some(_), None) => return Err("tls.crl is set without tls.client_ca: name the CA files as well".into()),
        (None, None, Some(blocks)) => blocks,
        (_, _, Some(_)) => {
            return Err(
                "tls.trust stands beside tls.client_ca or tls.crl: write either blocks or the plain keys".into()
            );
        }
    };
    judge_blocks(&blocks)?;
    Ok(blocks)
}

impl TrustBlockSettings {
    /// Whether `tls.client_ca` and `tls.crl` can say it.
    fn is_plain(&self) -> bool {
        self.name == DEFAULT_TRUST
            && self.subjects.is_empty()
            && self.stale_crl.is_none()
            && self.crl_required.is_none()
    }
}

fn judge_blocks(blocks: &[TrustBlockSettings]) -> Result<(), String> {
    if blocks.is_empty() {
        return Err("tls.trust is empty: no client could ever connect; name at least one block".into());
    }
    for (index, block) in blocks.iter().enumerate() {
        let name = &block.name;
        let plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(format!("tls.trust: name {name:?}: use 1 to 64 letters, digits, '-', '_' and '.'"));
        }
        if blocks.iter().take(index).any(|earlier| earlier.name == *name) {
            return Err(format!("tls.trust: two blocks are named {name:?}: put their files into one block"));
        }
        if block.ca.is_empty() {
            return Err(format!("the trust block {name:?} names no CA: no client could ever connect through it"));
        }
    }
    Ok(())
}

impl From<TlsSettings> for Section {
    fn from(mut settings: TlsSettings) -> Self {
        let (client_ca, crl, trust) = match <[TrustBlockSettings; 1]>::try_from(std::mem::take(&mut settings.trust)) {
            Ok([block]) if block.is_plain() => (Some(block.ca), Some(block.crl), None),
            Ok([block]) => (None, None, Some(vec![block])),
            Err(blocks) => (None, None, Some(blocks)),
        };
        Self { client_ca, crl, trust, ..Self::untrusting(settings) }
    }
}

impl Section {
    /// The section without any of the keys that name CAs.
    fn untrusting(settings: TlsSettings) -> Self {
        Self {
            certificate: settings.certificate,
            private_key: settings.private_key,
            client_ca: None,
            crl: None,
            trust: None,
            stale_crl: settings.stale_crl,
            crl_required: settings.crl_required,
            minimum_version: settings.minimum_version,
            require_eku: settings.extended_key_usage == ExtendedKeyUsage::Required,
            require_ems: settings.extended_master_secret == ExtendedMasterSecret::Required,
            session_resumption: settings.session_resumption == SessionResumption::Tickets,
            max_record: settings.max_record,
        }
    }
}

impl Default for Section {
    fn default() -> Self {
        Self::untrusting(TlsSettings::default())
    }
}

/// The files that `certmq ca init` and `certmq cert issue` write.
impl Default for TlsSettings {
    fn default() -> Self {
        let file = |name: &str| PathBuf::from("device-certs").join(name);
        Self {
            certificate: file("server.crt"),
            private_key: file("server.key"),
            trust: vec![TrustBlockSettings {
                name: DEFAULT_TRUST.to_owned(),
                ca: vec![file("ca.crt")],
                crl: vec![file("ca.crl")],
                ..TrustBlockSettings::default()
            }],
            stale_crl: StaleCrl::default(),
            crl_required: CrlRequired::default(),
            minimum_version: TlsVersion::default(),
            extended_key_usage: ExtendedKeyUsage::default(),
            extended_master_secret: ExtendedMasterSecret::default(),
            session_resumption: SessionResumption::default(),
            max_record: 16 * 1024,
        }
    }
}
