//! Whether a client that was let in may stay: judged anew when trust, revocation or the clock has moved on.

use super::{ChainFacts, DeviceKey};
use crate::protocol::ReasonCode;
use std::fmt;

/// What certificates are judged by now: roots, pins, CRLs, deny list. The TLS side implements it, the hub asks it at
/// every CONNECT and in every sweep.
///
/// It is called with a session locked: it must not block, nor call the hub.
pub trait LiveJudge: Send + Sync + fmt::Debug {
    /// Whether a chain that was accepted once is good for its device at `now` (Unix seconds). The hub itself looks at
    /// the end of validity and at the device's record.
    ///
    /// # Errors
    /// Why not; of several causes one whose [`Lapse::writings`] are withheld.
    fn judge(&self, device: &DeviceKey, chain: &ChainFacts, now: i64) -> Result<(), Lapse>;
}

/// Why a client that was let in may not stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Lapse {
    /// The deny list names the certificate or the device.
    #[error("revoked by an operator")]
    Revoked,
    /// The policy no longer admits the device with this certificate: disabled, removed, pinned to another one.
    #[error("the device is no longer admitted")]
    NotAdmitted,
    /// A CRL lists a certificate of the chain.
    #[error("listed in a revocation list")]
    Listed,
    /// The CRL of an issuer is stale or missing, and the settings say that this ends live connections.
    #[error("the revocation list of its issuer is stale or missing")]
    Unchecked,
    /// No CA of its trust block vouches for the chain any more.
    #[error("its CA is no longer trusted")]
    Untrusted,
    /// A certificate of the chain has reached its end.
    #[error("expired")]
    Expired,
}

impl Lapse {
    /// What an operator can do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Revoked => "if that was a mistake: certmq revoke --list, then certmq revoke --undo ID",
            Self::NotAdmitted => "certmq device show says what its record demands",
            Self::Listed => "issue the device a new certificate",
            Self::Unchecked => "put a current CRL of its issuer where tls.crl looks, then certmq reload",
            Self::Untrusted => "issue the device a certificate of a trusted CA, or name its CA in tls.client_ca",
            Self::Expired => "issue the device a new certificate",
        }
    }

    /// What a 5.0 client is told in DISCONNECT.
    pub fn reason(self) -> ReasonCode {
        match self {
            Self::Revoked | Self::NotAdmitted => ReasonCode::AdministrativeAction,
            Self::Listed | Self::Unchecked | Self::Untrusted | Self::Expired => ReasonCode::NotAuthorized,
        }
    }

    /// What becomes of what the client has written and nobody has received yet.
    pub fn writings(self) -> Writings {
        match self {
            Self::Revoked | Self::NotAdmitted | Self::Listed | Self::Untrusted => Writings::Withheld,
            Self::Unchecked | Self::Expired => Writings::Valid,
        }
    }
}

/// What the end of a connection means for its will and its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writings {
    /// The writer lost the right: nothing of it is delivered.
    Withheld,
    /// The writer is merely gone.
    Valid,
}

/// Everybody stays as the handshake found.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsAccepted;

impl LiveJudge for AsAccepted {
    fn judge(&self, _device: &DeviceKey, _chain: &ChainFacts, _now: i64) -> Result<(), Lapse> {
        Ok(())
    }
}
