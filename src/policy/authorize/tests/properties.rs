//! Properties of decisions, against an oracle that knows nothing of levels, packing or the topic algebra.

use super::*;
use proptest::prelude::*;

const LEVELS: [&str; 5] = ["a", "b", "dev", "", "$x"];
const VALUES: [&str; 9] = ["a", "dev", "+", "#", "a/b", "", "$x", "$share", "b\0"];

/// One to three levels; a first level may be `$x`.
fn topics() -> Vec<String> {
    let mut topics: Vec<String> = LEVELS.iter().map(|level| (*level).to_owned()).collect();
    for _ in 0..2 {
        let longer: Vec<String> =
            topics.iter().flat_map(|topic| LEVELS.iter().map(move |level| format!("{topic}/{level}"))).collect();
        topics.extend(longer);
    }
    topics.retain(|topic| !topic.is_empty());
    topics.sort();
    topics.dedup();
    topics
}

fn filter_text(templates: bool) -> impl Strategy<Value = String> {
    let mut levels: Vec<&str> = vec!["a", "b", "dev", "+", "+", "", "$x"];
    if templates {
        levels.extend(["{cn}", "{cn}", "{ou}"]);
    }
    let levels = proptest::collection::vec(prop::sample::select(levels), 1..4);
    let written = (levels, any::<bool>())
        .prop_map(|(levels, rest)| format!("{}{}", levels.join("/"), if rest { "/#" } else { "" }))
        .prop_filter("no filter", |text| !text.is_empty());
    prop_oneof![8 => written, 1 => Just("#".to_owned())]
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let effect = prop_oneof![2 => Just(Effect::Allow), 1 => Just(Effect::Deny)];
    let action = prop_oneof![Just(Action::Publish), Just(Action::Subscribe)];
    (effect, action, filter_text(true)).prop_map(|(effect, action, filter)| rule(effect, action, &filter))
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    proptest::collection::vec(any_rule(), 0..6)
}

fn certificate() -> impl Strategy<Value = Attributes> {
    let values = || proptest::collection::vec(prop::sample::select(VALUES.map(String::from).to_vec()), 0..3);
    (values(), values()).prop_map(|(common_names, units)| Attributes { common_names, units, ..attributes("dev") })
}

fn with_rules(rules: Vec<Rule>) -> Policy {
    let mut device = device("dev", &[], &[]);
    device.rules = rules;
    policy(vec![], vec![device])
}

/// Whether a rule reaches a topic, by comparing pieces of text.
fn oracle_reaches(rule: &Rule, attributes: &Attributes, topic: &str) -> bool {
    let mut pattern = Vec::new();
    for (index, level) in rule.filter.split('/').enumerate() {
        let values = match level {
            "{cn}" => &attributes.common_names,
            "{ou}" => &attributes.units,
            plain => {
                pattern.push(Piece::Written(plain.to_owned()));
                continue;
            }
        };
        let bad = |value: &String| {
            value.is_empty() || value.contains(['/', '+', '#', '\0']) || (index == 0 && value.starts_with('$'))
        };
        match (values.iter().find(|value| !bad(value)), values.len(), rule.effect) {
            (Some(value), 1, _) => pattern.push(Piece::Exactly(value.clone())),
            (_, _, Effect::Allow) => return false,
            (_, _, Effect::Deny) => pattern.push(Piece::Anything),
        }
    }
    let topic: Vec<&str> = topic.split('/').collect();
    oracle_fits(&pattern, &topic, true)
}

enum Piece {
    Written(String),
    Exactly(String),
    Anything,
}

fn oracle_fits(pattern: &[Piece], topic: &[&str], first: bool) -> bool {
    let hidden = first && topic.first().is_some_and(|level| level.starts_with('$'));
    match (pattern, topic) {
        ([], []) => true,
        ([Piece::Written(rest)], _) if rest == "#" => !hidden,
        ([], _) | (_, []) => false,
        ([piece, pattern @ ..], [level, topic @ ..]) => {
            let fits = match piece {
                Piece::Written(written) if written == "+" => !hidden,
                Piece::Written(text) | Piece::Exactly(text) => text == level,
                Piece::Anything => true,
            };
            fits && oracle_fits(pattern, topic, false)
        }
    }
}

fn oracle_allows(rules: &[Rule], action: Action, attributes: &Attributes, topic: &str) -> bool {
    let reached = |effect| {
        let mut about = rules.iter().filter(|rule| rule.action == action && rule.effect == effect);
        about.any(|rule| oracle_reaches(rule, attributes, topic))
    };
    reached(Effect::Allow) && !reached(Effect::Deny)
}

/// Every topic that a subscription delivers.
fn delivered(policy: &Policy, principal: &Principal, filter: &TopicFilter) -> Vec<String> {
    let Ok(grant) = policy.authorize_subscribe(principal, filter, QoS::ExactlyOnce) else { return Vec::new() };
    let readable = |topic: &String| {
        let topic = TopicName::parse(topic).expect("a topic");
        filter.matches(topic) && !grant.holes.contain(topic)
    };
    topics().into_iter().filter(readable).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn publications_are_judged_as_the_oracle_does(rules in rules(), certificate in certificate()) {
        let policy = with_rules(rules.clone());
        let principal = principal_with("dev", certificate.clone());
        for topic in topics() {
            let expected = oracle_allows(&rules, Action::Publish, &certificate, &topic);
            prop_assert_eq!(may_publish(&policy, &principal, &topic), expected, "{}", topic);
        }
    }

    #[test]
    fn what_a_subscription_delivers_is_readable(rules in rules(), certificate in certificate(), filter in filter_text(false)) {
        let policy = with_rules(rules.clone());
        let principal = principal_with("dev", certificate.clone());
        let filter = TopicFilter::parse(&filter).expect("a filter");
        for topic in delivered(&policy, &principal, &filter) {
            prop_assert!(oracle_allows(&rules, Action::Subscribe, &certificate, &topic), "{}", topic);
        }
    }

    #[test]
    fn a_deny_never_adds_access(rules in rules(), deny in any_rule(), certificate in certificate(), filter in filter_text(false)) {
        let without = with_rules(rules.clone());
        let deny = Rule { effect: Effect::Deny, ..deny };
        let with = with_rules(rules.into_iter().chain([deny]).collect());
        let principal = principal_with("dev", certificate);
        for topic in topics() {
            prop_assert!(!may_publish(&with, &principal, &topic) || may_publish(&without, &principal, &topic));
        }
        let filter = TopicFilter::parse(&filter).expect("a filter");
        let before = delivered(&without, &principal, &filter);
        prop_assert!(delivered(&with, &principal, &filter).iter().all(|topic| before.contains(topic)));
    }

    /// A template reaches no more than `+` in its place, and in its level only the value itself.
    #[test]
    fn a_template_never_widens(filter in filter_text(true), value in "[a/+#$\u{0}dev]{0,4}", topic in "[a-e$]{1,3}(/[a-e$]{0,3}){0,3}") {
        let attributes = Attributes { units: vec![value.clone()], ..attributes(&value) };
        let principal = principal_with("dev", attributes);
        let wide = with_rules(vec![rule(Effect::Allow, Action::Publish, &filter.replace("{cn}", "+").replace("{ou}", "+"))]);
        let filled = with_rules(vec![rule(Effect::Allow, Action::Publish, &filter)]);
        for topic in topics().into_iter().chain([topic, value.clone(), format!("a/{value}")]) {
            if TopicName::parse(&topic).is_err() || !may_publish(&filled, &principal, &topic) {
                continue;
            }
            prop_assert!(may_publish(&wide, &principal, &topic), "{}", topic);
            let pairs = filter.split('/').zip(topic.split('/'));
            let mut filled = pairs.filter(|(level, _)| level.starts_with('{'));
            prop_assert!(filled.all(|(_, level)| level == value));
        }
    }

    #[test]
    fn losing_an_attribute_never_adds_access(
        own in rules(), matched in rules(), value in prop::sample::select(VALUES.to_vec()),
        loses_name in any::<bool>(), filter in filter_text(false),
    ) {
        // A group that denies may be left with the attribute; one that allows must not be joined by losing it.
        let mut of_match = group("m", &[(Attribute::Ou, "a")], &[]);
        of_match.rules = matched.into_iter().filter(|rule| rule.effect == Effect::Allow).collect();
        let mut device = device("dev", &[], &[]);
        device.rules = own;
        let policy = policy(vec![of_match], vec![device]);
        let before = Attributes { common_names: vec![value.into()], units: vec!["a".into()], ..attributes("dev") };
        let mut after = before.clone();
        if loses_name { after.common_names.clear() } else { after.units.clear() }
        let (before, after) = (principal_with("dev", before), principal_with("dev", after));
        for topic in topics() {
            prop_assert!(!may_publish(&policy, &after, &topic) || may_publish(&policy, &before, &topic), "{}", topic);
        }
        let filter = TopicFilter::parse(&filter).expect("a filter");
        let had = delivered(&policy, &before, &filter);
        prop_assert!(delivered(&policy, &after, &filter).iter().all(|topic| had.contains(topic)));
    }

    #[test]
    fn explanations_agree_with_decisions(rules in rules(), certificate in certificate(), filter in filter_text(false)) {
        let policy = with_rules(rules);
        let principal = principal_with("dev", certificate);
        for topic in topics() {
            let told = policy.explain(&principal, Action::Publish, &topic).expect("a topic");
            prop_assert_eq!(told.allowed, may_publish(&policy, &principal, &topic));
            prop_assert_eq!(told.rule.is_some() || !told.allowed, true);
        }
        let told = policy.explain(&principal, Action::Subscribe, &filter).expect("a filter");
        prop_assert_eq!(told.allowed, granted(&policy, &principal, &filter));
    }
}
