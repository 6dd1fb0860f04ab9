//! The composition root: wiring, supervision, drain.
