//! Just enough of RFC 6455 for a client, written from the standard and not with the broker's library.

use std::io::{self, ErrorKind, Read, Write};

/// The frames of one connection: what of them is not MQTT.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Bytes that are not a whole frame yet.
    rest: Vec<u8>,
    /// Payloads of the pongs that came.
    pub(crate) pongs: Vec<Vec<u8>>,
    /// Binary frames that came.
    pub(crate) binary: usize,
    /// The Close that came, with its code if it had one.
    pub(crate) closed: Option<Option<u16>>,
}

/// A request that a broker accepts, but for the fields that a test is about.
pub(crate) fn request(fields: &[(&str, &str)]) -> String {
    let usual = [
        ("Host", "localhost:8884"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Protocol", "mqtt"),
    ];
    let kept = usual.iter().filter(|(name, _)| !fields.iter().any(|(changed, _)| changed == name));
    let lines = kept.chain(fields).map(|(name, value)| format!("{name}: {value}\r\n"));
    format!("GET /mqtt HTTP/1.1\r\n{}\r\n", lines.collect::<String>())
}

impl Frames {
    pub(crate) const CONTINUATION: u8 = 0x80;
    pub(crate) const TEXT: u8 = 0x81;
    pub(crate) const BINARY: u8 = 0x82;
    pub(crate) const CLOSE: u8 = 0x88;
    pub(crate) const PING: u8 = 0x89;
    pub(crate) const PONG: u8 = 0x8A;
    /// Without this bit of the first byte more fragments follow.
    pub(crate) const FINAL: u8 = 0x80;

    /// The opening handshake.
    pub(crate) fn open(stream: &mut (impl Read + Write)) -> io::Result<Self> {
        stream.write_all(request(&[]).as_bytes())?;
        stream.flush()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let accepted = head.starts_with("HTTP/1.1 101 ")
            && head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")
            && head.contains("\r\nSec-WebSocket-Protocol: mqtt\r\n");
        if accepted { Ok(Self::default()) } else { Err(io::Error::new(ErrorKind::InvalidData, head)) }
    }

    /// A frame of a client.
    pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        const KEY: [u8; 4] = [0xA5, 0x5A, 0x0F, 0x81];
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..=125 => frame.push(0x80 | length as u8),
            length @ 126..=0xFFFF => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(KEY);
        frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
        frame
    }

    /// Sorts what came: MQTT goes into `inbox`.
    pub(crate) fn take(&mut self, bytes: &[u8], inbox: &mut Vec<u8>) {
        self.rest.extend(bytes);
        while let Some((first, payload, length)) = split(&self.rest) {
            assert!(self.closed.is_none(), "a frame after the Close: {first:#x}");
            match first {
                Self::BINARY => {
                    self.binary += 1;
                    inbox.extend(payload);
                }
                Self::PONG => self.pongs.push(payload.to_vec()),
                Self::CLOSE => {
                    self.closed = Some(payload.first_chunk().map(|code| u16::from_be_bytes(*code)));
                }
                other => panic!("a frame that no broker of MQTT sends: {other:#x}"),
            }
            self.rest.drain(..length);
        }
    }
}

/// The frame at the front: first byte, payload, length. A server's is not masked.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let [first, second, rest @ ..] = bytes else { return None };
    assert_eq!(second & 0x80, 0, "a frame of a server is not masked");
    let (length, head) = match second {
        126 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*rest.first_chunk()?) as usize, 10),
        short => (usize::from(*short), 2),
    };
    Some((*first, bytes.get(head..head + length)?, head + length))
}
