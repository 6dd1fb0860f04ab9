//! Why a decision is what it is, in words an operator can act on.

use super::record::Action;
use super::{Policy, Principal};

/// A decision told at length.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Explanation {
    /// The decision.
    pub allowed: bool,
    /// The rule that made it, where one did.
    pub rule: Option<String>,
    /// One line per rule that was looked at and what it did, then the conclusion and the remedy.
    pub lines: Vec<String>,
}

impl Policy {
    /// Explains a publish to a topic or a subscribe to a filter. Text that is no topic or filter is an `Err` with the fault.
    pub fn explain(&self, principal: &Principal, action: Action, topic: &str) -> Result<Explanation, String> {
        let _ = (principal, action, topic);
        todo!()
    }
}
