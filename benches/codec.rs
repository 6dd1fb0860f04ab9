//! Nanoseconds per packet: `cargo bench --bench codec`. The best of several rounds, so that a busy machine shows less.

#![allow(clippy::print_stdout, reason = "its figures are its result")]

use std::hint::black_box;
use std::time::Instant;

use certmq::protocol::{
    Decoded, DeliveredTopic, Delivery, MAX_PACKET_BYTES, PacketId, Properties, PropertiesBuf, Property, Publish,
    PublishFrame, QoS, Sender, TopicName, Version, decode,
};

const ROUNDS: usize = 30;
const PACKETS: usize = 10_000;

fn main() {
    let list: PropertiesBuf = [
        Property::MessageExpiryInterval(60),
        Property::ContentType("application/json"),
        Property::UserProperty("region", "eu-1"),
    ]
    .into_iter()
    .collect();
    for (name, version, qos, properties) in [
        ("3.1.1 QoS 0", Version::V3_1_1, QoS::AtMostOnce, Properties::default()),
        ("3.1.1 QoS 1", Version::V3_1_1, QoS::AtLeastOnce, Properties::default()),
        ("5.0 QoS 0", Version::V5, QoS::AtMostOnce, Properties::default()),
        ("5.0 QoS 1, 3 properties", Version::V5, QoS::AtLeastOnce, list.as_properties()),
    ] {
        measure(name, version, qos, properties);
    }
}

/// 64 bytes of payload on a topic of 26 bytes.
fn measure(name: &str, version: Version, qos: QoS, properties: Properties<'_>) {
    let publish = Publish {
        dup: false,
        qos,
        retain: false,
        topic: TopicName::parse("devices/dev-0001/telemetry").ok(),
        packet_id: (qos > QoS::AtMostOnce).then_some(PacketId::FIRST),
        properties,
        payload: &[b'x'; 64],
    };
    let mut stream = Vec::new();
    for _ in 0..PACKETS {
        publish.encode(version, &mut stream);
    }
    let frame = publish.topic.and_then(|topic| PublishFrame::new(topic, properties, publish.payload));
    let delivery = Delivery {
        version,
        dup: false,
        qos,
        retain: false,
        packet_id: publish.packet_id,
        topic: DeliveredTopic::Written,
        properties: Properties::default(),
    };
    let mut out = Vec::with_capacity(stream.len());

    let decoding = best(|| assert_eq!(decode_all(black_box(&stream), version), PACKETS));
    let encoding = best(|| {
        out.clear();
        (0..PACKETS).for_each(|_| black_box(&publish).encode(version, &mut out));
    });
    let delivering = best(|| {
        out.clear();
        (0..PACKETS).for_each(|_| black_box(&frame).iter().for_each(|frame| frame.append(&delivery, &mut out)));
    });
    println!(
        "PUBLISH {name:24} decode {decoding:5.1} ns  encode {encoding:5.1} ns  frame to a reader {delivering:5.1} ns"
    );
}

fn decode_all(stream: &[u8], version: Version) -> usize {
    let mut rest = stream;
    let mut packets = 0;
    while let Ok(Decoded::Packet { packet, length }) = decode(rest, version, Sender::Client, MAX_PACKET_BYTES) {
        black_box(packet);
        packets += 1;
        rest = &rest[length..];
    }
    packets
}

/// Nanoseconds per packet of the fastest round.
fn best(mut round: impl FnMut()) -> f64 {
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        round();
        start.elapsed().as_nanos() as f64 / PACKETS as f64
    });
    rounds.fold(f64::INFINITY, f64::min)
}
