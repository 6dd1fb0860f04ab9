//! The subscription tree against the plain matcher.

use crate::hub::sessions::{SessionCell, SessionKey};
use crate::hub::tree::{Entry, SubscriptionTree};
use crate::policy::{Attributes, DeviceKey, Principal};
use crate::protocol::{QoS, SubscriptionOptions, TopicFilter, TopicName};
use crate::session::{Expiry, Session, SessionId};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

fn cell() -> Arc<SessionCell> {
    let key = DeviceKey::in_default_trust(Arc::from("CN=a"));
    let attributes = Arc::new(Attributes::default());
    let principal = Principal { key: key.clone(), client_id: Arc::from("a"), attributes, chain: None };
    let session = Session::new(SessionId(1), Arc::new(principal), Expiry::WithConnection);
    SessionCell::new(SessionKey { device: key, client_id: Arc::from("a") }, session)
}

fn level() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "", "$s"])
}

fn topic() -> impl Strategy<Value = String> {
    prop::collection::vec(level(), 1..5)
        .prop_map(|levels| levels.join("/"))
        .prop_filter("never empty", |text| !text.is_empty())
}

fn filter() -> impl Strategy<Value = String> {
    let levels = prop::collection::vec(prop_oneof![3 => level(), 1 => Just("+")], 0..4);
    let end = prop_oneof![1 => Just("#"), 1 => Just("+"), 2 => level()];
    let share = prop_oneof![3 => Just(""), 1 => Just("$share/g/"), 1 => Just("$share/h/")];
    (share, levels, end)
        .prop_map(|(share, mut levels, end)| {
            levels.push(end);
            format!("{share}{}", levels.join("/"))
        })
        .prop_filter("a filter", |text| TopicFilter::parse(text).is_ok())
}

proptest! {
    #[test]
    fn the_tree_finds_what_the_matcher_finds(
        steps in prop::collection::vec((any::<bool>(), filter()), 1..60),
        topics in prop::collection::vec(topic(), 1..20),
    ) {
        let cell = cell();
        let tree = SubscriptionTree::new();
        let mut ids = crate::session::Subscriptions::default();
        let policy = crate::policy::Policy::deny_all();
        let mut present: Vec<(TopicFilter, Entry)> = Vec::new();
        for (insert, text) in steps {
            let filter = TopicFilter::parse(&text).unwrap();
            let known = present.iter().position(|(other, _)| other.as_str() == filter.as_str());
            match (insert, known) {
                (true, None) => {
                    let grant = crate::policy::Grant {
                        qos: QoS::AtMostOnce,
                        holes: crate::policy::Holes::default(),
                        epoch: policy.epoch(),
                    };
                    let id = ids.put(&filter, SubscriptionOptions::new(QoS::AtMostOnce), None, grant);
                    let entry = Entry { cell: Arc::clone(&cell), id };
                    tree.insert(&filter, entry.clone());
                    present.push((filter, entry));
                }
                (false, Some(at)) => {
                    let (filter, entry) = present.swap_remove(at);
                    tree.remove(&filter, &entry);
                }
                (true, Some(_)) | (false, None) => {}
            }
            prop_assert_eq!(tree.len(), present.len());
        }
        for text in &topics {
            let topic = TopicName::parse(text).unwrap();
            let matches = tree.lookup(topic);
            let shared = matches.groups.iter().flat_map(|group| group.members());
            let found: Vec<_> = matches.entries.iter().cloned().chain(shared).map(|entry| entry.id).collect();
            let set: BTreeSet<_> = found.iter().copied().collect();
            prop_assert_eq!(found.len(), set.len(), "nothing twice");
            let expected: BTreeSet<_> =
                present.iter().filter(|(filter, _)| filter.matches(topic)).map(|(_, entry)| entry.id).collect();
            prop_assert_eq!(set, expected, "{}", text);
        }
        for (filter, entry) in present.drain(..) {
            tree.remove(&filter, &entry);
        }
        prop_assert!(tree.is_bare(), "a node was left behind");
    }
}
