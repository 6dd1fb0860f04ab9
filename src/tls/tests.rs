//! Whole handshakes in memory: real rustls on both ends, nothing between them but two buffers.

mod crl_files;
mod fixture;
mod live;
mod matrix;
mod protocol;
mod resumption;
mod revocation;
mod settings;
mod trust_blocks;
