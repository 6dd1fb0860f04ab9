//! Resumption: tickets that let a client come back without its certificate, and the judgement that it is spared only
//! the signatures, never the questions.
//!
//! rustls copies the chain of the first connection into a resumed one and verifies nothing. So the chain is judged
//! here as in a full handshake ([`super::Handshake::conclude`]): path, dates, revocation, deny list. A ticket opens
//! under the keys of its own listener and trust epoch alone; keys change every 6 hours and die after 12.

use super::TlsError;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;
use std::fmt;
use std::sync::Arc;

/// The ticket keys of one listener in one trust epoch. What they encrypted under another value is no ticket.
#[derive(Clone)]
pub struct TicketKeys {
    keys: Arc<dyn ProducesTickets>,
}

impl TicketKeys {
    /// New ones, known to nobody.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn generate() -> Result<Self, TlsError> {
        let keys = Ticketer::new()
            .map_err(|error| TlsError::Configuration(format!("keys for session tickets cannot be made: {error}")))?;
        Ok(Self { keys })
    }
}

impl ProducesTickets for TicketKeys {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.keys.lifetime()
    }

    /// `None`, and so no ticket, for a session that is not bound to its handshake.
    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        is_bound(session).then(|| self.keys.encrypt(session)).flatten()
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.keys.decrypt(ticket).filter(|session| is_bound(session))
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKeys").finish_non_exhaustive()
    }
}

/// Whether the secret of a session is bound to its handshake: always in TLS 1.3, in TLS 1.2 with the extended master
/// secret only (RFC 7627 section 5.3; without it a man in the middle of two handshakes can give both one secret).
///
/// rustls itself would resume a session without it. It has no way to ask, so the session is read as rustls writes it:
/// an optional server name, version, cipher suite, master secret, and then the flag. What looks otherwise is not
/// taken for bound; a test with a client without the extension notices when rustls writes otherwise.
fn is_bound(session: &[u8]) -> bool {
    const TLS_1_3: [u8; 2] = [3, 4];
    let after_name = match session.split_first() {
        Some((0, rest)) => Some(rest),
        Some((1, rest)) => after_short_vector(rest),
        _ => None,
    };
    let Some((version, rest)) = after_name.and_then(|rest| rest.split_first_chunk::<2>()) else { return false };
    if *version == TLS_1_3 {
        return true;
    }
    let flag =
        rest.split_first_chunk::<2>().and_then(|(_suite, rest)| after_short_vector(rest)).and_then(<[u8]>::first);
    flag == Some(&1)
}

/// What follows a vector with one byte of length.
fn after_short_vector(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first()?;
    rest.get(usize::from(*length)..)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: &[u8] = &[1, 2, b'a', b'b'];
    const TLS_1_2: &[u8] = &[3, 3, 0xc0, 0x2b, 2, 9, 9];

    #[test]
    fn only_bound_sessions_become_tickets() {
        let keys = TicketKeys::generate().unwrap();
        for (session, bound) in [
            ([&[0], TLS_1_2, &[1, 0]].concat(), true),
            ([&[0], TLS_1_2, &[0, 0]].concat(), false),
            ([NAMED, TLS_1_2, &[1]].concat(), true),
            ([NAMED, TLS_1_2, &[0]].concat(), false),
            ([NAMED, TLS_1_2].concat(), false),
            (vec![0, 3, 4, 0x13, 1], true),
            (vec![1, 9, b'a'], false),
            (vec![2, 3, 4], false),
            (vec![], false),
        ] {
            let ticket = keys.encrypt(&session);
            assert_eq!(ticket.is_some(), bound, "{session:?}");
            assert_eq!(ticket.and_then(|ticket| keys.decrypt(&ticket)), bound.then_some(session));
        }
    }

    #[test]
    fn a_ticket_of_other_keys_is_worthless() {
        let session = [&[0], TLS_1_2, &[1, 0]].concat();
        let (one, other) = (TicketKeys::generate().unwrap(), TicketKeys::generate().unwrap());
        let ticket = one.encrypt(&session).unwrap();
        assert_eq!(one.clone().decrypt(&ticket), Some(session));
        assert_eq!(other.decrypt(&ticket), None);
    }
}
