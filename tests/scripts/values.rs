//! Values that have a table of their own: connect flags, protocol levels, publish flags, topics, filters, options,
//! reason codes, and packets that only servers send.

use super::outcome::{MALFORMED, Outcome, PROTOCOL, connack, script};
use super::packets::{Kind, denied, granted, plain_connect, protocol, published, shapes, subscribe};
use super::script::{Begin, Script, Version};
use super::wire::{Words, join, packet, text, words};

/// Bits of the connect flags (section 3.1.2.3).
const USER_NAME: u8 = 0x80;
const PASSWORD: u8 = 0x40;
const WILL: u8 = 0x04;
const WILL_QOS: u8 = 0x18;
const WILL_BITS: u8 = 0x38;
const RESERVED: u8 = 0x01;

/// All 256 connect flags, each with the payload that they promise.
pub(crate) fn connect_flags(version: Version) -> Vec<Script> {
    (0..=255_u8)
        .map(|flags| {
            let strict = version != Version::V3_1;
            let refused = (strict && flags & RESERVED != 0)
                || (strict && flags & WILL == 0 && flags & WILL_BITS != 0)
                || (flags & WILL != 0 && flags & WILL_QOS == WILL_QOS)
                || (!version.is_v5() && flags & PASSWORD != 0 && flags & USER_NAME == 0);
            let outcome = if refused { Outcome::Refused(MALFORMED) } else { Outcome::Answer(connack(version)) };
            let name = format!("connect flags {flags:08b}");
            script(version, Begin::Handshake, name, packet(0x10, &flagged(version, flags)), outcome)
        })
        .collect()
}

fn flagged(version: Version, flags: u8) -> Words {
    let (name, level) = protocol(version);
    let none = if version.is_v5() { words("00") } else { Words::new() };
    let mut body = join(&[&name, &level, &[format!("{flags:02X}")], &words("003C"), &none, &text("{id}")]);
    if flags & WILL != 0 {
        body.extend(join(&[&none, &text("{topic}/will"), &text("gone")]));
    }
    for bit in [USER_NAME, PASSWORD] {
        if flags & bit != 0 {
            body.extend(text("word"));
        }
    }
    body
}

/// Protocol names and levels (sections 3.1.2.1 and 3.1.2.2), keep alives, empty client identifiers.
pub(crate) fn connect_values(version: Version) -> Vec<Script> {
    let shape = plain_connect(version);
    let with = |index: usize, value: Words| packet(0x10, &shape.with(index, &value));
    let mut scripts = Vec::new();
    let mut add = |name: String, packet: Words, outcome| {
        scripts.push(script(version, Begin::Handshake, name, packet, outcome));
    };
    for name in ["MQT", "MQTTT", "mqtt", "MQTU", "", "MQISDP", "HTTP"] {
        add(format!("protocol name '{name}'"), with(0, text(name)), Outcome::Silence);
    }
    let own = bytes_of(&shape.fields[1].words);
    for level in [0, 1, 2, 3, 4, 5, 6, 0x7F, 0x83, 0x84, 0xFF].into_iter().filter(|level| *level != own) {
        // Levels that this protocol name goes with are other versions: not a matter of the level alone.
        let known = if version == Version::V3_1 { &[3][..] } else { &[4, 5][..] };
        if known.contains(&level) {
            continue;
        }
        // Bit 7 marks a bridge of 3.x.
        let answer = if version != Version::V3_1 && level & 0x7F >= 5 { "20 03 00 84 00" } else { "20 02 00 01" };
        add(format!("protocol level {level}"), with(1, words(&format!("{level:02X}"))), Outcome::Answer(words(answer)));
    }
    for keep_alive in ["0000", "0001", "FFFF"] {
        add(format!("keep alive {keep_alive}"), with(3, words(keep_alive)), shape.outcome.clone());
    }
    for script in &mut scripts {
        // A refusal that is answered closes.
        if script.name.starts_with("protocol level") {
            script.steps.pop();
            script.steps.push(super::script::Step::Closed);
        }
    }
    scripts
}

fn bytes_of(words: &[String]) -> u8 {
    super::wire::bytes(words, 0)[0]
}

/// All 16 flags of PUBLISH (section 3.3.1).
pub(crate) fn publish_flags(version: Version) -> Vec<Script> {
    let none = if version.is_v5() { words("00") } else { Words::new() };
    (0..16_u8)
        .map(|flags| {
            let qos = flags >> 1 & 3;
            let id = if qos > 0 { words("04D2") } else { Words::new() };
            let body = join(&[&text("{topic}"), &id, &none, &words("'m")]);
            let refused = qos == 3 || (qos == 0 && flags & 8 != 0);
            let outcome = if refused { Outcome::Refused(MALFORMED) } else { published(version, qos) };
            let name = format!("PUBLISH: flags {flags:04b}");
            script(version, Begin::Connected, name, packet(0x30 | flags, &body), outcome)
        })
        .collect()
}

/// Topics with wildcards `[MQTT-3.3.2-2]`, in PUBLISH and in wills.
pub(crate) fn topics(version: Version) -> Vec<Script> {
    let mut scripts = Vec::new();
    for shape in
        shapes(version).iter().filter(|shape| shape.name == "PUBLISH QoS 1" || shape.name == "CONNECT with all")
    {
        let index = shape.fields.iter().position(|field| field.name == "topic" || field.name == "will topic");
        let Some(index) = index else { continue };
        for topic in ["+", "#", "a/+", "a/#", "a+b", "a#", "+/b", "$share/+/a"] {
            let name = format!("{}: topic '{topic}'", shape.name);
            let packet = packet(shape.first, &shape.with(index, &text(topic)));
            scripts.push(script(version, shape.begin, name, packet, Outcome::Refused(MALFORMED)));
        }
    }
    scripts
}

/// Filters (section 4.7) and shared ones (section 4.8.2).
pub(crate) fn filters(version: Version) -> Vec<Script> {
    let mut scripts = Vec::new();
    for shape in shapes(version).iter().filter(|shape| matches!(shape.first, 0x82 | 0xA2)) {
        let Some(index) = shape.fields.iter().position(|field| field.name == "filter") else { continue };
        let mut add = |filter: &str, outcome: Outcome| {
            let name = format!("{}: filter '{filter}'", shape.name);
            let packet = packet(shape.first, &shape.with(index, &text(filter)));
            scripts.push(script(version, shape.begin, name, packet, outcome));
        };
        for legal in [
            "{topic}/#",
            "{topic}/+",
            "{topic}/+/+",
            "{topic}/+/#",
            "{topic}//",
            "/{topic}",
            "$share/group/{topic}",
            "$share/group/{topic}/#",
        ] {
            add(legal, shape.outcome.clone());
        }
        // `$shared` is no share, and a right to `#` is none to what begins with `$` [MQTT-4.7.2-1].
        for dollar in ["$other/{topic}", "$shared/{topic}"] {
            add(
                dollar,
                match shape.first {
                    0x82 => denied(version, dollar),
                    _ => shape.outcome.clone(),
                },
            );
        }
        for malformed in ["a#", "#a", "a/#/b", "#/", "a+", "+a", "a/b+/c", "++", "##", "$share/g/a#", "$share/#/a"] {
            add(malformed, Outcome::Refused(MALFORMED));
        }
        for protocol in ["$share", "$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a"] {
            add(protocol, Outcome::Refused(PROTOCOL));
        }
    }
    scripts
}

/// Every subscription option byte (section 3.8.3.1).
pub(crate) fn options(version: Version) -> Vec<Script> {
    let shape = subscribe(version);
    let last = shape.fields.len() - 1;
    let mut scripts: Vec<Script> = (0..=255_u8)
        .map(|options| {
            let reserved = match version {
                Version::V3_1 => 0,
                Version::V3_1_1 => 0xFC,
                Version::V5 => 0xC0,
            };
            let refused = options & reserved != 0 || options & 3 == 3 || (version.is_v5() && options & 0x30 == 0x30);
            let outcome = if refused { Outcome::Refused(MALFORMED) } else { granted(version, options & 3) };
            let packet = packet(0x82, &shape.with(last, &[format!("{options:02X}")]));
            script(version, Begin::Connected, format!("SUBSCRIBE: options {options:08b}"), packet, outcome)
        })
        .collect();
    if version.is_v5() {
        let body = join(&[&words("04D2 00"), &text("$share/group/{topic}"), &words("04")]);
        let name = "SUBSCRIBE: no local on a shared subscription".to_owned();
        scripts.push(script(version, Begin::Connected, name, packet(0x82, &body), Outcome::Refused(PROTOCOL)));
    }
    scripts
}

/// Every byte in the place of a reason code (section 2.4 and the tables of section 3); 5.0 only.
pub(crate) fn reasons() -> Vec<Script> {
    const PUBLISHED: &[u8] = &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    const RELEASED: &[u8] = &[0x00, 0x92];
    const GOODBYE: &[u8] = &[0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
    let mut scripts = Vec::new();
    for shape in shapes(Version::V5) {
        let Some(index) = shape.fields.iter().position(|field| field.kind == Kind::Reason) else { continue };
        for code in 0..=255_u8 {
            let (legal, refused) = match shape.name {
                "PUBACK" | "PUBREC" => (PUBLISHED, Outcome::Refused(PROTOCOL)),
                "PUBREL" | "PUBCOMP" => (RELEASED, Outcome::Refused(PROTOCOL)),
                // Who has said goodbye reads no answer.
                "DISCONNECT" => (GOODBYE, Outcome::Silence),
                _ => (&[][..], Outcome::Refused(PROTOCOL)),
            };
            let outcome = match legal.contains(&code) {
                false => refused,
                // PUBREC with an error ends the exchange: no PUBREL.
                true if shape.name == "PUBREC" && code >= 0x80 => Outcome::Accepted,
                true => shape.outcome.clone(),
            };
            let packet = packet(shape.first, &shape.with(index, &[format!("{code:02X}")]));
            let name = format!("{}: reason code {code:02X}", shape.name);
            scripts.push(script(Version::V5, Begin::Connected, name, packet, outcome));
        }
    }
    scripts
}

/// Packets that only servers send, and types that nobody has, with every flag.
pub(crate) fn strangers(version: Version) -> Vec<Script> {
    let bodies = match version {
        Version::V5 => {
            [("CONNACK", 0x20, "00 00 00"), ("SUBACK", 0x90, "0001 00 00"), ("UNSUBACK", 0xB0, "0001 00 00")]
        }
        Version::V3_1 | Version::V3_1_1 => {
            [("CONNACK", 0x20, "00 00"), ("SUBACK", 0x90, "0001 00"), ("UNSUBACK", 0xB0, "0001")]
        }
    };
    let mut kinds = bodies.to_vec();
    kinds.extend([("PINGRESP", 0xD0, ""), ("type 0", 0x00, "")]);
    if !version.is_v5() {
        kinds.push(("type 15", 0xF0, ""));
    }
    let mut scripts = Vec::new();
    for (name, first, body) in kinds {
        for flags in 0..16_u8 {
            let code = match flags {
                0 => PROTOCOL,
                _ if matches!(first, 0x20 | 0x00) => PROTOCOL,
                _ => MALFORMED,
            };
            let packet = packet(first | flags, &words(body));
            let what = format!("{name}: from a client, flags {flags:04b}");
            scripts.push(script(version, Begin::Connected, what, packet.clone(), Outcome::Refused(code)));
            if flags == 0 {
                let what = format!("{name}: before CONNECT");
                scripts.push(script(version, Begin::Handshake, what, packet, Outcome::Silence));
            }
        }
        for body in ["00", "00 00 00 00 00"] {
            let packet = packet(first, &words(body));
            let outcome = if first == 0xD0 { Outcome::Silence } else { Outcome::Refused(PROTOCOL) };
            scripts.push(script(version, Begin::Connected, format!("{name}: body {body}"), packet, outcome));
        }
    }
    scripts
}
