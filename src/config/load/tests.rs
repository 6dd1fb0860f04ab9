use super::*;
use crate::config::TrustBlockSettings;
use std::io::Write;

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn environment_of(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

#[test]
fn the_later_source_wins() {
    let file =
        file("[log]\nlevel = \"warn\"\nformat = \"json\"\n[mqtt]\nreceive_maximum = 5\ntopic_alias_maximum = 6\n");
    let sources = Sources {
        presets: vec![("log.level", "trace".into()), ("mqtt.queue_full", "refuse".into())],
        file: Some(file.path().to_owned()),
        environment: environment_of(&[
            ("CERTMQ__LOG__LEVEL", "error"),
            ("CERTMQ__MQTT__RECEIVE_MAXIMUM", "7"),
            ("PATH", "/bin"),
            ("CERTMQ_HOME", "x"),
        ]),
        overrides: vec!["mqtt.receive_maximum = 8".into()],
    };
    let settings = load(&sources).unwrap();
    assert_eq!(settings.log.level, "error");
    assert_eq!(settings.log.format, crate::config::LogFormat::Json);
    assert_eq!(settings.mqtt.receive_maximum, 8);
    assert_eq!(settings.mqtt.topic_alias_maximum, 6);
    assert_eq!(settings.mqtt.queue_full, crate::config::mqtt::QueueFull::Refuse);
}

#[test]
fn without_sources_the_defaults_stand() {
    assert_eq!(load(&Sources::default()).unwrap(), Settings::default());
}

#[test]
fn an_address_in_the_environment_keeps_the_other_keys_of_the_listener() {
    let file = file("[listeners.mqtts]\nbind = [\"0.0.0.0:1\", \"0.0.0.0:2\"]\nalpn = [\"x\"]\n");
    let sources = Sources {
        file: Some(file.path().to_owned()),
        environment: environment_of(&[
            ("CERTMQ__LISTENERS__MQTTS", "127.0.0.1:0"),
            ("CERTMQ__LISTENERS__MQTTS__MAX_RECORD", "4 KiB"),
        ]),
        ..Sources::default()
    };
    let mqtts = load(&sources).unwrap().listeners.mqtts;
    assert_eq!(mqtts.bind, ["127.0.0.1:0".parse().unwrap()]);
    assert_eq!(mqtts.alpn, ["x"]);
    assert_eq!(mqtts.max_record, Some(4096));
}

#[test]
fn faults_of_all_sources_are_told_together() {
    let file = file("[log]\nlevle = \"warn\"\n");
    let sources = Sources {
        file: Some(file.path().to_owned()),
        environment: environment_of(&[("CERTMQ__LOG__FORMT", "json"), ("CERTMQ__POLICY__REQUIRE_RECORD", "no")]),
        overrides: vec!["log.level".into()],
        ..Sources::default()
    };
    let told = load(&sources).unwrap_err().to_string();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 4, "{told}");
    assert!(lines[0].starts_with(&format!("{}:2: log.levle: ", file.path().display())), "{told}");
    assert!(lines[1].contains("did you mean CERTMQ__LOG__FORMAT?"), "{told}");
    assert!(
        lines[2].starts_with("environment variable CERTMQ__POLICY__REQUIRE_RECORD: policy.require_record: "),
        "{told}"
    );
    assert!(lines[3].contains("--set log.level=debug"), "{told}");
}

#[test]
fn environment_paths_are_relative_to_the_working_directory() {
    let environment = environment_of(&[("CERTMQ__STORAGE__PATH", "elsewhere")]);
    let settings = load(&Sources { environment, ..Sources::default() }).unwrap();
    assert_eq!(settings.storage.path, PathBuf::from("elsewhere"));
}

#[test]
fn the_plain_keys_make_the_default_block() {
    let of = |text: &str| {
        let file = file(text);
        load(&Sources { file: Some(file.path().to_owned()), ..Sources::default() }).map(|settings| settings.tls.trust)
    };
    let only_ca = of("[tls]\nclient_ca = [\"/a\"]").unwrap();
    assert_eq!(
        only_ca,
        [TrustBlockSettings { name: "default".into(), ca: vec!["/a".into()], ..TrustBlockSettings::default() }]
    );
    let blocks =
        of("[[tls.trust]]\nname = \"b\"\nca = [\"/b\"]\n[[tls.trust]]\nname = \"c\"\nca = [\"/c\"]\ncrl = [\"/l\"]");
    assert_eq!(blocks.unwrap().iter().map(|block| block.name.clone()).collect::<Vec<_>>(), ["b", "c"]);
    for (text, wanted) in [
        ("[tls]\ncrl = [\"/a\"]", "without tls.client_ca"),
        ("[tls]\ntrust = []", "no client could ever connect"),
        ("[tls]\nclient_ca = []", "no client could ever connect"),
        ("[[tls.trust]]\nname = \"b c\"\nca = [\"/b\"]", "letters, digits"),
        ("[[tls.trust]]\nname = \"b\"\nca = [\"/b\"]\n[[tls.trust]]\nname = \"b\"\nca = [\"/c\"]", "two blocks"),
    ] {
        let told = of(text).unwrap_err().to_string();
        assert!(told.contains(wanted), "{told}");
    }
}

#[test]
fn plain_keys_and_blocks_of_different_sources_contradict() {
    let file = file("[[tls.trust]]\nname = \"b\"\nca = [\"/b\"]");
    let sources = Sources {
        file: Some(file.path().to_owned()),
        environment: environment_of(&[("CERTMQ__TLS__CLIENT_CA", "[\"a\"]")]),
        ..Sources::default()
    };
    assert!(load(&sources).unwrap_err().to_string().contains("tls.trust stands beside"));
}

#[test]
fn a_missing_file_is_named() {
    let sources = Sources { file: Some("/nowhere/certmq.toml".into()), ..Sources::default() };
    assert!(load(&sources).unwrap_err().to_string().starts_with("/nowhere/certmq.toml: "));
}
