//! What is refused, and that it stays refused while any entry says so.

use super::{DeniedCertificate, DenyEntry, DenyId, DenyList, DenyTarget};
use crate::policy::{Certificate, ChainFacts, DeviceKey, PathCertificate};
use std::sync::Arc;

fn key(trust: &str, cn: &str) -> DeviceKey {
    DeviceKey { trust: Arc::from(trust), name: Arc::from(format!("CN={cn}")) }
}

fn certificate(issuer: u8, serial: u8) -> Certificate {
    Certificate { issuer: [issuer; 16], serial: Box::new([serial]) }
}

/// A chain of issuer 1 with these serials, leaf first.
fn chain(serials: &[u8], leaf: u8) -> ChainFacts {
    let below = |serial: &u8| PathCertificate { certificate: Arc::new(certificate(1, *serial)), issuer_key: [1; 16] };
    ChainFacts {
        anchor: [1; 32],
        certificates: serials.iter().map(below).collect(),
        not_after: i64::MAX,
        leaf_sha256: [leaf; 32],
        subjects_entry: None,
    }
}

fn entry(id: u64, target: DenyTarget) -> DenyEntry {
    DenyEntry { id: DenyId(id), target, since: 0, author: Arc::from("root") }
}

fn denied(issuer: u8, serial: u8, sha256: Option<u8>) -> DenyTarget {
    DenyTarget::Certificate(DeniedCertificate {
        certificate: certificate(issuer, serial),
        sha256: sha256.map(|octet| [octet; 32]),
        issuer: Arc::from("CN=ca"),
    })
}

#[test]
fn a_device_is_refused_with_every_certificate_in_its_own_trust_block_alone() {
    let mut list = DenyList::default();
    list.put(entry(1, DenyTarget::Device(key("default", "a"))));
    for serial in [1, 2] {
        assert_eq!(list.find(&key("default", "a"), &chain(&[serial], serial)), Some(DenyId(1)));
    }
    assert_eq!(list.find(&key("other", "a"), &chain(&[1], 1)), None);
    assert_eq!(list.find(&key("default", "b"), &chain(&[1], 1)), None);
}

#[test]
fn a_certificate_is_refused_wherever_it_stands_in_a_chain() {
    let mut list = DenyList::default();
    list.put(entry(1, denied(1, 9, None)));
    for refused in [&[9][..], &[3, 9], &[3, 4, 9]] {
        assert_eq!(list.find(&key("default", "a"), &chain(refused, 3)), Some(DenyId(1)), "{refused:?}");
    }
    assert_eq!(list.find(&key("default", "a"), &chain(&[3, 4], 3)), None);
    list.put(entry(2, denied(2, 3, None)));
    assert_eq!(list.find(&key("default", "a"), &chain(&[3], 3)), None, "the same serial of another issuer");
}

#[test]
fn a_pinned_certificate_is_found_by_its_digest() {
    let mut list = DenyList::default();
    list.put(entry(1, denied(7, 7, Some(5))));
    assert_eq!(list.find(&key("default", "a"), &chain(&[3], 5)), Some(DenyId(1)));
    assert_eq!(list.find(&key("default", "a"), &chain(&[3], 6)), None);
}

#[test]
fn what_two_entries_refuse_stays_refused_when_one_is_lifted() {
    let mut list = DenyList::default();
    list.put(entry(1, denied(1, 9, Some(9))));
    list.put(entry(2, denied(1, 9, None)));
    list.put(entry(3, DenyTarget::Device(key("default", "a"))));
    list.put(entry(4, DenyTarget::Device(key("default", "a"))));
    assert!(list.remove(DenyId(1)).is_some() && list.remove(DenyId(3)).is_some());
    assert_eq!(list.find(&key("default", "b"), &chain(&[9], 9)), Some(DenyId(2)));
    assert_eq!(list.find(&key("default", "a"), &chain(&[1], 1)), Some(DenyId(4)));
    assert!(list.remove(DenyId(2)).is_some() && list.remove(DenyId(4)).is_some() && list.remove(DenyId(4)).is_none());
    assert!(list.is_empty() && list.find(&key("default", "a"), &chain(&[9], 9)).is_none());
}
