//! The table of section 2.2.2.2, and reading sections again.

use super::*;
use crate::protocol::{PacketType, ReasonCode};

/// One of each, in the order of the identifiers.
const EACH: [Property<'static>; 27] = [
    Property::PayloadFormatIndicator(1),
    Property::MessageExpiryInterval(2),
    Property::ContentType("3"),
    Property::ResponseTopic("4"),
    Property::CorrelationData(b"5"),
    Property::SubscriptionIdentifier(6),
    Property::SessionExpiryInterval(7),
    Property::AssignedClientIdentifier("8"),
    Property::ServerKeepAlive(9),
    Property::AuthenticationMethod("10"),
    Property::AuthenticationData(b"11"),
    Property::RequestProblemInformation(true),
    Property::WillDelayInterval(12),
    Property::RequestResponseInformation(true),
    Property::ResponseInformation("13"),
    Property::ServerReference("14"),
    Property::ReasonString("15"),
    Property::ReceiveMaximum(16),
    Property::TopicAliasMaximum(17),
    Property::TopicAlias(18),
    Property::MaximumQoS(QoS::AtLeastOnce),
    Property::RetainAvailable(true),
    Property::UserProperty("19", "20"),
    Property::MaximumPacketSize(21),
    Property::WildcardSubscriptionAvailable(true),
    Property::SubscriptionIdentifierAvailable(true),
    Property::SharedSubscriptionAvailable(true),
];

/// The identifiers that a carrier accepts when each stands alone.
fn accepted(carrier: Carrier, from: Sender) -> Vec<u8> {
    let alone = |property: &Property<'static>| {
        let mut section = PropertiesBuf::new();
        // Data never stands without a method, nor AUTH.
        let needs_method =
            *property == Property::AuthenticationData(b"11") || carrier == Carrier::Packet(PacketType::Auth);
        if needs_method && *property != Property::AuthenticationMethod("10") {
            section.push(Property::AuthenticationMethod("10"));
        }
        section.push(*property);
        Properties::parse(section.raw(), carrier, from).is_ok()
    };
    EACH.iter().filter(|property| alone(property)).map(|property| property.id()).collect()
}

#[test]
fn table_of_carriers() {
    use PacketType as P;
    let of = |packet, from| accepted(Carrier::Packet(packet), from);
    let (client, server) = (Sender::Client, Sender::Server);
    assert_eq!(of(P::Connect, client), [0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27]);
    assert_eq!(accepted(Carrier::Will, client), [0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26]);
    assert_eq!(
        of(P::ConnAck, server),
        [0x11, 0x12, 0x13, 0x15, 0x16, 0x1A, 0x1C, 0x1F, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A]
    );
    assert_eq!(of(P::Publish, client), [0x01, 0x02, 0x03, 0x08, 0x09, 0x23, 0x26]);
    assert_eq!(of(P::Publish, server), [0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, 0x26]);
    for packet in [P::PubAck, P::PubRec, P::PubRel, P::PubComp, P::SubAck, P::UnsubAck] {
        assert_eq!(of(packet, server), [0x1F, 0x26], "{packet:?}");
    }
    assert_eq!(of(P::Subscribe, client), [0x0B, 0x26]);
    assert_eq!(of(P::Unsubscribe, client), [0x26]);
    // Only servers have a use for a server reference, but no rule keeps it from a client (section 3.14.2.2.5).
    assert_eq!(of(P::Disconnect, client), [0x11, 0x1C, 0x1F, 0x26]);
    assert_eq!(of(P::Disconnect, server), [0x1C, 0x1F, 0x26]);
    assert_eq!(of(P::Auth, client), [0x15, 0x16, 0x1F, 0x26]);
}

#[test]
fn there_are_27_identifiers() {
    let ids: Vec<u8> = EACH.iter().map(|property| property.id()).collect();
    assert!(ids.is_sorted());
    for id in 0..=0xFF {
        let known = Property::read(&mut Reader::new(&[id, 0, 0, 0, 0])).is_ok()
            || Property::read(&mut Reader::new(&[id, 0, 0, 0, 1])).is_ok()
            || Property::read(&mut Reader::new(&[id, 1])).is_ok()
            || Property::read(&mut Reader::new(&[id, 0, 1, b't'])).is_ok();
        assert_eq!(known, ids.contains(&id), "{id:#04x}");
    }
}

#[test]
fn only_user_properties_repeat() {
    for property in EACH {
        let twice: PropertiesBuf = [Property::AuthenticationMethod("m"), property, property]
            .into_iter()
            .skip(usize::from(property.id() != 0x16))
            .collect();
        for carrier in [Carrier::Will].into_iter().chain(PacketType::ALL.map(Carrier::Packet)) {
            for from in [Sender::Client, Sender::Server] {
                let may_repeat = match property {
                    Property::UserProperty(..) => carrier != Carrier::Packet(PacketType::Auth),
                    Property::SubscriptionIdentifier(_) => {
                        carrier == Carrier::Packet(PacketType::Publish) && from == Sender::Server
                    }
                    _ => false,
                };
                let outcome = Properties::parse(twice.raw(), carrier, from);
                assert_eq!(outcome.is_ok(), may_repeat, "{property:?} in {carrier:?}: {outcome:?}");
            }
        }
    }
}

#[test]
fn sections_read_as_they_were_written() {
    let section: PropertiesBuf = EACH.into_iter().collect();
    let properties = section.as_properties();
    assert_eq!(properties.iter().collect::<Vec<_>>(), EACH);
    assert_eq!(properties.to_buf(), section);
    assert_eq!(properties.payload_format_indicator(), Some(1));
    assert_eq!(properties.message_expiry_interval(), Some(2));
    assert_eq!(properties.content_type(), Some("3"));
    assert_eq!(properties.response_topic(), Some("4"));
    assert_eq!(properties.correlation_data(), Some(&b"5"[..]));
    assert_eq!(properties.subscription_identifiers().collect::<Vec<_>>(), [6]);
    assert_eq!(properties.session_expiry_interval(), Some(7));
    assert_eq!(properties.assigned_client_identifier(), Some("8"));
    assert_eq!(properties.server_keep_alive(), Some(9));
    assert_eq!(properties.authentication_method(), Some("10"));
    assert_eq!(properties.authentication_data(), Some(&b"11"[..]));
    assert_eq!(properties.request_problem_information(), Some(true));
    assert_eq!(properties.will_delay_interval(), Some(12));
    assert_eq!(properties.request_response_information(), Some(true));
    assert_eq!(properties.response_information(), Some("13"));
    assert_eq!(properties.server_reference(), Some("14"));
    assert_eq!(properties.reason_string(), Some("15"));
    assert_eq!(properties.receive_maximum(), Some(16));
    assert_eq!(properties.topic_alias_maximum(), Some(17));
    assert_eq!(properties.topic_alias(), Some(18));
    assert_eq!(properties.maximum_qos(), Some(QoS::AtLeastOnce));
    assert_eq!(properties.retain_available(), Some(true));
    assert_eq!(properties.user_properties().collect::<Vec<_>>(), [("19", "20")]);
    assert_eq!(properties.maximum_packet_size(), Some(21));
    assert_eq!(properties.wildcard_subscription_available(), Some(true));
    assert_eq!(properties.subscription_identifier_available(), Some(true));
    assert_eq!(properties.shared_subscription_available(), Some(true));
    assert_eq!(Properties::default().topic_alias(), None);
}

#[test]
fn what_belongs_to_the_message_is_forwarded_in_order() {
    let given: PropertiesBuf = [
        Property::UserProperty("z", "1"),
        Property::TopicAlias(5),
        Property::ContentType("t"),
        Property::MessageExpiryInterval(5),
        Property::UserProperty("a", ""),
        Property::SubscriptionIdentifier(300),
        Property::CorrelationData(&[0]),
        Property::WillDelayInterval(1),
        Property::ResponseTopic("r"),
        Property::PayloadFormatIndicator(0),
        Property::UserProperty("z", "1"),
    ]
    .into_iter()
    .collect();
    let forwarded = PropertiesBuf::forwarded(given.as_properties());
    assert_eq!(
        forwarded.as_properties().iter().collect::<Vec<_>>(),
        [
            Property::UserProperty("z", "1"),
            Property::ContentType("t"),
            Property::UserProperty("a", ""),
            Property::CorrelationData(&[0]),
            Property::ResponseTopic("r"),
            Property::PayloadFormatIndicator(0),
            Property::UserProperty("z", "1"),
        ]
    );
    assert!(PropertiesBuf::forwarded(Properties::default()).is_empty());
}

#[test]
fn data_needs_its_method() {
    let data: PropertiesBuf = [Property::AuthenticationData(b"x")].into_iter().collect();
    for packet in [PacketType::Connect, PacketType::ConnAck, PacketType::Auth] {
        let error = Properties::parse(data.raw(), Carrier::Packet(packet), Sender::Server).unwrap_err();
        assert_eq!(error.reason(), ReasonCode::ProtocolError, "{packet:?}");
    }
}

#[test]
fn values_that_no_property_has() {
    for (raw, reason) in [
        (&[0x21, 0, 0][..], ReasonCode::ProtocolError),
        (&[0x27, 0, 0, 0, 0], ReasonCode::ProtocolError),
        (&[0x17, 2], ReasonCode::ProtocolError),
        (&[0x19, 0xFF], ReasonCode::ProtocolError),
        (&[0x11, 0, 0, 0], ReasonCode::MalformedPacket),
        (&[0x00], ReasonCode::MalformedPacket),
        (&[0x26, 0, 0], ReasonCode::MalformedPacket),
    ] {
        let error = Properties::parse(raw, Carrier::Packet(PacketType::Connect), Sender::Client).unwrap_err();
        assert_eq!(error.reason(), reason, "{raw:02X?}: {error}");
    }
}
