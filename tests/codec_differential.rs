//! A second, independent codec on the other end: mqttbytes, for what it does right. That is every valid packet of
//! 3.1.1, and PUBLISH and its acknowledgements of 5.0 without subscription identifiers, whose length it miscounts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test may fail and talk")]

mod packets;

use bytes::{Bytes, BytesMut};
use certmq::protocol::{
    Ack, Connect, Decoded, MAX_PACKET_BYTES, Packet, PacketType, Properties, Publish, QoS, ReasonCode, Sender, Version,
    decode, decode_connect,
};
use mqttbytes::{v4, v5};
use packets::{Sent, strategies};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_packet_of_3_1_1(from in prop_oneof![Just(Sender::Client), Just(Sender::Server)].prop_flat_map(of_3_1_1)) {
        let expected = old::packet(&from.packet);
        let mut ours = BytesMut::from(&*from.bytes());
        prop_assert_eq!(v4::read(&mut ours, MAX_PACKET_BYTES as usize), Ok(expected.clone()));
        prop_assert!(ours.is_empty());

        let theirs = old::write(&expected);
        prop_assert_eq!(read(&theirs, &from), from.packet);
    }

    #[test]
    fn publish_of_5_0(publish in strategies::publish(Version::V5, Sender::Client)) {
        let sent = Sent { version: Version::V5, from: Sender::Client, packet: Packet::Publish(publish.clone()) };
        let expected = new::publish(&publish);
        let mut ours = BytesMut::from(&*sent.bytes());
        prop_assert_eq!(v5::read(&mut ours, MAX_PACKET_BYTES as usize), Ok(v5::Packet::Publish(expected.clone())));

        // It writes the properties in an order of its own.
        let mut theirs = BytesMut::new();
        expected.write(&mut theirs).unwrap();
        match read(&theirs, &sent) {
            Packet::Publish(again) => prop_assert_eq!(new::publish(&again), expected),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn acknowledgements_of_5_0(
        (packet_type, from, ack) in (
            prop::sample::select(vec![PacketType::PubAck, PacketType::PubRec, PacketType::PubRel, PacketType::PubComp]),
            prop_oneof![Just(Sender::Client), Just(Sender::Server)],
        )
            .prop_flat_map(|(packet, from)| {
                strategies::ack(Version::V5, from, packet).prop_map(move |ack| (packet, from, ack))
            }),
    ) {
        let packet = match packet_type {
            PacketType::PubAck => Packet::PubAck(ack),
            PacketType::PubRec => Packet::PubRec(ack),
            PacketType::PubRel => Packet::PubRel(ack),
            _ => Packet::PubComp(ack),
        };
        let sent = Sent { version: Version::V5, from, packet };
        let mut ours = BytesMut::from(&*sent.bytes());
        let understood = v5::read(&mut ours, MAX_PACKET_BYTES as usize).unwrap();
        prop_assert_eq!(new::told(&understood), new::meant(&sent.packet));

        let theirs = new::write(&understood);
        prop_assert_eq!(new::meant(&read(&theirs, &sent)), new::meant(&sent.packet));
    }
}

/// Valid packets of 3.1.1 that mqttbytes has values for: it knows no password that is not text, and takes an empty user
/// name or password for none.
fn of_3_1_1(from: Sender) -> impl Strategy<Value = Sent> {
    let expressible = |packet: &Packet<'_>| match packet {
        Packet::Connect(Connect { username, password, .. }) => {
            username.is_none_or(|name| !name.is_empty())
                && password.is_none_or(|word| !word.is_empty() && std::str::from_utf8(word).is_ok())
        }
        _ => true,
    };
    strategies::packet(Version::V3_1_1, from)
        .prop_filter("mqttbytes has a value for it", expressible)
        .prop_map(move |packet| Sent { version: Version::V3_1_1, from, packet })
}

/// Reads what the other codec wrote.
fn read<'a>(wire: &'a [u8], sent: &Sent) -> Packet<'a> {
    let decoded = match sent.packet {
        Packet::Connect(_) => decode_connect(wire, MAX_PACKET_BYTES).unwrap(),
        _ => decode(wire, sent.version, sent.from, MAX_PACKET_BYTES).unwrap(),
    };
    match decoded {
        Decoded::Packet { packet, length } if length == wire.len() => packet,
        other => panic!("{other:?} of {wire:02X?}"),
    }
}

fn qos(qos: QoS) -> mqttbytes::QoS {
    mqttbytes::qos(qos as u8).unwrap()
}

/// Packets of 3.1.1 as mqttbytes has them.
mod old {
    use super::*;

    pub(crate) fn packet(packet: &Packet<'_>) -> v4::Packet {
        match packet {
            Packet::Connect(connect) => v4::Packet::Connect(self::connect(connect)),
            Packet::ConnAck(connack) => v4::Packet::ConnAck(v4::ConnAck {
                session_present: connack.session_present,
                code: return_code(connack.reason),
            }),
            Packet::Publish(publish) => v4::Packet::Publish(v4::Publish {
                dup: publish.dup,
                qos: qos(publish.qos),
                retain: publish.retain,
                topic: publish.topic.unwrap().as_str().to_owned(),
                pkid: publish.packet_id.map_or(0, u16::from),
                payload: Bytes::copy_from_slice(publish.payload),
            }),
            Packet::PubAck(ack) => v4::Packet::PubAck(v4::PubAck::new(ack.packet_id.as_u16())),
            Packet::PubRec(ack) => v4::Packet::PubRec(v4::PubRec::new(ack.packet_id.as_u16())),
            Packet::PubRel(ack) => v4::Packet::PubRel(v4::PubRel::new(ack.packet_id.as_u16())),
            Packet::PubComp(ack) => v4::Packet::PubComp(v4::PubComp::new(ack.packet_id.as_u16())),
            Packet::Subscribe(subscribe) => v4::Packet::Subscribe(v4::Subscribe {
                pkid: subscribe.packet_id.as_u16(),
                filters: subscribe
                    .requests
                    .iter()
                    .map(|request| v4::SubscribeFilter {
                        path: request.filter.as_str().to_owned(),
                        qos: qos(request.options.qos),
                    })
                    .collect(),
            }),
            Packet::SubAck(suback) => v4::Packet::SubAck(v4::SubAck {
                pkid: suback.packet_id.as_u16(),
                return_codes: suback
                    .reasons
                    .iter()
                    .map(|reason| v4::SubscribeReasonCode::try_from(reason.suback_return_code()).unwrap())
                    .collect(),
            }),
            Packet::Unsubscribe(unsubscribe) => v4::Packet::Unsubscribe(v4::Unsubscribe {
                pkid: unsubscribe.packet_id.as_u16(),
                topics: unsubscribe.filters.iter().map(|filter| filter.as_str().to_owned()).collect(),
            }),
            Packet::UnsubAck(unsuback) => v4::Packet::UnsubAck(v4::UnsubAck { pkid: unsuback.packet_id.as_u16() }),
            Packet::PingReq => v4::Packet::PingReq,
            Packet::PingResp => v4::Packet::PingResp,
            Packet::Disconnect(_) => v4::Packet::Disconnect,
            Packet::Auth(_) => panic!("3.1.1 has no AUTH"),
        }
    }

    fn connect(connect: &Connect<'_>) -> v4::Connect {
        v4::Connect {
            protocol: mqttbytes::Protocol::V4,
            keep_alive: connect.keep_alive,
            client_id: connect.client_id.to_owned(),
            clean_session: connect.clean_start,
            last_will: connect.will.as_ref().map(|will| v4::LastWill {
                topic: will.topic.as_str().to_owned(),
                message: Bytes::copy_from_slice(will.payload),
                qos: qos(will.qos),
                retain: will.retain,
            }),
            login: connect.username.map(|username| v4::Login {
                username: username.to_owned(),
                password: String::from_utf8(connect.password.unwrap_or_default().to_vec()).unwrap(),
            }),
        }
    }

    fn return_code(reason: ReasonCode) -> v4::ConnectReturnCode {
        match reason.connack_return_code() {
            0 => v4::ConnectReturnCode::Success,
            1 => v4::ConnectReturnCode::RefusedProtocolVersion,
            2 => v4::ConnectReturnCode::BadClientId,
            3 => v4::ConnectReturnCode::ServiceUnavailable,
            4 => v4::ConnectReturnCode::BadUserNamePassword,
            _ => v4::ConnectReturnCode::NotAuthorized,
        }
    }

    pub(crate) fn write(packet: &v4::Packet) -> BytesMut {
        let mut out = BytesMut::new();
        match packet {
            v4::Packet::Connect(connect) => connect.write(&mut out),
            v4::Packet::ConnAck(connack) => connack.write(&mut out),
            v4::Packet::Publish(publish) => publish.write(&mut out),
            v4::Packet::PubAck(ack) => ack.write(&mut out),
            v4::Packet::PubRec(ack) => ack.write(&mut out),
            v4::Packet::PubRel(ack) => ack.write(&mut out),
            v4::Packet::PubComp(ack) => ack.write(&mut out),
            v4::Packet::Subscribe(subscribe) => subscribe.write(&mut out),
            v4::Packet::SubAck(suback) => suback.write(&mut out),
            v4::Packet::Unsubscribe(unsubscribe) => unsubscribe.write(&mut out),
            v4::Packet::UnsubAck(unsuback) => unsuback.write(&mut out),
            v4::Packet::PingReq => v4::PingReq.write(&mut out),
            v4::Packet::PingResp => v4::PingResp.write(&mut out),
            v4::Packet::Disconnect => v4::Disconnect.write(&mut out),
        }
        .unwrap();
        out
    }
}

/// Packets of 5.0 as mqttbytes has them.
mod new {
    use super::*;

    pub(crate) fn publish(publish: &Publish<'_>) -> v5::Publish {
        v5::Publish {
            dup: publish.dup,
            qos: qos(publish.qos),
            retain: publish.retain,
            topic: publish.topic.map(|topic| topic.as_str().to_owned()).unwrap_or_default(),
            pkid: publish.packet_id.map_or(0, u16::from),
            properties: (!publish.properties.is_empty()).then(|| publish_properties(publish.properties)),
            payload: Bytes::copy_from_slice(publish.payload),
        }
    }

    fn publish_properties(properties: Properties<'_>) -> v5::PublishProperties {
        v5::PublishProperties {
            payload_format_indicator: properties.payload_format_indicator(),
            message_expiry_interval: properties.message_expiry_interval(),
            topic_alias: properties.topic_alias(),
            response_topic: properties.response_topic().map(str::to_owned),
            correlation_data: properties.correlation_data().map(Bytes::copy_from_slice),
            user_properties: user_properties(properties),
            subscription_identifiers: Vec::new(),
            content_type: properties.content_type().map(str::to_owned),
        }
    }

    fn user_properties(properties: Properties<'_>) -> Vec<(String, String)> {
        properties.user_properties().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// What an acknowledgement says, whichever codec holds it.
    #[derive(Debug, PartialEq)]
    pub(crate) struct Meaning {
        packet_type: PacketType,
        packet_id: u16,
        reason: u8,
        reason_string: Option<String>,
        user_properties: Vec<(String, String)>,
    }

    pub(crate) fn meant(packet: &Packet<'_>) -> Meaning {
        let (Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack)) = packet else {
            panic!("no acknowledgement: {packet:?}");
        };
        let Ack { packet_id, reason, properties } = ack;
        Meaning {
            packet_type: packet.packet_type(),
            packet_id: packet_id.as_u16(),
            reason: *reason as u8,
            reason_string: properties.reason_string().map(str::to_owned),
            user_properties: user_properties(*properties),
        }
    }

    pub(crate) fn told(packet: &v5::Packet) -> Meaning {
        macro_rules! meaning {
            ($ack:ident, $packet_type:ident) => {
                Meaning {
                    packet_type: PacketType::$packet_type,
                    packet_id: $ack.pkid,
                    reason: $ack.reason as u8,
                    reason_string: $ack.properties.as_ref().and_then(|list| list.reason_string.clone()),
                    user_properties: $ack
                        .properties
                        .as_ref()
                        .map(|list| list.user_properties.clone())
                        .unwrap_or_default(),
                }
            };
        }
        match packet {
            v5::Packet::PubAck(ack) => meaning!(ack, PubAck),
            v5::Packet::PubRec(ack) => meaning!(ack, PubRec),
            v5::Packet::PubRel(ack) => meaning!(ack, PubRel),
            v5::Packet::PubComp(ack) => meaning!(ack, PubComp),
            other => panic!("no acknowledgement: {other:?}"),
        }
    }

    pub(crate) fn write(packet: &v5::Packet) -> BytesMut {
        let mut out = BytesMut::new();
        match packet {
            v5::Packet::PubAck(ack) => ack.write(&mut out),
            v5::Packet::PubRec(ack) => ack.write(&mut out),
            v5::Packet::PubRel(ack) => ack.write(&mut out),
            v5::Packet::PubComp(ack) => ack.write(&mut out),
            other => panic!("no acknowledgement: {other:?}"),
        }
        .unwrap();
        out
    }
}
