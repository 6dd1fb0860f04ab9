//! The 27 properties of MQTT 5.0, from table 2-4 of the standard.

use super::outcome::{MALFORMED, Outcome, PROTOCOL, TOPIC_ALIAS};

/// What carries a section of properties that a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Connect,
    Will,
    Publish,
    Ack,
    Subscribe,
    Unsubscribe,
    Disconnect,
    Auth,
}

/// One property: its identifier, its name, a legal value, the carriers that a client may put it in.
pub(crate) struct Property {
    pub(crate) id: u8,
    pub(crate) name: &'static str,
    /// The shortest legal value, or one without effect.
    pub(crate) value: &'static [u8],
    pub(crate) carriers: &'static [Carrier],
    /// Other values with what they bring in a carrier that may have the property.
    pub(crate) other: &'static [(&'static [u8], Verdict)],
}

/// What a value brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Legal,
    Code(u8),
}

impl Verdict {
    /// With `accepted` for what is legal.
    pub(crate) fn outcome(self, accepted: &Outcome) -> Outcome {
        match self {
            Self::Legal => accepted.clone(),
            Self::Code(code) => Outcome::Refused(code),
        }
    }
}

use Carrier::{Ack, Auth, Connect, Disconnect, Publish, Subscribe, Unsubscribe, Will};
use Verdict::{Code, Legal};

const MESSAGE: &[Carrier] = &[Publish, Will];
const BIT: &[(&[u8], Verdict)] = &[(&[0], Legal), (&[2], Code(PROTOCOL)), (&[0xFF], Code(PROTOCOL))];
const FOUR_BYTES: &[(&[u8], Verdict)] = &[(&[0; 4], Legal), (&[0xFF; 4], Legal)];
const ONLY_SERVERS_SEND_IT: &[Carrier] = &[];

/// Strings that are not UTF-8, or hold what no string may (section 1.5.4).
pub(crate) const NO_STRINGS: &[(&str, &[u8])] = &[
    ("U+0000", &[b'a', 0]),
    ("a surrogate", &[0xED, 0xA0, 0x80]),
    ("the last surrogate", &[0xED, 0xBF, 0xBF]),
    ("an overlong form", &[0xC0, 0xAF]),
    ("an overlong U+0000", &[0xC0, 0x80]),
    ("beyond U+10FFFF", &[0xF4, 0x90, 0x80, 0x80]),
    ("a lone continuation", &[b'a', 0x80]),
    ("a cut character", &[b'a', 0xE2, 0x82]),
];

const STRING: &[(&[u8], Verdict)] = &[
    (&[0, 0], Legal),
    (&[0, 3, 0xEF, 0xBB, 0xBF], Legal),
    (&[0, 4, 0xF0, 0x9F, 0x98, 0x80], Legal),
    (&[0, 1, 9], Legal),
    (&[0, 1, 0], Code(MALFORMED)),
    (&[0, 3, 0xED, 0xA0, 0x80], Code(MALFORMED)),
    (&[0, 2, 0xC0, 0xAF], Code(MALFORMED)),
    (&[0, 4, 0xF4, 0x90, 0x80, 0x80], Code(MALFORMED)),
    (&[0, 1, 0x80], Code(MALFORMED)),
    (&[0, 2, 0xE2, 0x82], Code(MALFORMED)),
    (&[0xFF, 0xFF, b'p'], Code(MALFORMED)),
];

const TOPIC: &[(&[u8], Verdict)] = &[
    (&[0, 0], Code(PROTOCOL)),
    (&[0, 1, b'#'], Code(PROTOCOL)),
    (&[0, 3, b'a', b'/', b'+'], Code(PROTOCOL)),
    (&[0, 1, 0], Code(MALFORMED)),
    (&[0, 3, 0xED, 0xA0, 0x80], Code(MALFORMED)),
    (&[0xFF, 0xFF, b'p'], Code(MALFORMED)),
];

const BINARY: &[(&[u8], Verdict)] =
    &[(&[0, 0], Legal), (&[0, 3, 0, 0xFF, 0xC0], Legal), (&[0xFF, 0xFF, b'p'], Code(MALFORMED))];

const IDENTIFIER: &[(&[u8], Verdict)] = &[
    (&[0], Code(MALFORMED)),
    (&[0x7F], Legal),
    (&[0x80, 0x01], Legal),
    (&[0xFF, 0xFF, 0xFF, 0x7F], Legal),
    (&[0x80, 0x00], Code(MALFORMED)),
    (&[0x81, 0x00], Code(MALFORMED)),
    (&[0x80, 0x80, 0x80, 0x80, 0x01], Code(MALFORMED)),
];

const PAIR: &[(&[u8], Verdict)] = &[
    (&[0, 0, 0, 1, b'v'], Legal),
    (&[0, 1, b'k', 0, 0], Legal),
    (&[0, 0, 0, 0], Legal),
    (&[0, 1, 0, 0, 1, b'v'], Code(MALFORMED)),
    (&[0, 1, b'k', 0, 1, 0], Code(MALFORMED)),
    (&[0, 3, 0xED, 0xA0, 0x80, 0, 1, b'v'], Code(MALFORMED)),
    (&[0, 1, b'k', 0, 2, 0xC0, 0xAF], Code(MALFORMED)),
];

const P: &[u8] = &[0, 1, b'p'];

macro_rules! property {
    ($id:literal, $name:literal, $value:expr, $carriers:expr, $other:expr) => {
        Property { id: $id, name: $name, value: $value, carriers: $carriers, other: $other }
    };
}

/// All of them.
pub(crate) const ALL: [Property; 27] = [
    property!(0x01, "payload format indicator", &[1], MESSAGE, BIT),
    property!(0x02, "message expiry interval", &[0, 0, 0, 9], MESSAGE, FOUR_BYTES),
    property!(0x03, "content type", P, MESSAGE, STRING),
    property!(0x08, "response topic", P, MESSAGE, TOPIC),
    property!(0x09, "correlation data", P, MESSAGE, BINARY),
    property!(0x0B, "subscription identifier", &[1], &[Subscribe], IDENTIFIER),
    property!(0x11, "session expiry interval", &[0, 0, 0, 0], &[Connect, Disconnect], &[]),
    property!(0x12, "assigned client identifier", P, ONLY_SERVERS_SEND_IT, &[]),
    property!(0x13, "server keep alive", &[0, 9], ONLY_SERVERS_SEND_IT, &[]),
    property!(0x15, "authentication method", P, &[Connect, Auth], &[]),
    property!(0x16, "authentication data", P, &[Connect, Auth], &[]),
    property!(0x17, "request problem information", &[1], &[Connect], BIT),
    property!(0x18, "will delay interval", &[0, 0, 0, 9], &[Will], FOUR_BYTES),
    property!(0x19, "request response information", &[1], &[Connect], BIT),
    property!(0x1A, "response information", P, ONLY_SERVERS_SEND_IT, &[]),
    property!(0x1C, "server reference", P, &[Disconnect], STRING),
    property!(0x1F, "reason string", P, &[Ack, Disconnect, Auth], STRING),
    property!(0x21, "receive maximum", &[0, 9], &[Connect], &[(&[0, 0], Code(PROTOCOL)), (&[0xFF, 0xFF], Legal)]),
    property!(0x22, "topic alias maximum", &[0, 9], &[Connect], &[(&[0, 0], Legal), (&[0xFF, 0xFF], Legal)]),
    property!(
        0x23,
        "topic alias",
        &[0, 1],
        &[Publish],
        &[
            (&[0, 0], Code(TOPIC_ALIAS)),
            (&[0, 10], Legal),
            (&[0, 11], Code(TOPIC_ALIAS)),
            (&[0xFF, 0xFF], Code(TOPIC_ALIAS))
        ]
    ),
    property!(0x24, "maximum QoS", &[1], ONLY_SERVERS_SEND_IT, &[]),
    property!(0x25, "retain available", &[1], ONLY_SERVERS_SEND_IT, &[]),
    property!(
        0x26,
        "user property",
        &[0, 1, b'k', 0, 1, b'v'],
        &[Connect, Will, Publish, Ack, Subscribe, Unsubscribe, Disconnect, Auth],
        PAIR
    ),
    property!(
        0x27,
        "maximum packet size",
        &[0, 0, 4, 0],
        &[Connect],
        &[(&[0; 4], Code(PROTOCOL)), (&[0xFF; 4], Legal)]
    ),
    property!(0x28, "wildcard subscription available", &[1], ONLY_SERVERS_SEND_IT, &[]),
    property!(0x29, "subscription identifiers available", &[1], ONLY_SERVERS_SEND_IT, &[]),
    property!(0x2A, "shared subscription available", &[1], ONLY_SERVERS_SEND_IT, &[]),
];

/// Identifiers that no property has, with one byte of what might be a value.
pub(crate) const UNKNOWN: [&[u8]; 24] = [
    &[0x00, 1],
    &[0x04, 1],
    &[0x05, 1],
    &[0x06, 1],
    &[0x07, 1],
    &[0x0A, 1],
    &[0x0C, 1],
    &[0x0D, 1],
    &[0x0E, 1],
    &[0x0F, 1],
    &[0x10, 1],
    &[0x14, 1],
    &[0x1B, 1],
    &[0x1D, 1],
    &[0x1E, 1],
    &[0x20, 1],
    &[0x2B, 1],
    &[0x7F, 1],
    &[0x80, 0x00, 1],
    &[0x80, 0x01, 1],
    &[0xFF, 0x7F, 1],
    &[0x80, 0x80, 0x01, 1],
    &[0xFF, 0xFF, 0xFF, 0x7F, 1],
    &[0x80, 0x80, 0x80, 0x80, 0x01, 1],
];
