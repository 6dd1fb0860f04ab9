//! Tests of the hub in virtual time: packets in, packets out.

mod aliases;
mod connecting;
mod fixture;
mod operating;
mod publishing;
mod queues;
mod rights;
mod subscribing;
mod system;
mod tree;
mod wills;
