use super::*;

#[test]
fn sizes_are_read_with_their_unit() {
    assert_eq!(parse_size("0 B"), Ok(0));
    assert_eq!(parse_size("64 KiB"), Ok(65_536));
    assert_eq!(parse_size("64KiB"), Ok(65_536));
    assert_eq!(parse_size("2 GiB"), Ok(2_147_483_648));
}

#[test]
fn sizes_without_or_with_other_units_are_refused() {
    for text in ["", "64", "64 kB", "64  KiB", "-1 B", "1.5 MiB", "KiB", "64 KiB ", "99999999999 GiB"] {
        let fault = parse_size(text).expect_err(text);
        assert!(fault.contains("64 KiB"), "{fault}");
    }
}

#[test]
fn spans_are_read_with_their_unit() {
    assert_eq!(parse_duration("500 ms"), Ok(Duration::from_millis(500)));
    assert_eq!(parse_duration("10 s"), Ok(Duration::from_secs(10)));
    assert_eq!(parse_duration("5 min"), Ok(Duration::from_secs(300)));
    assert_eq!(parse_duration("7 d"), Ok(Duration::from_secs(604_800)));
    for text in ["10", "10 sec", "10 m", "1 w", "ten s"] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_written_reads_back() {
    for bytes in [0, 1, 1023, 1024, 1536, 65_536, 16 << 20, 1 << 30, (1 << 30) + 1] {
        assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
    }
    for millis in [0, 1, 999, 1_000, 1_500, 60_000, 3_600_000, 604_800_000] {
        let span = Duration::from_millis(millis);
        assert_eq!(parse_duration(&format_duration(span)), Ok(span));
    }
    assert_eq!(format_size(65_536), "64 KiB");
    assert_eq!(format_duration(Duration::from_secs(604_800)), "7 d");
}
