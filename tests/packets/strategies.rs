//! Valid packets of every type in every version.

use certmq::protocol::{
    Ack, Auth, Carrier, ConnAck, Connect, Disconnect, Packet, PacketId, PacketType, Properties, Publish, QoS,
    ReasonCode, RetainHandling, Sender, SubAck, Subscribe, SubscribeRequest, SubscriptionOptions, TopicFilter,
    TopicName, UnsubAck, Unsubscribe, Version, Will,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::Sent;
use super::properties::section;

/// Any packet on any connection.
pub(crate) fn sent() -> impl Strategy<Value = Sent> {
    (prop::sample::select(Version::ALL.to_vec()), prop_oneof![Just(Sender::Client), Just(Sender::Server)])
        .prop_flat_map(|(version, from)| packet(version, from).prop_map(move |packet| Sent { version, from, packet }))
}

/// Any packet that `from` may send.
pub(crate) fn packet(version: Version, from: Sender) -> BoxedStrategy<Packet<'static>> {
    let both = prop_oneof![
        3 => publish(version, from).prop_map(Packet::Publish),
        1 => ack(version, from, PacketType::PubAck).prop_map(Packet::PubAck),
        1 => ack(version, from, PacketType::PubRec).prop_map(Packet::PubRec),
        1 => ack(version, from, PacketType::PubRel).prop_map(Packet::PubRel),
        1 => ack(version, from, PacketType::PubComp).prop_map(Packet::PubComp),
    ];
    let own = match from {
        Sender::Client => prop_oneof![
            3 => connect(version).prop_map(Packet::Connect),
            2 => subscribe(version).prop_map(Packet::Subscribe),
            2 => unsubscribe(version).prop_map(Packet::Unsubscribe),
            1 => Just(Packet::PingReq),
        ]
        .boxed(),
        Sender::Server => prop_oneof![
            3 => connack(version).prop_map(Packet::ConnAck),
            2 => suback(version).prop_map(Packet::SubAck),
            2 => unsuback(version).prop_map(Packet::UnsubAck),
            1 => Just(Packet::PingResp),
        ]
        .boxed(),
    };
    match (version, from) {
        (Version::V5, _) => prop_oneof![
            5 => both,
            5 => own,
            1 => disconnect(from).prop_map(Packet::Disconnect),
            1 => auth(from).prop_map(Packet::Auth),
        ]
        .boxed(),
        (_, Sender::Client) => {
            let goodbye = Just(Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
            prop_oneof![5 => both, 5 => own, 1 => goodbye].boxed()
        }
        (_, Sender::Server) => prop_oneof![both, own].boxed(),
    }
}

pub(crate) fn connect(version: Version) -> impl Strategy<Value = Connect<'static>> {
    let client_id = name().prop_map(move |id| if id.is_empty() && version == Version::V3_1 { "id" } else { id });
    let of_connection = (any::<bool>(), any::<u16>(), client_id, option::of(will(version)));
    (of_connection, option::of(name()), option::of(binary()), properties(version, PacketType::Connect, Sender::Client))
        .prop_map(move |((clean_start, keep_alive, client_id, will), username, password, properties)| Connect {
            version,
            clean_start,
            keep_alive,
            client_id,
            will,
            username,
            password: password.filter(|_| username.is_some() || version == Version::V5),
            properties,
        })
}

fn will(version: Version) -> impl Strategy<Value = Will<'static>> {
    let properties = match version {
        Version::V5 => section(Carrier::Will, Sender::Client),
        Version::V3_1 | Version::V3_1_1 => Just(Properties::default()).boxed(),
    };
    (topic_name(), binary(), qos(), any::<bool>(), properties)
        .prop_map(|(topic, payload, qos, retain, properties)| Will { topic, payload, qos, retain, properties })
}

fn connack(version: Version) -> impl Strategy<Value = ConnAck<'static>> {
    let reason = match version {
        Version::V5 => reason(PacketType::ConnAck, Sender::Server),
        Version::V3_1 | Version::V3_1_1 => {
            (0..=5_u8).prop_map(|code| ReasonCode::from_connack_return_code(code).unwrap()).boxed()
        }
    };
    (any::<bool>(), reason, properties(version, PacketType::ConnAck, Sender::Server)).prop_map(
        move |(session_present, reason, properties)| ConnAck {
            session_present: session_present && !reason.is_error() && version > Version::V3_1,
            reason,
            properties,
        },
    )
}

pub(crate) fn publish(version: Version, from: Sender) -> impl Strategy<Value = Publish<'static>> {
    let flags = (any::<bool>(), qos(), any::<bool>());
    let properties = properties(version, PacketType::Publish, from);
    (flags, any::<bool>(), topic_name(), packet_id(), properties, payload()).prop_map(
        |((dup, qos, retain), spelled, topic, packet_id, properties, payload)| Publish {
            dup: dup && qos > QoS::AtMostOnce,
            qos,
            retain,
            topic: Some(topic).filter(|_| spelled || properties.topic_alias().is_none()),
            packet_id: Some(packet_id).filter(|_| qos > QoS::AtMostOnce),
            properties,
            payload,
        },
    )
}

pub(crate) fn ack(version: Version, from: Sender, packet: PacketType) -> impl Strategy<Value = Ack<'static>> {
    let reason = match version {
        Version::V5 => reason(packet, from),
        Version::V3_1 | Version::V3_1_1 => Just(ReasonCode::Success).boxed(),
    };
    (packet_id(), reason, properties(version, packet, from)).prop_map(|(packet_id, reason, properties)| Ack {
        packet_id,
        reason,
        properties,
    })
}

fn subscribe(version: Version) -> impl Strategy<Value = Subscribe<'static>> {
    let options = (qos(), any::<bool>(), any::<bool>(), 0..=2_u8);
    let request = (filter(), options).prop_map(move |(filter, (qos, no_local, retain_as_published, handling))| {
        let of_5_0 = SubscriptionOptions {
            qos,
            no_local: no_local && filter.share().is_none(),
            retain_as_published,
            retain_handling: RetainHandling::from_bits(handling).unwrap(),
        };
        SubscribeRequest {
            filter,
            options: if version == Version::V5 { of_5_0 } else { SubscriptionOptions::new(qos) },
        }
    });
    (packet_id(), properties(version, PacketType::Subscribe, Sender::Client), vec(request, 1..5))
        .prop_map(|(packet_id, properties, requests)| Subscribe { packet_id, properties, requests })
}

fn unsubscribe(version: Version) -> impl Strategy<Value = Unsubscribe<'static>> {
    (packet_id(), properties(version, PacketType::Unsubscribe, Sender::Client), vec(filter(), 1..5))
        .prop_map(|(packet_id, properties, filters)| Unsubscribe { packet_id, properties, filters })
}

fn suback(version: Version) -> impl Strategy<Value = SubAck<'static>> {
    let reason = match version {
        Version::V5 => reason(PacketType::SubAck, Sender::Server),
        Version::V3_1 | Version::V3_1_1 => prop::sample::select(vec![0, 1, 2, 0x80])
            .prop_map(|code| ReasonCode::from_suback_return_code(code).unwrap())
            .boxed(),
    };
    (packet_id(), properties(version, PacketType::SubAck, Sender::Server), vec(reason, 1..5))
        .prop_map(|(packet_id, properties, reasons)| SubAck { packet_id, properties, reasons })
}

fn unsuback(version: Version) -> impl Strategy<Value = UnsubAck<'static>> {
    let reasons = match version {
        Version::V5 => vec(reason(PacketType::UnsubAck, Sender::Server), 1..5).boxed(),
        Version::V3_1 | Version::V3_1_1 => Just(Vec::new()).boxed(),
    };
    (packet_id(), properties(version, PacketType::UnsubAck, Sender::Server), reasons)
        .prop_map(|(packet_id, properties, reasons)| UnsubAck { packet_id, properties, reasons })
}

fn disconnect(from: Sender) -> impl Strategy<Value = Disconnect<'static>> {
    (reason(PacketType::Disconnect, from), properties(Version::V5, PacketType::Disconnect, from))
        .prop_map(|(reason, properties)| Disconnect { reason, properties })
}

fn auth(from: Sender) -> impl Strategy<Value = Auth<'static>> {
    (reason(PacketType::Auth, from), properties(Version::V5, PacketType::Auth, from))
        .prop_map(|(reason, properties)| Auth { reason, properties })
}

/// A section half of the time; none before 5.0. AUTH always names its method.
fn properties(version: Version, packet: PacketType, from: Sender) -> BoxedStrategy<Properties<'static>> {
    let none = Just(Properties::default());
    match (version, packet) {
        (Version::V3_1 | Version::V3_1_1, _) => none.boxed(),
        (Version::V5, PacketType::Auth) => section(Carrier::Packet(packet), from),
        (Version::V5, _) => prop_oneof![none, section(Carrier::Packet(packet), from)].boxed(),
    }
}

fn reason(packet: PacketType, from: Sender) -> BoxedStrategy<ReasonCode> {
    let valid = ReasonCode::ALL.iter().copied().filter(|reason| reason.is_valid_in(packet, from)).collect::<Vec<_>>();
    prop::sample::select(valid).boxed()
}

pub(crate) fn qos() -> impl Strategy<Value = QoS> {
    (0..=2_u8).prop_map(|bits| QoS::from_bits(bits).unwrap())
}

pub(crate) fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_map(|number| PacketId::try_from(number).unwrap())
}

pub(crate) fn topic_name() -> impl Strategy<Value = TopicName<'static>> {
    topic_text().prop_map(|text| TopicName::parse(text).unwrap())
}

/// A topic of up to five levels; `$`, empty and multi-byte levels are as likely as plain ones.
pub(crate) fn topic_text() -> impl Strategy<Value = &'static str> {
    let level = prop_oneof![Just(String::new()), Just("$SYS".into()), Just("a".into()), "[a-zé€😀 ]{1,8}"];
    vec(level, 1..6)
        .prop_map(|levels| levels.join("/"))
        .prop_filter("not empty", |text| !text.is_empty())
        .prop_map(leak)
}

pub(crate) fn filter() -> impl Strategy<Value = TopicFilter> {
    filter_text().prop_map(|text| TopicFilter::parse(&text).unwrap())
}

pub(crate) fn filter_text() -> impl Strategy<Value = String> {
    let level =
        prop_oneof![Just(String::new()), Just("+".into()), Just("$SYS".into()), Just("a".into()), "[a-zé]{1,3}"];
    (prop_oneof![Just(""), Just("$share/g/")], vec(level, 0..5), any::<bool>())
        .prop_map(|(share, mut levels, rest)| {
            if rest || levels.is_empty() {
                levels.push("#".into());
            }
            (share, levels.join("/"))
        })
        .prop_filter("not empty", |(_, inner)| !inner.is_empty())
        .prop_map(|(share, inner)| format!("{share}{inner}"))
}

/// A text that may name something: no control characters, no non-characters.
pub(crate) fn name() -> impl Strategy<Value = &'static str> {
    text().prop_filter("fit for a name", |text| text.chars().all(is_fit))
}

fn is_fit(character: char) -> bool {
    let code = u32::from(character);
    !character.is_control() && !(0xFDD0..=0xFDEF).contains(&code) && code & 0xFFFF < 0xFFFE
}

/// Any string without U+0000, control characters and a byte order mark included.
pub(crate) fn text() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => "[a-z]{0,12}",
        1 => "[\u{1}-\u{10FFFF}]{0,6}",
        1 => Just("\u{feff}x".to_owned()),
        1 => (100..700_usize).prop_map(|length| "long".repeat(length)),
    ]
    .prop_map(leak)
}

pub(crate) fn binary() -> impl Strategy<Value = &'static [u8]> {
    vec(any::<u8>(), 0..20).prop_map(|bytes| &*bytes.leak())
}

fn payload() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![
        5 => vec(any::<u8>(), 0..40),
        1 => vec(any::<u8>(), 100..150),
        1 => (16_300..16_500_usize).prop_map(|length| vec![0xA5; length]),
    ]
    .prop_map(|bytes| &*bytes.leak())
}

fn leak(text: String) -> &'static str {
    text.leak()
}
