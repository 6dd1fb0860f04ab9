//! What is left of a batch when its connection is closed in the middle of it.

use super::Batch;
use crate::hub::Taken;
use bytes::Bytes;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio::io::AsyncWrite;

/// Takes so many bytes and then no more.
struct Narrow {
    room: usize,
    taken: Vec<u8>,
}

impl AsyncWrite for Narrow {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = bytes.len().min(self.room);
        if count == 0 {
            return Poll::Pending;
        }
        self.room -= count;
        self.taken.extend(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A PUBLISH of `length` bytes behind its header, which has two bytes, or three beyond 127.
fn packet(length: usize) -> Vec<u8> {
    let digits =
        if length < 128 { vec![length as u8] } else { vec![(length % 128) as u8 | 0x80, (length / 128) as u8] };
    [vec![0x30], digits, vec![7; length]].concat()
}

/// Writes `room` bytes of a batch, cuts it, and writes the rest: everything that the peer has got.
fn cut_after(room: usize, frames: &[u8], large: Option<&[u8]>) -> Vec<u8> {
    let mut batch = Batch::default();
    batch.load(|buffer| {
        buffer.extend(frames);
        Taken { large: large.map(Bytes::copy_from_slice), starved: false, closing: None }
    });
    let mut stream = Narrow { room, taken: Vec::new() };
    let mut cx = Context::from_waker(Waker::noop());
    let _ = batch.write(&mut stream, &mut cx);
    batch.cut();
    stream.room = usize::MAX;
    assert!(batch.write(&mut stream, &mut cx).is_ready());
    assert!(batch.is_done());
    stream.taken
}

#[test]
fn the_packet_that_is_being_written_is_ended_and_the_next_is_dropped() {
    let frames = [packet(5), packet(200), packet(3)].concat();
    let ends = [0, 7, 7 + 203, frames.len()];
    for room in 0..=frames.len() {
        let end = *ends.iter().find(|end| **end >= room).unwrap();
        assert_eq!(cut_after(room, &frames, None), frames[..end], "{room} bytes were written");
    }
}

#[test]
fn a_large_payload_is_ended_once_its_head_has_begun() {
    let large = packet(1000);
    let (head, payload) = large.split_at(10);
    let frames = [packet(5), head.to_vec()].concat();
    let whole = [&frames[..], payload].concat();
    for (room, expected) in [(0, 0), (3, 7), (7, 7), (8, whole.len()), (17, whole.len()), (18, whole.len())] {
        assert_eq!(cut_after(room, &frames, Some(payload)), whole[..expected], "{room} bytes were written");
    }
}
