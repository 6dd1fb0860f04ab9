//! RFC 4514 text: the formatter (one spelling a name) and the parser (every spelling that people use).

use super::NameError;
use super::attribute;
use super::der::{self, Attribute, RelativeName, Value};

/// Writes relative names, last of the certificate first, in their only canonical spelling.
pub(super) fn format(mut names: Vec<RelativeName>) -> String {
    let mut text = String::new();
    for (position, relative) in names.iter_mut().enumerate() {
        // OpenSSL prints the set backwards, too.
        relative.sort_by_cached_key(|attribute| std::cmp::Reverse(attribute.sort_key()));
        for (place, attribute) in relative.iter().enumerate() {
            text.push_str(if place > 0 {
                "+"
            } else if position > 0 {
                ","
            } else {
                ""
            });
            push_attribute(&mut text, attribute);
        }
    }
    text
}

fn push_attribute(text: &mut String, attribute: &Attribute) {
    text.push_str(attribute.type_name());
    text.push('=');
    match &attribute.value {
        Value::Text(value) => push_escaped(text, value),
        Value::Der(der) => {
            text.push('#');
            der.iter().for_each(|octet| push_hex(text, *octet));
        }
    }
}

fn push_escaped(text: &mut String, value: &str) {
    let last = value.char_indices().next_back().map_or(0, |(index, _)| index);
    for (index, character) in value.char_indices() {
        match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => text.extend(['\\', character]),
            '#' if index == 0 => text.push_str("\\#"),
            ' ' if index == 0 || index == last => text.push_str("\\ "),
            invisible if is_invisible(invisible) => {
                for octet in invisible.encode_utf8(&mut [0; 4]).bytes() {
                    text.push('\\');
                    push_hex(text, octet);
                }
            }
            plain => text.push(plain),
        }
    }
}

/// Characters that a terminal obeys or does not show: printed raw, two names would look like one.
pub(in crate::policy) fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn push_hex(text: &mut String, octet: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for digit in [octet >> 4, octet & 0xf] {
        text.extend(DIGITS.get(usize::from(digit)).map(|digit| char::from(*digit)));
    }
}

/// Parses RFC 4514 section 3, and of RFC 2253 the spaces around separators, `;` between names and quoted values.
pub(super) fn parse(text: &str) -> Result<Vec<RelativeName>, NameError> {
    let mut parser = Parser { characters: text.chars().collect(), position: 0 };
    let mut names = vec![vec![parser.attribute()?]];
    loop {
        parser.skip_spaces();
        match parser.take() {
            None => return Ok(names),
            Some(',' | ';') => names.push(vec![parser.attribute()?]),
            Some('+') => {
                let attribute = parser.attribute()?;
                names.last_mut().into_iter().for_each(|relative| relative.push(attribute.clone()));
            }
            Some(_) => return parser.fault_at(parser.position, "after a value comes ',' or '+' or the end"),
        }
    }
}

struct Parser {
    characters: Vec<char>,
    /// Characters taken so far.
    position: usize,
}

impl Parser {
    fn attribute(&mut self) -> Result<Attribute, NameError> {
        self.skip_spaces();
        let oid = self.attribute_type()?;
        self.skip_spaces();
        let start = self.position + 1;
        let value = match self.peek() {
            Some('#') => self.hex_value(&oid)?,
            Some('"') => Value::Text(self.quoted()?),
            _ => Value::Text(self.string()?),
        };
        if matches!(value, Value::Text(_)) && attribute::short_name(&oid).is_none() {
            return self.fault_at(start, "the value of a dotted type is written as # and the digits of its DER");
        }
        Ok(Attribute { oid, value })
    }

    fn attribute_type(&mut self) -> Result<String, NameError> {
        let start = self.position + 1;
        let mut typed = String::new();
        while let Some(character) = self.peek().filter(|next| next.is_ascii_alphanumeric() || ".-".contains(*next)) {
            typed.push(character);
            self.position += 1;
        }
        self.skip_spaces();
        if typed.is_empty() {
            return self.fault_at(start, "an attribute is expected, such as CN=dev-0001");
        }
        if self.take() != Some('=') {
            return self.fault_at(start, "an attribute type and '=' are expected, such as CN=");
        }
        match attribute::oid_of(&typed) {
            Some(oid) => Ok(oid),
            None => self.fault_at(start, "an unknown attribute type; write its dotted object identifier"),
        }
    }

    /// `#` and the DER of the value (RFC 4514 section 2.4).
    fn hex_value(&mut self, oid: &str) -> Result<Value, NameError> {
        self.position += 1;
        let start = self.position;
        let mut octets = Vec::new();
        while let Some(octet) = self.hex_pair() {
            octets.push(octet);
        }
        match der::only(&octets) {
            Ok(element) => Ok(Value::of(oid, element)),
            Err(_) => self.fault_at(start, "after '#' come the hexadecimal digits of one DER value"),
        }
    }

    fn quoted(&mut self) -> Result<String, NameError> {
        let start = self.position + 1;
        self.position += 1;
        let mut octets = Vec::new();
        loop {
            match self.take() {
                None => return self.fault_at(start, "a quoted value without its second quote"),
                Some('"') => return self.text(start, octets),
                Some('\\') => self.escaped(&mut octets)?,
                Some(plain) => self.push(&mut octets, plain)?,
            }
        }
    }

    fn string(&mut self) -> Result<String, NameError> {
        let start = self.position + 1;
        let mut octets = Vec::new();
        // Spaces before a separator do not belong to the value unless they are escaped.
        let mut kept = 0;
        while let Some(next) = self.peek().filter(|next| !",;+".contains(*next)) {
            self.position += 1;
            match next {
                '\\' => self.escaped(&mut octets)?,
                '"' | '<' | '>' => return self.fault_at(self.position, "write '\\' before '\"', '<' and '>'"),
                plain => self.push(&mut octets, plain)?,
            }
            if next != ' ' {
                kept = octets.len();
            }
        }
        octets.truncate(kept);
        self.text(start, octets)
    }

    fn push(&self, octets: &mut Vec<u8>, character: char) -> Result<(), NameError> {
        if character.is_control() {
            return self.fault_at(self.position, "write a control character as '\\' and two hexadecimal digits");
        }
        octets.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    /// What follows a backslash: a special character, or an octet of UTF-8 as two hexadecimal digits.
    fn escaped(&mut self, octets: &mut Vec<u8>) -> Result<(), NameError> {
        if let Some(octet) = self.hex_pair() {
            octets.push(octet);
            return Ok(());
        }
        match self.take() {
            Some(special @ (',' | '+' | '"' | '\\' | '<' | '>' | ';' | ' ' | '#' | '=')) => octets.push(special as u8),
            _ => return self.fault_at(self.position, "after '\\' comes a special character or two hexadecimal digits"),
        }
        Ok(())
    }

    fn hex_pair(&mut self) -> Option<u8> {
        let digit = |ahead| self.characters.get(self.position + ahead).and_then(|digit: &char| digit.to_digit(16));
        let octet = digit(0)? << 4 | digit(1)?;
        self.position += 2;
        u8::try_from(octet).ok()
    }

    fn text(&self, start: usize, octets: Vec<u8>) -> Result<String, NameError> {
        String::from_utf8(octets).or_else(|_| self.fault_at(start, "the escaped octets are not UTF-8"))
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(' ') {
            self.position += 1;
        }
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.position).copied()
    }

    fn take(&mut self) -> Option<char> {
        let next = self.peek();
        self.position += usize::from(next.is_some());
        next
    }

    fn fault_at<T>(&self, position: usize, fault: &'static str) -> Result<T, NameError> {
        Err(NameError { position: position.max(1), fault })
    }
}
