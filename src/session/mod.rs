//! One client's session as a state machine. Pure: `now` is an argument.
