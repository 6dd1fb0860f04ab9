use super::super::keys::{KEYS, Kind};
use super::*;
use crate::config::tls::{CrlRequired, StaleCrl};
use crate::config::{Sources, TrustBlockSettings, load};
use std::collections::BTreeSet;

const SHIPPED: &str = include_str!("../../../config/certmq.toml");

fn shipped_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/certmq.toml")
}

#[test]
fn the_shipped_file_says_the_defaults() {
    let sources = Sources { file: Some(shipped_file()), ..Sources::default() };
    let mut settings = load(&sources).unwrap();
    let relative = |path: &Path| {
        let text = path.to_str().unwrap();
        PathBuf::from(text.rsplit_once("config/../").expect("relative to the file").1)
    };
    settings.tls.certificate = relative(&settings.tls.certificate);
    settings.tls.private_key = relative(&settings.tls.private_key);
    for block in &mut settings.tls.trust {
        block.ca = block.ca.iter().map(|path| relative(path)).collect();
        block.crl = block.crl.iter().map(|path| relative(path)).collect();
    }
    settings.storage.path = relative(&settings.storage.path);
    // Open in the shipped file, with its defaults; closed where nothing is said.
    assert_eq!(settings.listeners.wss.take(), Some(WebSocketSettings::default()));
    assert_eq!(settings, Settings::default());
}

/// The keys of a settings file, whether active or behind "# ".
fn keys_written_in(text: &str) -> BTreeSet<String> {
    let (mut section, mut active_section) = (String::new(), String::new());
    let mut keys = BTreeSet::new();
    for line in text.lines() {
        let active = !line.starts_with('#');
        let line = line.strip_prefix("# ").unwrap_or(line);
        if active && line.starts_with('[') {
            active_section = line.trim_matches(['[', ']']).to_owned();
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim_matches(['[', ']']).to_owned();
            if keys_below(&section) {
                keys.insert(section.clone());
            }
        } else if let Some((name, _)) = line.split_once(" = ")
            && name.chars().all(|character| character.is_ascii_lowercase() || character == '_')
        {
            // What follows the examples of a table of its own belongs to the section again.
            let inner = format!("{}.{name}", if active { &active_section } else { &section });
            let outer = format!("{}.{name}", section.split('.').next().unwrap_or_default());
            keys.insert(if is_key(&inner) || !is_key(&outer) { inner } else { outer });
        }
    }
    keys
}

fn is_key(path: &str) -> bool {
    KEYS.iter().any(|key| key.path == path)
}

fn keys_below(section: &str) -> bool {
    KEYS.iter().any(|key| key.path == section)
}

fn known_keys() -> BTreeSet<String> {
    KEYS.iter().map(|key| key.path.to_owned()).collect()
}

#[test]
fn every_key_stands_in_the_shipped_file_and_no_other() {
    assert_eq!(keys_written_in(SHIPPED), known_keys());
}

#[test]
fn the_comparison_notices_a_missing_and_a_foreign_key() {
    let without = SHIPPED.replace("topic_levels = 64", "");
    assert!(!keys_written_in(&without).contains("limits.topic_levels"));
    let foreign = SHIPPED.replace("topic_levels = 64", "# topic_depth = 64");
    assert!(keys_written_in(&foreign).contains("limits.topic_depth"));
}

#[test]
fn every_commented_example_is_valid() {
    let examples = [
        "[listeners.mqtts]\nbind = [\"0.0.0.0:8883\", \"[::1]:8883\"]\nalpn = [\"mqtt\", \"x-amzn-mqtt-ca\"]\nmax_record = \"4 KiB\"",
        "[listeners.wss]\nbind = [\"0.0.0.0:8884\", \"[::1]:8884\"]\norigins = [\"https://app.example\", \"https://app.example:8443\"]\nalpn = [\"http/1.1\"]\nmax_record = \"4 KiB\"",
        "[[tls.trust]]\nname = \"factory\"\nca = [\"factory-ca.crt\"]\nsubjects = [\"O=acme\"]\ncrl = [\"factory-ca.crl\"]\nstale_crl = \"disconnect\"\ncrl_required = \"all\"",
        "[storage]\nadmin_socket = \"../data/admin.sock\"",
        "[mqtt]\nserver_keep_alive = \"60 s\"",
    ];
    for example in examples {
        for line in example.lines() {
            let active = line.starts_with('[') && SHIPPED.contains(&format!("\n{line}\n"));
            assert!(active || SHIPPED.contains(&format!("# {line}\n")), "{line}");
        }
        crate::config::strict::read_file(example, "example", Path::new("")).unwrap();
    }
}

/// Every field of the types, as the file would name it.
fn keys_of_the_types() -> BTreeSet<String> {
    let mut settings = Settings::default();
    settings.listeners.mqtts.max_record = Some(4096);
    settings.listeners.wss = Some(WebSocketSettings { max_record: Some(4096), ..WebSocketSettings::default() });
    settings.storage.admin_socket = Some(PathBuf::from("admin.sock"));
    settings.mqtt.server_keep_alive = Some(60);
    let plain = toml::Table::try_from(&settings).unwrap();
    let block = TrustBlockSettings {
        name: "a".into(),
        ca: vec!["a".into()],
        subjects: vec!["O=a".parse().unwrap()],
        crl: vec!["a".into()],
        stale_crl: Some(StaleCrl::Deny),
        crl_required: Some(CrlRequired::All),
    };
    settings.tls.trust = vec![block];
    let blocks = toml::Table::try_from(&settings).unwrap();
    let mut keys = BTreeSet::new();
    collect(&plain, "", &mut keys);
    collect(&blocks, "", &mut keys);
    keys
}

fn collect(table: &toml::Table, prefix: &str, keys: &mut BTreeSet<String>) {
    for (name, value) in table {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if is_key(&path) || !value.is_table() {
            keys.insert(path.clone());
        }
        match value {
            toml::Value::Table(inner) => collect(inner, &path, keys),
            toml::Value::Array(items) => {
                items.iter().filter_map(toml::Value::as_table).for_each(|inner| collect(inner, &path, keys));
            }
            _ => {}
        }
    }
}

#[test]
fn the_types_have_exactly_the_known_keys() {
    assert_eq!(keys_of_the_types(), known_keys());
}

#[test]
fn every_choice_and_default_of_the_table_is_one_of_the_types() {
    let written = toml::Table::try_from(Settings::default()).unwrap();
    for key in KEYS {
        let Kind::Choice(words) = key.kind else { continue };
        let (section, name) = key.path.split_once('.').unwrap();
        if let Some(name) = name.strip_prefix("trust.") {
            for word in words {
                let text = format!("[[tls.trust]]\nname = \"a\"\nca = [\"a\"]\n{name} = \"{word}\"");
                let read: Settings = toml::from_str(&text).unwrap();
                let written = toml::Table::try_from(read).unwrap();
                assert_eq!(written["tls"]["trust"][0][name].as_str(), Some(*word), "{}", key.path);
            }
            continue;
        }
        assert!(words.contains(&written[section][name].as_str().unwrap()), "{}", key.path);
        for word in words {
            let sources = Sources { overrides: vec![format!("{}={word}", key.path)], ..Sources::default() };
            let settings = toml::Table::try_from(load(&sources).unwrap()).unwrap();
            assert_eq!(settings[section][name].as_str(), Some(*word), "{}", key.path);
        }
    }
}

#[test]
fn settings_survive_being_written() {
    let settings = Settings::default();
    let text = toml::to_string(&settings).unwrap();
    assert_eq!(toml::from_str::<Settings>(&text).unwrap(), settings);
}

#[test]
fn a_listener_without_a_record_bound_takes_that_of_tls() {
    let mut settings = Settings::default();
    assert_eq!(settings.listeners.mqtts.max_record(&settings.tls), 16 * 1024);
    settings.listeners.mqtts.max_record = Some(2048);
    assert_eq!(settings.listeners.mqtts.max_record(&settings.tls), 2048);
}

#[test]
fn the_socket_lies_in_the_store_unless_told_otherwise() {
    let mut storage = StorageSettings::default();
    assert_eq!(storage.admin_socket(), PathBuf::from("data/admin.sock"));
    storage.admin_socket = Some(PathBuf::from("/run/certmq.sock"));
    assert_eq!(storage.admin_socket(), PathBuf::from("/run/certmq.sock"));
}

fn wss(overrides: &[&str]) -> Result<Option<WebSocketSettings>, String> {
    let overrides = overrides.iter().map(|text| (*text).to_owned()).collect();
    let settings = load(&Sources { overrides, ..Sources::default() }).map_err(|error| error.to_string())?;
    Ok(settings.listeners.wss)
}

#[test]
fn a_websocket_listener_is_closed_until_an_address_or_a_table_opens_it() {
    assert_eq!(wss(&[]), Ok(None));
    let address: SocketAddr = "127.0.0.1:8884".parse().unwrap();
    let opened = WebSocketSettings { bind: vec![address], ..WebSocketSettings::default() };
    assert_eq!(wss(&["listeners.wss=127.0.0.1:8884"]), Ok(Some(opened.clone())));
    let table = r#"listeners.wss={ bind = ["127.0.0.1:8884"], origins = ["https://App.example:443"] }"#;
    let origins = vec!["https://app.example".parse().unwrap()];
    assert_eq!(wss(&[table]), Ok(Some(WebSocketSettings { origins, ..opened })));
}

#[test]
fn origins_that_are_none_and_protocols_that_are_not_spoken_are_refused() {
    for (setting, words) in [
        (r#"listeners.wss.origins=["*"]"#, "no origin"),
        (r#"listeners.wss.origins=["null"]"#, "no origin"),
        (r#"listeners.wss.origins=["https://app.example/"]"#, "no origin"),
        (r#"listeners.wss.origins="https://app.example""#, "a list of origins"),
        (r#"listeners.wss.alpn=["h2"]"#, "HTTP/1.1"),
        (r#"listeners.mqtts.origins=["https://app.example"]"#, "unknown key"),
    ] {
        let fault = wss(&[setting]).unwrap_err();
        assert!(fault.contains(words), "{setting}: {fault}");
    }
}
