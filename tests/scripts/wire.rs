//! Bytes as people read them: words in hex, and text behind an apostrophe.
//!
//! `{id}` and `{topic}` in a text stand for eight characters that no other script has, so that scripts can run beside
//! each other. `?4` in what is expected stands for any four bytes.

/// The words of one packet.
pub(crate) type Words = Vec<String>;

/// How many characters a placeholder stands for.
const PLACE: usize = 8;

/// One byte or `None` for any.
pub(crate) type Pattern = Vec<Option<u8>>;

/// Splits a line into words.
pub(crate) fn words(line: &str) -> Words {
    line.split_whitespace().map(str::to_owned).collect()
}

/// The bytes of words, with `number` in the placeholders.
pub(crate) fn pattern(words: &[String], number: usize) -> Pattern {
    words.iter().flat_map(|word| one(word, number)).collect()
}

/// The bytes of words without a `?`.
pub(crate) fn bytes(words: &[String], number: usize) -> Vec<u8> {
    pattern(words, number).into_iter().map(|byte| byte.expect("a byte and no `?`")).collect()
}

fn one(word: &str, number: usize) -> Pattern {
    if let Some(text) = word.strip_prefix('\'') {
        let text = text.replace("{id}", &format!("c{number:07}")).replace("{topic}", &format!("t{number:07}"));
        return text.bytes().map(Some).collect();
    }
    if let Some(count) = word.strip_prefix('?') {
        return vec![None; count.parse().expect("a number behind `?`")];
    }
    assert!(word.len().is_multiple_of(2), "{word:?} is no hex");
    let pairs = word.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| Some(u8::from_str_radix(pair, 16).unwrap_or_else(|_| panic!("{word:?} is no hex")))).collect()
}

pub(crate) fn length(words: &[String]) -> usize {
    pattern(words, 0).len()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// A whole packet: first byte, remaining length, body.
pub(crate) fn packet(first: u8, body: &[String]) -> Words {
    with_length(first, &variable(length(body)), body)
}

/// A packet whose remaining length is what the caller says.
pub(crate) fn with_length(first: u8, remaining: &[u8], body: &[String]) -> Words {
    let mut whole = vec![hex(&[first]), hex(remaining)];
    whole.extend(body.iter().cloned());
    whole
}

/// A variable byte integer (section 1.5.5).
pub(crate) fn variable(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let digit = (value % 128) as u8;
        value /= 128;
        out.push(if value > 0 { digit | 0x80 } else { digit });
        if value == 0 {
            return out;
        }
    }
}

/// A UTF-8 encoded string (section 1.5.4), with its length.
pub(crate) fn text(text: &str) -> Words {
    let length = text.replace("{id}", &"x".repeat(PLACE)).replace("{topic}", &"x".repeat(PLACE)).len();
    let mut out = vec![format!("{length:04X}")];
    match text.chars().all(|c| c.is_ascii_graphic()) {
        true if text.is_empty() => {}
        true => out.push(format!("'{text}")),
        false => out.push(hex(text.as_bytes())),
    }
    out
}

/// Binary data (section 1.5.6), with its length; also strings that are none.
pub(crate) fn binary(bytes: &[u8]) -> Words {
    let mut out = vec![format!("{:04X}", bytes.len())];
    if !bytes.is_empty() {
        out.push(hex(bytes));
    }
    out
}

/// Concatenates.
pub(crate) fn join(parts: &[&[String]]) -> Words {
    parts.concat()
}
