//! What can be wrong with bytes from a peer, each with the reason code the peer gets.

use super::ReasonCode;

/// A peer's fault. [`DecodeError::reason`] is total: no fault without its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Bytes that no reading of the standard allows.
    #[error("malformed packet: {0}")]
    Malformed(&'static str),
    /// Well-formed, but not allowed here.
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    /// Longer than the limit that was announced.
    #[error("packet larger than {0} bytes")]
    TooLarge(u32),
    /// Level or name that certmq does not speak.
    #[error("unsupported protocol version")]
    UnsupportedVersion,
    /// A topic name that is none.
    #[error("invalid topic name")]
    TopicName,
    /// A topic filter that is none.
    #[error("invalid topic filter")]
    TopicFilter,
}

impl DecodeError {
    /// The reason code for DISCONNECT or CONNACK.
    pub fn reason(self) -> ReasonCode {
        match self {
            Self::Malformed(_) => ReasonCode::MalformedPacket,
            Self::Protocol(_) => ReasonCode::ProtocolError,
            Self::TooLarge(_) => ReasonCode::PacketTooLarge,
            Self::UnsupportedVersion => ReasonCode::UnsupportedProtocolVersion,
            Self::TopicName => ReasonCode::TopicNameInvalid,
            Self::TopicFilter => ReasonCode::TopicFilterInvalid,
        }
    }
}
