//! Reason codes (MQTT 5.0 section 2.4) and what they become on a 3.x wire.

#[cfg(test)]
mod tests;

use std::fmt;

use super::{PacketType, Sender};

/// Writes the enum, its conversion from a byte and its names from one table.
macro_rules! reason_codes {
    ($($variant:ident = $byte:literal, $name:literal;)*) => {
        /// Every reason code of MQTT 5.0. The names are the standard's; 0x00, 0x01 and 0x02 carry several of them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum ReasonCode {
            $(#[doc = concat!($name, ".")] $variant = $byte,)*
        }

        impl ReasonCode {
            /// Every reason code, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The standard's words for it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl TryFrom<u8> for ReasonCode {
            type Error = UnknownReasonCode;

            fn try_from(byte: u8) -> Result<Self, UnknownReasonCode> {
                match byte {
                    $($byte => Ok(Self::$variant),)*
                    unknown => Err(UnknownReasonCode(unknown)),
                }
            }
        }
    };
}

reason_codes! {
    Success = 0x00, "Success";
    GrantedQoS1 = 0x01, "Granted QoS 1";
    GrantedQoS2 = 0x02, "Granted QoS 2";
    DisconnectWithWill = 0x04, "Disconnect with Will Message";
    NoMatchingSubscribers = 0x10, "No matching subscribers";
    NoSubscriptionExisted = 0x11, "No subscription existed";
    ContinueAuthentication = 0x18, "Continue authentication";
    ReAuthenticate = 0x19, "Re-authenticate";
    UnspecifiedError = 0x80, "Unspecified error";
    MalformedPacket = 0x81, "Malformed Packet";
    ProtocolError = 0x82, "Protocol Error";
    ImplementationSpecificError = 0x83, "Implementation specific error";
    UnsupportedProtocolVersion = 0x84, "Unsupported Protocol Version";
    ClientIdentifierNotValid = 0x85, "Client Identifier not valid";
    BadUserNameOrPassword = 0x86, "Bad User Name or Password";
    NotAuthorized = 0x87, "Not authorized";
    ServerUnavailable = 0x88, "Server unavailable";
    ServerBusy = 0x89, "Server busy";
    Banned = 0x8A, "Banned";
    ServerShuttingDown = 0x8B, "Server shutting down";
    BadAuthenticationMethod = 0x8C, "Bad authentication method";
    KeepAliveTimeout = 0x8D, "Keep Alive timeout";
    SessionTakenOver = 0x8E, "Session taken over";
    TopicFilterInvalid = 0x8F, "Topic Filter invalid";
    TopicNameInvalid = 0x90, "Topic Name invalid";
    PacketIdentifierInUse = 0x91, "Packet Identifier in use";
    PacketIdentifierNotFound = 0x92, "Packet Identifier not found";
    ReceiveMaximumExceeded = 0x93, "Receive Maximum exceeded";
    TopicAliasInvalid = 0x94, "Topic Alias invalid";
    PacketTooLarge = 0x95, "Packet too large";
    MessageRateTooHigh = 0x96, "Message rate too high";
    QuotaExceeded = 0x97, "Quota exceeded";
    AdministrativeAction = 0x98, "Administrative action";
    PayloadFormatInvalid = 0x99, "Payload format invalid";
    RetainNotSupported = 0x9A, "Retain not supported";
    QoSNotSupported = 0x9B, "QoS not supported";
    UseAnotherServer = 0x9C, "Use another server";
    ServerMoved = 0x9D, "Server moved";
    SharedSubscriptionsNotSupported = 0x9E, "Shared Subscriptions not supported";
    ConnectionRateExceeded = 0x9F, "Connection rate exceeded";
    MaximumConnectTime = 0xA0, "Maximum connect time";
    SubscriptionIdentifiersNotSupported = 0xA1, "Subscription Identifiers not supported";
    WildcardSubscriptionsNotSupported = 0xA2, "Wildcard Subscriptions not supported";
}

/// A byte that is no reason code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("0x{0:02X} is no reason code of MQTT 5.0")]
pub struct UnknownReasonCode(pub u8);

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02X})", self.name(), *self as u8)
    }
}

impl ReasonCode {
    /// Whether it says that something failed: 0x80 and above (section 2.4).
    pub fn is_error(self) -> bool {
        self as u8 >= 0x80
    }

    /// Whether `from` may send it in a packet of this type (the reason code tables of section 3).
    pub fn is_valid_in(self, packet: PacketType, from: Sender) -> bool {
        use ReasonCode as R;
        let from_server = from == Sender::Server;
        match packet {
            PacketType::ConnAck => {
                (0x80..=0x8A).contains(&(self as u8))
                    || matches!(
                        self,
                        R::Success
                            | R::BadAuthenticationMethod
                            | R::TopicNameInvalid
                            | R::PacketTooLarge
                            | R::QuotaExceeded
                            | R::PayloadFormatInvalid
                            | R::RetainNotSupported
                            | R::QoSNotSupported
                            | R::UseAnotherServer
                            | R::ServerMoved
                            | R::ConnectionRateExceeded
                    )
            }
            // "Sent only by the Server", says the table of 0x10; [MQTT-3.4.2-1] allows every code of it, and clients that
            // answer a message with what they once got are in the field.
            PacketType::PubAck | PacketType::PubRec => matches!(
                self,
                R::Success
                    | R::NoMatchingSubscribers
                    | R::UnspecifiedError
                    | R::ImplementationSpecificError
                    | R::NotAuthorized
                    | R::TopicNameInvalid
                    | R::PacketIdentifierInUse
                    | R::QuotaExceeded
                    | R::PayloadFormatInvalid
            ),
            PacketType::PubRel | PacketType::PubComp => matches!(self, R::Success | R::PacketIdentifierNotFound),
            PacketType::SubAck => matches!(
                self,
                R::Success
                    | R::GrantedQoS1
                    | R::GrantedQoS2
                    | R::UnspecifiedError
                    | R::ImplementationSpecificError
                    | R::NotAuthorized
                    | R::TopicFilterInvalid
                    | R::PacketIdentifierInUse
                    | R::QuotaExceeded
                    | R::SharedSubscriptionsNotSupported
                    | R::SubscriptionIdentifiersNotSupported
                    | R::WildcardSubscriptionsNotSupported
            ),
            PacketType::UnsubAck => matches!(
                self,
                R::Success
                    | R::NoSubscriptionExisted
                    | R::UnspecifiedError
                    | R::ImplementationSpecificError
                    | R::NotAuthorized
                    | R::TopicFilterInvalid
                    | R::PacketIdentifierInUse
            ),
            PacketType::Disconnect => self.is_valid_in_disconnect(from_server),
            PacketType::Auth => match self {
                R::Success => from_server,
                R::ContinueAuthentication => true,
                R::ReAuthenticate => !from_server,
                _ => false,
            },
            PacketType::Connect | PacketType::Publish | PacketType::Subscribe | PacketType::Unsubscribe => false,
            PacketType::PingReq | PacketType::PingResp => false,
        }
    }

    /// Section 3.14.2.1, with its column "sent by"; 0x8C stands only in the table of section 2.4.
    fn is_valid_in_disconnect(self, from_server: bool) -> bool {
        use ReasonCode as R;
        match self {
            R::Success | R::DisconnectWithWill => !from_server,
            R::UnspecifiedError | R::MalformedPacket | R::ProtocolError | R::ImplementationSpecificError => true,
            R::TopicNameInvalid | R::ReceiveMaximumExceeded | R::TopicAliasInvalid | R::PacketTooLarge => true,
            R::MessageRateTooHigh | R::QuotaExceeded | R::AdministrativeAction | R::PayloadFormatInvalid => true,
            R::NotAuthorized | R::ServerBusy | R::ServerShuttingDown | R::BadAuthenticationMethod => from_server,
            R::KeepAliveTimeout | R::SessionTakenOver | R::TopicFilterInvalid | R::RetainNotSupported => from_server,
            R::QoSNotSupported | R::UseAnotherServer | R::ServerMoved | R::ConnectionRateExceeded => from_server,
            R::SharedSubscriptionsNotSupported | R::SubscriptionIdentifiersNotSupported => from_server,
            R::WildcardSubscriptionsNotSupported | R::MaximumConnectTime => from_server,
            _ => false,
        }
    }

    /// The CONNACK return code of MQTT 3.x (3.1.1 section 3.2.2.3). What may pass by itself becomes 3 (server
    /// unavailable), so that devices try again; what will not becomes 5 (not authorized).
    pub fn connack_return_code(self) -> u8 {
        use ReasonCode as R;
        match self {
            success if !success.is_error() => 0,
            R::UnsupportedProtocolVersion => 1,
            R::ClientIdentifierNotValid => 2,
            R::UnspecifiedError | R::ImplementationSpecificError | R::ServerUnavailable | R::ServerBusy => 3,
            R::ServerShuttingDown | R::KeepAliveTimeout | R::SessionTakenOver | R::ReceiveMaximumExceeded => 3,
            R::MessageRateTooHigh | R::QuotaExceeded | R::AdministrativeAction | R::ConnectionRateExceeded => 3,
            R::UseAnotherServer | R::ServerMoved | R::MaximumConnectTime => 3,
            R::BadUserNameOrPassword | R::BadAuthenticationMethod => 4,
            _ => 5,
        }
    }

    /// The reason that a CONNACK return code of MQTT 3.x stands for; 6 to 255 are reserved.
    pub fn from_connack_return_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Success,
            1 => Self::UnsupportedProtocolVersion,
            2 => Self::ClientIdentifierNotValid,
            3 => Self::ServerUnavailable,
            4 => Self::BadUserNameOrPassword,
            5 => Self::NotAuthorized,
            _ => return None,
        })
    }

    /// The SUBACK return code of MQTT 3.x (3.1.1 section 3.9.3): the granted QoS, or 0x80 for every refusal.
    pub fn suback_return_code(self) -> u8 {
        match self {
            Self::GrantedQoS1 => 0x01,
            Self::GrantedQoS2 => 0x02,
            refusal if refusal.is_error() => 0x80,
            _ => 0x00,
        }
    }

    /// The reason that a SUBACK return code of MQTT 3.x stands for `[MQTT-3.9.3-2]`.
    pub fn from_suback_return_code(code: u8) -> Option<Self> {
        Some(match code {
            0x00 => Self::Success,
            0x01 => Self::GrantedQoS1,
            0x02 => Self::GrantedQoS2,
            0x80 => Self::UnspecifiedError,
            _ => return None,
        })
    }
}
