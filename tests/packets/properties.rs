//! Property sections, from a table of their own.

use certmq::protocol::{Carrier, PacketType, Properties, PropertiesBuf, Property, QoS, Sender};
use proptest::collection::vec;
use proptest::prelude::*;

use super::strategies::{binary, text, topic_text};

/// A section that `carrier` may have when `from` sends it, in any order.
pub(crate) fn section(carrier: Carrier, from: Sender) -> BoxedStrategy<Properties<'static>> {
    let single: Vec<_> = single(carrier, from).into_iter().map(prop::option::of).collect();
    let user = vec((text(), text()).prop_map(|(name, value)| Property::UserProperty(name, value)), 0..3);
    let identifiers = match (carrier, from) {
        (Carrier::Packet(PacketType::Publish), Sender::Server) => 0..4_usize,
        (Carrier::Packet(PacketType::Subscribe), _) => 0..2,
        _ => 0..1,
    };
    let identifiers = vec((1..=268_435_455_u32).prop_map(Property::SubscriptionIdentifier), identifiers);
    (single, user, identifiers)
        .prop_map(move |(single, user, identifiers)| {
            let mut all: Vec<_> = single.into_iter().flatten().chain(user).chain(identifiers).collect();
            repair_authentication(&mut all, carrier);
            all
        })
        .prop_shuffle()
        .prop_map(|list| &*Box::leak(Box::new(list.into_iter().collect::<PropertiesBuf>())))
        .prop_map(PropertiesBuf::as_properties)
        .boxed()
}

/// Data stands only beside a method, and AUTH never without one.
fn repair_authentication(list: &mut Vec<Property<'static>>, carrier: Carrier) {
    let method = list.iter().any(|property| matches!(property, Property::AuthenticationMethod(_)));
    let needed = carrier == Carrier::Packet(PacketType::Auth)
        || list.iter().any(|property| matches!(property, Property::AuthenticationData(_)));
    if needed && !method {
        list.push(Property::AuthenticationMethod("SCRAM"));
    }
}

/// What may occur once.
fn single(carrier: Carrier, from: Sender) -> Vec<BoxedStrategy<Property<'static>>> {
    let mut list: Vec<BoxedStrategy<Property<'static>>> = Vec::new();
    let Carrier::Packet(packet) = carrier else {
        list.push(any::<u32>().prop_map(Property::WillDelayInterval).boxed());
        list.extend(of_a_message());
        return list;
    };
    match packet {
        PacketType::Publish => {
            list.push((1..=u16::MAX).prop_map(Property::TopicAlias).boxed());
            list.extend(of_a_message());
        }
        PacketType::Connect => {
            list.push(any::<u32>().prop_map(Property::SessionExpiryInterval).boxed());
            list.push(any::<bool>().prop_map(Property::RequestProblemInformation).boxed());
            list.push(any::<bool>().prop_map(Property::RequestResponseInformation).boxed());
            list.extend(of_a_connection());
        }
        PacketType::ConnAck => {
            list.push(any::<u32>().prop_map(Property::SessionExpiryInterval).boxed());
            list.push(text().prop_map(Property::AssignedClientIdentifier).boxed());
            list.push(any::<u16>().prop_map(Property::ServerKeepAlive).boxed());
            list.push(text().prop_map(Property::ResponseInformation).boxed());
            list.push(text().prop_map(Property::ServerReference).boxed());
            list.push(text().prop_map(Property::ReasonString).boxed());
            list.push(
                prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce)].prop_map(Property::MaximumQoS).boxed(),
            );
            list.push(any::<bool>().prop_map(Property::RetainAvailable).boxed());
            list.push(any::<bool>().prop_map(Property::WildcardSubscriptionAvailable).boxed());
            list.push(any::<bool>().prop_map(Property::SubscriptionIdentifierAvailable).boxed());
            list.push(any::<bool>().prop_map(Property::SharedSubscriptionAvailable).boxed());
            list.extend(of_a_connection());
        }
        PacketType::Disconnect => {
            list.push(text().prop_map(Property::ReasonString).boxed());
            list.push(match from {
                Sender::Client => any::<u32>().prop_map(Property::SessionExpiryInterval).boxed(),
                Sender::Server => text().prop_map(Property::ServerReference).boxed(),
            });
        }
        PacketType::Auth => {
            list.push(text().prop_map(Property::AuthenticationMethod).boxed());
            list.push(binary().prop_map(Property::AuthenticationData).boxed());
            list.push(text().prop_map(Property::ReasonString).boxed());
        }
        PacketType::Subscribe | PacketType::Unsubscribe => {}
        _ => list.push(text().prop_map(Property::ReasonString).boxed()),
    }
    list
}

fn of_a_message() -> Vec<BoxedStrategy<Property<'static>>> {
    vec![
        (0..=1_u8).prop_map(Property::PayloadFormatIndicator).boxed(),
        any::<u32>().prop_map(Property::MessageExpiryInterval).boxed(),
        text().prop_map(Property::ContentType).boxed(),
        topic_text().prop_map(Property::ResponseTopic).boxed(),
        binary().prop_map(Property::CorrelationData).boxed(),
    ]
}

fn of_a_connection() -> Vec<BoxedStrategy<Property<'static>>> {
    vec![
        (1..=u16::MAX).prop_map(Property::ReceiveMaximum).boxed(),
        any::<u16>().prop_map(Property::TopicAliasMaximum).boxed(),
        (1..=u32::MAX).prop_map(Property::MaximumPacketSize).boxed(),
        text().prop_map(Property::AuthenticationMethod).boxed(),
        binary().prop_map(Property::AuthenticationData).boxed(),
    ]
}
