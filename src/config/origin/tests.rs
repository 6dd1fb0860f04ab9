use super::*;

fn origin(text: &str) -> Origin {
    text.parse().unwrap()
}

#[test]
fn case_and_default_ports_make_no_difference() {
    for (one, other) in [
        ("https://app.example", "HTTPS://App.Example:443"),
        ("http://app.example:80", "http://app.example"),
        ("https://[::1]:8884", "https://[::1]:8884"),
        ("app://local", "APP://LOCAL"),
    ] {
        assert_eq!(origin(one), origin(other));
    }
}

#[test]
fn scheme_host_and_port_each_make_a_difference() {
    let wanted = origin("https://app.example");
    for other in [
        "http://app.example",
        "http://app.example:443",
        "https://app.example:8443",
        "https://app.example.",
        "https://example",
        "https://app.example.org",
        "https://xapp.example",
    ] {
        assert_ne!(origin(other), wanted, "{other}");
    }
}

#[test]
fn what_is_no_origin_is_refused() {
    for text in [
        "",
        "null",
        "*",
        "https://",
        "https://*",
        "app.example",
        "//app.example",
        "https:app.example",
        "https://app.example/",
        "https://app.example/page",
        "https://app.example:",
        "https://app.example:+443",
        "https://app.example:65536",
        "https://user@app.example",
        "https://app.example https://other.example",
        "https://app.example,other.example",
        "https://::1",
        "https://[::1",
        "https://[app]",
        "https://[::1]x",
        "https://app.example?x",
        "https://app.example#x",
        " https://app.example",
        "https://äpp.example",
        "1https://app.example",
        "https://a\u{0}b",
    ] {
        assert!(text.parse::<Origin>().is_err(), "{text:?}");
    }
}

#[test]
fn what_is_written_is_read_as_the_same() {
    for text in ["https://app.example", "https://app.example:8443", "http://localhost:3000", "app://local"] {
        assert_eq!(origin(text).to_string(), text);
    }
    assert_eq!(origin("https://App.example:443").to_string(), "https://app.example");
}

#[test]
fn the_host_of_a_request_names_the_origin_of_its_pages() {
    assert_eq!(Origin::https("localhost:8884"), Some(origin("https://localhost:8884")));
    assert_eq!(Origin::https("Broker.example"), Some(origin("https://broker.example:443")));
    assert_eq!(Origin::https("a/b"), None);
    assert_eq!(Origin::https(""), None);
}
