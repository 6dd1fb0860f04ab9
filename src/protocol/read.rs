//! The data representations of section 1.5, read from a slice. Nothing is taken beyond its end, nothing allocated.

use super::{DecodeError, PacketId};

/// The unread part of a packet.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

const SHORT: DecodeError = DecodeError::Malformed("the packet ends inside a field");

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything that is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Refuses bytes behind the last field.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        match self.rest {
            [] => Ok(()),
            _ => Err(DecodeError::Malformed("bytes behind the last field")),
        }
    }

    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(SHORT)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    #[inline]
    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Section 1.5.5.
    #[inline]
    pub(super) fn variable_byte_integer(&mut self) -> Result<u32, DecodeError> {
        let (value, length) = variable_byte_integer(self.rest)?.ok_or(SHORT)?;
        self.take(length)?;
        Ok(value)
    }

    /// Binary data, section 1.5.6.
    #[inline]
    pub(super) fn binary(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// A UTF-8 encoded string that names something: a topic, a client, a user. See [`identifier`].
    #[inline]
    pub(super) fn identifier(&mut self) -> Result<&'a str, DecodeError> {
        identifier(self.binary()?)
    }

    /// A UTF-8 encoded string without U+0000 `[MQTT-1.5.4-2]`.
    #[inline]
    pub(super) fn string(&mut self) -> Result<&'a str, DecodeError> {
        let text = text(self.binary()?)?;
        match text.as_bytes().contains(&0) {
            false => Ok(text),
            true => Err(DecodeError::Malformed("a string contains U+0000 [MQTT-1.5.4-2]")),
        }
    }

    #[inline]
    pub(super) fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        PacketId::try_from(self.u16()?).map_err(|_| DecodeError::Protocol("packet identifier 0 [MQTT-2.2.1-3]"))
    }
}

#[inline]
fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    // Rust's idea of UTF-8 is that of the standard: no surrogates, no overlong forms [MQTT-1.5.4-1], and a leading
    // U+FEFF is kept [MQTT-1.5.4-3].
    std::str::from_utf8(bytes).map_err(|_| DecodeError::Malformed("a string is not UTF-8 [MQTT-1.5.4-1]"))
}

/// A string that names something. Control characters and non-characters, which section 1.5.4 lets a server refuse,
/// have no place in it: they forge lines in logs and look like nothing on a screen.
#[inline]
pub(super) fn identifier(bytes: &[u8]) -> Result<&str, DecodeError> {
    let text = text(bytes)?;
    // Without an early exit this becomes vector code, and nearly every name is plain ASCII.
    let plain = bytes.iter().fold(true, |plain, byte| plain & (0x20..0x7F).contains(byte));
    match plain || !text.contains(is_unfit) {
        true => Ok(text),
        false => Err(DecodeError::Malformed("a name has a control character or non-character [MQTT-1.5.4-2]")),
    }
}

fn is_unfit(character: char) -> bool {
    let code = u32::from(character);
    character.is_control() || matches!(code, 0xFDD0..=0xFDEF) || code & 0xFFFE == 0xFFFE
}

/// The variable byte integer at the front of `input` and how many bytes it took; `None` where more are needed.
#[inline]
pub(super) fn variable_byte_integer(input: &[u8]) -> Result<Option<(u32, usize)>, DecodeError> {
    let mut value = 0;
    for (index, &byte) in input.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return match byte == 0 && index > 0 {
                true => Err(DecodeError::Malformed("a variable byte integer longer than needed [MQTT-1.5.5-1]")),
                false => Ok(Some((value, index + 1))),
            };
        }
    }
    match input.len() {
        0..4 => Ok(None),
        _ => Err(DecodeError::Malformed("a variable byte integer of more than four bytes")),
    }
}
