//! Frames of RFC 6455 section 5: what a client sends, unmasked in place, and what we send.

use std::io::Cursor;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

#[cfg(test)]
mod tests;

/// Bytes of the longest head of a frame: flags and opcode, length, mask.
const HEAD_BYTES: usize = 14;

/// The longest payload there is (section 5.2). Nothing less is needed: a payload is never collected, and a client may
/// put any number of packets into one frame, as MQTT.js does in browsers. Each packet has its own limit.
const MAXIMUM: u64 = u64::MAX >> 1;

/// Bytes that a control frame may carry (section 5.5).
const CONTROL_BYTES: u64 = 125;

/// Reads the frames of one client in pieces of any size. Keeps at most one head and one control frame.
#[derive(Debug)]
pub(super) struct Decoder {
    message: Message,
    expecting: Expecting,
}

/// Whether a message was begun whose last frame has not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    None,
    Begun,
}

#[derive(Debug)]
enum Expecting {
    /// A head, of which so many bytes have come.
    Head([u8; HEAD_BYTES], usize),
    Data(Masked),
    Control(Control, Masked, Vec<u8>),
    /// Nothing: it is over.
    Nothing,
}

/// The rest of a payload.
#[derive(Clone, Copy, Debug)]
struct Masked {
    left: u64,
    /// The key, turned to the byte that comes next.
    key: [u8; 4],
}

/// What a piece held.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Decoded {
    /// So many bytes of MQTT, now at the front of the piece.
    pub(super) data: usize,
    /// The payload of the last ping.
    pub(super) ping: Option<Vec<u8>>,
    /// Why nothing more will be read; what was behind it is lost.
    pub(super) ending: Option<Ending>,
}

/// How the frames of a client end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With its Close, and the code in it.
    Close(Option<u16>),
    /// With what it may not send.
    Fault(Fault),
}

/// What a client did wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The code of our Close (section 7.4.1).
    code: CloseCode,
    pub(super) what: &'static str,
}

impl Fault {
    const fn protocol(what: &'static str) -> Self {
        Self { code: CloseCode::Protocol, what }
    }
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { message: Message::None, expecting: Expecting::Head([0; HEAD_BYTES], 0) }
    }

    /// Reads the next piece of the stream and moves the MQTT bytes in it to its front.
    pub(super) fn decode(&mut self, piece: &mut [u8]) -> Decoded {
        let mut decoded = Decoded::default();
        let mut read = 0;
        while read < piece.len() && decoded.ending.is_none() {
            match self.step(piece, read, &mut decoded) {
                Ok(consumed) => read += consumed,
                Err(fault) => decoded.ending = Some(Ending::Fault(fault)),
            }
        }
        if decoded.ending.is_some() {
            self.expecting = Expecting::Nothing;
        }
        decoded
    }

    /// Goes on from `read` with one head or payload, as far as it is there; returns how many bytes that took.
    fn step(&mut self, piece: &mut [u8], read: usize, decoded: &mut Decoded) -> Result<usize, Fault> {
        let rest = piece.get(read..).unwrap_or_default();
        match &mut self.expecting {
            Expecting::Nothing => Ok(rest.len()),
            Expecting::Head(head, there) => {
                let had = *there;
                for (slot, byte) in head.iter_mut().skip(had).zip(rest) {
                    *slot = *byte;
                    *there += 1;
                }
                let mut cursor = Cursor::new(head.get(..*there).unwrap_or_default());
                let parsed = FrameHeader::parse(&mut cursor).map_err(|_| Fault::protocol("an unknown opcode"))?;
                let Some((header, length)) = parsed else { return Ok(*there - had) };
                let consumed = usize::try_from(cursor.position()).unwrap_or(HEAD_BYTES);
                self.expecting = self.begin(&header, length, consumed)?;
                self.end_empty(decoded)?;
                Ok(consumed - had)
            }
            Expecting::Data(masked) => {
                let take = masked.take(rest.len());
                let to = decoded.data..decoded.data + take;
                // Within the piece: `take` is at most what is behind `read`, and data never gets ahead of it.
                piece.copy_within(read..read + take, decoded.data);
                masked.unmask(piece.get_mut(to).unwrap_or_default());
                decoded.data += take;
                self.end_empty(decoded)?;
                Ok(take)
            }
            Expecting::Control(_, masked, payload) => {
                let take = masked.take(rest.len());
                let from = payload.len();
                payload.extend_from_slice(rest.get(..take).unwrap_or_default());
                masked.unmask(payload.get_mut(from..).unwrap_or_default());
                self.end_empty(decoded)?;
                Ok(take)
            }
        }
    }

    /// Judges a head.
    fn begin(&mut self, header: &FrameHeader, length: u64, head_bytes: usize) -> Result<Expecting, Fault> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(Fault::protocol("a reserved bit is set, and no extension was agreed on"));
        }
        let Some(key) = header.mask else { return Err(Fault::protocol("a frame of a client is not masked")) };
        if header.len(length) != head_bytes {
            return Err(Fault::protocol("a length is not written in the fewest bytes"));
        }
        if length > MAXIMUM {
            return Err(Fault::protocol("the highest bit of a length is set"));
        }
        let masked = Masked { left: length, key };
        match header.opcode {
            OpCode::Control(control) => {
                if !header.is_final || length > CONTROL_BYTES {
                    return Err(Fault::protocol("a control frame is fragmented or longer than 125 bytes"));
                }
                return Ok(Expecting::Control(control, masked, Vec::new()));
            }
            OpCode::Data(Data::Text) => {
                // [MQTT-6.0.0-1]
                return Err(Fault { code: CloseCode::Unsupported, what: "a text frame: MQTT is binary" });
            }
            OpCode::Data(Data::Continue) if self.message == Message::None => {
                return Err(Fault::protocol("a continuation of no message"));
            }
            OpCode::Data(Data::Binary) if self.message == Message::Begun => {
                return Err(Fault::protocol("a message begins inside another"));
            }
            OpCode::Data(_) => {}
        }
        self.message = if header.is_final { Message::None } else { Message::Begun };
        Ok(Expecting::Data(masked))
    }

    /// Where the payload is whole, concludes the frame.
    fn end_empty(&mut self, decoded: &mut Decoded) -> Result<(), Fault> {
        match &mut self.expecting {
            Expecting::Data(masked) if masked.left == 0 => {}
            Expecting::Control(control, masked, payload) if masked.left == 0 => match control {
                Control::Ping => decoded.ping = Some(std::mem::take(payload)),
                Control::Close => decoded.ending = Some(Ending::Close(close_code(payload)?)),
                Control::Pong | Control::Reserved(_) => {}
            },
            Expecting::Data(_) | Expecting::Control(..) | Expecting::Head(..) | Expecting::Nothing => return Ok(()),
        }
        self.expecting = Expecting::Head([0; HEAD_BYTES], 0);
        Ok(())
    }
}

impl Masked {
    /// How many of `there` bytes belong to this payload; they count as taken.
    fn take(&mut self, there: usize) -> usize {
        let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(there);
        self.left -= take as u64;
        take
    }

    /// Unmasks the bytes taken last.
    fn unmask(&mut self, bytes: &mut [u8]) {
        let [a, b, c, d] = self.key;
        let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, rest) = bytes.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip([a, b, c, d, a, b, c]) {
            *byte ^= key;
        }
        self.key.rotate_left(bytes.len() % 4);
    }
}

/// The code in the payload of a Close (section 5.5.1).
fn close_code(payload: &[u8]) -> Result<Option<u16>, Fault> {
    match payload {
        [] => Ok(None),
        [_] => Err(Fault::protocol("a Close has half a code")),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !CloseCode::from(code).is_allowed() {
                return Err(Fault::protocol("a Close has a code that is not for the wire"));
            }
            match std::str::from_utf8(reason) {
                Ok(_) => Ok(Some(code)),
                Err(_) => Err(Fault { code: CloseCode::Invalid, what: "the reason of a Close is not UTF-8" }),
            }
        }
    }
}

/// The head of a frame that we send: never masked, never a fragment.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameHead {
    bytes: [u8; HEAD_BYTES],
    length: usize,
}

impl FrameHead {
    /// Of a binary message.
    pub(super) fn binary(payload: usize) -> Self {
        Self::new(OpCode::Data(Data::Binary), payload)
    }

    fn new(opcode: OpCode, payload: usize) -> Self {
        let header = FrameHeader { opcode, ..FrameHeader::default() };
        let mut bytes = [0; HEAD_BYTES];
        // A head always fits.
        let _ = header.format(payload as u64, &mut bytes.as_mut_slice());
        Self { bytes, length: header.len(payload as u64) }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// The answer to a ping.
pub(super) fn pong(ping: &[u8]) -> Vec<u8> {
    [FrameHead::new(OpCode::Control(Control::Pong), ping.len()).bytes(), ping].concat()
}

/// Our Close: the answer to the client's, or the fault, or a normal end.
pub(super) fn close(ending: Option<&Ending>) -> Vec<u8> {
    let code = match ending {
        Some(Ending::Close(code)) => *code,
        Some(Ending::Fault(fault)) => Some(fault.code.into()),
        None => Some(CloseCode::Normal.into()),
    };
    let payload = code.map(u16::to_be_bytes);
    let payload = payload.as_ref().map_or(&[][..], <[u8; 2]>::as_slice);
    [FrameHead::new(OpCode::Control(Control::Close), payload.len()).bytes(), payload].concat()
}
