//! Tests of the session without a hub.
