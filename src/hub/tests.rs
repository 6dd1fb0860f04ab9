//! Tests of the hub in virtual time: packets in, packets out.

mod aliases;
mod bounds;
mod connecting;
mod expiring;
mod fixture;
mod operating;
mod payload_format;
mod publishing;
mod queues;
mod reasons;
mod rights;
mod shared;
mod stale_frames;
mod subscribing;
mod sweeping;
mod system;
mod tree;
mod wills;
