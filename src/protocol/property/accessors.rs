//! The properties by name. Each accessor walks the section anew; sections are short, and most are empty.

use super::{Properties, Property};
use crate::protocol::QoS;

macro_rules! accessors {
    ($($(#[$doc:meta])* $name:ident: $variant:ident -> $type:ty;)*) => {
        impl<'a> Properties<'a> {
            $(
                $(#[$doc])*
                pub fn $name(self) -> Option<$type> {
                    self.iter().find_map(|property| match property {
                        Property::$variant(value) => Some(value),
                        _ => None,
                    })
                }
            )*
        }
    };
}

accessors! {
    /// 1: the payload is UTF-8; 0 and absent: it is unspecified bytes (section 3.3.2.3.2).
    payload_format_indicator: PayloadFormatIndicator -> u8;
    /// Lifetime of the message, seconds; absent: it does not expire (section 3.3.2.3.3).
    message_expiry_interval: MessageExpiryInterval -> u32;
    /// Section 3.3.2.3.9.
    content_type: ContentType -> &'a str;
    /// A topic name for the answer (section 3.3.2.3.5).
    response_topic: ResponseTopic -> &'a str;
    /// Section 3.3.2.3.6.
    correlation_data: CorrelationData -> &'a [u8];
    /// Seconds; absent is 0, `u32::MAX` never expires (section 3.1.2.11.2).
    session_expiry_interval: SessionExpiryInterval -> u32;
    /// Section 3.2.2.3.7.
    assigned_client_identifier: AssignedClientIdentifier -> &'a str;
    /// Seconds, instead of what the client asked for (section 3.2.2.3.14).
    server_keep_alive: ServerKeepAlive -> u16;
    /// Section 3.1.2.11.9.
    authentication_method: AuthenticationMethod -> &'a str;
    /// Section 3.1.2.11.10.
    authentication_data: AuthenticationData -> &'a [u8];
    /// Whether reason strings and user properties may go to the client in packets that are neither PUBLISH, CONNACK
    /// nor DISCONNECT; absent: they may (section 3.1.2.11.7).
    request_problem_information: RequestProblemInformation -> bool;
    /// Seconds; absent is 0 (section 3.1.3.2.2).
    will_delay_interval: WillDelayInterval -> u32;
    /// Absent: no (section 3.1.2.11.6).
    request_response_information: RequestResponseInformation -> bool;
    /// Section 3.2.2.3.15.
    response_information: ResponseInformation -> &'a str;
    /// Section 4.11.
    server_reference: ServerReference -> &'a str;
    /// For people and logs; escape before printing (section 3.2.2.3.9).
    reason_string: ReasonString -> &'a str;
    /// Unacknowledged QoS 1 and 2 publications that the sender accepts; absent: 65 535 (section 3.1.2.11.3).
    receive_maximum: ReceiveMaximum -> u16;
    /// The highest alias that the sender accepts; absent: 0, none (section 3.1.2.11.5).
    topic_alias_maximum: TopicAliasMaximum -> u16;
    /// Section 3.3.2.3.4.
    topic_alias: TopicAlias -> u16;
    /// Absent: QoS 2 (section 3.2.2.3.4).
    maximum_qos: MaximumQoS -> QoS;
    /// Absent: yes (section 3.2.2.3.5).
    retain_available: RetainAvailable -> bool;
    /// Bytes of the largest packet that the sender accepts; absent: no limit (section 3.1.2.11.4).
    maximum_packet_size: MaximumPacketSize -> u32;
    /// Absent: yes (section 3.2.2.3.11).
    wildcard_subscription_available: WildcardSubscriptionAvailable -> bool;
    /// Absent: yes (section 3.2.2.3.12).
    subscription_identifier_available: SubscriptionIdentifierAvailable -> bool;
    /// Absent: yes (section 3.2.2.3.13).
    shared_subscription_available: SharedSubscriptionAvailable -> bool;
}

impl<'a> Properties<'a> {
    /// One in SUBSCRIBE; in PUBLISH one for each subscription that matched (section 3.3.2.3.8).
    pub fn subscription_identifiers(self) -> impl Iterator<Item = u32> + Clone + use<'a> {
        self.iter().filter_map(|property| match property {
            Property::SubscriptionIdentifier(id) => Some(id),
            _ => None,
        })
    }

    /// Name and value of each user property, in order; a name may occur again (section 3.1.2.11.8).
    pub fn user_properties(self) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
        self.iter().filter_map(|property| match property {
            Property::UserProperty(name, value) => Some((name, value)),
            _ => None,
        })
    }
}
