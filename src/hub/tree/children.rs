//! The literal levels below a node. Most nodes have one: a map for it would cost ten times as much.

use super::Node;
use std::collections::HashMap;

#[derive(Debug, Default)]
pub(super) enum Children {
    #[default]
    None,
    One(Box<(Box<str>, Node)>),
    Many(Box<HashMap<Box<str>, Node, ahash::RandomState>>),
}

impl Children {
    pub(super) fn get(&self, level: &str) -> Option<&Node> {
        match self {
            Self::None => None,
            Self::One(only) => (*only.0 == *level).then_some(&only.1),
            Self::Many(map) => map.get(level),
        }
    }

    pub(super) fn get_mut(&mut self, level: &str) -> Option<&mut Node> {
        match self {
            Self::None => None,
            Self::One(only) => (*only.0 == *level).then_some(&mut only.1),
            Self::Many(map) => map.get_mut(level),
        }
    }

    /// The node of `level`, made where it is missing.
    pub(super) fn get_or_insert(&mut self, level: &str) -> &mut Node {
        *self = match std::mem::take(self) {
            Self::None => Self::One(Box::new((Box::from(level), Node::default()))),
            Self::One(only) if *only.0 != *level => Self::Many(Box::new(HashMap::from_iter([*only]))),
            unchanged => unchanged,
        };
        match self {
            Self::One(only) => &mut only.1,
            Self::Many(map) => map.entry(Box::from(level)).or_default(),
            Self::None => self.get_or_insert(level),
        }
    }

    /// Removes the node of `level`, which is there.
    pub(super) fn remove(&mut self, level: &str) {
        match self {
            Self::None => {}
            Self::One(_) => *self = Self::None,
            Self::Many(map) => {
                map.remove(level);
                if map.is_empty() {
                    *self = Self::None;
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }
}
