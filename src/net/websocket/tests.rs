//! The byte stream over a pipe of memory; the other end writes frames by hand.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// A masked frame with a mask of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0][..], payload].concat()
}

fn pair(pipe: usize) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(pipe);
    (WebSocket::new(ours), theirs)
}

async fn exactly(stream: &mut DuplexStream, wanted: &[u8]) {
    let mut read = vec![0; wanted.len()];
    stream.read_exact(&mut read).await.expect("as many bytes");
    assert_eq!(read, wanted);
}

#[tokio::test]
async fn each_write_is_one_frame_however_little_the_stream_takes() {
    for pipe in [1, 2, 3, 5, 1024] {
        let (mut socket, mut peer) = pair(pipe);
        let payload = [7_u8; 300];
        let write = async {
            socket.write_all(b"ab").await.expect("written");
            socket.write_all(&payload).await.expect("written");
            socket.flush().await.expect("flushed");
        };
        let read = async {
            exactly(&mut peer, &[0x82, 2, b'a', b'b', 0x82, 126, 1, 44]).await;
            exactly(&mut peer, &payload).await;
        };
        tokio::join!(write, read);
    }
}

#[tokio::test]
async fn a_ping_is_answered_while_nothing_is_written_and_between_frames() {
    let (mut socket, mut peer) = pair(1024);
    peer.write_all(&[frame(0x89, b"hi"), frame(0x82, b"data")].concat()).await.expect("room");
    let mut read = [0; 64];
    assert_eq!(socket.read(&mut read).await.expect("data"), 4);
    socket.write_all(b"x").await.expect("written");
    exactly(&mut peer, &[0x8A, 2, b'h', b'i', 0x82, 1, b'x']).await;
}

#[tokio::test]
async fn a_pong_never_stands_inside_a_frame() {
    let (mut socket, mut peer) = pair(4);
    let mut buffer = [0; 16];
    // Two bytes of head and two of ten: the pipe is full.
    assert_eq!(socket.write(b"0123456789").await.expect("some"), 2);
    let (begun, answer) = tokio::join!(
        async {
            peer.write_all(&frame(0x89, b"?")[..4]).await.expect("room");
            let mut head = [0; 4];
            peer.read_exact(&mut head).await.expect("what was written");
            peer.write_all(&[&frame(0x89, b"?")[4..], &frame(0x82, b"!")].concat()).await.expect("room");
            head
        },
        socket.read(&mut buffer)
    );
    assert_eq!(begun, [0x82, 10, b'0', b'1']);
    assert_eq!(answer.expect("data"), 1);
    let (_, ()) = tokio::join!(
        async {
            socket.write_all(b"23456789").await.expect("written");
            socket.flush().await.expect("flushed");
        },
        exactly(&mut peer, b"23456789\x8A\x01?")
    );
}

#[tokio::test]
async fn pings_that_nobody_reads_the_answers_of_cost_one_answer() {
    let (mut socket, mut peer) = pair(300);
    let mut buffer = [0; 16];
    for _ in 0..1000 {
        peer.write_all(&[frame(0x89, &[b'?'; 100]), frame(0x82, b"!")].concat()).await.expect("room");
        assert_eq!(socket.read(&mut buffer).await.expect("data"), 1);
        assert!(socket.pending.len() <= 127 && socket.ping.as_ref().is_none_or(|ping| ping.len() <= 125));
    }
}

#[tokio::test]
async fn shutting_down_says_close_ends_our_half_and_throws_the_rest_away() {
    let (mut socket, mut peer) = pair(1024);
    socket.shutdown().await.expect("an end");
    exactly(&mut peer, &[0x88, 2, 3, 0xE8]).await;
    assert_eq!(peer.read(&mut [0; 8]).await.expect("the end"), 0);
    // Also what is no frame is no fault any more.
    peer.write_all(&[frame(0x82, b"late"), frame(0x88, &[3, 0xE8]), vec![0xFF; 20]].concat()).await.expect("room");
    drop(peer);
    socket.read_to_end(&mut Vec::new()).await.expect("the end");
}

#[tokio::test]
async fn a_close_of_the_peer_ends_the_bytes_and_is_answered_with_its_code() {
    let (mut socket, mut peer) = pair(1024);
    peer.write_all(&[frame(0x82, b"last"), frame(0x88, &[3, 0xE9])].concat()).await.expect("room");
    let mut read = Vec::new();
    socket.read_to_end(&mut read).await.expect("the end");
    assert_eq!(read, b"last");
    socket.shutdown().await.expect("a clean end");
    exactly(&mut peer, &[0x88, 2, 3, 0xE9]).await;
    assert_eq!(peer.read(&mut [0; 8]).await.expect("the end"), 0);
}

#[tokio::test]
async fn a_fault_is_an_error_of_the_stream_and_told_without_waiting() {
    let (mut socket, mut peer) = pair(1024);
    peer.write_all(&[frame(0x82, b"good"), frame(0x81, b"text")].concat()).await.expect("room");
    let mut read = Vec::new();
    let error = socket.read_to_end(&mut read).await.expect_err("a fault");
    assert!(error.to_string().contains("text"), "{error}");
    assert_eq!(read, b"good");
    socket.shutdown().await.expect("told");
    exactly(&mut peer, &[0x88, 2, 3, 0xEB]).await;
}

#[tokio::test]
async fn a_frame_that_was_cut_is_not_followed_by_a_close() {
    let (mut socket, mut peer) = pair(4);
    assert_eq!(socket.write(b"0123456789").await.expect("some"), 2);
    socket.shutdown().await.expect("an end");
    let mut read = Vec::new();
    peer.read_to_end(&mut read).await.expect("the end");
    assert_eq!(read, [0x82, 10, b'0', b'1']);
}
