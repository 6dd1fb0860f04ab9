//! [`Audit`]: the handle that everybody records through, and the thread behind it.

use super::event::Event;
use super::line::time_text;
use super::seen::Memory;
use super::trail::{Retention, Trail};
use super::{AuditStore, Seen};
use crate::telemetry::metrics::METRICS;
use parking_lot::Mutex;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

#[cfg(test)]
mod tests;

/// Events that wait for the thread; beyond them they are counted and lost.
const WAITING: usize = 8192;

/// How often the store is told where the trail ends, beside every administrative event.
const ANCHOR_EVERY: Duration = Duration::from_secs(60);

/// How soon the disk is tried again after it took nothing.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// How long whoever must know waits for its line.
const PATIENCE: Duration = Duration::from_secs(20);

/// Records events. Cheap to clone. One without a trail forgets everything: for tests, and where nothing is to be kept.
#[derive(Clone, Default)]
pub struct Audit {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    memory: Memory,
    /// Events for which the channel had no room, until the thread has written down how many.
    overflowed: Arc<AtomicU64>,
    /// `None` once closed.
    jobs: Mutex<Option<SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Job {
    Record(Box<Event>, SystemTime),
    Seen(Box<Seen>, SystemTime),
    /// Recorded, on disk and anchored, or why not.
    Confirm(Box<Event>, SystemTime, SyncSender<Result<(), String>>),
}

impl Audit {
    /// Starts the thread that writes the trail in `folder`. Nothing is opened before the first event.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(folder: PathBuf, retention: Retention, store: Arc<dyn AuditStore>) -> std::io::Result<Self> {
        let (jobs, waiting) = sync_channel(WAITING);
        let overflowed = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            folder,
            retention,
            store,
            trail: None,
            overflowed: Arc::clone(&overflowed),
            lost: 0,
            lost_since: SystemTime::UNIX_EPOCH,
            dirty: false,
        };
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run(&waiting))?;
        let (jobs, thread) = (Mutex::new(Some(jobs)), Mutex::new(Some(thread)));
        Ok(Self { shared: Some(Arc::new(Shared { memory: Memory::default(), overflowed, jobs, thread })) })
    }

    /// Records an event; never waits.
    pub fn record(&self, event: Event) {
        self.send(Job::Record(Box::new(event), SystemTime::now()));
    }

    /// Records an event and waits until its line is on disk and anchored. Not on a thread that serves clients.
    ///
    /// # Errors
    /// Why it is not, in words.
    pub fn confirm(&self, event: Event) -> Result<(), String> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let (answer, answered) = sync_channel(1);
        let Some(jobs) = shared.jobs.lock().clone() else { return Err("the audit trail is closed".to_owned()) };
        let job = Job::Confirm(Box::new(event), SystemTime::now(), answer);
        jobs.send(job).map_err(|_| "the audit trail has no writer".to_owned())?;
        answered.recv_timeout(PATIENCE).unwrap_or_else(|_| Err("the audit trail takes too long".to_owned()))
    }

    /// A device has connected: an event where it is new, or its certificate is. `seen` is asked only then.
    pub fn device_connected(&self, trust: &str, device: &str, sha256: &[u8; 32], seen: impl FnOnce() -> Seen) {
        let Some(shared) = &self.shared else { return };
        if !shared.memory.knows(trust, device, sha256) && self.send(Job::Seen(Box::new(seen()), SystemTime::now())) {
            shared.memory.keep(trust, device, sha256);
        }
    }

    /// Writes what waits, anchors, and ends the thread. What comes later is forgotten.
    pub fn close(&self) {
        let Some(shared) = &self.shared else { return };
        shared.close();
    }

    /// Whether the event goes its way.
    fn send(&self, job: Job) -> bool {
        let Some(shared) = &self.shared else { return true };
        let jobs = shared.jobs.lock();
        let Some(jobs) = &*jobs else { return false };
        match jobs.try_send(job) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                METRICS.audit_events_lost.increment();
                shared.overflowed.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }
}

impl Shared {
    fn close(&self) {
        drop(self.jobs.lock().take());
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("kept", &self.shared.is_some()).finish()
    }
}

/// The thread's side.
struct Writer {
    folder: PathBuf,
    retention: Retention,
    store: Arc<dyn AuditStore>,
    trail: Option<Trail>,
    overflowed: Arc<AtomicU64>,
    /// Events that were not written, until a line says so.
    lost: u64,
    lost_since: SystemTime,
    /// Whether there are lines that no anchor covers.
    dirty: bool,
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        let mut anchored = Instant::now();
        loop {
            let wait = if self.lost > 0 { TRY_AGAIN } else { ANCHOR_EVERY.saturating_sub(anchored.elapsed()) };
            let first = jobs.recv_timeout(wait);
            self.lose(self.overflowed.swap(0, Ordering::Relaxed));
            self.tell_lost();
            match first {
                Ok(job) => self.serve(job, jobs),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let _ = self.anchor();
                    return;
                }
            }
            if anchored.elapsed() >= ANCHOR_EVERY {
                anchored = Instant::now();
                if let Err(error) = self.anchor() {
                    tracing::warn!("the end of the audit trail is not anchored: {error}");
                }
            }
        }
    }

    /// The job, and those that came meanwhile; who wants to know that a line is on disk shares the sync of the others.
    fn serve(&mut self, job: Job, jobs: &Receiver<Job>) {
        let mut answers = Vec::new();
        for job in std::iter::once(job).chain(jobs.try_iter().take(WAITING)) {
            match job {
                Job::Record(event, time) => _ = self.write(&event, time),
                Job::Seen(seen, time) => self.seen(*seen, time),
                Job::Confirm(event, time, answer) => answers.push((self.write(&event, time), answer)),
            }
        }
        if answers.is_empty() {
            return;
        }
        let anchored = self.anchor();
        for (written, answer) in answers {
            // Whoever asked may have gone.
            let _ = answer.send(written.and_then(|()| anchored.clone()));
        }
    }

    fn seen(&mut self, seen: Seen, time: SystemTime) {
        let (trust, device, sha256) = (seen.trust.clone(), seen.device.clone(), seen.sha256);
        let event = match self.store.certificate_of(&trust, &device) {
            Ok(previous) => seen.event(previous),
            // Better told twice than not at all.
            Err(error) => {
                tracing::warn!("which certificate a device had before is not known: {error}");
                seen.event(None)
            }
        };
        let Some(event) = event else { return };
        if self.write(&event, time).is_ok()
            && let Err(error) = self.store.remember_certificate(&trust, &device, &sha256)
        {
            tracing::warn!("the certificate of a device is not remembered: {error}");
        }
    }

    fn write(&mut self, event: &Event, time: SystemTime) -> Result<(), String> {
        let written = self.try_write(event, time);
        match &written {
            Ok(()) => METRICS.audit_events.increment(),
            Err(error) => {
                if self.lost == 0 {
                    tracing::error!(folder = %self.folder.display(), "the audit trail cannot be written: {error}; events are lost until it can");
                }
                METRICS.audit_events_lost.increment();
                self.lose(1);
            }
        }
        written
    }

    fn try_write(&mut self, event: &Event, time: SystemTime) -> Result<(), String> {
        self.tell_lost();
        if self.lost > 0 {
            return Err("the disk takes nothing".to_owned());
        }
        self.append(event, time)
    }

    fn append(&mut self, event: &Event, time: SystemTime) -> Result<(), String> {
        let trail = match &mut self.trail {
            Some(trail) => trail,
            None => {
                let opened =
                    Trail::open(&self.folder, self.retention, &*self.store).map_err(|error| error.to_string())?;
                self.trail.insert(opened)
            }
        };
        trail.append(event, time).map_err(|error| error.to_string())?;
        self.dirty = true;
        if let Err(error) = trail.rotate(&*self.store) {
            tracing::warn!("the audit trail goes on in the same file, or keeps more of them: {error}");
        }
        Ok(())
    }

    fn lose(&mut self, events: u64) {
        if events > 0 && self.lost == 0 {
            self.lost_since = SystemTime::now();
        }
        self.lost += events;
    }

    /// Says what was lost before anything else is said.
    fn tell_lost(&mut self) {
        if self.lost == 0 {
            return;
        }
        let told = Event::TrailLost { events: self.lost, since: time_text(self.lost_since) };
        if self.append(&told, SystemTime::now()).is_ok() {
            tracing::warn!(events = self.lost, "the audit trail is written again; so many events are lost");
            self.lost = 0;
        }
    }

    fn anchor(&mut self) -> Result<(), String> {
        let Some(trail) = self.trail.as_mut().filter(|_| self.dirty) else { return Ok(()) };
        trail.anchor(&*self.store)?;
        self.dirty = false;
        Ok(())
    }
}
