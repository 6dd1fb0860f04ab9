//! The codec for any valid packet: it is read as it was written, and no beginning of it means anything.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test may fail and talk")]

mod packets;

use certmq::protocol::{DecodeError, Decoded, MAX_PACKET_BYTES, PropertiesBuf, Property, decode, decode_connect};
use packets::{Sent, invariants, strategies};
use proptest::prelude::*;

fn read<'a>(sent: &Sent, bytes: &'a [u8], maximum: u32) -> Result<Decoded<'a>, DecodeError> {
    match bytes.first().is_some_and(|first| first >> 4 == 1) {
        true => decode_connect(bytes, maximum).map_err(DecodeError::from),
        false => decode(bytes, sent.version, sent.from, maximum),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn round_trip(sent in strategies::sent(), behind in prop::collection::vec(any::<u8>(), 0..4)) {
        let mut bytes = sent.bytes();
        let length = bytes.len();
        bytes.extend(behind);
        let expected = Decoded::Packet { packet: sent.packet.clone(), length };
        prop_assert_eq!(read(&sent, &bytes, MAX_PACKET_BYTES), Ok(expected.clone()));
        // Exactly the announced maximum passes, one byte more does not.
        let maximum = u32::try_from(length).unwrap();
        prop_assert_eq!(read(&sent, &bytes, maximum), Ok(expected));
        prop_assert_eq!(read(&sent, &bytes, maximum - 1), Err(DecodeError::TooLarge(maximum - 1)));
    }

    #[test]
    fn every_beginning_is_incomplete(sent in strategies::sent()) {
        let bytes = sent.bytes();
        for end in 0..bytes.len().min(300) {
            match read(&sent, &bytes[..end], MAX_PACKET_BYTES) {
                Ok(Decoded::Incomplete { needed }) => {
                    prop_assert!(end < needed && needed <= bytes.len());
                    // Behind a whole fixed header the end is known.
                    prop_assert!(end < 5 || needed == bytes.len());
                }
                other => prop_assert!(false, "{} of {} bytes: {:?}", end, bytes.len(), other),
            }
        }
    }

    /// The way of a connection: however the bytes arrive, asking only when `needed` are there finds the packet.
    #[test]
    fn needed_leads_to_the_end(sent in strategies::sent()) {
        let bytes = sent.bytes();
        let mut have = 0;
        let mut asked = 0;
        let length = loop {
            match read(&sent, &bytes[..have], MAX_PACKET_BYTES).unwrap() {
                Decoded::Incomplete { needed } => have = needed,
                Decoded::Packet { length, .. } => break length,
            }
            asked += 1;
            prop_assert!(asked <= 6, "at most the first byte, four of the length, the body");
        };
        prop_assert_eq!(length, bytes.len());
    }

    #[test]
    fn damaged_packets_break_no_rule(sent in strategies::sent(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = sent.bytes();
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        invariants::check_bytes(&bytes);
    }

    #[test]
    fn any_bytes_break_no_rule(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        invariants::check_bytes(&bytes);
    }

    #[test]
    fn algebra_breaks_no_rule(
        left in strategies::filter_text(),
        right in strategies::filter_text(),
        topic in strategies::topic_text(),
    ) {
        invariants::check_algebra(&left, &right, topic);
    }

    /// Copying what is forwarded is the same as picking it one by one.
    #[test]
    fn forwarded_properties(publish in strategies::publish(certmq::protocol::Version::V5, certmq::protocol::Sender::Server)) {
        let picked: PropertiesBuf = publish
            .properties
            .iter()
            .filter(|property| !matches!(
                property,
                Property::TopicAlias(_) | Property::MessageExpiryInterval(_) | Property::SubscriptionIdentifier(_)
            ))
            .collect();
        prop_assert_eq!(PropertiesBuf::forwarded(publish.properties), picked);
    }
}
