use super::*;
use crate::admin::authority::tests::authority;
use crate::admin::{Client, ClientError, Request};
use crate::config::TlsSettings;
use crate::policy::SubjectSelector;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as Stream;
use std::path::{Path, PathBuf};
use tokio::sync::oneshot;

/// A served socket that is shut down when it is dropped.
struct Served {
    path: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

fn served() -> Served {
    let folder = tempfile::tempdir().unwrap();
    let (authority, _) = authority(&folder.path().join("data"));
    let service = Arc::new(Service::new(authority, SubjectSelector::Dn, TlsSettings::default()));
    let path = folder.path().join("admin.sock");
    let listener = bind(&path).unwrap();
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let shutdown = async {
            let _ = stopped.await;
        };
        runtime.block_on(serve(listener, service, shutdown)).unwrap();
    });
    Served { path, stop: Some(stop), thread: Some(thread), _folder: folder }
}

impl Served {
    fn stop(&mut self) {
        self.stop.take();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn line(stream: &mut BufReader<Stream>, text: &str) -> String {
    stream.get_mut().write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_line(&mut answer).unwrap();
    answer
}

#[test]
fn a_command_is_answered_and_the_socket_goes_at_the_end() {
    let mut served = served();
    assert_eq!(served.path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let mut client = Client::connect(&served.path).unwrap();
    for _ in 0..2 {
        let reply = client.ask(Request::Status {}).unwrap().unwrap();
        assert!(matches!(reply, Reply::Status(status) if status.broker.is_some()));
    }
    drop(client);
    served.stop();
    assert!(!served.path.exists());
    assert!(matches!(Client::connect(&served.path), Err(ClientError::NotRunning(_))));
}

#[test]
fn an_idle_peer_does_not_hold_up_the_end() {
    let mut served = served();
    let mut client = Client::connect(&served.path).unwrap();
    client.ask(Request::Status {}).unwrap().unwrap();
    let begun = std::time::Instant::now();
    served.stop();
    assert!(begun.elapsed() < PATIENCE / 2);
    assert!(client.ask(Request::Status {}).is_err());
}

#[test]
fn refusals_keep_their_class() {
    let served = served();
    let mut client = Client::connect(&served.path).unwrap();
    let refusal = client.ask(Request::ShowGroup { name: "nobody".into() }).unwrap().unwrap_err();
    assert_eq!(refusal.fault, Fault::Missing);
}

#[test]
fn lines_that_are_no_request_are_told_so() {
    let served = served();
    let mut stream = BufReader::new(Stream::connect(&served.path).unwrap());
    assert!(line(&mut stream, "hello\n").contains("not a request"));
    assert!(line(&mut stream, "{\"version\":1,\"request\":{\"command\":\"format\"}}\n").contains("not a request"));
    assert!(line(&mut stream, "{\"version\":2,\"request\":{\"command\":\"new\"}}\n").contains("version 2"));
    assert!(line(&mut stream, "{\"version\":2,\"request\":{\"command\":\"status\"}}\n").contains("version 2"));
    assert!(line(&mut stream, "{\"version\":1,\"request\":{\"command\":\"status\"}}\n").contains("\"broker\""));
}

#[test]
fn a_line_without_its_end_is_answered_and_the_peer_hung_up_on() {
    let served = served();
    let mut stream = BufReader::new(Stream::connect(&served.path).unwrap());
    stream.get_mut().write_all(b"{\"version\":1").unwrap();
    stream.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_line(&mut answer).unwrap();
    assert!(answer.contains("one line"), "{answer}");
    answer.clear();
    assert_eq!(stream.read_line(&mut answer).unwrap(), 0);
}

#[test]
fn a_file_left_behind_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    drop(bind(&path).unwrap());
    assert!(path.exists(), "dropping a listener leaves its file");
    assert!(matches!(Client::connect(&path), Err(ClientError::NotRunning(_))));
    let listener = bind(&path).unwrap();
    assert!(matches!(bind(&path), Err(SocketError::Live(_))));
    drop(listener);
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(matches!(bind(&file), Err(SocketError::NotASocket(_))));
    assert!(file.exists());
}

#[test]
fn a_path_that_no_address_holds_is_a_named_error() {
    let fits = format!("/{}", "a".repeat(MAX_PATH_BYTES - 1));
    assert!(judge_path(Path::new(&fits)).is_ok());
    let path = PathBuf::from(format!("{fits}b"));
    assert!(matches!(bind(&path), Err(SocketError::TooLong { length: 108, .. })));
    let error = Client::connect(&path).unwrap_err();
    assert!(matches!(error, ClientError::Path(_)));
    assert!(error.to_string().contains("storage.admin_socket"), "{error}");
}

#[test]
fn many_commands_at_once_are_all_answered() {
    let served = served();
    let path = &served.path;
    std::thread::scope(|scope| {
        for number in 0..CONNECTIONS + 8 {
            scope.spawn(move || {
                let mut client = Client::connect(path).unwrap();
                let name = format!("g{number}");
                client.ask(Request::AddGroup { name, matches: Default::default() }).unwrap().unwrap();
            });
        }
    });
    let mut client = Client::connect(path).unwrap();
    match client.ask(Request::ListGroups {}).unwrap().unwrap() {
        Reply::Groups(view) => assert_eq!(view.groups.len(), CONNECTIONS + 8),
        other => panic!("{other:?}"),
    }
}
