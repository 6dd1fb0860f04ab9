//! What the standard asks of a server that was sent something, as the steps that show it.

use super::script::{Begin, Script, Step, Version};
use super::wire::{Words, hex, words};

/// Malformed Packet.
pub(crate) const MALFORMED: u8 = 0x81;
/// Protocol Error.
pub(crate) const PROTOCOL: u8 = 0x82;
/// Client Identifier not valid.
pub(crate) const CLIENT_ID: u8 = 0x85;
/// Bad authentication method.
pub(crate) const AUTHENTICATION: u8 = 0x8C;
/// Topic Alias invalid.
pub(crate) const TOPIC_ALIAS: u8 = 0x94;
/// Packet too large.
pub(crate) const TOO_LARGE: u8 = 0x95;

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// These bytes, and the connection goes on.
    Answer(Words),
    /// No bytes, and the connection goes on.
    Accepted,
    /// 5.0: CONNACK or DISCONNECT with the code, then the close; before it the close alone (3.1.1 section 4.8).
    Refused(u8),
    /// The close alone.
    Silence,
}

/// CONNACK with the terms of the settings in `tests/byte_scripts.rs`.
pub(crate) fn connack(version: Version) -> Words {
    words(match version {
        Version::V5 => "20 0E 00 00 0B 22000A 27001E8480 210014",
        Version::V3_1 | Version::V3_1_1 => "20 02 00 00",
    })
}

/// One packet and what follows it.
pub(crate) fn script(version: Version, begin: Begin, name: String, packet: Words, outcome: Outcome) -> Script {
    let mut steps = vec![Step::Send(packet)];
    match outcome {
        Outcome::Answer(answer) => steps.extend([Step::Expect(answer), Step::Open]),
        Outcome::Accepted => steps.push(Step::Open),
        Outcome::Silence => steps.push(Step::Closed),
        Outcome::Refused(code) => {
            if version.is_v5() {
                let last = match begin {
                    Begin::Handshake => words(&format!("20 03 00 {} 00", hex(&[code]))),
                    Begin::Connected => words(&format!("E0 01 {}", hex(&[code]))),
                };
                steps.push(Step::Expect(last));
            }
            steps.push(Step::Closed);
        }
    }
    Script { name, begin, steps }
}
