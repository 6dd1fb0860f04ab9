//! A QoS 0 publication with a remembered route and decision allocates nothing.

#[path = "counting/mod.rs"]
mod counting;
#[path = "hub_load/mod.rs"]
mod hub_load;

use certmq::protocol::QoS;
use counting::allocations;
use hub_load::World;

#[test]
fn a_remembered_qos_0_publication_allocates_nothing() {
    let world = World::new();
    let mut pair = world.pair("a", QoS::AtMostOnce);
    assert!(allocations(|| assert_eq!(pair.batch(), 64)) > 0, "the first batch fills the memories: the count works");
    pair.batch();
    pair.batch();
    let counted = allocations(|| assert_eq!((0..100).map(|_| pair.batch()).sum::<usize>(), 6_400));
    assert_eq!(counted, 0, "allocations in 6400 publications");
}
