//! Durable state. `policy_store` keeps the policy on sled; the message store comes with its issue.

pub mod policy_store;
