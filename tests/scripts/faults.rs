//! What can be wrong with any packet: its flags, its length, its order, and each of its fields by what it holds.

use super::outcome::{CLIENT_ID, MALFORMED, Outcome, PROTOCOL, TOO_LARGE, script};
use super::packets::{Field, Kind, Role, Shape};
use super::properties::{self, Carrier, NO_STRINGS, Property, UNKNOWN};
use super::script::{Begin, Script, Version};
use super::wire::{Words, binary, bytes, hex, length, packet, variable, with_length, words};
use std::collections::BTreeSet;

/// CONNECT, as the upper half of a first byte.
const CONNECT: u8 = 1;
const PINGREQ: u8 = 12;
const AUTH: u8 = 15;

/// Every script that follows from the shape of a packet.
pub(crate) fn of(shape: &Shape) -> Vec<Script> {
    let mut scripts = vec![shape.script("legal", packet(shape.first, &shape.body()), shape.outcome.clone())];
    scripts.extend(flags(shape));
    scripts.extend(lengths(shape));
    scripts.extend(order(shape));
    scripts.extend(cuts(shape));
    for (index, field) in shape.fields.iter().enumerate() {
        match field.kind {
            Kind::PacketId => scripts.push(zero_id(shape, index)),
            Kind::Name(role) => scripts.extend(names(shape, index, role)),
            Kind::Properties(carrier) => scripts.extend(sections(shape, index, carrier)),
            Kind::Version | Kind::Number | Kind::Bytes | Kind::Password | Kind::Reason | Kind::Rest => {}
        }
    }
    scripts
}

impl Shape {
    fn script(&self, what: &str, packet: Words, outcome: Outcome) -> Script {
        script(self.version, self.begin, format!("{}: {what}", self.name), packet, outcome)
    }

    fn is_request(&self) -> bool {
        matches!(self.type_number(), 8 | 10)
    }
}

/// Every value of the reserved flags (section 2.1.3). PUBLISH has no reserved ones: `values` has its table.
fn flags(shape: &Shape) -> Vec<Script> {
    if shape.type_number() == 3 {
        return Vec::new();
    }
    // MQTT 3.1 calls the flags unused, but for the QoS of PUBREL, SUBSCRIBE and UNSUBSCRIBE.
    let mask = match (shape.version, shape.first & 0x0F) {
        (Version::V3_1, 0) => 0,
        (Version::V3_1, _) => 0b0110,
        (Version::V3_1_1 | Version::V5, _) => 0b1111,
    };
    // In CONNECT of 3.1 there is nothing else to go by.
    let mask = if shape.type_number() == CONNECT { 0b1111 } else { mask };
    let code = if shape.type_number() == AUTH { PROTOCOL } else { MALFORMED };
    let others = (0..16).filter(|flags| *flags != shape.first & 0x0F);
    others
        .map(|flags| {
            let outcome = match flags & mask == shape.first & 0x0F & mask {
                true => shape.outcome.clone(),
                false => Outcome::Refused(code),
            };
            shape.script(&format!("flags {flags:04b}"), packet(shape.first & 0xF0 | flags, &shape.body()), outcome)
        })
        .collect()
}

/// The remaining length (section 2.1.4).
fn lengths(shape: &Shape) -> Vec<Script> {
    let body = shape.body();
    let is_connect = shape.type_number() == CONNECT;
    // A CONNECT whose end is not known tells no version.
    let answered = |code| if is_connect { Outcome::Silence } else { Outcome::Refused(code) };
    let too_large = if shape.type_number() == PINGREQ { MALFORMED } else { TOO_LARGE };
    let mut long = variable(length(&body));
    if let Some(last) = long.last_mut() {
        *last |= 0x80;
    }
    long.push(0);
    let mut scripts = vec![
        shape.script("a length in more bytes than needed", with_length(shape.first, &long, &body), answered(MALFORMED)),
        shape.script(
            "a length of five bytes",
            with_length(shape.first, &[0x80, 0x80, 0x80, 0x80, 0x01], &body),
            Outcome::Silence,
        ),
        shape.script(
            "the largest length there is",
            with_length(shape.first, &[0xFF, 0xFF, 0xFF, 0x7F], &[]),
            answered(too_large),
        ),
    ];
    if !shape.fields.iter().any(|field| field.kind == Kind::Rest) {
        let outcome = match shape.type_number() {
            PINGREQ => Outcome::Silence,
            AUTH => Outcome::Refused(PROTOCOL),
            _ => Outcome::Refused(MALFORMED),
        };
        let longer = [body.as_slice(), &[hex(&[0])]].concat();
        scripts.push(shape.script("a byte behind the end", packet(shape.first, &longer), outcome));
    }
    scripts
}

/// CONNECT comes first and once `[MQTT-3.1.0-1]`, `[MQTT-3.1.0-2]`.
fn order(shape: &Shape) -> Vec<Script> {
    let (what, begin, outcome) = match shape.begin {
        Begin::Handshake => ("a second one", Begin::Connected, Outcome::Refused(PROTOCOL)),
        Begin::Connected => ("before CONNECT", Begin::Handshake, Outcome::Silence),
    };
    let name = format!("{}: {what}", shape.name);
    vec![script(shape.version, begin, name, packet(shape.first, &shape.body()), outcome)]
}

/// The packet ends before, inside and one byte before the end of each field.
fn cuts(shape: &Shape) -> Vec<Script> {
    let mut scripts = Vec::new();
    let mut before = Words::new();
    for field in &shape.fields {
        if field.kind == Kind::Rest {
            scripts.push(shape.script("no payload", packet(shape.first, &before), shape.outcome.clone()));
            break;
        }
        let outcome = if field.optional { shape.outcome.clone() } else { cut(shape, field) };
        scripts.push(shape.script(&format!("ends before {}", field.name), packet(shape.first, &before), outcome));
        let all = bytes(&field.words, 0);
        let inside: BTreeSet<usize> = [1, all.len() - 1].into_iter().filter(|at| *at > 0 && *at < all.len()).collect();
        for at in inside {
            let body = [&before[..], &[hex(&all[..at])]].concat();
            let what = format!("ends after {at} of {}", field.name);
            scripts.push(shape.script(&what, packet(shape.first, &body), cut(shape, field)));
        }
        before.extend(field.words.iter().cloned());
    }
    scripts
}

fn cut(shape: &Shape, field: &Field) -> Outcome {
    match (field.kind, shape.type_number()) {
        (_, AUTH) => Outcome::Refused(PROTOCOL),
        // Nobody knows yet which version to answer in; unreadable credentials are told nothing.
        (Kind::Version | Kind::Name(Role::UserName) | Kind::Password, _) => Outcome::Silence,
        _ => Outcome::Refused(MALFORMED),
    }
}

/// `[MQTT-2.2.1-3]`
fn zero_id(shape: &Shape, index: usize) -> Script {
    let code = if shape.is_request() { MALFORMED } else { PROTOCOL };
    shape.script("packet identifier 0", packet(shape.first, &shape.with(index, &words("0000"))), Outcome::Refused(code))
}

/// Names that are none: no UTF-8, U+0000, and what section 1.5.4 lets a server refuse.
fn names(shape: &Shape, index: usize, role: Role) -> Vec<Script> {
    const UNFIT: &[(&str, &[u8])] = &[
        ("U+0001", &[b'a', 0x01]),
        ("a line feed", &[b'a', 0x0A]),
        ("U+001F", &[b'a', 0x1F]),
        ("U+007F", &[b'a', 0x7F]),
        ("U+0080", &[b'a', 0xC2, 0x80]),
        ("U+009F", &[b'a', 0xC2, 0x9F]),
        ("U+FDD0", &[b'a', 0xEF, 0xB7, 0x90]),
        ("U+FFFE", &[b'a', 0xEF, 0xBF, 0xBE]),
        ("U+FFFF", &[b'a', 0xEF, 0xBF, 0xBF]),
        ("U+10FFFF", &[b'a', 0xF4, 0x8F, 0xBF, 0xBF]),
    ];
    const FIT: &[(&str, &str)] = &[
        ("a byte order mark", "EFBBBF"),
        ("U+00A0", "C2A0"),
        ("U+FFFD", "EFBFBD"),
        ("U+2A6D4", "F0AA9B94"),
        ("a space", "20"),
        ("slashes", "2F2F"),
    ];
    let field = shape.fields[index].name;
    let of = |what: &str, value: Words, outcome: Outcome| {
        shape.script(&format!("{field} with {what}"), packet(shape.first, &shape.with(index, &value)), outcome)
    };
    let outcome = match (role, shape.version) {
        (Role::UserName, _) => Outcome::Silence,
        (Role::ClientId, Version::V5) => Outcome::Refused(CLIENT_ID),
        _ => Outcome::Refused(MALFORMED),
    };
    let mut scripts: Vec<Script> =
        NO_STRINGS.iter().chain(UNFIT).map(|(what, bytes)| of(what, binary(bytes), outcome.clone())).collect();
    scripts.push(of("a length beyond the packet", words("FFFF 'p"), cut(shape, &shape.fields[index])));
    if role != Role::ClientId {
        scripts.extend(FIT.iter().map(|(what, suffix)| {
            let value = words(&format!("{:04X} '{{topic}} {suffix}", 8 + suffix.len() / 2));
            of(what, value, shape.outcome.clone())
        }));
        let empty = if role == Role::UserName { shape.outcome.clone() } else { outcome };
        scripts.push(of("nothing in it", words("0000"), empty));
    }
    scripts
}

/// The property section: its length, unknown identifiers, and every property there is.
fn sections(shape: &Shape, index: usize, carrier: Carrier) -> Vec<Script> {
    let field = shape.fields[index].name;
    let refused = |code| Outcome::Refused(if carrier == Carrier::Auth { PROTOCOL } else { code });
    let of = |what: String, value: Words, outcome: Outcome| {
        shape.script(&format!("{field}: {what}"), packet(shape.first, &shape.with(index, &value)), outcome)
    };
    let mut scripts = Vec::new();
    for (what, value) in [
        ("a length beyond the packet", "7F"),
        ("a length one byte too long", "01"),
        ("a length in more bytes than needed", "8000"),
        ("a length of five bytes", "8080808001"),
        ("a length one byte too short", "06 26 0001 'k 0001 'v"),
    ] {
        scripts.push(of(what.to_owned(), words(value), refused(MALFORMED)));
    }
    for unknown in UNKNOWN {
        scripts.push(of(format!("no property {}", hex(unknown)), section(unknown), refused(MALFORMED)));
    }
    for property in &properties::ALL {
        scripts.extend(one_property(shape, carrier, property, &of, &refused));
    }
    scripts
}

fn one_property(
    shape: &Shape,
    carrier: Carrier,
    property: &Property,
    of: &dyn Fn(String, Words, Outcome) -> Script,
    refused: &dyn Fn(u8) -> Outcome,
) -> Vec<Script> {
    let whole = [&[property.id], property.value].concat();
    let name = property.name;
    let is_allowed = property.carriers.contains(&carrier);
    let mut scripts = Vec::new();
    let accepted = match (is_allowed, property.id) {
        // A method that is not offered, and data without a method.
        (true, 0x15) if carrier == Carrier::Connect => Outcome::Refused(super::outcome::AUTHENTICATION),
        (true, 0x16) => Outcome::Refused(PROTOCOL),
        (true, _) => shape.outcome.clone(),
        (false, _) if shape.is_request() => Outcome::Refused(MALFORMED),
        (false, _) => refused(PROTOCOL),
    };
    scripts.push(of(name.to_owned(), section(&whole), accepted.clone()));
    let twice = match is_allowed && property.id != 0x26 {
        true => refused(PROTOCOL),
        false => accepted.clone(),
    };
    scripts.push(of(format!("{name} twice"), section(&[whole.clone(), whole.clone()].concat()), twice));
    for end in 1..whole.len() {
        scripts.push(of(format!("{name} cut after {end}"), section(&whole[..end]), refused(MALFORMED)));
    }
    if is_allowed {
        for (value, verdict) in property.other {
            let what = format!("{name} {}", hex(value));
            scripts.push(of(
                what,
                section(&[&[property.id], *value].concat()),
                match carrier {
                    Carrier::Auth => Outcome::Refused(PROTOCOL),
                    _ => verdict.outcome(&shape.outcome),
                },
            ));
        }
    }
    scripts
}

fn section(bytes: &[u8]) -> Words {
    vec![hex(&variable(bytes.len())), hex(bytes)]
}
