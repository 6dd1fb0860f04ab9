//! Load scenarios for certmq and its peers, over mTLS, with mqttbytes as the codec: the other end must not share a
//! single line with the broker that it measures.
//!
//! ```text
//! certs    a CA, a server certificate and one certificate per pair, made at run time
//! wire     packets of MQTT 3.1.1 and 5.0 on a TLS stream
//! pairs    the scenario: P publishers, each with its subscriber
//! hold     the scenario: N connections, and how the broker closed some of them
//! report   what was measured
//! process  CPU time from /proc
//! peers    brokers as processes on loopback: mosquitto, certmq
//! compare  alternating runs, medians of ratios
//! ```

pub mod certs;
pub mod compare;
pub mod hold;
pub mod pairs;
pub mod peers;
pub mod process;
pub mod report;
pub mod wire;

/// What ends a run.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum LoadError {
    #[error("{0}: {1}")]
    File(std::path::PathBuf, std::io::Error),
    #[error("{peer}: cannot connect: {source}")]
    Connect { peer: String, source: std::io::Error },
    #[error("the connection ended: {0}")]
    Connection(#[from] std::io::Error),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("a certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("{client}: refused by the broker: {reason}")]
    Refused { client: String, reason: String },
    #[error("mqttbytes cannot read or write a packet: {0}")]
    Codec(String),
    #[error("{0}")]
    Broker(String),
    #[error("{0}")]
    Usage(String),
}
