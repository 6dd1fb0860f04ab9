//! What must and what may arrive, told without any of the broker's own code for routing and rights.

use super::client::Arrived;
use certmq::protocol::QoS;
use std::collections::{BTreeMap, BTreeSet};

/// What the model knows of one client.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Filter -> QoS, as granted.
    pub(crate) subscriptions: BTreeMap<String, QoS>,
    /// Messages that must arrive, with the QoS they must come with.
    must: BTreeMap<String, QoS>,
    /// Messages that may arrive: QoS 0, retained, and what was due before a session ended.
    may: BTreeSet<String>,
}

impl Ledger {
    pub(crate) fn expect(&mut self, text: &str, qos: QoS) {
        match qos {
            QoS::AtMostOnce => _ = self.may.insert(text.to_owned()),
            qos => _ = self.must.insert(text.to_owned(), qos),
        }
    }

    pub(crate) fn allow(&mut self, text: &str) {
        self.may.insert(text.to_owned());
    }

    /// The session is gone: what it owed is no longer due, what it sent already was right.
    pub(crate) fn end_session(&mut self) {
        self.subscriptions.clear();
        self.may.extend(std::mem::take(&mut self.must).into_keys());
    }

    /// Judges everything that arrived.
    pub(crate) fn judge(&self, client: &str, arrived: &[Arrived]) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut last: BTreeMap<(String, &str), u64> = BTreeMap::new();
        for message in arrived {
            let text = message.text.as_str();
            let known = self.must.contains_key(text) || self.may.contains(text);
            assert!(known, "{client} got {text:?} on {:?}, which was never for it", message.topic);
            let count = counts.entry(text).or_default();
            *count += 1;
            // Order: per publisher and topic, among first arrivals with QoS 1 and 2.
            if *count == 1 && message.qos != QoS::AtMostOnce && !message.retain {
                let (publisher, number) = text.split_once(':').unwrap();
                let number: u64 = number.parse().unwrap();
                let before = last.insert((publisher.to_owned(), &message.topic), number);
                assert!(
                    before.is_none_or(|before| before < number),
                    "{client} got {text:?} after number {before:?} of the same publisher and topic"
                );
            }
        }
        for (text, qos) in &self.must {
            let live = arrived.iter().filter(|message| message.text == *text && !message.retain).count();
            match qos {
                QoS::ExactlyOnce => assert_eq!(live, 1, "{client}: {text:?} with QoS 2"),
                _ => assert!(live >= 1, "{client}: {text:?} with QoS 1 never arrived"),
            }
        }
    }

    pub(crate) fn due(&self) -> usize {
        self.must.len()
    }
}

/// Naive matching: recursion over split levels.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    fn levels(filter: &[&str], topic: &[&str]) -> bool {
        match (filter.first(), topic.first()) {
            (Some(&"#"), _) => true,
            (Some(&"+"), Some(_)) => levels(&filter[1..], &topic[1..]),
            (Some(one), Some(other)) => one == other && levels(&filter[1..], &topic[1..]),
            (None, None) => true,
            _ => false,
        }
    }
    levels(&filter.split('/').collect::<Vec<_>>(), &topic.split('/').collect::<Vec<_>>())
}
