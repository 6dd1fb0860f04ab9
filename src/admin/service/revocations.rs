//! `certmq revoke`: the deny list.

use super::resolve::Unlisted;
use super::{Call, Plan, Service};
use crate::admin::reply::{AdminError, DenialView, DeniedView, Fault, Reply, time_text};
use crate::admin::request::{DeviceRef, Leftovers, RevokeTarget};
use crate::policy::identity::chain_certificate;
use crate::policy::{
    Certificate, Change, DeniedCertificate, DenyEntry, DenyId, DenyTarget, DistinguishedName, Identity,
};
use crate::tls::{CaName, trusted_cas};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::sync::Arc;

/// Octets of the longest serial number (RFC 5280 section 4.1.2.2).
const SERIAL_OCTETS: usize = 20;

impl Service {
    pub(super) fn revoke(
        &self,
        call: Call<'_>,
        target: &RevokeTarget,
        leftovers: Leftovers,
    ) -> Result<Reply, AdminError> {
        let target = match target {
            RevokeTarget::Device(device) => self.revoked_device(device)?,
            RevokeTarget::Certificate(base64) => self.revoked_certificate(base64)?,
            RevokeTarget::Serial { serial, issuer } => self.revoked_serial(serial, issuer.as_deref())?,
        };
        let policy = self.authority.policy();
        let (whose, wills) = (target.clone(), self.wills_of(&target));
        let reply = self.change(call, |store| {
            if let Some(id) = policy.deny_list().same(&target) {
                return Ok(Plan::nothing(format!("{target} is revoked already, by entry {id}")));
            }
            // The generation that this change makes: a number that is never given again.
            let id = DenyId(store.generation() + 1);
            let summary = format!("{target} revoked, entry {id}");
            let entry = DenyEntry { id, target, since: call.now, author: Arc::from(call.author) };
            Ok(Plan::new(vec![Change::PutDenial(entry)], summary))
        })?;
        Ok(self.tell_leftovers(reply, &whose, &wills, leftovers))
    }

    pub(super) fn lift(&self, call: Call<'_>, id: u64) -> Result<Reply, AdminError> {
        let id = DenyId(id);
        let policy = self.authority.policy();
        let Some(entry) = policy.deny_list().entry(id) else {
            let message = format!("no entry {id} in the deny list; `certmq revoke --list` shows them");
            return Err(AdminError::new(Fault::Missing, message));
        };
        let summary = format!("entry {id} lifted: {} is no longer revoked here", entry.target);
        self.change(call, |_| Ok(Plan::new(vec![Change::RemoveDenial(id)], summary)))
    }

    pub(super) fn list_denials(&self) -> Reply {
        let policy = self.authority.policy();
        Reply::DenyList(policy.deny_list().entries().map(DenialView::from).collect())
    }

    fn revoked_device(&self, device: &DeviceRef) -> Result<DenyTarget, AdminError> {
        Ok(DenyTarget::Device(self.resolve(device, Unlisted::Accepted)?.key))
    }

    fn revoked_certificate(&self, base64: &str) -> Result<DenyTarget, AdminError> {
        let data = |message: String| AdminError::new(Fault::Data, message);
        let der =
            BASE64_STANDARD.decode(base64).map_err(|error| data(format!("the certificate is not Base64: {error}")))?;
        let identity = Identity::of_any_version(&der).map_err(|error| data(error.to_string()))?;
        if self.trusted()?.iter().any(|ca| ca.sha256 == identity.sha256) {
            let message = "it is a CA that the settings trust: to distrust it, take it out of tls.client_ca and run \
                           `certmq reload`";
            return Err(data(message.to_owned()));
        }
        Ok(DenyTarget::Certificate(DeniedCertificate {
            certificate: chain_certificate(&der).map_err(|error| data(error.to_string()))?,
            sha256: Some(identity.sha256),
            issuer: Arc::from(identity.issuer.as_str()),
        }))
    }

    fn revoked_serial(&self, serial: &str, issuer: Option<&str>) -> Result<DenyTarget, AdminError> {
        let octets = serial_octets(serial)?;
        let cas = self.trusted()?;
        let ca = match issuer {
            Some(issuer) => named(&cas, issuer)?,
            None => only(&cas)?,
        };
        Ok(DenyTarget::Certificate(DeniedCertificate {
            certificate: Certificate { issuer: ca.name_digest, serial: octets.into() },
            sha256: None,
            issuer: Arc::from(ca.name.as_str()),
        }))
    }

    fn trusted(&self) -> Result<Vec<CaName>, AdminError> {
        trusted_cas(&self.tls()).map_err(|error| AdminError::new(Fault::Configuration, error.to_string()))
    }
}

/// The octets of a serial number as OpenSSL prints it: hexadecimal, maybe with colons; no leading zeros.
fn serial_octets(text: &str) -> Result<Vec<u8>, AdminError> {
    let data = |fault: &str| AdminError::new(Fault::Data, format!("serial number {text:?}: {fault}"));
    let plain = text.strip_prefix("0x").unwrap_or(text).replace(':', "");
    let padded = if plain.len().is_multiple_of(2) { plain } else { format!("0{plain}") };
    let digits: Option<Vec<u8>> =
        padded.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| !digits.is_empty()).ok_or_else(|| {
        data("hexadecimal digits are expected, as `openssl x509 -serial -noout -in FILE` prints them")
    })?;
    let octets: Vec<u8> = digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect();
    let significant: Vec<u8> = octets.into_iter().skip_while(|octet| *octet == 0).collect();
    match significant.len() {
        // The number zero keeps one octet, as certificates have it.
        0 => Ok(vec![0]),
        1..=SERIAL_OCTETS => Ok(significant),
        _ => Err(data("it is longer than 20 octets")),
    }
}

fn named<'c>(cas: &'c [CaName], issuer: &str) -> Result<&'c CaName, AdminError> {
    let name = DistinguishedName::parse(issuer)
        .map_err(|error| AdminError::new(Fault::Data, format!("--issuer {issuer:?}: {error}")))?;
    cas.iter().find(|ca| ca.name == name.as_str()).ok_or_else(|| {
        let message = format!(
            "no trusted CA is named {issuer:?}; there are: {}. For a certificate of an intermediate CA give \
             --cert FILE",
            names(cas)
        );
        AdminError::new(Fault::Missing, message)
    })
}

/// A serial number means nothing without its issuer, unless there is but one.
fn only(cas: &[CaName]) -> Result<&CaName, AdminError> {
    match cas {
        [first, rest @ ..] if rest.iter().all(|other| other.name_digest == first.name_digest) => Ok(first),
        _ => {
            let message =
                format!("several CAs are trusted: name the one that issued it with --issuer, of {}", names(cas));
            Err(AdminError::new(Fault::Data, message))
        }
    }
}

fn names(cas: &[CaName]) -> String {
    let mut names: Vec<String> = cas.iter().map(|ca| format!("'{}'", ca.name)).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}

impl From<&DenyEntry> for DenialView {
    fn from(entry: &DenyEntry) -> Self {
        let target = match &entry.target {
            DenyTarget::Device(key) => {
                DeniedView::Device { subject: key.name.to_string(), trust: key.trust.to_string() }
            }
            DenyTarget::Certificate(denied) => DeniedView::Certificate {
                serial: denied.serial_hex(),
                issuer: denied.issuer.to_string(),
                sha256: denied.sha256.map(|digest| digest.iter().map(|octet| format!("{octet:02x}")).collect()),
            },
        };
        Self { id: entry.id.0, target, since: time_text(entry.since), author: entry.author.to_string() }
    }
}
