//! The HTTP request that opens a WebSocket (RFC 6455 section 4.2): judged whole, answered 101 or with a clear no.

use crate::config::Origin;
use httparse::{EMPTY_HEADER, Header, Request, Status};
use std::borrow::Cow;
use std::fmt;
use tungstenite::handshake::derive_accept_key;

#[cfg(test)]
mod tests;

/// Fields of a request. Browsers send about 20.
const FIELDS: usize = 64;

/// Where the clients of the field look for MQTT; a query behind it says nothing to us.
const PATHS: [&str; 2] = ["/", "/mqtt"];

/// The subprotocols that mean MQTT, the preferred one first [MQTT-6.0.0-3]. The second is what clients of 3.1 say.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// A request that may become a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// Sec-WebSocket-Accept.
    proof: String,
    /// Sec-WebSocket-Protocol, one that the client offered [MQTT-6.0.0-4].
    subprotocol: &'static str,
}

/// Why there will be no WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the request is not good HTTP/1.1: {0}")]
    Malformed(&'static str),
    #[error("MQTT is served at / and /mqtt")]
    Path,
    #[error("the method must be GET")]
    Method,
    #[error("this is MQTT over WebSocket: connect with an MQTT client, as wss://HOST:PORT/mqtt")]
    NoUpgrade,
    #[error("the WebSocket version must be 13")]
    Version,
    #[error("offer the subprotocol mqtt (Sec-WebSocket-Protocol: mqtt)")]
    Subprotocol,
    #[error("pages of {0} may not connect: add their origin to listeners.wss.origins of the broker")]
    Origin(String),
    #[error("the head of the request is longer than {0} bytes")]
    TooLong(usize),
}

/// Judges the head of a request, whole with its empty line.
pub(super) fn judge(head: &[u8], origins: &[Origin]) -> Result<Accepted, Refused> {
    let mut fields = [EMPTY_HEADER; FIELDS];
    let mut request = Request::new(&mut fields);
    match request.parse(head) {
        Ok(Status::Complete(length)) if length == head.len() => {}
        // A client must wait for the answer (section 4.1); a body would be taken for frames.
        Ok(Status::Complete(_)) => return Err(Refused::Malformed("something stands behind the head")),
        Ok(Status::Partial) | Err(_) => return Err(Refused::Malformed("it cannot be read")),
    }
    let fields = Fields(request.headers);
    if request.version != Some(1) {
        return Err(Refused::Malformed("the version must be HTTP/1.1"));
    }
    let path = request.path.unwrap_or_default();
    if !PATHS.contains(&path.split_once('?').map_or(path, |(path, _)| path)) {
        return Err(Refused::Path);
    }
    if request.method != Some("GET") {
        return Err(Refused::Method);
    }
    let host = fields.one("Host")?.ok_or(Refused::Malformed("the field Host is missing"))?;
    if fields.all("Transfer-Encoding").next().is_some() || fields.all("Content-Length").any(|length| length != b"0") {
        return Err(Refused::Malformed("it has a body"));
    }
    if !fields.lists("Upgrade", |token| token.eq_ignore_ascii_case("websocket"))
        || !fields.lists("Connection", |token| token.eq_ignore_ascii_case("upgrade"))
    {
        return Err(Refused::NoUpgrade);
    }
    judge_origin(fields.one_raw("Origin")?, host, origins)?;
    if fields.one("Sec-WebSocket-Version")? != Some("13") {
        return Err(Refused::Version);
    }
    let key = fields.one("Sec-WebSocket-Key")?.filter(|key| is_key(key));
    let key = key.ok_or(Refused::Malformed("Sec-WebSocket-Key is not 16 bytes in base64"))?;
    let offered = |name: &&str| fields.lists("Sec-WebSocket-Protocol", |token| token == *name);
    let subprotocol = SUBPROTOCOLS.into_iter().find(offered).ok_or(Refused::Subprotocol)?;
    Ok(Accepted { proof: derive_accept_key(key.as_bytes()), subprotocol })
}

/// Browsers present certificates on their own, also for a page that has no business here; but they say whose page it
/// is. Who is no browser says nothing.
fn judge_origin(origin: Option<&[u8]>, host: &str, origins: &[Origin]) -> Result<(), Refused> {
    let Some(origin) = origin else { return Ok(()) };
    let text = String::from_utf8_lossy(origin);
    let welcome =
        text.parse().is_ok_and(|origin| Origin::https(host).as_ref() == Some(&origin) || origins.contains(&origin));
    if welcome { Ok(()) } else { Err(Refused::Origin(text.escape_debug().to_string())) }
}

fn is_key(text: &str) -> bool {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == 16)
}

struct Fields<'h>(&'h [Header<'h>]);

impl<'h> Fields<'h> {
    fn all(&self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        self.0.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// A field that must not stand there twice: two readers could choose differently.
    fn one_raw(&self, name: &'h str) -> Result<Option<&'h [u8]>, Refused> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(Refused::Malformed("a field stands there twice")),
        }
    }

    fn one(&self, name: &'h str) -> Result<Option<&'h str>, Refused> {
        let text = |value| std::str::from_utf8(value).map_err(|_| Refused::Malformed("a field is not text"));
        self.one_raw(name)?.map(text).transpose()
    }

    /// Whether one of the comma-separated tokens of a field is what is wanted.
    fn lists(&self, name: &'h str, wanted: impl Fn(&str) -> bool) -> bool {
        self.all(name)
            .filter_map(|value| std::str::from_utf8(value).ok())
            .flat_map(|value| value.split(','))
            .any(|token| wanted(token.trim()))
    }
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proof, subprotocol } = self;
        write!(
            f,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {proof}\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
        )
    }
}

impl Refused {
    /// The whole HTTP answer, after which the connection ends.
    pub(super) fn answer(&self) -> String {
        let (status, fields) = match self {
            Self::Malformed(_) | Self::Subprotocol => ("400 Bad Request", ""),
            Self::Origin(_) => ("403 Forbidden", ""),
            Self::Path => ("404 Not Found", ""),
            Self::Method => ("405 Method Not Allowed", "Allow: GET\r\n"),
            Self::NoUpgrade => ("426 Upgrade Required", "Upgrade: websocket\r\n"),
            Self::Version => ("426 Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
            Self::TooLong(_) => ("431 Request Header Fields Too Large", ""),
        };
        // Upgrade is a field of this connection alone, so Connection names it (RFC 9110 section 7.8).
        let connection = if fields.starts_with("Upgrade") { "upgrade, close" } else { "close" };
        let text = self.told();
        format!(
            "HTTP/1.1 {status}\r\n{fields}Connection: {connection}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             X-Content-Type-Options: nosniff\r\nContent-Length: {}\r\n\r\n{text}\n",
            text.len() + 1
        )
    }

    /// What the client may know: not how the broker is set up.
    fn told(&self) -> Cow<'static, str> {
        match self {
            Self::Origin(_) => Cow::Borrowed("pages of this origin may not connect"),
            other => Cow::Owned(other.to_string()),
        }
    }
}
