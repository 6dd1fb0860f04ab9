//! The data representations of section 1.5, appended to a vector.

use super::{Inexpressible, MAX_VARIABLE_BYTE_INTEGER, PacketId, Properties, Version};

/// Writes one packet behind what `out` already holds. What MQTT cannot express (a string over 65 535 bytes, a body
/// over 268 435 455) leaves `out` as it was, so that framing never breaks.
#[derive(Debug)]
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    expressible: bool,
}

/// The first byte and one byte for the remaining length, enough for nearly every packet but PUBLISH.
const RESERVED: usize = 2;

impl<'o> Writer<'o> {
    pub(super) fn new(first_byte: u8, out: &'o mut Vec<u8>) -> Self {
        let start = out.len();
        out.extend_from_slice(&[first_byte, 0]);
        Self { out, start, expressible: true }
    }

    /// Fills in the remaining length.
    pub(super) fn finish(self) {
        let body = self.out.len() - self.start - RESERVED;
        match VariableByteInteger::of_len(body) {
            Ok(length) if self.expressible => {
                let place = self.start + 1..self.start + RESERVED;
                self.out.splice(place, length.as_slice().iter().copied());
            }
            _ => self.out.truncate(self.start),
        }
    }

    /// Something here has no form on this wire: the packet will not be written.
    pub(super) fn give_up(&mut self) {
        self.expressible = false;
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn packet_id(&mut self, id: PacketId) {
        self.u16(id.as_u16());
    }

    pub(super) fn binary(&mut self, bytes: &[u8]) {
        match u16::try_from(bytes.len()) {
            Ok(length) => {
                self.u16(length);
                self.out.extend_from_slice(bytes);
            }
            Err(_) => self.give_up(),
        }
    }

    pub(super) fn string(&mut self, text: &str) {
        self.binary(text.as_bytes());
    }

    /// The property length and the properties, which only 5.0 has.
    pub(super) fn properties(&mut self, version: Version, properties: Properties<'_>) {
        if version < Version::V5 {
            return;
        }
        match VariableByteInteger::of_len(properties.raw().len()) {
            Ok(length) => {
                self.out.extend_from_slice(length.as_slice());
                self.out.extend_from_slice(properties.raw());
            }
            Err(Inexpressible) => self.give_up(),
        }
    }
}

/// One to four bytes, never more than needed `[MQTT-1.5.5-1]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct VariableByteInteger {
    bytes: [u8; 4],
    length: u8,
}

impl VariableByteInteger {
    /// For the length of something in memory.
    #[inline]
    pub(super) fn of_len(length: usize) -> Result<Self, Inexpressible> {
        u32::try_from(length).map_err(|_| Inexpressible).and_then(Self::new)
    }

    /// Up to [`MAX_VARIABLE_BYTE_INTEGER`].
    #[inline]
    pub(super) fn new(value: u32) -> Result<Self, Inexpressible> {
        if value > MAX_VARIABLE_BYTE_INTEGER {
            return Err(Inexpressible);
        }
        let length = match value {
            0..0x80 => 1,
            0x80..0x4000 => 2,
            0x4000..0x20_0000 => 3,
            _ => 4,
        };
        let mut bytes = [0; 4];
        for (index, byte) in bytes.iter_mut().enumerate().take(usize::from(length)) {
            let more = if index + 1 < usize::from(length) { 0x80 } else { 0 };
            *byte = (value >> (7 * index)) as u8 & 0x7F | more;
        }
        Ok(Self { bytes, length })
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}
