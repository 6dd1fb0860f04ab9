//! What waits to be written to one connection: whole frames, bounded in bytes.

use super::aliases::Aliases;
use crate::protocol::{Packet, Version};
use bytes::Bytes;

/// Encoded frames for one connection, always cut at a frame boundary.
///
/// Publications ask [`Outbox::accepts`] first. Control packets are always taken: a connection stops reading
/// while its outbox is over the limit, so they stay few.
#[derive(Debug)]
pub struct Outbox {
    frames: Vec<u8>,
    /// The payload of one frame beyond the limit, by reference; its head ends `frames`.
    large: Option<Bytes>,
    /// Control packets behind `large`.
    behind: Vec<u8>,
    /// Topic aliases that the frames up to here have told the client; none before the first.
    aliases: Option<Box<Aliases>>,
    /// What was appended and not taken yet.
    appended: Appended,
    limit: usize,
    starved: bool,
    /// Takes no publication; what is appended all the same is never read.
    closed: bool,
}

/// Packets that were appended, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Packets of every kind.
    pub packets: usize,
    /// Publications among them.
    pub publications: usize,
    /// Bytes of the publications' payloads.
    pub payload_bytes: usize,
}

/// A packet beyond the maximum packet size of its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketTooLarge;

/// A place between two frames; it holds until the outbox is emptied.
#[derive(Clone, Copy, Debug)]
pub struct Place(Option<usize>);

impl Outbox {
    /// An empty outbox of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            frames: Vec::new(),
            large: None,
            behind: Vec::new(),
            aliases: None,
            appended: Appended::default(),
            limit,
            starved: false,
            closed: false,
        }
    }

    /// Where frames for a connection go that has said its last word: publications find no room, the rest is lost.
    pub fn closed() -> Self {
        Self { closed: true, ..Self::new(0) }
    }

    /// Whether a publication of `length` bytes fits now; a frame beyond the limit fits when it is alone.
    pub fn accepts(&self, length: usize) -> bool {
        !self.closed && self.large.is_none() && (self.frames.is_empty() || self.frames.len() + length <= self.limit)
    }

    /// Whether a frame of `length` bytes should hold its payload by reference.
    pub fn is_large(&self, length: usize) -> bool {
        length > self.limit
    }

    /// Where frames are appended.
    pub fn frames(&mut self) -> &mut Vec<u8> {
        match self.large {
            None => &mut self.frames,
            Some(_) => &mut self.behind,
        }
    }

    /// Completes the frame whose head was just appended with its payload. Only after [`Outbox::accepts`] said yes.
    pub fn attach(&mut self, payload: Bytes) {
        match self.large {
            None => self.large = Some(payload),
            // Never two at once; were it to happen, the frame is completed by copy, not lost.
            Some(_) => self.behind.extend_from_slice(&payload),
        }
    }

    /// The connection's topic aliases, for what is appended next.
    pub(super) fn aliases(&mut self) -> &mut Aliases {
        self.aliases.get_or_insert_default()
    }

    /// Forgets the topic aliases if none was used since this was last called: an idle connection owns nothing. The
    /// client keeps its table and lets it be overwritten.
    pub fn forget_idle_aliases(&mut self) {
        if self.aliases.as_mut().is_some_and(|aliases| aliases.is_idle()) {
            self.aliases = None;
        }
    }

    /// Appends a control packet for a client of `version`.
    pub fn append(&mut self, packet: &Packet<'_>, version: Version) {
        // Nothing is beyond this maximum.
        let _ = self.append_within(packet, version, u32::MAX);
    }

    /// The same, unless the packet is larger than the `maximum` that the client takes `[MQTT-3.1.2-24]`.
    ///
    /// # Errors
    /// Nothing was appended.
    pub fn append_within(&mut self, packet: &Packet<'_>, version: Version, maximum: u32) -> Result<(), PacketTooLarge> {
        let frames = self.frames();
        let start = frames.len();
        packet.encode(version, frames);
        if frames.len() - start > maximum as usize {
            frames.truncate(start);
            return Err(PacketTooLarge);
        }
        self.appended.packets += 1;
        Ok(())
    }

    /// Where the next frame will stand.
    pub fn place(&self) -> Place {
        Place(self.large.is_none().then_some(self.frames.len()))
    }

    /// Moves what is appended from now on by `append` to `place`, before what came there since.
    pub fn insert(&mut self, place: Place, append: impl FnOnce(&mut Self)) {
        let start = self.frames().len();
        append(self);
        let Some(place) = place.0.filter(|place| *place <= self.frames.len()) else { return };
        let frames = self.frames();
        let appended = frames.split_off(start.min(frames.len()));
        self.frames.splice(place..place, appended);
    }

    /// Counts a publication that was appended.
    pub fn count_publication(&mut self, payload_bytes: usize) {
        self.appended.packets += 1;
        self.appended.publications += 1;
        self.appended.payload_bytes += payload_bytes;
    }

    /// Packets among what waits; asking starts the count anew.
    pub fn take_appended(&mut self) -> Appended {
        std::mem::take(&mut self.appended)
    }

    /// Whether a payload waits by reference.
    pub fn has_large(&self) -> bool {
        self.large.is_some()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.large.is_none()
    }

    /// Whether the connection should stop reading until some of it is written.
    pub fn is_full(&self) -> bool {
        self.large.is_some() || self.frames.len() >= self.limit
    }

    /// Bytes that are left before it is full.
    pub fn room(&self) -> usize {
        match self.large {
            Some(_) => 0,
            None => self.limit.saturating_sub(self.frames.len()),
        }
    }

    /// Notes that the session holds messages that found no room here.
    pub fn starve(&mut self) {
        self.starved = true;
    }

    /// Whether the session waits for room.
    pub fn is_starved(&self) -> bool {
        self.starved
    }

    /// Whether the session waits for room; asking forgets it.
    pub fn take_starved(&mut self) -> bool {
        std::mem::take(&mut self.starved)
    }

    /// Moves what waits into `buffer` (emptied first) and returns the payload that follows it.
    pub fn take(&mut self, buffer: &mut Vec<u8>) -> Option<Bytes> {
        buffer.clear();
        std::mem::swap(&mut self.frames, buffer);
        let large = self.large.take();
        if !self.behind.is_empty() {
            std::mem::swap(&mut self.frames, &mut self.behind);
        }
        large
    }

    /// Drops everything that waits. What the dropped frames had told the client is forgotten with them.
    pub fn clear(&mut self) {
        self.frames = Vec::new();
        self.large = None;
        self.behind = Vec::new();
        self.appended = Appended::default();
    }

    /// Gives memory back when nothing waits.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            self.frames = Vec::new();
            self.behind = Vec::new();
        }
    }
}
