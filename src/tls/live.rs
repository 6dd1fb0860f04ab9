//! Judges again who was let in earlier: after a reload, and as time passes.
//!
//! The chain itself is gone by then; its facts are enough. Where they leave a doubt (a list of an intermediate CA that
//! nobody has verified yet) the connection is closed: the device reconnects and is judged in full.

use super::Trust;
use super::crl::{IssuerId, RevocationFault};
use super::name::{date, hex};
use crate::config::tls::StaleCrl;
use crate::policy::chain::first_half;
use crate::policy::{ChainFacts, DeviceKey, Lapse, LiveJudge};

/// Why a client that was let in earlier may not stay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiveFault {
    /// Its trust block is no longer in the settings.
    #[error("the trust block \"{block}\" is no longer in the settings")]
    BlockRemoved {
        /// Its name.
        block: String,
    },
    /// The CA at the end of its path is no longer in its block.
    #[error("the CA that vouched for it is no longer in the trust block \"{block}\"")]
    AnchorRemoved {
        /// The block.
        block: String,
    },
    /// The entry of `subjects` by which it passed is no longer in its block.
    #[error("what let its subject pass is no longer in the `subjects` of the trust block \"{block}\"")]
    SubjectRemoved {
        /// The block.
        block: String,
    },
    /// A list in force has one of the certificates of its path.
    #[error("{} with serial {serial} is revoked", certificate(*depth))]
    Revoked {
        /// Hexadecimal.
        serial: String,
        /// 0: its own certificate, 1: the CA above it, and so on.
        depth: usize,
    },
    /// A list of its path is past its nextUpdate, and its block says `stale_crl = "disconnect"`.
    #[error("the CRL in {place} is stale since {}", date(*next_update))]
    StaleList {
        /// Unix seconds.
        next_update: i64,
        /// File, and place in it.
        place: String,
    },
    /// A certificate of its path has ended.
    #[error("a certificate of its chain expired at {}", date(*not_after))]
    Expired {
        /// Unix seconds.
        not_after: i64,
    },
}

impl Trust {
    /// Whether a client that was let in with these facts, maybe under another configuration, is still good. `now` in
    /// Unix seconds. Costs a look-up per certificate of the path.
    ///
    /// # Errors
    ///
    /// The gravest fault: what takes trust away (block, anchor, subject, revocation) before what merely ended.
    pub fn judge_live(&self, device: &DeviceKey, chain: &ChainFacts, now: i64) -> Result<(), LiveFault> {
        let block = || device.trust.to_string();
        let Some(own) = self.blocks.named(&device.trust) else {
            return Err(LiveFault::BlockRemoved { block: block() });
        };
        // A pin stands for the CA; whether it is still there is the policy's to say.
        if chain.is_pinned() {
            return self.judge_live_pinned(chain, now);
        }
        if !own.trusts_anchor_of(chain) {
            return Err(LiveFault::AnchorRemoved { block: block() });
        }
        if !own.still_admits(chain.subjects_entry) {
            return Err(LiveFault::SubjectRemoved { block: block() });
        }
        let mut stale = Ok(());
        for (depth, path) in chain.certificates.iter().enumerate() {
            let issuer = IssuerId { name: path.certificate.issuer, key: path.issuer_key };
            let serial = &path.certificate.serial;
            match self.revocation.check_live(issuer, serial, own.rules.stale, now) {
                Ok(()) => {}
                Err(RevocationFault::Stale { next_update, place }) => {
                    stale = Err(LiveFault::StaleList { next_update, place });
                }
                Err(RevocationFault::Revoked | RevocationFault::Unverified { .. } | RevocationFault::Missing) => {
                    return Err(LiveFault::Revoked { serial: hex(serial), depth });
                }
            }
        }
        stale?;
        // As webpki has it: valid up to and including the last second.
        if now > chain.not_after { Err(LiveFault::Expired { not_after: chain.not_after }) } else { Ok(()) }
    }
}

impl Trust {
    /// Revoked by its issuer, or at its end; nothing else ends it.
    fn judge_live_pinned(&self, chain: &ChainFacts, now: i64) -> Result<(), LiveFault> {
        for (depth, path) in chain.certificates.iter().enumerate() {
            let issuer = IssuerId { name: path.certificate.issuer, key: path.issuer_key };
            let serial = &path.certificate.serial;
            if let Err(RevocationFault::Revoked) = self.revocation.check_live(issuer, serial, StaleCrl::Allow, now) {
                return Err(LiveFault::Revoked { serial: hex(serial), depth });
            }
        }
        if now > chain.not_after { Err(LiveFault::Expired { not_after: chain.not_after }) } else { Ok(()) }
    }
}

/// What the hub asks of live connections and of writers.
impl LiveJudge for Trust {
    fn judge(&self, device: &DeviceKey, chain: &ChainFacts, now: i64) -> Result<(), Lapse> {
        self.judge_live(device, chain, now).map_err(|fault| match fault {
            LiveFault::BlockRemoved { .. } | LiveFault::AnchorRemoved { .. } | LiveFault::SubjectRemoved { .. } => {
                Lapse::Untrusted
            }
            LiveFault::Revoked { .. } => Lapse::Listed,
            LiveFault::StaleList { .. } => Lapse::Unchecked,
            LiveFault::Expired { .. } => Lapse::Expired,
        })
    }
}

impl super::trust::TrustBlock {
    fn trusts_anchor_of(&self, chain: &ChainFacts) -> bool {
        match chain.certificates.last() {
            Some(path) => {
                path.issuer_key == first_half(&chain.anchor)
                    && self.trusts(IssuerId { name: path.certificate.issuer, key: path.issuer_key })
            }
            // No path below an anchor: nothing that a block could vouch for.
            None => false,
        }
    }
}

fn certificate(depth: usize) -> &'static str {
    match depth {
        0 => "its certificate",
        _ => "a CA certificate of its chain",
    }
}
