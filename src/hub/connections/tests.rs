//! What the index finds, and what is left of it.

use super::super::sessions::SessionKey;
use super::*;
use crate::policy::{Attributes, DeviceKey, PathCertificate, Principal};
use crate::session::{Expiry, Session, SessionId};

fn cell() -> Arc<SessionCell> {
    let device = DeviceKey::in_default_trust("CN=a".into());
    let client_id: Arc<str> = "a".into();
    let attributes = Arc::new(Attributes::default());
    let principal = Principal { key: device.clone(), client_id: Arc::clone(&client_id), attributes, chain: None };
    let session = Session::new(SessionId(1), Arc::new(principal), Expiry::WithConnection);
    SessionCell::new(SessionKey { device, client_id }, session)
}

/// A leaf of its own below the same two CAs as everybody's.
fn chain(leaf: u8) -> ChainFacts {
    let below = |issuer: u8, serial: &[u8]| PathCertificate {
        certificate: Arc::new(Certificate { issuer: [issuer; 16], serial: serial.into() }),
        issuer_key: [issuer; 16],
    };
    ChainFacts {
        anchor: [1; 32],
        certificates: [below(3, &[leaf]), below(2, &[7]), below(1, &[8])].into(),
        not_after: 1_000 + i64::from(leaf),
        leaf_sha256: [leaf; 32],
        subjects_entry: None,
    }
}

#[test]
fn nothing_is_left_of_connections_that_have_gone() {
    let connections: Arc<Connections> = Arc::default();
    let cell = cell();
    let enter = |id: u64, leaf| connections.enter(&cell, ConnectionId(id), &chain(leaf));
    let (first, second, twin) = (enter(1, 1), enter(2, 2), enter(3, 2));
    assert!(
        Arc::ptr_eq(&first.chain.certificates[1].certificate, &second.chain.certificates[1].certificate),
        "CAs are shared"
    );
    let root = Certificate::clone(&first.chain.certificates[2].certificate);
    let found = |support| {
        let mut ids: Vec<u64> =
            connections.hanging_on([support].into_iter()).iter().map(|found| found.connection.0).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(found(Support::Anchor(&[1; 32])), [1, 2, 3]);
    assert_eq!(found(Support::Certificate(&root)), [1, 2, 3]);
    assert_eq!(found(Support::Leaf(&[2; 32])), [2, 3]);
    assert_eq!(connections.all().len(), 3);
    drop(twin);
    assert_eq!(found(Support::Leaf(&[2; 32])), [2]);
    assert_eq!(connections.take_ended(1_001, 10).len(), 1);
    drop((first, second));
    let index = connections.index.lock();
    assert!(index.members.is_empty() && index.hanging.is_empty() && index.ends.is_empty());
    assert!(index.issuers.is_empty(), "certificates of CAs that nobody hangs on");
}

#[test]
fn what_has_ended_is_taken_in_slices_and_in_order() {
    let connections: Arc<Connections> = Arc::default();
    let cell = cell();
    let _entered: Vec<_> =
        [5, 3, 4, 9].map(|leaf| connections.enter(&cell, ConnectionId(u64::from(leaf)), &chain(leaf))).into();
    let take = |now| connections.take_ended(now, 2).iter().map(|found| found.connection.0).collect::<Vec<_>>();
    assert_eq!((take(1_002), take(1_005), take(1_005), take(1_005)), (vec![], vec![3, 4], vec![5], vec![]));
    assert_eq!(take(i64::MAX), [9]);
}

#[test]
fn a_place_in_the_index_is_small() {
    assert!(size_of::<Few>() <= 16 && size_of::<Member>() <= 16);
    assert!(size_of::<ChainFacts>() <= 112, "{} bytes", size_of::<ChainFacts>());
}
