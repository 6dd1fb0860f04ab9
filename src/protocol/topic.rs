//! Topic names and topic filters: the one topic language of certmq (MQTT 5.0 section 4.7).
//!
//! [`TopicName`] and [`TopicFilter`] can only be built by parsing. The algebra (`matches`, `covers`,
//! `overlaps`) works on sequences of [`Level`]s, so that rules with filled templates use the same code.
//!
//! A filter stands for the set of topics it matches; `covers` is inclusion of these sets, `overlaps` that they
//! meet. Both are exact, but for one thing they leave aside: that a topic longer than 65 535 bytes does not exist.

mod algebra;
#[cfg(test)]
mod tests;

pub use algebra::{covers, matches, overlaps};

use std::borrow::Borrow;
use std::sync::Arc;

/// The most bytes a topic may have on the wire.
pub const MAX_TOPIC_BYTES: usize = 65_535;

/// A valid topic name, borrowed: no wildcard, no U+0000, not empty `[MQTT-4.7.1-1]`, `[MQTT-4.7.3-1]`, `[MQTT-4.7.3-2]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName<'a>(&'a str);

/// A valid topic name, shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicNameBuf(Arc<str>);

/// A valid topic filter; `$share/<group>/` is taken apart once, here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TopicFilter {
    text: Arc<str>,
    /// Where the inner filter starts in `text`; 0 without a share name.
    inner: u32,
}

/// One level of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level<'a> {
    /// Exactly this text; may be empty.
    Literal(&'a str),
    /// `+`.
    One,
    /// `#`, always the last.
    Rest,
}

/// Why a text is no topic name or filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Nothing between the quotes.
    #[error("a topic has at least one character")]
    Empty,
    /// Over [`MAX_TOPIC_BYTES`].
    #[error("a topic has at most 65535 bytes")]
    TooLong,
    /// U+0000.
    #[error("a topic never contains U+0000")]
    Nul,
    /// `+` or `#` in a topic name.
    #[error("a topic name never contains '+' or '#'")]
    WildcardInName,
    /// `+` or `#` beside other characters, or `#` before the end.
    #[error("'+' and '#' stand alone in their level, and '#' only in the last")]
    WildcardPlacement,
    /// `$share` without a group name or an inner filter, or a wildcard in the group name `[MQTT-4.8.2-1]`,
    /// `[MQTT-4.8.2-2]`.
    #[error("a shared subscription is written $share/GROUP/FILTER")]
    Share,
}

impl<'a> TopicName<'a> {
    /// Parses a topic name.
    pub fn parse(text: &'a str) -> Result<Self, TopicError> {
        judge_length(text)?;
        // Without an early exit this becomes vector code; names that are fine, nearly all, need the whole pass anyway.
        let special = text.bytes().fold(false, |found, byte| found | matches!(byte, b'+' | b'#' | 0));
        match special {
            false => Ok(Self(text)),
            true if text.contains('\0') => Err(TopicError::Nul),
            true => Err(TopicError::WildcardInName),
        }
    }

    /// The text.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// The levels between slashes; a leading slash makes an empty first level.
    pub fn levels(self) -> impl Iterator<Item = &'a str> + Clone {
        self.0.split('/')
    }

    /// Whether it begins with `$`, out of reach of a wildcard in the first level `[MQTT-4.7.2-1]`.
    pub fn is_dollar(self) -> bool {
        self.0.starts_with('$')
    }

    /// A shared copy.
    pub fn to_buf(self) -> TopicNameBuf {
        TopicNameBuf(Arc::from(self.0))
    }
}

impl TopicNameBuf {
    /// The borrowed form.
    pub fn as_name(&self) -> TopicName<'_> {
        TopicName(&self.0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lets a map keyed by topics be asked with a borrowed one; `str` hashes and compares the same.
impl Borrow<str> for TopicNameBuf {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TopicFilter {
    /// Parses a filter, with or without `$share/<group>/`. MQTT 3.x knows no shared subscriptions; their spelling
    /// means the same there, so that rights never depend on the version a client speaks.
    pub fn parse(text: &str) -> Result<Self, TopicError> {
        judge_length(text)?;
        if text.contains('\0') {
            return Err(TopicError::Nul);
        }
        judge_wildcards(text)?;
        let inner = inner_offset(text)?;
        // The length was judged above, the offset is within it.
        Ok(Self { text: Arc::from(text), inner: u32::try_from(inner).map_err(|_| TopicError::TooLong)? })
    }

    /// The whole text, `$share/<group>/` included.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The share name, where it is a shared subscription (section 4.8.2).
    pub fn share(&self) -> Option<&str> {
        let end = (self.inner as usize).checked_sub("/".len())?;
        self.text.get(SHARE_PREFIX.len() + "/".len()..end)
    }

    /// The filter without `$share/<group>/`: what rights and matching are about.
    pub fn inner(&self) -> &str {
        self.text.get(self.inner as usize..).unwrap_or_default()
    }

    /// The levels of the inner filter.
    pub fn levels(&self) -> impl Iterator<Item = Level<'_>> + Clone {
        self.inner().split('/').map(Level::of)
    }

    /// The one topic that the inner filter matches, where it has no wildcard.
    pub fn exact(&self) -> Option<TopicName<'_>> {
        TopicName::parse(self.inner()).ok()
    }

    /// Whether the inner filter matches `topic`.
    pub fn matches(&self, topic: TopicName<'_>) -> bool {
        matches(self.levels(), topic)
    }

    /// Whether every topic that `other` matches is matched by `self` (inner filters).
    pub fn covers(&self, other: &Self) -> bool {
        covers(self.levels(), other.levels())
    }

    /// Whether some topic is matched by both (inner filters).
    pub fn overlaps(&self, other: &Self) -> bool {
        overlaps(self.levels(), other.levels())
    }
}

impl<'a> Level<'a> {
    /// The level that a piece of a valid filter stands for.
    pub fn of(text: &'a str) -> Self {
        match text {
            "+" => Self::One,
            "#" => Self::Rest,
            literal => Self::Literal(literal),
        }
    }
}

const SHARE_PREFIX: &str = "$share";

fn judge_length(text: &str) -> Result<(), TopicError> {
    match text.len() {
        0 => Err(TopicError::Empty),
        1..=MAX_TOPIC_BYTES => Ok(()),
        _ => Err(TopicError::TooLong),
    }
}

/// Where the filter behind `$share/<group>/` starts; 0 where there is no such prefix.
fn inner_offset(text: &str) -> Result<usize, TopicError> {
    let Some(shared) = text.strip_prefix(SHARE_PREFIX).filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
        return Ok(0);
    };
    let (group, inner) = shared.strip_prefix('/').and_then(|rest| rest.split_once('/')).ok_or(TopicError::Share)?;
    if group.is_empty() || group.contains(['+', '#']) || inner.is_empty() {
        return Err(TopicError::Share);
    }
    Ok(text.len() - inner.len())
}

/// `[MQTT-4.7.1-1]`, `[MQTT-4.7.1-2]`.
fn judge_wildcards(filter: &str) -> Result<(), TopicError> {
    let mut levels = filter.split('/').map(Level::of).peekable();
    while let Some(level) = levels.next() {
        let misplaced = match level {
            Level::Rest => levels.peek().is_some(),
            Level::One => false,
            Level::Literal(text) => text.contains(['+', '#']),
        };
        if misplaced {
            return Err(TopicError::WildcardPlacement);
        }
    }
    Ok(())
}
