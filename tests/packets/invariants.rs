//! What holds for any bytes whatever: called by the fuzz loop of the tests and by the fuzz targets.

use certmq::protocol::topic::{self, TopicFilter, TopicName};
use certmq::protocol::{
    DecodeError, Decoded, MAX_PACKET_BYTES, Packet, PacketType, Sender, Version, decode, decode_connect,
};

/// Decodes `input` as every version and from both sides, and as a first packet.
pub(crate) fn check_bytes(input: &[u8]) {
    for version in Version::ALL {
        for from in [Sender::Client, Sender::Server] {
            check_connection(input, version, from);
        }
    }
    check_first(input);
}

/// Decodes `input` on a connection that is open.
pub(crate) fn check_connection(input: &[u8], version: Version, from: Sender) {
    check(input, version, |input| decode(input, version, from, MAX_PACKET_BYTES));
    if let Err(error) = decode(input, version, from, MAX_PACKET_BYTES) {
        let told = error.reason().is_valid_in(PacketType::Disconnect, Sender::Server);
        assert!(told, "DISCONNECT cannot say {error:?}");
    }
}

/// Decodes `input` as the first packet of a connection.
pub(crate) fn check_first(input: &[u8]) {
    check(input, Version::V5, |input| decode_connect(input, MAX_PACKET_BYTES).map_err(DecodeError::from));
    if let Err(error) = decode_connect(input, MAX_PACKET_BYTES)
        && let Some((version, connack)) = error.answer()
    {
        let mut answer = Vec::new();
        connack.encode(version, &mut answer);
        let read = decode(&answer, version, Sender::Server, MAX_PACKET_BYTES);
        assert!(matches!(read, Ok(Decoded::Packet { .. })), "{error:?} is answered by {answer:02X?}");
    }
}

fn check(input: &[u8], version: Version, read: impl Fn(&[u8]) -> Result<Decoded<'_>, DecodeError>) {
    match read(input) {
        Err(error) => assert!(error.reason().is_error(), "{error:?}"),
        Ok(Decoded::Incomplete { needed }) => {
            assert!(needed > input.len(), "{needed} of {}", input.len());
            assert!(needed <= MAX_PACKET_BYTES as usize);
            // One byte less than needed is never enough, whatever the bytes are.
            if needed < 100_000 {
                let mut short = input.to_vec();
                short.resize(needed - 1, 0);
                assert!(!matches!(read(&short), Ok(Decoded::Packet { .. })), "whole before {needed} bytes");
            }
        }
        Ok(Decoded::Packet { packet, length }) => check_packet(input, version, &packet, length, read),
    }
}

fn check_packet(
    input: &[u8],
    version: Version,
    packet: &Packet<'_>,
    length: usize,
    read: impl Fn(&[u8]) -> Result<Decoded<'_>, DecodeError>,
) {
    // The bytes behind the packet do not matter, and without its last byte it is none.
    let alone = input.get(..length).expect("no more was taken than there was");
    assert_eq!(read(alone), Ok(Decoded::Packet { packet: packet.clone(), length }));
    assert_eq!(read(&alone[..length - 1]), Ok(Decoded::Incomplete { needed: length }));
    // What was read can be written, in no more bytes, and means the same.
    let mut written = Vec::new();
    packet.encode(version, &mut written);
    assert!(!written.is_empty() && written.len() <= length, "{packet:?} as {written:02X?}");
    assert_eq!(read(&written), Ok(Decoded::Packet { packet: packet.clone(), length: written.len() }));
    if let Packet::Publish(publish) = packet {
        assert_eq!(publish.encoded_len(version), written.len());
    }
}

/// The filter algebra on two texts and a topic.
pub(crate) fn check_algebra(left: &str, right: &str, topic: &str) {
    if let Ok(topic) = TopicName::parse(topic) {
        let as_filter = TopicFilter::parse(topic.as_str());
        if !topic.as_str().starts_with("$share") {
            assert!(as_filter.is_ok_and(|filter| filter.matches(topic) && filter.exact() == Some(topic)));
        }
    }
    let (Ok(left), Ok(right)) = (TopicFilter::parse(left), TopicFilter::parse(right)) else { return };
    assert!(left.covers(&left) && left.overlaps(&left));
    assert_eq!(left.overlaps(&right), right.overlaps(&left));
    assert_eq!(topic::covers(left.levels(), right.levels()), left.covers(&right));
    if left.covers(&right) {
        assert!(left.overlaps(&right), "{left:?} covers but misses {right:?}");
    }
    if let Ok(topic) = TopicName::parse(topic) {
        let (in_left, in_right) = (left.matches(topic), right.matches(topic));
        assert_eq!(in_left, naive_match(left.inner(), topic.as_str()), "{left:?} on {topic:?}");
        assert!(!(left.covers(&right) && in_right) || in_left, "{left:?} covers {right:?} but not {topic:?}");
        assert!(!(in_left && in_right) || left.overlaps(&right), "{left:?} and {right:?} meet in {topic:?}");
    }
}

/// Matching by recursion on text, apart from the walk over levels that is tested.
fn naive_match(filter: &str, topic: &str) -> bool {
    fn rest(filter: &str, topic: &str) -> bool {
        let (head, tail) = filter.split_once('/').map_or((filter, None), |(head, tail)| (head, Some(tail)));
        let (level, below) = topic.split_once('/').map_or((topic, None), |(level, below)| (level, Some(below)));
        filter == "#"
            || (head == "+" || head == level)
                && match (tail, below) {
                    (None, None) | (Some("#"), None) => true,
                    (Some(filter), Some(topic)) => rest(filter, topic),
                    _ => false,
                }
    }
    !(topic.starts_with('$') && filter.starts_with(['+', '#'])) && rest(filter, topic)
}
