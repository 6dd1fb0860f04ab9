//! EMQX's file rules (`acl.conf`): Erlang tuples, tried from the top, the first match decides.

mod terms;

use super::draft::{Draft, Line, Owner, Placeholder, Placeholders, overlap};
use super::{Carried, ImportError, Names, Translation};
use crate::policy::record::{Bounds, QoSBound, RetainBound};
use crate::policy::{Action, Effect, Rule};
use crate::protocol::QoS;
use terms::Term;

const PLACEHOLDERS: Placeholders = &[
    ("${clientid}", Placeholder::ClientId),
    ("${username}", Placeholder::UserName),
    ("${cert_common_name}", Placeholder::CommonName),
    ("${cert_subject}", Placeholder::Subject),
    ("%c", Placeholder::ClientId),
    ("%u", Placeholder::UserName),
];

/// Holds the rules for everybody.
const EVERYONE: &str = "emqx-all";

/// A rule with actions and topics.
struct FileRule<'t> {
    place: String,
    effect: Effect,
    who: &'t Term,
    actions: Vec<(Action, Bounds)>,
    topics: &'t [Term],
}

/// Translates the text of a rule file.
///
/// # Errors
/// Text that is no list of Erlang tuples, or a tuple that is no rule.
pub fn emqx(text: &str, names: &Names) -> Result<Translation, ImportError> {
    let terms = terms::terms(text)?;
    let mut draft = Draft::new(names);
    let mut carried: Vec<(String, Owner, Rule)> = Vec::new();
    for (line, term) in &terms {
        let Some(rule) = file_rule(&mut draft, *line, term)? else { continue };
        for owner in owners(&mut draft, &rule.place, rule.effect, rule.who) {
            for added in add(&mut draft, &owner, &rule) {
                tell_order(&mut draft, &carried, &rule.place, &owner, &added);
                carried.push((rule.place.clone(), owner.clone(), added));
            }
        }
    }
    join_everyone(&mut draft);
    draft.finish().map_err(|error| ImportError { line: 1, message: error.to_string() })
}

fn file_rule<'t>(draft: &mut Draft<'_>, line: usize, term: &'t Term) -> Result<Option<FileRule<'t>>, ImportError> {
    let fault = |message: String| Err(ImportError { line, message });
    let place = format!("line {line}");
    let Term::Tuple(parts) = term else {
        return fault("a rule is a tuple {allow | deny, who, action, topics}".to_owned());
    };
    let effect = match parts.first() {
        Some(Term::Atom(word)) if word == "allow" => Effect::Allow,
        Some(Term::Atom(word)) if word == "deny" => Effect::Deny,
        _ => return fault("a rule begins with allow or deny".to_owned()),
    };
    match &parts[..] {
        [_, Term::Atom(all)] if all == "all" => {
            match effect {
                Effect::Allow => draft.note(
                    Carried::LeftOut,
                    &place,
                    "allow all: what no rule names is denied here; allow what devices need by a group with a match",
                ),
                Effect::Deny => draft.note(Carried::Over, &place, "deny all: what no rule allows is denied here too"),
            }
            Ok(None)
        }
        [_, who, action, Term::List(topics)] => match actions(action) {
            Ok(actions) => Ok(Some(FileRule { place, effect, who, actions, topics })),
            Err(message) => fault(message),
        },
        [_, _, _, _] => fault("the topics of a rule are a list".to_owned()),
        _ => fault("a rule is {allow | deny, who, action, topics} or {allow | deny, all}".to_owned()),
    }
}

fn actions(term: &Term) -> Result<Vec<(Action, Bounds)>, String> {
    let (word, options) = match term {
        Term::Atom(word) => (word, &[][..]),
        Term::Tuple(parts) => match &parts[..] {
            [Term::Atom(word), Term::List(options)] => (word, &options[..]),
            _ => return Err("an action with options is {publish, [{qos, 1}, {retain, false}]}".to_owned()),
        },
        _ => return Err("an action is publish, subscribe or all".to_owned()),
    };
    let bounds = bounds(options)?;
    // Retain is about publishing alone.
    let subscribe = Bounds { retain: RetainBound::Retained, ..bounds };
    match &**word {
        "publish" => Ok(vec![(Action::Publish, bounds)]),
        "subscribe" => Ok(vec![(Action::Subscribe, subscribe)]),
        "all" | "pubsub" => Ok(vec![(Action::Publish, bounds), (Action::Subscribe, subscribe)]),
        other => Err(format!("{other:?} is no action: publish, subscribe or all")),
    }
}

fn bounds(options: &[Term]) -> Result<Bounds, String> {
    let mut bounds = Bounds::default();
    for option in options {
        let Term::Tuple(pair) = option else { return Err("an option is a pair, as in {qos, 1}".to_owned()) };
        match &pair[..] {
            [Term::Atom(key), value] if key == "qos" => bounds.max_qos = QoSBound(highest_qos(value)?),
            [Term::Atom(key), Term::Atom(value)] if key == "retain" => {
                bounds.retain = match &**value {
                    "false" => RetainBound::NotRetained,
                    "all" => RetainBound::Retained,
                    other => return Err(format!("retain {other} cannot be said here: false or all")),
                };
            }
            _ => return Err("options are {qos, N} and {retain, false}".to_owned()),
        }
    }
    Ok(bounds)
}

/// QoS 0 up to N can be said here, single ones above 0 cannot.
fn highest_qos(term: &Term) -> Result<QoS, String> {
    let numbers: Vec<i64> = match term {
        Term::Number(number) => vec![*number],
        Term::List(list) => {
            list.iter().map(|item| if let Term::Number(number) = item { *number } else { -1 }).collect()
        }
        _ => Vec::new(),
    };
    let highest = match numbers.iter().max() {
        Some(0) => QoS::AtMostOnce,
        Some(1) => QoS::AtLeastOnce,
        Some(2) => QoS::ExactlyOnce,
        _ => return Err("a QoS is 0, 1 or 2".to_owned()),
    };
    let all_below = (0..=highest as i64).all(|qos| numbers.contains(&qos));
    if all_below {
        Ok(highest)
    } else {
        Err("a right here holds for every QoS up to its highest; list them all".to_owned())
    }
}

/// Who is meant: devices, everyone, or nobody that can be said here.
fn owners(draft: &mut Draft<'_>, place: &str, effect: Effect, who: &Term) -> Vec<Owner> {
    match who {
        Term::Atom(all) if all == "all" => vec![Owner::Group(draft.group(EVERYONE))],
        Term::Tuple(parts) => match &parts[..] {
            [Term::Atom(kind), Term::Text(name)] if kind == "user" || kind == "username" => {
                draft.user(place, name).map(Owner::Device).into_iter().collect()
            }
            [Term::Atom(kind), Term::Text(name)] if kind == "client" || kind == "clientid" => {
                draft.client(place, name).map(Owner::Device).into_iter().collect()
            }
            [Term::Atom(kind), Term::List(any)] if kind == "or" => {
                any.iter().flat_map(|who| owners(draft, place, effect, who)).collect()
            }
            [Term::Atom(kind), ..] => {
                unsayable(draft, place, effect, kind);
                Vec::new()
            }
            _ => {
                unsayable(draft, place, effect, "this");
                Vec::new()
            }
        },
        _ => {
            unsayable(draft, place, effect, "this");
            Vec::new()
        }
    }
}

fn unsayable(draft: &mut Draft<'_>, place: &str, effect: Effect, kind: &str) {
    let why = match kind {
        "ipaddr" | "ipaddrs" => "rights belong to certificates here and not to addresses",
        "and" => "conditions cannot be joined here; a group matches several attributes of a certificate",
        _ => "devices are named, or matched by attributes of their certificates, and not by such a condition",
    };
    let opened = match effect {
        Effect::Allow => "",
        Effect::Deny => "; look whether an allow now reaches what it closed",
    };
    draft.note(Carried::LeftOut, place, format!("{kind}: {why}{opened}"));
}

fn add(draft: &mut Draft<'_>, owner: &Owner, rule: &FileRule<'_>) -> Vec<Rule> {
    let mut added = Vec::new();
    for topic in rule.topics {
        for &(action, bounds) in &rule.actions {
            let Some(topic) = literal(draft, rule, action, topic) else { continue };
            // A deny holds for every QoS and retain flag here; EMQX would let the others through.
            let (bounds, narrowed) = match rule.effect {
                Effect::Allow => (bounds, false),
                Effect::Deny => (Bounds::default(), bounds != Bounds::default()),
            };
            if narrowed {
                draft.note(
                    Carried::Differs,
                    &rule.place,
                    format!("deny {topic}: here it holds for every QoS and retain flag"),
                );
            }
            let line =
                Line { place: &rule.place, effect: rule.effect, action, bounds, topic, placeholders: PLACEHOLDERS };
            added.extend(draft.rule(owner, line));
        }
    }
    added
}

/// The filter of a topic; `{eq, "a/#"}` means that very text.
fn literal<'t>(draft: &mut Draft<'_>, rule: &FileRule<'_>, action: Action, topic: &'t Term) -> Option<&'t str> {
    match topic {
        Term::Text(text) => Some(text),
        Term::Tuple(parts) => match &parts[..] {
            [Term::Atom(eq), Term::Text(text)] if eq == "eq" => {
                if !text.contains(['+', '#']) {
                    return Some(text);
                }
                match (rule.effect, action) {
                    (_, Action::Publish) => {
                        draft.note(Carried::LeftOut, &rule.place, format!("publish {text:?}: no topic has wildcards"));
                        None
                    }
                    (Effect::Allow, Action::Subscribe) => {
                        let note = format!(
                            "subscribe {text:?} was meant for that very filter; here narrower ones are granted too"
                        );
                        draft.note(Carried::Differs, &rule.place, note);
                        Some(text)
                    }
                    (Effect::Deny, Action::Subscribe) => {
                        let note = format!(
                            "deny subscribe {text:?} was meant for that very filter; here it would close all below it, \
                             and the filter is refused anyway to who has no right to all of it"
                        );
                        draft.note(Carried::LeftOut, &rule.place, note);
                        None
                    }
                }
            }
            _ => unknown_topic(draft, rule),
        },
        _ => unknown_topic(draft, rule),
    }
}

fn unknown_topic<'t>(draft: &mut Draft<'_>, rule: &FileRule<'_>) -> Option<&'t str> {
    draft.note(Carried::LeftOut, &rule.place, "a topic is a string or {eq, \"…\"}");
    None
}

/// EMQX goes by order; a deny that follows an allow of the same topics takes more here.
fn tell_order(draft: &mut Draft<'_>, carried: &[(String, Owner, Rule)], place: &str, owner: &Owner, rule: &Rule) {
    if rule.effect != Effect::Deny {
        return;
    }
    let meets = |other: &Owner| other == owner || matches!((other, owner), (Owner::Group(_), _) | (_, Owner::Group(_)));
    let beaten = carried
        .iter()
        .filter(|(_, other, _)| meets(other))
        .filter(|(_, _, earlier)| earlier.effect == Effect::Allow && overlap(earlier, rule))
        .map(|(place, _, earlier)| format!("allow {} of {place}", earlier.filter));
    for allow in beaten.collect::<Vec<_>>() {
        draft.note(Carried::Differs, place, format!("{allow} came first and won; here the deny {} wins", rule.filter));
    }
}

fn join_everyone(draft: &mut Draft<'_>) {
    let Some(group) = draft.existing_group(EVERYONE) else { return };
    for device in draft.devices() {
        draft.join(&device, &group);
    }
    draft.note(
        Carried::Differs,
        &format!("group {EVERYONE}"),
        "rules for all are for the devices of this file here, which are listed in the group. Give it \
         `match = { o = \"…\" }` to include every certificate with that attribute",
    );
}
