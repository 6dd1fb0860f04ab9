//! Topic aliases towards the client (section 3.3.2.3.4): what one connection has been told to call its topics.

use crate::protocol::TopicName;
use crate::protocol::topic::TopicNameBuf;

/// A topic of this length or shorter costs less than the property that names its alias.
const SHORT: usize = 3;

/// The aliases of one connection, by number less one. They live and end with it: a repetition on the next connection
/// finds none.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    topics: Vec<Aliased>,
    /// The alias that gives way next, unless it is used until then.
    next: usize,
    /// Whether any was used since the last [`Aliases::is_idle`].
    used: bool,
}

#[derive(Debug)]
struct Aliased {
    topic: TopicNameBuf,
    /// Used since it was last asked to give way.
    used: bool,
}

/// How a PUBLISH names its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// By its text.
    InFull,
    /// By its text, and from now on by this alias.
    Taught(u16),
    /// By this alias alone.
    ByAlias(u16),
}

impl Aliases {
    /// How to name `topic` with at most `maximum` aliases. Nothing has been told to the client yet:
    /// [`Aliases::told`] follows once the packet has found its place.
    ///
    /// A topic that finds every alias taken asks one of them to give way, which it does when it was not used since
    /// it was last asked. So a topic that comes often keeps its alias among many that come once.
    pub(super) fn name(&mut self, topic: TopicName<'_>, maximum: u16) -> Naming {
        if topic.as_str().len() <= SHORT {
            return Naming::InFull;
        }
        if let Some(index) = self.topics.iter().position(|known| known.topic.as_str() == topic.as_str()) {
            return number(index).map_or(Naming::InFull, Naming::ByAlias);
        }
        if self.topics.len() < usize::from(maximum) {
            return number(self.topics.len()).map_or(Naming::InFull, Naming::Taught);
        }
        match self.topics.get_mut(self.next) {
            Some(known) if known.used => {
                known.used = false;
                self.next = (self.next + 1) % self.topics.len();
                Naming::InFull
            }
            Some(_) => number(self.next).map_or(Naming::InFull, Naming::Taught),
            None => Naming::InFull,
        }
    }

    /// The packet that names `topic` so is on its way, before whatever is named next.
    pub(super) fn told(&mut self, naming: Naming, topic: TopicName<'_>) {
        let (Naming::Taught(alias) | Naming::ByAlias(alias)) = naming else { return };
        let index = usize::from(alias).saturating_sub(1);
        self.used = true;
        match (naming, self.topics.get_mut(index)) {
            (Naming::ByAlias(_), Some(known)) => known.used = true,
            (_, Some(known)) => {
                *known = Aliased { topic: topic.to_buf(), used: true };
                self.next = (index + 1) % self.topics.len();
            }
            (_, None) => self.topics.push(Aliased { topic: topic.to_buf(), used: true }),
        }
    }

    /// Whether none was used since this was last asked.
    pub(super) fn is_idle(&mut self) -> bool {
        !std::mem::take(&mut self.used)
    }
}

fn number(index: usize) -> Option<u16> {
    u16::try_from(index + 1).ok()
}
