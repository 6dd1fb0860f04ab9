use super::*;

#[test]
fn ends_are_times_or_spans() {
    assert_eq!(end("2027-01-31T12:00:00Z"), Ok(End::At(1_801_396_800)));
    assert_eq!(end("2027-01-31T13:00:00+01:00"), Ok(End::At(1_801_396_800)));
    assert_eq!(end("+2h"), Ok(End::After(7_200)));
    assert_eq!(end("+30 min"), Ok(End::After(1_800)));
    for text in ["", "tomorrow", "2027-01-31", "2h", "+2", "-2h", "+2 weeks"] {
        assert!(end(text).is_err(), "{text}");
    }
}

#[test]
fn actions_suggest_the_nearest() {
    assert_eq!(action("publish"), Ok(Action::Publish));
    let failure = action("pubish").unwrap_err();
    assert_eq!(failure.code(), Exit::Usage);
    assert!(failure.message().ends_with("did you mean publish?"), "{failure}");
    assert!(action("Publish").unwrap_err().message().contains("did you mean publish?"));
}
