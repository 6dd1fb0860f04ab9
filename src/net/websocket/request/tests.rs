use super::*;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A good request with some fields replaced (`None`: left out) or added.
fn request(changes: &[(&str, Option<&str>)]) -> Vec<u8> {
    request_line("GET / HTTP/1.1", changes)
}

fn request_line(line: &str, changes: &[(&str, Option<&str>)]) -> Vec<u8> {
    let usual = [
        ("Host", "localhost:8884"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Protocol", "mqtt"),
    ];
    let kept = usual.into_iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    let changed = changes.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
    let fields = kept.chain(changed).map(|(name, value)| format!("{name}: {value}\r\n"));
    format!("{line}\r\n{}\r\n", fields.collect::<String>()).into_bytes()
}

fn judged(changes: &[(&str, Option<&str>)]) -> Result<Accepted, Refused> {
    judge(&request(changes), &[])
}

#[track_caller]
fn answered(refused: Result<Accepted, Refused>, status: &str) {
    let answer = refused.expect_err("a refusal").answer();
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{answer}");
    assert!(head.contains("close"), "{answer}");
}

#[test]
fn a_good_request_is_answered_as_rfc_6455_says() {
    let answer = judged(&[]).expect("accepted").to_string();
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    // The example of section 1.3.
    assert!(answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
    assert!(answer.contains("\r\nSec-WebSocket-Protocol: mqtt\r\n"), "{answer}");
    assert!(!answer.contains("Extensions"), "{answer}");
}

#[test]
fn tokens_and_names_are_read_as_http_reads_them() {
    for changes in [
        &[("Upgrade", Some("WebSocket")), ("Connection", Some("keep-alive, upgrade"))][..],
        &[("Connection", Some("keep-alive")), ("connection", Some("Upgrade"))],
        &[("Upgrade", Some("h2c, websocket"))],
        &[("Sec-WebSocket-Extensions", Some("permessage-deflate"))],
        &[("Content-Length", Some("0"))],
    ] {
        assert!(judged(changes).is_ok(), "{changes:?}");
    }
}

#[test]
fn mqtt_is_served_at_two_paths() {
    for path in ["/", "/mqtt", "/?a=b", "/mqtt?x-amz=1"] {
        assert!(judge(&request_line(&format!("GET {path} HTTP/1.1"), &[]), &[]).is_ok(), "{path}");
    }
    for path in ["/ws", "/mqtt/", "/mqttx", "//", "*"] {
        answered(judge(&request_line(&format!("GET {path} HTTP/1.1"), &[]), &[]), "404");
    }
}

#[test]
fn the_subprotocol_is_one_that_the_client_offered() {
    for (offered, chosen) in
        [("mqtt", "mqtt"), ("mqttv3.1", "mqttv3.1"), ("mqttv3.1, mqtt", "mqtt"), ("chat,mqtt", "mqtt")]
    {
        let accepted = judged(&[("Sec-WebSocket-Protocol", Some(offered))]).expect("accepted");
        assert_eq!(accepted.subprotocol, chosen, "{offered}");
    }
    let twice = [("Sec-WebSocket-Protocol", Some("chat")), ("Sec-Websocket-Protocol", Some("mqtt"))];
    assert!(judged(&twice).is_ok());
    for offered in [None, Some(""), Some("chat"), Some("MQTT"), Some("mqtt5")] {
        let refused = judged(&[("Sec-WebSocket-Protocol", offered)]);
        assert_eq!(refused, Err(Refused::Subprotocol), "{offered:?}");
        answered(refused, "400");
    }
}

#[test]
fn what_is_no_upgrade_is_told_what_this_is() {
    for changes in [
        &[("Upgrade", None), ("Connection", None)][..],
        &[("Upgrade", None)],
        &[("Connection", Some("close"))],
        &[("Upgrade", Some("h2c"))],
    ] {
        let refused = judged(changes);
        assert_eq!(refused, Err(Refused::NoUpgrade), "{changes:?}");
        answered(refused, "426");
    }
    answered(judged(&[("Sec-WebSocket-Version", Some("8"))]), "426");
    answered(judged(&[("Sec-WebSocket-Version", None)]), "426");
    for line in ["POST / HTTP/1.1", "CONNECT / HTTP/1.1", "OPTIONS /mqtt HTTP/1.1", "HEAD / HTTP/1.1"] {
        answered(judge(&request_line(line, &[]), &[]), "405");
    }
}

#[test]
fn what_is_not_good_http_is_refused() {
    for changes in [
        &[("Host", None)][..],
        &[("Host", Some("a")), ("host", Some("b"))],
        &[("Content-Length", Some("4"))],
        &[("Transfer-Encoding", Some("chunked"))],
        &[("Sec-WebSocket-Key", None)],
        &[("Sec-WebSocket-Key", Some("dGhlIHNhbXBsZQ=="))],
        &[("Sec-WebSocket-Key", Some("not base64 at all !!!!!!"))],
        &[("Sec-WebSocket-Key", Some(KEY)), ("sec-websocket-key", Some(KEY))],
        &[("Origin", Some("https://localhost:8884")), ("origin", Some("https://localhost:8884"))],
        &[("Bad Name", Some("x"))],
    ] {
        answered(judged(changes), "400");
    }
    answered(judge(&request_line("GET / HTTP/1.0", &[]), &[]), "400");
    answered(judge(b"\x10\x0C\x00\x04MQTT\x05\x02\x00\x3C\x00\x00\x00\r\n\r\n", &[]), "400");
    answered(judge(&[&request(&[])[..], b"\x82\x80\0\0\0\0"].concat(), &[]), "400");
    let many: Vec<(String, String)> = (0..FIELDS).map(|n| (format!("X-{n}"), "x".to_owned())).collect();
    let many: Vec<(&str, Option<&str>)> = many.iter().map(|(name, value)| (&name[..], Some(&value[..]))).collect();
    answered(judged(&many), "400");
}

#[test]
fn a_page_connects_from_its_own_origin_or_a_listed_one_and_from_no_other() {
    let listed = ["https://app.example".parse().expect("an origin")];
    let judged = |host, origin| judge(&request(&[("Host", Some(host)), ("Origin", Some(origin))]), &listed);
    for (host, origin) in [
        ("localhost:8884", "https://localhost:8884"),
        ("LocalHost:8884", "https://localhost:8884"),
        ("broker.example", "https://broker.example"),
        ("broker.example:443", "https://broker.example"),
        ("localhost:8884", "https://app.example"),
        ("localhost:8884", "https://APP.example:443"),
    ] {
        assert!(judged(host, origin).is_ok(), "{host} {origin}");
    }
    for (host, origin) in [
        ("localhost:8884", "null"),
        ("localhost:8884", ""),
        ("localhost:8884", "http://localhost:8884"),
        ("localhost:8884", "https://localhost"),
        ("localhost:8884", "https://localhost:8883"),
        ("localhost:8884", "https://localhost:8884/"),
        ("localhost:8884", "https://evil.example"),
        ("localhost:8884", "https://app.example.evil"),
        ("localhost:8884", "https://app.example:8443"),
        ("localhost:8884", "https://app.example https://evil.example"),
        ("evil.example/", "https://evil.example/"),
    ] {
        let refused = judged(host, origin);
        assert!(matches!(refused, Err(Refused::Origin(_))), "{host} {origin}: {refused:?}");
        answered(refused, "403");
    }
}

#[test]
fn what_an_unwelcome_page_sent_is_escaped_for_the_log_and_not_sent_back() {
    let mut head = request(&[("Origin", Some("https://\u{1b}evil"))]);
    let refused = judge(&head, &[]).expect_err("an escape is in no field");
    assert!(!refused.answer().contains("evil"));
    head = request(&[("Origin", Some("https://\u{e9}vil\u{202e}"))]);
    let refused = judge(&head, &[]).expect_err("not the same origin");
    assert!(refused.to_string().contains("\\u{202e}"), "{refused}");
    assert!(!refused.answer().contains("vil"));
}
