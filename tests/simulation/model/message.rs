//! A message as its publisher meant it, and the right to it over time.

use super::rights::Rights;
use super::topics::Topic;
use certmq::protocol::QoS;
use std::rc::Rc;

/// Published, once.
pub(crate) struct Message {
    /// In the order of publication.
    pub(crate) number: u64,
    /// Within which order is kept: a client, or a single will.
    pub(crate) publisher: u64,
    pub(crate) device: usize,
    pub(crate) topic: Topic,
    pub(crate) name: Rc<str>,
    /// The payload begins with it; empty where the payload is.
    pub(crate) text: String,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Milliseconds.
    pub(crate) published: u64,
    pub(crate) expires: Option<u64>,
    /// What travels unchanged.
    pub(crate) properties: Vec<String>,
    /// Too large for clients that take only small packets.
    pub(crate) large: bool,
}

impl Message {
    pub(crate) fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// A point in time, finer than the clock where the policy changes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(crate) struct Stamp {
    pub(crate) time: u64,
    /// Which policy was in force.
    pub(crate) policy: usize,
}

/// Every policy that was ever in force.
pub(crate) struct History(Vec<Rights>);

impl History {
    pub(crate) fn new(first: Rights) -> Self {
        Self(vec![first])
    }

    pub(crate) fn present(&self) -> &Rights {
        self.0.last().unwrap()
    }

    pub(crate) fn number(&self) -> usize {
        self.0.len() - 1
    }

    pub(crate) fn change(&mut self, rights: Rights) {
        self.0.push(rights);
    }

    /// Whether `message` might have been written and read at some time since policy number `since`.
    pub(crate) fn ever(&self, since: usize, message: &Message, reader: usize) -> bool {
        self.0[since..].iter().any(|rights| may_pass(rights, message, reader))
    }

    /// Whether it might all the time.
    pub(crate) fn always(&self, since: usize, message: &Message, reader: usize) -> bool {
        self.0[since..].iter().all(|rights| may_pass(rights, message, reader))
    }

    /// What a subscription was granted under each policy since number `since`.
    pub(crate) fn grants(
        &self,
        since: usize,
        device: usize,
        filter: &str,
        qos: QoS,
    ) -> impl Iterator<Item = Option<QoS>> {
        self.0[since..].iter().map(move |rights| rights.grant(device, filter, qos))
    }

    pub(crate) fn now(&self, message: &Message, reader: usize) -> bool {
        may_pass(self.present(), message, reader)
    }
}

fn may_pass(rights: &Rights, message: &Message, reader: usize) -> bool {
    rights.may_publish(message.device, &message.name, message.qos, message.retain)
        && rights.may_read(reader, &message.name)
}
