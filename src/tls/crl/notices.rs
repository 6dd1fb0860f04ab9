//! What the operator should know of lists that load.

use super::{RevocationIndex, RevocationList};
use crate::config::tls::{CrlRequired, StaleCrl};
use crate::tls::name::{date, describe};
use crate::tls::trust::{TrustBlock, TrustBlocks};

impl RevocationIndex {
    /// Lists that are from the future or of no trusted CA, and trusted CAs without one. `now` in Unix seconds.
    pub(in crate::tls) fn notices(&self, blocks: &TrustBlocks, now: i64) -> Vec<String> {
        let mut notices = self.ambiguous.clone();
        notices.extend(self.verified.values().filter_map(|list| in_the_future(list, now)));
        for signed in self.unverified.values().flatten() {
            notices.extend(in_the_future(&signed.list, now));
            notices.push(format!(
                "the CRL of {} in {} is of no trusted CA; it counts once that CA appears in a chain",
                signed.list.issuer, signed.list.place
            ));
        }
        let any = !self.verified.is_empty() || !self.unverified.is_empty();
        for block in blocks.iter() {
            notices.extend(self.without_list(block, any));
        }
        notices.sort();
        notices.dedup();
        notices
    }

    fn without_list(&self, block: &TrustBlock, any: bool) -> Vec<String> {
        let consequence = match block.rules.required {
            CrlRequired::All => "all its devices are refused (crl_required = \"all\")",
            CrlRequired::Listed if any => "nothing it issued can be revoked, while other CAs have one",
            CrlRequired::Listed => return Vec::new(),
        };
        let without = block.issuers().filter(|issuer| !self.verified.contains_key(&issuer.id));
        without
            .map(|issuer| {
                let name = describe(issuer.name);
                format!("the trusted CA {name} has no CRL: {consequence}; add it to tls.crl")
            })
            .collect()
    }
}

/// What staleness does.
pub(in crate::tls) fn consequence(rule: StaleCrl) -> &'static str {
    match rule {
        StaleCrl::Deny => "new handshakes of its devices are refused",
        StaleCrl::Disconnect => "its devices are disconnected and refused (stale_crl = \"disconnect\")",
        StaleCrl::Allow => "its devices are still let in (stale_crl = \"allow\")",
    }
}

fn in_the_future(list: &RevocationList, now: i64) -> Option<String> {
    (list.this_update > now).then(|| {
        format!(
            "the CRL of {} in {} is dated {}, in the future; it counts from now on, but look at the clocks",
            list.issuer,
            list.place,
            date(list.this_update)
        )
    })
}
