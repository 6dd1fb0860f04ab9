//! The path of the socket: its length, a live or a stale file, the mode.

use nix::sys::stat::{Mode, fchmod};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The longest path that an address of a local socket holds (`sun_path` less its NUL).
pub const MAX_PATH_BYTES: usize = 107;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// It does not fit into an address.
    #[error(
        "{}: a socket path of {length} bytes; at most {MAX_PATH_BYTES} are possible: set storage.admin_socket to a shorter one",
        path.display()
    )]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        length: usize,
    },
    /// A broker answers there.
    #[error("{}: another broker answers there; stop it first", .0.display())]
    Live(PathBuf),
    /// Something that is no socket lies there.
    #[error("{}: is not a socket; move it away or set storage.admin_socket", .0.display())]
    NotASocket(PathBuf),
    /// The operating system refused.
    #[error("{}: the admin socket cannot be made: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Whether `path` fits into an address.
///
/// # Errors
/// [`SocketError::TooLong`].
pub fn judge_path(path: &Path) -> Result<(), SocketError> {
    match path.as_os_str().as_bytes().len() {
        length if length > MAX_PATH_BYTES => Err(SocketError::TooLong { path: path.to_owned(), length }),
        _ => Ok(()),
    }
}

/// Makes the socket with mode 0600. Call it only while holding the lock of the store: a file that a broker left
/// behind is then removed, as nobody who still listens could hold that lock.
///
/// # Errors
/// [`SocketError`].
pub fn bind(path: &Path) -> Result<UnixListener, SocketError> {
    judge_path(path)?;
    remove_stale(path)?;
    let io = |source| SocketError::Io { path: path.to_owned(), source };
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(io)?;
    // Before bind: the file inherits the mode, so there is no moment when others could connect.
    fchmod(socket.as_fd(), Mode::S_IRUSR | Mode::S_IWUSR).map_err(|errno| io(errno.into()))?;
    socket.bind(&SockAddr::unix(path).map_err(io)?).map_err(io)?;
    socket.listen(128).map_err(io)?;
    Ok(socket.into())
}

fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let io = |source| SocketError::Io { path: path.to_owned(), source };
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
        Ok(found) if !found.file_type().is_socket() => return Err(SocketError::NotASocket(path.to_owned())),
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::Live(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path).map_err(io),
        Err(error) => Err(io(error)),
    }
}
