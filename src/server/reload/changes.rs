//! What a reload changes: for people, for the trust epoch, and which settings must wait for a restart.

use super::super::listeners;
use super::InForce;
use crate::admin::reply::time_text;
use crate::config::Settings;
use crate::tls::{ServerTls, TrustDifference};

/// What differs between what is served and what will be.
#[derive(Debug)]
pub(super) struct Changes {
    /// One line each.
    pub(super) lines: Vec<String>,
    /// Whether tickets of before are worthless.
    pub(super) epoch: TrustEpoch,
}

/// The trust epoch rises with the roots and with the server's key: tickets of another epoch do not open. It stays with
/// a revocation list or the deny list, by which every resumption is judged anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TrustEpoch {
    Stays,
    Rises,
}

impl Changes {
    pub(super) fn between(old: &InForce, settings: &Settings, tls: &ServerTls, difference: &TrustDifference) -> Self {
        let mut lines = Vec::new();
        let (before, after) = (old.tls.server_certificate(), tls.server_certificate());
        let other_key = before.spki_sha256 != after.spki_sha256;
        if before != after {
            let key = if other_key { "with another key" } else { "with the same key" };
            let (subject, end) = (&after.subject, time_text(after.not_after));
            lines.push(format!("server certificate: {subject} until {end}, {key}"));
        }
        lines.extend(difference.to_string().lines().map(str::to_owned));
        lines.extend(differing(&old.settings, settings).into_iter().map(|key| format!("{key} is another")));
        let roots = !difference.anchors_added.is_empty()
            || !difference.anchors_removed.is_empty()
            || !difference.blocks.is_empty();
        let resumption = old.settings.tls.session_resumption != settings.tls.session_resumption;
        let epoch = if roots || other_key || resumption { TrustEpoch::Rises } else { TrustEpoch::Stays };
        Self { lines, epoch }
    }
}

/// The settings that a reload puts in force, and the keys of those that wait for a restart.
pub(super) fn applicable(old: &Settings, wanted: Settings) -> (Settings, Vec<String>) {
    let mut settings = old.clone();
    settings.tls = wanted.tls.clone();
    listeners::take_reloadable(&mut settings.listeners, &wanted.listeners);
    let restart = differing(&settings, &wanted);
    (settings, restart)
}

/// The dotted keys whose values differ.
fn differing(one: &Settings, other: &Settings) -> Vec<String> {
    let mut keys = Vec::new();
    match (toml::Table::try_from(one), toml::Table::try_from(other)) {
        (Ok(one), Ok(other)) => compare("", &one, &other, &mut keys),
        _ => keys.push("a setting that cannot be written".to_owned()),
    }
    keys
}

fn compare(prefix: &str, one: &toml::Table, other: &toml::Table, keys: &mut Vec<String>) {
    let mut names: Vec<_> = one.keys().chain(other.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match (one.get(name), other.get(name)) {
            (Some(toml::Value::Table(one)), Some(toml::Value::Table(other))) => compare(&key, one, other, keys),
            (one, other) if one != other => keys.push(key),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tls::TlsVersion;

    #[test]
    fn what_a_reload_takes_and_what_waits() {
        let old = Settings::default();
        let mut wanted = old.clone();
        wanted.tls.minimum_version = TlsVersion::Tls13;
        wanted.tls.private_key = "other.key".into();
        wanted.limits.connections += 1;
        wanted.listeners.mqtts.bind = vec!["127.0.0.1:1".parse().unwrap()];
        wanted.listeners.mqtts.alpn = vec!["x".to_owned()];
        let (taken, waiting) = applicable(&old, wanted.clone());
        assert_eq!((&taken.tls, &taken.listeners.mqtts.alpn), (&wanted.tls, &wanted.listeners.mqtts.alpn));
        assert_eq!((&taken.limits, &taken.listeners.mqtts.bind), (&old.limits, &old.listeners.mqtts.bind));
        assert_eq!(waiting, ["limits.connections", "listeners.mqtts.bind"]);
        assert_eq!(differing(&old, &taken), ["listeners.mqtts.alpn", "tls.minimum_version", "tls.private_key"]);
        assert_eq!(differing(&old, &old), [""; 0]);
    }
}
