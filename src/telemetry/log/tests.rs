use super::*;
use std::io;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(event: impl FnOnce()) -> String {
    let sink = Sink::default();
    let writer = sink.clone();
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .fmt_fields(Escaped);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), event);
    let bytes = sink.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn fields_cannot_start_a_line_or_steer_a_terminal() {
    let name = "CN=a\n2026-11-23 INFO all is well\u{1b}[2J\u{202e}";
    let line = logged(|| tracing::warn!(subject = %name, debugged = ?name, plain = name, "refused {name}"));
    assert_eq!(line.matches('\n').count(), 1, "{line:?}");
    assert!(!line.contains('\u{1b}') && !line.contains('\u{202e}'), "{line:?}");
    assert!(line.contains(r"subject=CN=a\n2026"), "{line:?}");
    assert!(line.contains(r"refused CN=a\n2026"), "{line:?}");
}

#[test]
fn harmless_text_is_borrowed() {
    assert!(matches!(escape("CN=Gerät-1,O=acme"), Cow::Borrowed(_)));
    assert_eq!(escape("a\tb\u{0}\u{9b}"), r"a\tb\u{0}\u{9b}");
}

#[test]
fn levels_are_words_then_exceptions() {
    for level in ["info", "off", "warn,certmq::net=debug", "info, certmq::tls=trace"] {
        assert_eq!(judge_level(level), Ok(()), "{level}");
    }
    for level in ["", "verbose", "INFO!", "certmq=debug", "info,debug", "info,certmq=loud", "info,=debug"] {
        assert!(judge_level(level).is_err(), "{level}");
    }
}
