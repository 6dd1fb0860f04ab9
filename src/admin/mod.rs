//! The operator's side: one set of request and response types, served on the local socket and, offline, on the store.
