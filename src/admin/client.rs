//! The command's end of the local socket.

use super::LINE_BYTES;
use super::reply::{AdminError, Reply};
use super::request::Request;
use super::socket::{Answer, Question, SocketError, judge_path};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the broker may take for an answer: an export of a million devices takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection to a running broker.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens: no broker runs, or it left its socket file behind.
    #[error("no broker answers at {}", .0.display())]
    NotRunning(PathBuf),
    /// The socket belongs to somebody else.
    #[error("{}: not permitted to talk to the broker", .0.display())]
    NotPermitted(PathBuf),
    /// The path cannot be one of a socket.
    #[error(transparent)]
    Path(#[from] SocketError),
    /// The broker was there but did not answer.
    #[error("the broker at {} does not answer: {fault}", path.display())]
    Broken {
        /// Its socket.
        path: PathBuf,
        /// What happened.
        fault: String,
    },
}

impl Client {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        judge_path(path)?;
        let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory => {
                ClientError::NotRunning(path.to_owned())
            }
            ErrorKind::PermissionDenied => ClientError::NotPermitted(path.to_owned()),
            _ => broken(path, error),
        })?;
        for set in [UnixStream::set_read_timeout, UnixStream::set_write_timeout] {
            set(&stream, Some(PATIENCE)).map_err(|error| broken(path, error))?;
        }
        Ok(Self { path: path.to_owned(), stream: BufReader::new(stream) })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`ClientError`]; what the broker refused is inside.
    pub fn ask(&mut self, request: Request) -> Result<Result<Reply, AdminError>, ClientError> {
        let mut line = Question::new(request).to_line();
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).map_err(|error| broken(&self.path, error))?;
        let mut answer = Vec::new();
        let mut bounded = (&mut self.stream).take(LINE_BYTES as u64);
        bounded.read_until(b'\n', &mut answer).map_err(|error| broken(&self.path, error))?;
        if answer.last() != Some(&b'\n') {
            return Err(broken(&self.path, "it closed the connection before its answer was whole"));
        }
        match Answer::from_line(&answer) {
            Ok(Answer { error: Some(error), .. }) => Ok(Err(error)),
            Ok(Answer { reply: Some(reply), .. }) => Ok(Ok(reply)),
            Ok(_) => Err(broken(&self.path, "its answer is empty")),
            Err(error) => Err(broken(&self.path, format!("its answer cannot be read: {error}"))),
        }
    }
}

fn broken(path: &Path, fault: impl std::fmt::Display) -> ClientError {
    ClientError::Broken { path: path.to_owned(), fault: fault.to_string() }
}
