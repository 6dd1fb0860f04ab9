use super::*;

fn faults(text: &str) -> Vec<String> {
    match read_file(text, "certmq.toml", Path::new("/etc/certmq")) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

fn fault(text: &str) -> String {
    let faults = faults(text);
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].clone()
}

#[test]
fn an_unknown_key_is_told_with_line_and_suggestion() {
    assert_eq!(
        fault("[tls]\n\ncertificat = \"a\"\n"),
        "certmq.toml:3: tls.certificat: unknown key; did you mean tls.certificate?"
    );
    assert_eq!(fault("[lmits]\n"), "certmq.toml:1: lmits: unknown key; did you mean limits?");
    assert_eq!(fault("[mqtt]\nlevel = \"info\"\n"), "certmq.toml:2: mqtt.level: unknown key; did you mean log.level?");
}

#[test]
fn keys_of_features_that_do_not_exist_are_unknown() {
    for text in [
        "[listeners]\nadmin = \"127.0.0.1:8885\"",
        "[listeners]\nmetrics = \"127.0.0.1:9885\"",
        "[storage]\ndurability = \"fsync\"",
        "[mqtt]\nwill_grace = \"60 s\"",
        "[mqtt]\ndurable_wills = true",
        "[admin]\noperators = []",
        "[listeners.mqtts]\norigins = []",
    ] {
        assert_eq!(faults(text).len(), 1, "{text}: {:?}", faults(text));
    }
}

#[test]
fn nothing_is_coerced() {
    for (text, wanted) in [
        ("[policy]\nrequire_record = \"no\"", "write true or false, without quotes"),
        ("[policy]\nrequire_record = 0", "write true or false"),
        ("[mqtt]\nreceive_maximum = \"100\"", "write a whole number, without quotes"),
        ("[mqtt]\nreceive_maximum = 1.5", "write a whole number"),
        ("[limits]\noutbound_bytes = 65536", "a size with its unit"),
        ("[limits]\nhandshake_timeout = 10", "a span of time with its unit"),
        ("[tls]\nminimum_version = 1.2", "a word in quotes"),
        ("[tls]\nclient_ca = \"ca.crt\"", "a list of paths"),
        ("[tls]\nstale_crl = \"ignore\"", "is none of \"deny\", \"disconnect\", \"allow\""),
        ("[[tls.trust]]\nname = \"a\"\nca = [\"a\"]\nstale_crl = \"closed\"", "is none of"),
        ("[[tls.trust]]\nname = \"a\"\nca = [\"a\"]\nsubjects = \"O=acme\"", "a list of ends of subjects"),
        ("[[tls.trust]]\nname = \"a\"\nca = [\"a\"]\nsubjects = []", "nobody would pass"),
        ("[[tls.trust]]\nname = \"a\"\nca = [\"a\"]\nsubjects = [\"\"]", "an attribute is expected"),
        ("[[tls.trust]]\nname = \"a\"\nca = [\"a\"]\nsubjects = [\"acme\"]", "as in \"OU=sensors,O=acme\""),
        ("[tls]\nclient_ca = [1]", "a list of paths"),
        ("[storage]\npath = true", "a path in quotes"),
        ("[listeners]\nmqtts = 8883", "an address in quotes"),
        ("tls = \"x\"", "is a section"),
        ("[log]\nlevel = \"loud\"", "is not a level"),
    ] {
        let fault = fault(text);
        assert!(fault.contains(wanted), "{fault}");
        assert!(fault.starts_with("certmq.toml:"), "{fault}");
    }
}

#[test]
fn values_outside_their_bounds_are_told_with_them() {
    for (text, wanted) in [
        ("[mqtt]\nreceive_maximum = 0", "0 is outside 1 to 65535"),
        ("[mqtt]\nreceive_maximum = 99999999999999999999", "too large"),
        ("[tls]\nmax_record = \"512 B\"", "512 B is outside 1 KiB to 16 KiB"),
        ("[listeners.mqtts]\nmax_record = \"17 KiB\"", "17 KiB is outside 1 KiB to 16 KiB"),
        ("[limits]\nconnect_timeout = \"0 s\"", "is outside 100 ms to 1 h"),
        ("[limits]\nconnections = 0", "is outside 1 to"),
        ("[mqtt]\nqueue_full = \"drop-odlest\"", "did you mean \"drop-oldest\"?"),
        ("[listeners]\nmqtts = \"localhost:8883\"", "IP address and a port"),
        ("[listeners]\nmqtts = \"::1:8883\"", "stands in brackets"),
        ("[listeners.mqtts]\nbind = []", "at least one address"),
    ] {
        let fault = fault(text);
        assert!(fault.contains(wanted), "{fault}");
    }
}

#[test]
fn every_fault_is_told_with_its_own_line() {
    let told = faults("[mqtt]\nreceive_maximum = 0\n\n[log]\nlevle = \"info\"\nformat = \"xml\"\n");
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("certmq.toml:2: mqtt.receive_maximum: "), "{told:?}");
    assert!(told[1].starts_with("certmq.toml:5: log.levle: "), "{told:?}");
    assert!(told[2].starts_with("certmq.toml:6: log.format: "), "{told:?}");
}

#[test]
fn text_that_is_no_toml_has_a_line() {
    assert!(fault("[log]\nlevel = \n").starts_with("certmq.toml:2: "));
    assert!(fault("[log]\nlevel = \"a\"\nlevel = \"b\"\n").starts_with("certmq.toml:3: "));
}

#[test]
fn paths_are_relative_to_the_file() {
    let text = "[tls]\ncertificate = \"server.crt\"\nprivate_key = \"/keys/server.key\"\nclient_ca = [\"../ca\"]";
    let table = read_file(text, "certmq.toml", Path::new("/etc/certmq")).unwrap();
    assert_eq!(table["tls"]["certificate"].as_str(), Some("/etc/certmq/server.crt"));
    assert_eq!(table["tls"]["private_key"].as_str(), Some("/keys/server.key"));
    assert_eq!(table["tls"]["client_ca"][0].as_str(), Some("/etc/certmq/../ca"));
}

#[test]
fn blocks_and_plain_keys_exclude_each_other() {
    let text = "[tls]\nclient_ca = [\"a\"]\n[[tls.trust]]\nname = \"b\"\nca = [\"b\"]";
    assert!(fault(text).starts_with("certmq.toml:2: tls.client_ca: stands beside [[tls.trust]]"));
    assert!(fault("[[tls.trust]]\nname = \"b\"").contains("lacks its ca"));
}

#[test]
fn assignments_are_read_by_the_kind_of_the_key() {
    let read = |path: &str, value: &str| read_assignment(path, value, "environment variable X");
    assert_eq!(read("log.level", "debug").unwrap()["log"]["level"].as_str(), Some("debug"));
    assert_eq!(read("mqtt.receive_maximum", "7").unwrap()["mqtt"]["receive_maximum"].as_integer(), Some(7));
    assert_eq!(read("policy.require_record", "true").unwrap()["policy"]["require_record"].as_bool(), Some(true));
    assert_eq!(read("tls.client_ca", "[\"a\", \"b\"]").unwrap()["tls"]["client_ca"].as_array().map(Vec::len), Some(2));
    let bind = |value: &str| read("listeners.mqtts", value).unwrap()["listeners"]["mqtts"]["bind"][0].clone();
    assert_eq!(bind("127.0.0.1:1").as_str(), Some("127.0.0.1:1"));
    assert_eq!(bind("{ bind = [\"[::1]:2\"] }").as_str(), Some("[::1]:2"));
}

#[test]
fn bad_assignments_name_their_place() {
    for (path, value) in [
        ("policy.require_record", "no"),
        ("mqtt.receive_maximum", "many"),
        ("tls.client_ca", "ca.crt"),
        ("limits.outbound_bytes", "65536"),
        ("listeners.mqtts", "8883"),
        ("storage.path", ""),
        ("tls.trust.name", "a"),
        ("tls", "x"),
        ("nothing.at.all", "x"),
    ] {
        let faults = read_assignment(path, value, "environment variable X").expect_err(path);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].to_string().starts_with(&format!("environment variable X: {path}: ")), "{}", faults[0]);
    }
}
