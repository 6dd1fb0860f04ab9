//! Listeners and the connection task: bytes in, bytes out.
