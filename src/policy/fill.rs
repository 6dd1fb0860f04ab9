//! Rules with their templates filled: sequences of levels for the one topic algebra.

use super::packed::RuleView;
use super::record::Effect;
use super::template::{Template, ValueFault};
use super::{ClientIdRule, Principal};
use crate::protocol::topic::{Level, TopicName, matches};

/// Who fills templates, and for which topic or filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filling<'a> {
    principal: &'a Principal,
    client_id: ClientIdRule,
    /// The first level of what is judged, where it starts with `$`.
    dollar: Option<&'a str>,
}

/// A rule filled for one principal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filled<'a> {
    filter: &'a str,
    filling: Filling<'a>,
}

impl<'a> Filling<'a> {
    /// For judging what begins with the level `first`.
    pub(super) fn new(principal: &'a Principal, client_id: ClientIdRule, first: Option<Level<'a>>) -> Self {
        let dollar = match first {
            Some(Level::Literal(text)) if text.starts_with('$') => Some(text),
            _ => None,
        };
        Self { principal, client_id, dollar }
    }

    /// The rule's levels; `None` for an allow with a template that nothing fills: it does not apply.
    pub(super) fn fill(self, rule: RuleView<'a>) -> Option<Filled<'a>> {
        let applies = rule.effect == Effect::Deny || self.values(rule.filter).all(|(_, value)| value.is_ok());
        applies.then_some(Filled { filter: rule.filter, filling: self })
    }

    /// Every template of a filter with what fills it.
    pub(super) fn values(self, filter: &'a str) -> impl Iterator<Item = (&'a str, Result<&'a str, ValueFault>)> {
        pieces(filter).enumerate().filter_map(move |(index, level)| Some((level, self.value(level, index)?)))
    }

    fn value(self, level: &str, index: usize) -> Option<Result<&'a str, ValueFault>> {
        if !level.starts_with('{') {
            return None;
        }
        Some(Template::of(level)?.value(self.principal, self.client_id, index))
    }
}

/// The texts between slashes. Levels are short: looking at each octet is quicker than a search that sets up first.
fn pieces(filter: &str) -> impl Iterator<Item = &str> + Clone {
    let mut rest = Some(filter);
    std::iter::from_fn(move || {
        let text = rest?;
        let slash = text.bytes().position(|octet| octet == b'/');
        rest = slash.and_then(|slash| text.get(slash + 1..));
        slash.map_or(Some(text), |slash| text.get(..slash))
    })
}

impl<'a> Filled<'a> {
    /// The levels. What cannot be filled becomes `+` (in a deny; allows have none left), in the first level also
    /// where that meets a `$` topic, which `+` itself would miss.
    pub(super) fn levels(self) -> impl Iterator<Item = Level<'a>> + Clone {
        let filling = self.filling;
        pieces(self.filter).enumerate().map(move |(index, level)| match filling.value(level, index) {
            None => Level::of(level),
            Some(Ok(value)) => Level::Literal(value),
            Some(Err(_)) => match filling.dollar {
                Some(dollar) if index == 0 => Level::Literal(dollar),
                _ => Level::One,
            },
        })
    }

    /// The filter that results, for people.
    pub(super) fn text(self) -> String {
        let texts = self.levels().map(|level| match level {
            Level::Literal(text) => text,
            Level::One => "+",
            Level::Rest => "#",
        });
        texts.collect::<Vec<_>>().join("/")
    }

    /// A copy that outlives the policy.
    pub(super) fn to_hole(self) -> Hole {
        let owned = |level: Level<'_>| match level {
            Level::Literal(text) => HoleLevel::Literal(text.into()),
            Level::One => HoleLevel::One,
            Level::Rest => HoleLevel::Rest,
        };
        Hole(self.levels().map(owned).collect())
    }
}

/// A filled deny. Its levels are kept as they are: put together and parsed again, a value such as `$share` in the
/// first level would change its meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hole(Box<[HoleLevel]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum HoleLevel {
    Literal(Box<str>),
    One,
    Rest,
}

impl Hole {
    pub(super) fn contains(&self, topic: TopicName<'_>) -> bool {
        let levels = self.0.iter().map(|level| match level {
            HoleLevel::Literal(text) => Level::Literal(text),
            HoleLevel::One => Level::One,
            HoleLevel::Rest => Level::Rest,
        });
        matches(levels, topic)
    }
}
