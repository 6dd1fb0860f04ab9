//! The local socket: one JSON line each way, for the owner of the store and root.

mod framing;
mod path;
#[cfg(test)]
mod tests;

pub use framing::{Answer, Question};
pub use path::{MAX_PATH_BYTES, SocketError, bind, judge_path};

use super::reply::{AdminError, Fault, Reply};
use super::request::{Request, Wait};
use super::{LINE_BYTES, Service, VERSION, unix_user};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

/// Commands served at once; one above it waits to be accepted. The peers are the operator's own.
const CONNECTIONS: usize = 32;

/// How long a peer may take to send a request or to take its answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long an answer waits for news: so soon a follower notices that its broker is gone.
const PAUSE: Duration = Duration::from_secs(10);

/// Serves requests until `shutdown` resolves, then finishes those that run. `listener` comes from [`bind()`] and is
/// removed from the file system at the end.
///
/// # Errors
/// When the runtime cannot take the listener over.
pub async fn serve(
    listener: std::os::unix::net::UnixListener,
    service: Arc<Service>,
    shutdown: impl Future<Output = ()>,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let path = listener.local_addr().ok().and_then(|address| address.as_pathname().map(std::path::Path::to_path_buf));
    let listener = UnixListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (closing, closed) = watch::channel(());
    tokio::pin!(shutdown);
    loop {
        let place = tokio::select! {
            () = &mut shutdown => break,
            Ok(place) = Arc::clone(&places).acquire_owned() => place,
        };
        let stream = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        match stream {
            Ok((stream, _)) => {
                let (service, closed) = (Arc::clone(&service), closed.clone());
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, service, closed).await {
                        tracing::debug!(%error, "a command left the admin socket early");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the admin socket cannot accept; trying again in a second");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    if let Some(path) = path {
        let _ = std::fs::remove_file(path);
    }
    // Idle peers are let go, running requests are answered: then every place is free again.
    drop(closing);
    let everyone = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(PATIENCE, places.acquire_many(everyone)).await;
    Ok(())
}

/// Answers one peer until it goes, or until `closed` has no sender any more and nothing is being answered.
async fn converse(
    mut stream: UnixStream,
    service: Arc<Service>,
    mut closed: watch::Receiver<()>,
) -> std::io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    let permitted = uid == 0 || uid == nix::unistd::geteuid().as_raw();
    let (read, mut write) = stream.split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut read).take(LINE_BYTES as u64 + 1);
        let read = tokio::select! {
            read = tokio::time::timeout(PATIENCE, bounded.read_until(b'\n', &mut line)) => read,
            _ = closed.changed() => return Ok(()),
        };
        match read {
            Ok(Ok(0)) | Err(_) => return Ok(()),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error),
        }
        let whole = line.last() == Some(&b'\n');
        let answer = match (permitted, whole) {
            (false, _) => Err(AdminError::new(
                Fault::NotPermitted,
                format!("user {uid} may not use this broker: run the command as the owner of the store, or as root"),
            )),
            (true, false) => {
                Err(AdminError::new(Fault::Data, format!("a request is one line of at most {LINE_BYTES} bytes")))
            }
            (true, true) => answer(line, uid, &service, &mut closed).await,
        };
        let hang_up = !permitted || !whole;
        let mut text = Answer::from(answer).to_line();
        text.push(b'\n');
        tokio::time::timeout(PATIENCE, write.write_all(&text)).await.map_err(|_| std::io::ErrorKind::TimedOut)??;
        if hang_up {
            return Ok(());
        }
    }
}

async fn answer(
    line: Vec<u8>,
    uid: u32,
    service: &Arc<Service>,
    closed: &mut watch::Receiver<()>,
) -> Result<Reply, AdminError> {
    let question = Question::from_line(&line)?;
    if question.version != VERSION {
        let message = format!(
            "the command speaks version {} of the admin protocol, the broker {VERSION}: use the certmq that the broker was started with",
            question.version
        );
        return Err(AdminError::new(Fault::Internal, message));
    }
    if let Request::Denials { after, wait: Wait::ForMore, .. } = question.request {
        tokio::select! {
            () = service.denials_beyond(after, PAUSE) => {}
            _ = closed.changed() => {}
        }
    }
    let service = Arc::clone(service);
    // A change waits for the disk, and an export reads the whole store: not on a thread that serves clients.
    let executed = tokio::task::spawn_blocking(move || service.execute(question.request, &unix_user(uid), unix_now()));
    let executed = executed.await;
    executed.unwrap_or_else(|error| {
        tracing::error!(%error, "a bug: an admin request panicked");
        Err(AdminError::new(Fault::Internal, "a bug of certmq, please report it; the log of the broker has the place"))
    })
}

fn unix_now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}
