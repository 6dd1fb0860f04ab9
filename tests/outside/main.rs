//! certmq seen from outside: the program as a process, its commands, real clients, the network. One file per theme;
//! each test is named after a sentence that must hold for whoever runs it.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod audit;
mod before_connect;
mod clients;
mod delivery;
mod descriptors;
mod ending;
mod expiring;
mod full_disk;
mod handshake;
mod identity;
mod isolation;
mod limits;
mod many_devices;
mod odd_certificates;
mod pinning;
mod plan;
mod policy_changes;
mod quarantine;
mod quickstart;
mod reload;
mod resumption;
mod revoking;
mod rumqttc_client;
mod sessions;
mod shared;
mod shutdown;
mod slow_readers;
mod storm;
mod sys;
mod trust;
mod websocket;
