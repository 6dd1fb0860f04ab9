//! How a filter walks the topics in their order: what cannot match is jumped over, not looked at.
//!
//! Everything below a level is one run in the order of topics: the texts that begin with it and a slash. Its siblings
//! are not beside it (`a`, `a-b`, `a/c`: `-` comes before `/`), so every jump goes to the front or the end of such a run.

use crate::protocol::topic::Level;
use crate::protocol::{TopicFilter, TopicName};

/// What a walk does about the topic it stands on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It matches; the next may.
    Match,
    /// It does not; the next may.
    Next,
    /// Nothing before this text does.
    From(String),
    /// Nothing after it does.
    End,
}

/// The first text that may match: the literal levels in front, without the slash behind the last, because `a/#`
/// matches `a`.
pub(super) fn front(filter: &TopicFilter) -> String {
    let mut front = String::new();
    for (position, level) in filter.levels().enumerate() {
        let Level::Literal(text) = level else { break };
        if position > 0 {
            front.push('/');
        }
        front.push_str(text);
    }
    front
}

/// Judges `topic`, and how far the walk may jump.
pub(super) fn look(filter: &TopicFilter, topic: TopicName<'_>) -> Look {
    let text = topic.as_str();
    let mut wanted = filter.levels().peekable();
    if topic.is_dollar() && matches!(wanted.peek(), Some(Level::One | Level::Rest)) {
        return Look::From(AFTER_DOLLAR.to_owned());
    }
    let mut start = 0;
    let mut wild = None;
    while let Some(level) = wanted.next() {
        let end = end_of_level(text, start);
        match level {
            Level::Rest => return Look::Match,
            Level::One => wild = Some(end),
            Level::Literal(literal) if text.get(start..end) == Some(literal) => {}
            Level::Literal(literal) => return towards(text, start, literal, wanted.peek(), wild),
        }
        match (wanted.peek(), end < text.len()) {
            (None | Some(Level::Rest), false) => return Look::Match,
            (None, true) => return past(text, wild),
            (Some(_), false) if level == Level::One => return Look::Next,
            (Some(_), false) => return Look::From(format!("{text}/")),
            (Some(_), true) => start = end + SLASH.len(),
        }
    }
    Look::End
}

const SLASH: &str = "/";
/// What follows the slash in the order of bytes.
const AFTER_SLASH: &str = "0";
/// What follows the dollar.
const AFTER_DOLLAR: &str = "%";

fn end_of_level(text: &str, start: usize) -> usize {
    text.get(start..).and_then(|rest| rest.find('/')).map_or(text.len(), |length| start + length)
}

/// The level at `start` should be `literal`: there, if that is ahead.
fn towards(text: &str, start: usize, literal: &str, below: Option<&Level<'_>>, wild: Option<usize>) -> Look {
    let (parent, rest) = text.split_at_checked(start).unwrap_or_default();
    let itself = matches!(below, None | Some(Level::Rest));
    if itself && literal > rest {
        return Look::From(format!("{parent}{literal}"));
    }
    let beneath = format!("{literal}/");
    match below.is_some() && beneath.as_str() > rest {
        true => Look::From(format!("{parent}{beneath}")),
        false => past(text, wild),
    }
}

/// Nothing more can match until the level that a `+` stands for, and that ends at `wild`, is another.
fn past(text: &str, wild: Option<usize>) -> Look {
    match wild.and_then(|end| text.get(..end)) {
        Some(level) => Look::From(format!("{level}{AFTER_SLASH}")),
        None => Look::End,
    }
}
