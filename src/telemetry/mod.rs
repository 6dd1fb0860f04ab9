//! Every metric name, log set-up, escaping of what comes from the network, audit trail, denials. Any room but the pure ones may name it.

pub mod audit;
pub mod denials;
pub mod log;
pub mod metrics;
pub mod sampled;
pub mod sys;
