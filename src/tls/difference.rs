//! What a reload changes of whom the broker trusts: for sweeps that touch only what it touches, and for people.
//!
//! A sweep asks [`Trust::judge_live`] of every connection that a difference points at; a difference may point at too
//! many, never at too few.

use super::Trust;
use super::crl::{InForce, RevocationIndex, SerialSet};
use super::name::{date, describe};
use super::trust::{TrustBlock, TrustBlocks};
use crate::config::tls::StaleCrl;
use crate::policy::Certificate;
use std::fmt;
use std::sync::Arc;

/// From an old [`Trust`] to a new one.
#[derive(Clone, Debug, Default)]
pub struct TrustDifference {
    /// CAs whose devices may no longer stay.
    pub anchors_removed: Vec<AnchorChange>,
    /// CAs whose devices may come now.
    pub anchors_added: Vec<AnchorChange>,
    /// Certificates that a list in force revokes now and did not before, by issuer.
    pub revoked: Vec<RevokedCertificates>,
    /// Certificates that are no longer revoked, by issuer; of a list that is gone all of its own.
    pub reinstated: Vec<RevokedCertificates>,
    /// Lists that are stale where there was none, or one that was not.
    pub stale: Vec<StaleList>,
    /// Lists that replace an older one of their issuer.
    pub renewed: Vec<RenewedList>,
    /// Blocks that came or went, or that judge otherwise.
    pub blocks: Vec<BlockChange>,
}

/// A CA that came or went.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnchorChange {
    /// Its trust block.
    pub block: Arc<str>,
    /// Its subject, escaped.
    pub subject: String,
    /// As in [`crate::policy::ChainFacts::anchor`].
    pub spki_sha256: [u8; 32],
}

/// Certificates of one issuer.
#[derive(Clone, Debug)]
pub struct RevokedCertificates {
    /// Its name, escaped.
    pub issuer: String,
    /// As in [`Certificate::issuer`].
    pub issuer_name: [u8; 16],
    serials: SerialSet,
}

/// A list that is newer than the one before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RenewedList {
    /// The name of its issuer, escaped.
    pub issuer: String,
    /// File, and place in it.
    pub place: String,
    /// Unix seconds.
    pub next_update: i64,
}

/// A list past its nextUpdate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleList {
    /// The name of its issuer, escaped.
    pub issuer: String,
    /// As in [`Certificate::issuer`].
    pub issuer_name: [u8; 16],
    /// As in [`crate::policy::PathCertificate::issuer_key`]; `None`: an intermediate CA outside the trust blocks.
    pub issuer_key: Option<[u8; 16]>,
    /// File, and place in it.
    pub place: String,
    /// Unix seconds.
    pub next_update: i64,
}

/// A block that came, went or changed its mind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockChange {
    /// Its name.
    pub name: Arc<str>,
    /// What happened.
    pub kind: BlockChangeKind,
}

/// What may happen to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlockChangeKind {
    /// It came; so did its CAs.
    Added,
    /// It went; so did its CAs.
    Removed,
    /// Its `subjects` are others: some of its devices may not stay.
    Subjects,
    /// Its `stale_crl` or `crl_required` is another.
    Revocation,
}

impl TrustDifference {
    /// What `new` changes. `now` in Unix seconds. The cost is proportional to the CAs and the serials of the lists.
    pub fn between(old: &Trust, new: &Trust, now: i64) -> Self {
        let (before, after) = (&old.revocation, &new.revocation);
        Self {
            anchors_removed: anchors_only_in(&old.blocks, &new.blocks),
            anchors_added: anchors_only_in(&new.blocks, &old.blocks),
            revoked: serials_only_in(after, before),
            reinstated: serials_only_in(before, after),
            stale: newly_stale(before, after, now),
            renewed: renewed(before, after),
            blocks: changed_blocks(&old.blocks, &new.blocks),
        }
    }

    /// Nothing changes for anybody today.
    pub fn is_empty(&self) -> bool {
        self.anchors_removed.is_empty()
            && self.anchors_added.is_empty()
            && self.revoked.is_empty()
            && self.reinstated.is_empty()
            && self.stale.is_empty()
            && self.blocks.is_empty()
    }

    /// Every newly revoked certificate, as live connections are indexed.
    pub fn revoked_certificates(&self) -> impl Iterator<Item = Certificate> {
        self.revoked.iter().flat_map(RevokedCertificates::iter)
    }
}

/// One line for each change.
impl fmt::Display for TrustDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        let ca = |change: &AnchorChange, verb| format!("CA {} {verb} (trust block {})", change.subject, change.block);
        lines.extend(self.blocks.iter().map(ToString::to_string));
        lines.extend(self.anchors_added.iter().map(|change| ca(change, "came")));
        lines.extend(self.anchors_removed.iter().map(|change| ca(change, "went")));
        lines.extend(self.revoked.iter().map(|of| format!("{} revoked by {}", serials(of.len()), of.issuer)));
        lines.extend(
            self.reinstated.iter().map(|of| format!("{} no longer revoked by {}", serials(of.len()), of.issuer)),
        );
        lines.extend(self.stale.iter().map(|list| {
            format!("the CRL of {} in {} is stale since {}", list.issuer, list.place, date(list.next_update))
        }));
        lines.extend(self.renewed.iter().map(|list| {
            format!("a newer CRL of {} in {}, good until {}", list.issuer, list.place, date(list.next_update))
        }));
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for BlockChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            BlockChangeKind::Added => "came",
            BlockChangeKind::Removed => "went",
            BlockChangeKind::Subjects => "has other subjects",
            BlockChangeKind::Revocation => "has another stale_crl or crl_required",
        };
        write!(f, "trust block {} {what}", self.name)
    }
}

impl RevokedCertificates {
    /// How many; never 0.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.serials.len()
    }

    /// Each of them, made as it is asked for.
    pub fn iter(&self) -> impl Iterator<Item = Certificate> {
        self.serials.iter().map(|serial| Certificate { issuer: self.issuer_name, serial: serial.into() })
    }
}

impl Trust {
    /// SHA-256 of the SubjectPublicKeyInfo of every CA of a block.
    pub fn anchors_of(&self, block: &str) -> impl Iterator<Item = [u8; 32]> {
        self.blocks.named(block).into_iter().flat_map(|block| block.cas().map(|ca| *ca.spki_sha256))
    }

    /// Lists whose nextUpdate lies after `since` and not after `now` (Unix seconds), and what their going stale asks
    /// of live connections is [`Self::judge_live`]'s to say. Empty where no block says `stale_crl = "disconnect"`.
    pub fn lists_to_disconnect(&self, since: i64, now: i64) -> Vec<StaleList> {
        if !self.blocks.iter().any(|block| block.rules.stale == StaleCrl::Disconnect) {
            return Vec::new();
        }
        let lists = self.revocation.in_force();
        let gone = |list: &&InForce| list.list.is_stale(now) && !list.list.is_stale(since);
        lists.iter().filter(gone).map(stale_list).collect()
    }
}

fn anchors_only_in(these: &TrustBlocks, those: &TrustBlocks) -> Vec<AnchorChange> {
    let mut changes = Vec::new();
    for block in these.iter() {
        let other = those.named(&block.name);
        let gone = block.cas().filter(|ca| !other.is_some_and(|other| other.trusts(ca.issuer.id)));
        changes.extend(gone.map(|ca| AnchorChange {
            block: Arc::clone(&block.name),
            subject: describe(ca.issuer.name),
            spki_sha256: *ca.spki_sha256,
        }));
    }
    changes.sort();
    changes.dedup();
    changes
}

/// Serials of the lists of `these` that those of `those` did not have.
fn serials_only_in(these: &RevocationIndex, those: &RevocationIndex) -> Vec<RevokedCertificates> {
    let mut changes = Vec::new();
    for InForce { name, key, list } in these.in_force() {
        let others = those.enforced(name, key);
        let serials = others.iter().fold(list.serials.clone(), |serials, other| serials.without(&other.serials));
        if serials.len() > 0 {
            changes.push(RevokedCertificates { issuer: list.issuer.clone(), issuer_name: name, serials });
        }
    }
    changes.sort_by(|a, b| a.issuer.cmp(&b.issuer));
    changes
}

fn newly_stale(old: &RevocationIndex, new: &RevocationIndex, now: i64) -> Vec<StaleList> {
    let before = old.in_force();
    let known = |list: &InForce| {
        before
            .iter()
            .any(|old| (old.name, old.key) == (list.name, list.key) && old.list.next_update <= list.list.next_update)
    };
    let mut stale: Vec<_> =
        new.in_force().iter().filter(|list| list.list.is_stale(now) && !known(list)).map(stale_list).collect();
    stale.sort_by(|a, b| a.place.cmp(&b.place));
    stale
}

fn renewed(old: &RevocationIndex, new: &RevocationIndex) -> Vec<RenewedList> {
    let before = old.in_force();
    let replaces = |list: &&InForce| {
        let mut of_issuer = before.iter().filter(|old| (old.name, old.key) == (list.name, list.key)).peekable();
        of_issuer.peek().is_some() && of_issuer.all(|old| old.list.this_update < list.list.this_update)
    };
    let mut renewed: Vec<_> = new
        .in_force()
        .iter()
        .filter(replaces)
        .map(|list| RenewedList {
            issuer: list.list.issuer.clone(),
            place: list.list.place.clone(),
            next_update: list.list.next_update,
        })
        .collect();
    renewed.sort();
    renewed
}

fn stale_list(list: &InForce) -> StaleList {
    StaleList {
        issuer: list.list.issuer.clone(),
        issuer_name: list.name,
        issuer_key: list.key,
        place: list.list.place.clone(),
        next_update: list.list.next_update,
    }
}

fn changed_blocks(old: &TrustBlocks, new: &TrustBlocks) -> Vec<BlockChange> {
    let change = |block: &TrustBlock, kind| BlockChange { name: Arc::clone(&block.name), kind };
    let mut changes = Vec::new();
    for block in new.iter() {
        let Some(before) = old.named(&block.name) else {
            changes.push(change(block, BlockChangeKind::Added));
            continue;
        };
        if before.subjects() != block.subjects() {
            changes.push(change(block, BlockChangeKind::Subjects));
        }
        if before.rules != block.rules {
            changes.push(change(block, BlockChangeKind::Revocation));
        }
    }
    let removed = old.iter().filter(|block| new.named(&block.name).is_none());
    changes.extend(removed.map(|block| change(block, BlockChangeKind::Removed)));
    changes.sort();
    changes
}

fn serials(count: usize) -> String {
    if count == 1 { "1 serial".to_owned() } else { format!("{count} serials") }
}
