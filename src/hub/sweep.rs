//! Trust and policy in force at once: live connections are judged anew by whatever has changed.
//!
//! ```text
//! set_policy, then sweep(touched) -> connections -> judged -> gate shut, outbound cut, DISCONNECT
//!                                                      `-> stays: are frames from before still in its socket's way?
//! end_expired(unix), ten times a second       -> whose chain has ended -'
//! CONNECT: judged before a session is touched, and again once a sweep would find the connection
//! ```

use super::connections::{Found, Support};
use super::gate::Gate;
use super::sessions::{ConnectionId, SessionCell, State};
use super::{Hub, Wakes};
use crate::policy::{Certificate, ChainFacts, DeviceKey, Lapse, Refusal, Writings};
use crate::protocol::ReasonCode;
use crate::telemetry::metrics::METRICS;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Connections closed before their tasks are woken, and ended ones taken from the index at a time.
const SLICE: usize = 256;

/// What has changed. A sweep costs by the connections it touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Anything may have.
    Everyone,
    /// Trust anchors: SHA-256 of their SubjectPublicKeyInfo.
    Anchors(Vec<[u8; 32]>),
    /// Certificates by issuer and serial number, those of CAs between leaf and anchor included.
    Certificates(Vec<Certificate>),
    /// Devices.
    Devices(Vec<DeviceKey>),
    /// Certificates of devices: SHA-256 of the whole certificate.
    Leaves(Vec<[u8; 32]>),
}

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Live connections that were judged.
    pub judged: usize,
    /// Those among them that were closed by it. Nothing of theirs is routed, and nothing goes to them, from now on.
    pub closed: usize,
}

impl Hub {
    /// Judges the live connections that `touched` names by the policy and the judge in force, and closes those that
    /// may not stay. `unix`: now, in seconds. Waits for the packet that each of them is being served, if any, and for
    /// nothing else; no lock may be held.
    pub fn sweep(&self, touched: &Touched, unix: i64, wakes: &mut Wakes) -> Swept {
        self.sweep_telling(touched, unix, wakes, |_| {})
    }

    /// As [`Hub::sweep`]; `closed` is told the device of each connection that was closed.
    pub fn sweep_telling(
        &self,
        touched: &Touched,
        unix: i64,
        wakes: &mut Wakes,
        mut closed: impl FnMut(&DeviceKey),
    ) -> Swept {
        let mut swept = Swept::default();
        let before = self.before.load_full();
        for Found { cell, connection } in self.touched(touched) {
            let Some(verdict) = self.judge_live(&cell, connection, unix) else { continue };
            swept.judged += 1;
            match verdict {
                Ok(()) => self.watch_stale_frames(&cell, connection, &before),
                Err(lapse) if self.dismiss(&cell, connection, lapse, wakes).is_some() => {
                    swept.closed += 1;
                    closed(&cell.key.device);
                }
                Err(_) => {}
            }
            if swept.closed % SLICE == 0 {
                wakes.wake();
            }
        }
        swept
    }

    /// Closes every connection whose chain has ended by `unix` (seconds of the wall clock, wherever that has been set
    /// to); returns how many. Costs by what has ended: call it every tenth of a second or so.
    ///
    /// The second that notAfter names is already too late, though RFC 5280 counts it as valid: so a connection ends
    /// within that second and not in the one after. What was closed stays closed when the clock is set back.
    pub fn end_expired(&self, unix: i64, wakes: &mut Wakes) -> usize {
        self.unix.store(unix, Ordering::Release);
        let mut closed = 0;
        loop {
            let ended = self.connections.take_ended(unix, SLICE);
            if ended.is_empty() {
                return closed;
            }
            for Found { cell, connection } in ended {
                closed += usize::from(self.dismiss(&cell, connection, Lapse::Expired, wakes).is_some());
            }
            wakes.wake();
        }
    }

    /// Live connections whose chain ends after `from` and not after `to` (Unix seconds): how many, and up to `limit` of
    /// their devices with the last second of the chain. Costs by their number.
    pub fn ending_between(&self, from: i64, to: i64, limit: usize) -> (usize, Vec<(DeviceKey, i64)>) {
        let (count, found) = self.connections.ending_between(from, to, limit);
        let ends = found.into_iter().filter_map(|Found { cell, connection }| {
            let not_after = cell.lock().link_of(connection)?.registration.chain.not_after;
            Some((cell.key.device.clone(), not_after))
        });
        (count, ends.collect())
    }

    fn touched(&self, touched: &Touched) -> Vec<Found> {
        match touched {
            Touched::Everyone => self.connections.all(),
            Touched::Anchors(anchors) => self.connections.hanging_on(anchors.iter().map(Support::Anchor)),
            Touched::Certificates(certificates) => {
                self.connections.hanging_on(certificates.iter().map(Support::Certificate))
            }
            Touched::Leaves(leaves) => self.connections.hanging_on(leaves.iter().map(Support::Leaf)),
            Touched::Devices(devices) => {
                let cells = devices.iter().flat_map(|device| self.sessions.of_device(device));
                cells.filter_map(|cell| cell.last_connection().map(|connection| Found { cell, connection })).collect()
            }
        }
    }

    /// `None`: the connection has ended.
    fn judge_live(&self, cell: &SessionCell, connection: ConnectionId, unix: i64) -> Option<Result<(), Lapse>> {
        let mut state = cell.lock();
        let chain = Arc::clone(&state.link_of(connection)?.registration.chain);
        let admitted = self.policy.load().admit(&state.session.principal, &chain.leaf_sha256);
        Some(match admitted {
            Ok(_) => self.judge_chain(&cell.key.device, &chain, unix),
            Err(Refusal::Revoked(_)) => Err(Lapse::Revoked),
            Err(Refusal::Lapsed { lapse, .. }) => Err(lapse),
            Err(_) => Err(Lapse::NotAdmitted),
        })
    }

    /// Dates, trust and revocation of a chain that a handshake accepted.
    pub(super) fn judge_chain(&self, device: &DeviceKey, chain: &ChainFacts, unix: i64) -> Result<(), Lapse> {
        self.policy.load().judge_chain(device, chain, unix)
    }

    /// The wall clock when it was last looked at, Unix seconds.
    pub(super) fn unix(&self) -> i64 {
        self.unix.load(Ordering::Acquire)
    }

    /// Ends a connection for good; its will goes with it where its writer lost the right.
    fn dismiss(
        &self,
        cell: &SessionCell,
        connection: ConnectionId,
        lapse: Lapse,
        wakes: &mut Wakes,
    ) -> Option<Dismissed> {
        let mut state = cell.lock();
        let link = state.link_of(connection)?;
        if lapse.writings() == Writings::Withheld && link.will.take().is_some() {
            tracing::warn!(device = %cell.key.device.name.escape_debug(), "will withheld: {lapse}");
        }
        let closed_before = link.outbound.is_closing();
        let gate = state.shut_out(lapse.reason(), wakes)?;
        drop(state);
        gate.shut();
        if closed_before {
            return None;
        }
        METRICS.connections_lapsed.increment();
        tracing::info!(
            device = %cell.key.device.name.escape_debug(),
            trust = %cell.key.device.trust.escape_debug(),
            client_id = %cell.key.client_id.escape_debug(),
            "closing: {lapse}"
        );
        Some(Dismissed)
    }
}

/// A connection was there, and is closed.
#[derive(Debug)]
struct Dismissed;

impl State {
    /// Closes the outbound of the living connection, if there is one. The gate must be shut when the lock is given
    /// up: the connection's task passes it before it takes the lock.
    pub(super) fn shut_out(&mut self, reason: ReasonCode, wakes: &mut Wakes) -> Option<Arc<Gate>> {
        let link = self.link.as_ref()?;
        link.outbound.close(link.version, reason, wakes);
        Some(Arc::clone(&link.gate))
    }
}
