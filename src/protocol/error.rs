//! What can be wrong with bytes from a peer, each with the reason code the peer gets.

use super::topic::TopicError;
use super::{ConnAck, ReasonCode, Version};

/// A peer's fault. [`DecodeError::reason`] is total: no fault without its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Bytes that no reading of the standard allows.
    #[error("malformed packet: {0}")]
    Malformed(&'static str),
    /// Malformed, and closed without a word: where the framing is lost or the peer has said its last, an answer
    /// reaches nobody, and what comes in place of credentials is told nothing.
    #[error("malformed packet, not answered: {0}")]
    Unanswered(&'static str),
    /// Well-formed, but not allowed here.
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    /// Longer than the limit that was announced, in bytes.
    #[error("packet larger than {0} bytes")]
    TooLarge(u32),
    /// A protocol level that certmq does not speak under this protocol name.
    #[error("protocol level {level} is not served; certmq speaks MQTT 3.1 (3), 3.1.1 (4) and 5.0 (5)")]
    UnsupportedVersion {
        /// As the CONNECT has it.
        level: u8,
    },
    /// Not even the protocol name of MQTT `[MQTT-3.1.2-1]`.
    #[error("the protocol name is neither MQTT nor MQIsdp")]
    ProtocolName,
    /// A client identifier that the version forbids.
    #[error("client identifier not valid: {0}")]
    ClientId(&'static str),
    /// A topic name that is none.
    #[error("invalid topic name: {0}")]
    TopicName(TopicError),
    /// A topic filter that is none.
    #[error("invalid topic filter: {0}")]
    TopicFilter(TopicError),
    /// Topic alias 0 `[MQTT-3.3.2-8]`.
    #[error("topic alias 0")]
    TopicAlias,
}

impl DecodeError {
    /// The reason code for DISCONNECT or CONNACK.
    pub fn reason(self) -> ReasonCode {
        match self {
            Self::Malformed(_) | Self::Unanswered(_) => ReasonCode::MalformedPacket,
            Self::Protocol(_) => ReasonCode::ProtocolError,
            Self::TooLarge(_) => ReasonCode::PacketTooLarge,
            Self::UnsupportedVersion { .. } | Self::ProtocolName => ReasonCode::UnsupportedProtocolVersion,
            Self::ClientId(_) => ReasonCode::ClientIdentifierNotValid,
            // 0x8F and 0x90 are for topics that are well-formed and not accepted (section 3.14.2.1).
            Self::TopicFilter(TopicError::Share) => ReasonCode::ProtocolError,
            Self::TopicName(_) | Self::TopicFilter(_) => ReasonCode::MalformedPacket,
            Self::TopicAlias => ReasonCode::TopicAliasInvalid,
        }
    }

    /// Whether the peer is told before the connection closes.
    pub fn is_answered(self) -> bool {
        !matches!(self, Self::Unanswered(_))
    }
}

/// A fault in the first packet of a connection, with what is needed to answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct ConnectError {
    /// What is wrong.
    pub fault: DecodeError,
    /// The version to answer in: the client's own or, where its level is unknown, the nearest that it may read.
    /// `None` where the bytes do not tell; then nothing can be answered.
    pub version: Option<Version>,
}

impl ConnectError {
    /// The reason code of the fault.
    pub fn reason(self) -> ReasonCode {
        self.fault.reason()
    }

    /// The CONNACK to send before closing, and the version to write it in. MQTT 5.0 has a code for every fault
    /// that is answered; 3.x has one for the protocol level and one for the client identifier, else it is closed without a word
    /// (3.1.1 section 4.8).
    pub fn answer(self) -> Option<(Version, ConnAck<'static>)> {
        let version = self.version?;
        let answerable = match (version, self.fault) {
            (Version::V5, fault) => fault.is_answered(),
            (_, DecodeError::UnsupportedVersion { .. } | DecodeError::ClientId(_)) => true,
            (Version::V3_1 | Version::V3_1_1, _) => false,
        };
        answerable.then(|| (version, ConnAck::refusal(self.reason())))
    }
}

/// Leaves out in which version the fault would be answered.
impl From<ConnectError> for DecodeError {
    fn from(error: ConnectError) -> Self {
        error.fault
    }
}

/// A packet that MQTT has no form for: a text over 65 535 bytes, a body over 268 435 455, a QoS above 0 without its
/// packet identifier; before 5.0 AUTH, a topic left out, a password without a user name. Our fault, never a peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("MQTT cannot express this packet")]
pub struct Inexpressible;
