//! [`Origin`]: where a web page comes from (RFC 6454), compared exactly.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// Scheme, host and port of a page. Two are the same when all three are; scheme and host in any case of letters, and
/// a missing port is that of the scheme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin {
    /// Lower case.
    scheme: String,
    /// Lower case, IPv6 addresses in brackets.
    host: String,
    /// `None`: a scheme without a port of its own, and none written.
    port: Option<u16>,
}

impl Origin {
    /// The origin of the pages that `https://HOST/` serves; `host` as the field Host has it.
    pub fn https(host: &str) -> Option<Self> {
        format!("https://{host}").parse().ok()
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(|| {
            format!(
                "{text:?} is no origin; write scheme, host and port as browsers do, as in \"https://app.example\" or \"https://app.example:8443\""
            )
        })
    }
}

/// Nothing behind the port: an origin has no path, and `null` is none at all.
fn parse(text: &str) -> Option<Origin> {
    let (scheme, authority) = text.split_once("://")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(plain) {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    let (host, port) = split_port(authority)?;
    let default = match scheme.as_str() {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    Some(Origin { scheme, host: host.to_ascii_lowercase(), port: port.or(default) })
}

fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let port_at = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, _) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            address.len() + 2
        }
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(port_at)?;
    let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if host.is_empty() || !host.starts_with('[') && !host.bytes().all(named) {
        return None;
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Some((host, None)),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some((host, Some(digits.parse().ok()?))),
        _ => None,
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        match (scheme.as_str(), port) {
            (_, None) | ("https", Some(443)) | ("http", Some(80)) => write!(f, "{scheme}://{host}"),
            (_, Some(port)) => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.to_string()
    }
}
