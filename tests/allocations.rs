//! A QoS 0 publication with a remembered route and decision allocates nothing.

#![allow(unsafe_code, reason = "a counting allocator can only be written with it")]

#[path = "hub_load/mod.rs"]
mod hub_load;

use certmq::protocol::QoS;
use hub_load::World;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call goes to the system's allocator as it came; counting touches a thread-local number only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(action: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    action();
    ALLOCATIONS.get() - before
}

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
