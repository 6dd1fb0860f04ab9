//! Every packet as bytes in every version, and the bytes that are refused.

mod connect;
mod framing;
mod publish;
mod session;
mod subscribe;

use crate::protocol::*;

/// `"30 05 'ab"` and the like: bytes in hex, or text after an apostrophe.
pub(super) fn bytes(wire: &str) -> Vec<u8> {
    wire.split_whitespace()
        .flat_map(|word| match word.strip_prefix('\'') {
            Some(text) => text.as_bytes().to_vec(),
            None => vec![u8::from_str_radix(word, 16).unwrap_or_else(|_| panic!("{word:?} is not hex"))],
        })
        .collect()
}

fn id(number: u16) -> PacketId {
    PacketId::try_from(number).unwrap()
}

fn properties<'a>(list: &[Property<'a>]) -> PropertiesBuf {
    list.iter().copied().collect()
}

/// Decodes with the function that the packet needs.
fn decode_any(input: &[u8], version: Version, from: Sender) -> Result<Decoded<'_>, DecodeError> {
    match input.first().is_some_and(|first| first >> 4 == 1) {
        true => decode_connect(input, MAX_PACKET_BYTES).map_err(DecodeError::from),
        false => decode(input, version, from, MAX_PACKET_BYTES),
    }
}

/// The bytes mean the packet, the packet is written as these bytes, and no beginning of them means anything.
#[track_caller]
fn golden(version: Version, from: Sender, wire: &str, packet: &Packet<'_>) {
    reads_as(version, from, wire, packet);
    let mut written = Vec::new();
    packet.encode(version, &mut written);
    assert_eq!(written, bytes(wire), "written by {version:?}");
}

/// The bytes mean the packet, though it would be written in a shorter form.
#[track_caller]
fn reads_as(version: Version, from: Sender, wire: &str, packet: &Packet<'_>) {
    let input = bytes(wire);
    let expected = Decoded::Packet { packet: packet.clone(), length: input.len() };
    assert_eq!(decode_any(&input, version, from), Ok(expected.clone()), "read by {version:?}");
    let followed = [input.as_slice(), &[0xFF; 8]].concat();
    assert_eq!(decode_any(&followed, version, from), Ok(expected), "bytes behind it change nothing");
    for end in 0..input.len() {
        match decode_any(&input[..end], version, from) {
            Ok(Decoded::Incomplete { needed }) => assert!(end < needed && needed <= input.len(), "{needed} at {end}"),
            other => panic!("{end} of {} bytes: {other:?}", input.len()),
        }
    }
}

#[track_caller]
fn refused(version: Version, from: Sender, wire: &str) -> DecodeError {
    match decode_any(&bytes(wire), version, from) {
        Err(error) => error,
        Ok(outcome) => panic!("{wire} passed {version:?}: {outcome:?}"),
    }
}

/// Each line of bytes is refused with the reason code.
#[track_caller]
fn all_refused(version: Version, from: Sender, reason: ReasonCode, wires: &[&str]) {
    for wire in wires {
        let error = refused(version, from, wire);
        assert_eq!(error.reason(), reason, "{wire}: {error}");
    }
}
