//! How the lists are: figures for metrics, and warnings before one goes stale.

use super::notices::consequence;
use super::{RevocationIndex, RevocationList, newest};
use crate::config::tls::StaleCrl;
use crate::tls::Trust;
use crate::tls::name::date;
use std::sync::Arc;

/// Of a list's life, the part at whose beginning people are warned: the last eighth.
const WARNED_PART: i64 = 8;

/// Figures of the lists in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RevocationStatus {
    /// Lists, one for each issuer.
    pub lists: usize,
    /// Serials that they revoke.
    pub serials: usize,
    /// Lists past their nextUpdate.
    pub stale: usize,
    /// The oldest thisUpdate, Unix seconds.
    pub oldest_this_update: Option<i64>,
    /// The nearest nextUpdate, Unix seconds; it may have passed.
    pub nearest_next_update: Option<i64>,
}

/// A list that goes stale soon, or is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListWarning {
    /// The name of its issuer, escaped.
    pub issuer: String,
    /// File, and place in it.
    pub place: String,
    /// Unix seconds.
    pub next_update: i64,
    /// Whether it still counts as fresh.
    pub freshness: Freshness,
    /// What its trust block does about it; of an issuer outside the blocks the strictest.
    pub consequence: StaleCrl,
}

/// Where in its life a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// In the last eighth.
    Due,
    /// Past it.
    Stale,
}

impl std::fmt::Display for ListWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { issuer, place, next_update, .. } = self;
        let (at, consequence) = (date(*next_update), consequence(self.consequence));
        match self.freshness {
            Freshness::Due => {
                write!(
                    f,
                    "the CRL of {issuer} in {place} goes stale at {at}; from then on {consequence}: fetch a new one from that CA"
                )
            }
            Freshness::Stale => {
                write!(
                    f,
                    "the CRL of {issuer} in {place} is stale since {at}: {consequence}; fetch a new one from that CA"
                )
            }
        }
    }
}

impl Trust {
    /// Figures of the lists in force at `now` (Unix seconds).
    pub fn revocation_status(&self, now: i64) -> RevocationStatus {
        let lists: Vec<_> = self.revocation.counting().map(|(_, list)| list).collect();
        RevocationStatus {
            lists: lists.len(),
            serials: lists.iter().map(|list| list.serials.len()).sum(),
            stale: lists.iter().filter(|list| list.is_stale(now)).count(),
            oldest_this_update: lists.iter().map(|list| list.this_update).min(),
            nearest_next_update: lists.iter().map(|list| list.next_update).min(),
        }
    }

    /// When the next list goes stale, Unix seconds; `None`: each is already, or there is none.
    pub fn next_stale(&self, now: i64) -> Option<i64> {
        self.revocation.counting().map(|(_, list)| list.next_update).filter(|at| *at > now).min()
    }

    /// Lists that are stale or will be soon: in the last eighth of the time between thisUpdate and nextUpdate. `now`
    /// in Unix seconds.
    pub fn list_warnings(&self, now: i64) -> Vec<ListWarning> {
        let strictest = self.blocks.strictest();
        let warning = |(rule, list): (Option<StaleCrl>, Arc<RevocationList>)| {
            Some(ListWarning {
                freshness: list.freshness(now)?,
                issuer: list.issuer.clone(),
                place: list.place.clone(),
                next_update: list.next_update,
                consequence: rule.unwrap_or(strictest),
            })
        };
        let ruled = |(issuer, list): (Option<_>, _)| {
            (issuer.and_then(|issuer| self.blocks.rules_of(issuer)).map(|rules| rules.stale), list)
        };
        let mut warnings: Vec<_> = self.revocation.counting().map(ruled).filter_map(warning).collect();
        warnings.sort_by(|a, b| a.next_update.cmp(&b.next_update).then_with(|| a.place.cmp(&b.place)));
        warnings
    }
}

impl RevocationIndex {
    /// One list for each issuer, and for each name outside the trust blocks the newest.
    fn counting(&self) -> impl Iterator<Item = (Option<super::IssuerId>, Arc<RevocationList>)> {
        let verified = self.verified.iter().map(|(issuer, list)| (Some(*issuer), Arc::clone(list)));
        let newest_of = |lists: &Vec<super::SignedList>| newest(lists.iter().map(|signed| Arc::clone(&signed.list)));
        verified.chain(self.unverified.values().filter_map(newest_of).map(|list| (None, list)))
    }
}

impl RevocationList {
    fn freshness(&self, now: i64) -> Option<Freshness> {
        let life = self.next_update.saturating_sub(self.this_update).max(0);
        if self.is_stale(now) {
            Some(Freshness::Stale)
        } else if self.next_update.saturating_sub(now) <= life / WARNED_PART {
            Some(Freshness::Due)
        } else {
            None
        }
    }
}
