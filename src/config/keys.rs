//! Every key of the settings and its kind: the one table that reading, suggestions and tests share.

use super::units::{format_duration, format_size, parse_duration, parse_size};
use super::{Origin, SubjectSuffix};
use std::net::SocketAddr;
use std::time::Duration;

/// One key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// Dotted, from the section on. Keys below a listener or a trust block are keys of their own.
    pub(super) path: &'static str,
    pub(super) kind: Kind,
}

/// What may stand behind a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// A file or folder.
    Path,
    /// Files or folders.
    Paths,
    /// A name.
    Text,
    /// Names.
    Texts,
    /// Names of HTTP/1.1 in ALPN.
    HttpNames,
    /// Where web pages come from.
    Origins,
    /// Ends of subjects.
    Subjects,
    /// IP address and port.
    Addresses,
    /// `true` or `false`.
    Boolean,
    /// A whole number between two bounds.
    Integer(i64, i64),
    /// A size with its unit, between two bounds in bytes.
    Size(u64, u64),
    /// A span of time with its unit, between two bounds in milliseconds.
    Span(u64, u64),
    /// One of several words.
    Choice(&'static [&'static str]),
    /// A log level with exceptions.
    LogLevel,
    /// An address, or a table with keys of its own.
    Listener,
    /// Tables with keys of their own.
    Blocks,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: u64 = 1_000;

/// The longest TLS record there is, and the shortest that still carries its overhead sensibly.
const RECORD: Kind = Kind::Size(KIB, 16 * KIB);
const STALE_CRL: Kind = Kind::Choice(&["deny", "disconnect", "allow"]);
const CRL_REQUIRED: Kind = Kind::Choice(&["listed", "all"]);
/// A deadline: shorter ones cut honest peers on slow links, longer ones protect nobody.
const DEADLINE: Kind = Kind::Span(100, 3_600 * SECOND);
/// A client that chose one of them would not speak HTTP/1.1.
const OTHER_HTTP: [&str; 2] = ["h2", "h3"];
const COUNT: Kind = Kind::Integer(1, u32::MAX as i64);

/// The table. Order: as the shipped file has them.
pub(super) const KEYS: &[Key] = &[
    key("listeners.mqtts", Kind::Listener),
    key("listeners.mqtts.bind", Kind::Addresses),
    key("listeners.mqtts.alpn", Kind::Texts),
    key("listeners.mqtts.max_record", RECORD),
    key("listeners.wss", Kind::Listener),
    key("listeners.wss.bind", Kind::Addresses),
    key("listeners.wss.origins", Kind::Origins),
    key("listeners.wss.alpn", Kind::HttpNames),
    key("listeners.wss.max_record", RECORD),
    key("tls.certificate", Kind::Path),
    key("tls.private_key", Kind::Path),
    key("tls.client_ca", Kind::Paths),
    key("tls.crl", Kind::Paths),
    key("tls.trust", Kind::Blocks),
    key("tls.trust.name", Kind::Text),
    key("tls.trust.ca", Kind::Paths),
    key("tls.trust.subjects", Kind::Subjects),
    key("tls.trust.crl", Kind::Paths),
    key("tls.trust.stale_crl", STALE_CRL),
    key("tls.trust.crl_required", CRL_REQUIRED),
    key("tls.stale_crl", STALE_CRL),
    key("tls.crl_required", CRL_REQUIRED),
    key("tls.minimum_version", Kind::Choice(&["1.2", "1.3"])),
    key("tls.require_eku", Kind::Boolean),
    key("tls.require_ems", Kind::Boolean),
    key("tls.session_resumption", Kind::Boolean),
    key("tls.max_record", RECORD),
    key("identity.subject", Kind::Choice(&["dn", "cn", "san_uri", "san_dns", "san_email"])),
    key("identity.client_id", Kind::Choice(&["any", "cn"])),
    key("policy.require_record", Kind::Boolean),
    key("policy.unknown_devices", Kind::Choice(&["refuse", "quarantine"])),
    key("storage.path", Kind::Path),
    key("storage.admin_socket", Kind::Path),
    key("mqtt.receive_maximum", Kind::Integer(1, u16::MAX as i64)),
    key("mqtt.topic_alias_maximum", Kind::Integer(0, u16::MAX as i64)),
    // Each publication to such a client walks them.
    key("mqtt.outgoing_topic_aliases", Kind::Integer(0, 64)),
    key("mqtt.maximum_packet_size", Kind::Size(KIB, 268_435_460)),
    key("mqtt.server_keep_alive", Kind::Span(SECOND, 65_535 * SECOND)),
    key("mqtt.maximum_session_expiry", Kind::Span(0, u32::MAX as u64 * SECOND)),
    key("mqtt.sys_interval", Kind::Span(0, 3_600 * SECOND)),
    key("mqtt.queue_full", Kind::Choice(&["drop-oldest", "drop-newest", "refuse"])),
    key("mqtt.refused_publish", Kind::Choice(&["acknowledge", "close"])),
    key("limits.connections", COUNT),
    key("limits.unauthenticated_connections", COUNT),
    key("limits.handshake_timeout", DEADLINE),
    key("limits.connect_timeout", DEADLINE),
    key("limits.write_timeout", DEADLINE),
    key("limits.outbound_bytes", Kind::Size(4 * KIB, GIB)),
    // A server takes client ids of 23 bytes in any case [MQTT-3.1.3-5].
    key("limits.client_id_bytes", Kind::Size(23, 65_535)),
    key("limits.topic_bytes", Kind::Size(1, 65_535)),
    key("limits.topic_levels", Kind::Integer(1, 65_535)),
    key("limits.subscriptions_per_session", COUNT),
    key("limits.sessions_per_device", COUNT),
    key("limits.queued_messages", COUNT),
    key("limits.queued_bytes", Kind::Size(KIB, 1024 * GIB)),
    key("limits.inflight_messages", Kind::Integer(1, u16::MAX as i64)),
    key("limits.unreleased_ids", Kind::Integer(1, u16::MAX as i64)),
    key("limits.retained_messages", COUNT),
    key("limits.retained_bytes", Kind::Size(MIB, 1024 * GIB)),
    key("limits.pending_devices", COUNT),
    key("limits.certificates_seen", COUNT),
    key("limits.denials", COUNT),
    key("limits.denials_bytes", Kind::Size(4 * KIB, GIB)),
    key("limits.audit_file_bytes", Kind::Size(64 * KIB, GIB)),
    key("limits.audit_files", Kind::Integer(2, 1_000_000)),
    key("log.level", Kind::LogLevel),
    key("log.format", Kind::Choice(&["text", "json"])),
];

const fn key(path: &'static str, kind: Kind) -> Key {
    Key { path, kind }
}

/// The kind of the key at `path`.
pub(super) fn kind(path: &str) -> Option<Kind> {
    KEYS.iter().find(|key| key.path == path).map(|key| key.kind)
}

/// The names that may stand directly below `path` (`""`: the sections).
pub(super) fn below(path: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = KEYS
        .iter()
        .filter_map(|key| match path {
            "" => Some(key.path),
            _ => key.path.strip_prefix(path)?.strip_prefix('.'),
        })
        .filter_map(|rest| rest.split('.').next())
        .collect();
    names.dedup();
    names
}

impl Kind {
    /// Judges one text of this kind; `Err` says what was wanted.
    pub(super) fn judge(self, text: &str) -> Result<(), String> {
        match self {
            Self::Path | Self::Paths if text.is_empty() => Err("an empty path names nothing".to_owned()),
            Self::Text | Self::Texts | Self::HttpNames if text.is_empty() => {
                Err("an empty name names nothing".to_owned())
            }
            Self::Size(least, most) => within(parse_size(text)?, least, most, format_size),
            Self::Span(least, most) => {
                let millis = u64::try_from(parse_duration(text)?.as_millis()).unwrap_or(u64::MAX);
                within(millis, least, most, |millis| format_duration(Duration::from_millis(millis)))
            }
            Self::Choice(words) if !words.contains(&text) => Err(choice_fault(text, words)),
            Self::Addresses | Self::Listener => match text.parse::<SocketAddr>() {
                Ok(_) => Ok(()),
                Err(_) => Err(address_fault(text)),
            },
            Self::Origins => text.parse::<Origin>().map(drop),
            Self::Subjects => text.parse::<SubjectSuffix>().map(drop),
            Self::HttpNames if OTHER_HTTP.contains(&text) => {
                Err(format!("{text:?} is another protocol: a WebSocket is opened with HTTP/1.1, \"http/1.1\""))
            }
            Self::LogLevel => crate::telemetry::log::judge_level(text),
            _ => Ok(()),
        }
    }

    /// Judges one number of this kind.
    pub(super) fn judge_number(self, number: i64) -> Result<(), String> {
        match self {
            Self::Integer(least, most) => within(number, least, most, |number| number.to_string()),
            _ => Ok(()),
        }
    }

    /// What should stand there, for messages about a wrong type.
    pub(super) fn wanted(self) -> &'static str {
        match self {
            Self::Path => "a path in quotes",
            Self::Paths => "a list of paths, as in [\"ca.crt\"]",
            Self::Text => "a text in quotes",
            Self::Texts => "a list of texts, as in [\"mqtt\"]",
            Self::HttpNames => "a list of texts, as in [\"http/1.1\"]",
            Self::Origins => "a list of origins, as in [\"https://app.example\"]",
            Self::Subjects => "a list of ends of subjects, as in [\"O=acme\"]",
            Self::Addresses => "a list of addresses, as in [\"0.0.0.0:8883\"]",
            Self::Boolean => "true or false, without quotes",
            Self::Integer(..) => "a whole number, without quotes",
            Self::Size(..) => "a size with its unit in quotes, as in \"64 KiB\"",
            Self::Span(..) => "a span of time with its unit in quotes, as in \"10 s\"",
            Self::Choice(_) => "a word in quotes",
            Self::LogLevel => "a level in quotes, as in \"info\"",
            Self::Listener => "an address in quotes, as in \"0.0.0.0:8883\", or a table with bind",
            Self::Blocks => "tables, each written [[tls.trust]]",
        }
    }
}

fn within<T: PartialOrd + Copy>(value: T, least: T, most: T, write: impl Fn(T) -> String) -> Result<(), String> {
    if value < least || value > most {
        return Err(format!("{} is outside {} to {}", write(value), write(least), write(most)));
    }
    Ok(())
}

fn choice_fault(text: &str, words: &[&str]) -> String {
    let listed = words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
    match super::nearest(text, words.iter().copied()) {
        Some(word) => format!("{text:?} is none of {listed}; did you mean {word:?}?"),
        None => format!("{text:?} is none of {listed}"),
    }
}

fn address_fault(text: &str) -> String {
    let remedy = "write an IP address and a port, as in \"0.0.0.0:8883\" or \"[::]:8883\"";
    match text.rsplit_once(':') {
        Some((host, _)) if host.parse::<std::net::Ipv6Addr>().is_ok() => {
            format!("{text:?}: an IPv6 address stands in brackets; {remedy}")
        }
        _ => format!("{text:?} is not an address; {remedy}"),
    }
}
