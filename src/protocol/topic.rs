//! Topic names and topic filters: the one topic language of certmq (MQTT 5.0 section 4.7).
//!
//! [`TopicName`] and [`TopicFilter`] can only be built by parsing. The algebra (`matches`, `covers`,
//! `overlaps`) works on sequences of [`Level`]s, so that rules with filled templates use the same code.

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
    /// `$share` without a group name or an inner filter, or a wildcard in the group name.
    #[error("a shared subscription is written $share/GROUP/FILTER")]
    Share,
}

impl<'a> TopicName<'a> {
    /// Parses a topic name.
    pub fn parse(text: &'a str) -> Result<Self, TopicError> {
        let _ = text;
        todo!()
    }

    /// The text.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// The levels between slashes; a leading slash makes an empty first level.
    pub fn levels(self) -> impl Iterator<Item = &'a str> + Clone {
        self.0.split('/')
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

impl TopicFilter {
    /// Parses a filter, with or without `$share/<group>/`.
    pub fn parse(text: &str) -> Result<Self, TopicError> {
        let _ = text;
        todo!()
    }

    /// The whole text, `$share/<group>/` included.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The share name, where it is a shared subscription (section 4.8.2).
    pub fn share(&self) -> Option<&str> {
        todo!()
    }

    /// The filter without `$share/<group>/`: what rights and matching are about.
    pub fn inner(&self) -> &str {
        self.text.get(self.inner as usize..).unwrap_or_default()
    }

    /// The levels of the inner filter.
    pub fn levels(&self) -> impl Iterator<Item = Level<'_>> + Clone {
        self.inner().split('/').map(Level::of)
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

/// Whether the filter `levels` match `topic`. A wildcard in the first level never matches a `$` topic `[MQTT-4.7.2-1]`.
pub fn matches<'l>(filter: impl Iterator<Item = Level<'l>>, topic: TopicName<'_>) -> bool {
    let _ = (filter, topic);
    todo!()
}

/// Whether `outer` matches every topic that `inner` matches.
pub fn covers<'l>(outer: impl Iterator<Item = Level<'l>>, inner: impl Iterator<Item = Level<'l>>) -> bool {
    let _ = (outer, inner);
    todo!()
}

/// Whether some topic is matched by both.
pub fn overlaps<'l>(left: impl Iterator<Item = Level<'l>>, right: impl Iterator<Item = Level<'l>>) -> bool {
    let _ = (left, right);
    todo!()
}
