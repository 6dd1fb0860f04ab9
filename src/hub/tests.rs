//! Tests of the hub in virtual time.
