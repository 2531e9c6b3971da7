//! Ends what does not end, and turns a defect of this program into "cannot say".
//!
//! A command works on a thread of its own, because nothing can take a thread back from a file that gives or takes no
//! bytes. The main thread waits for it, for a signal and for the time limit, and ends the process whatever the other
//! thread waits for.

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pciback_audit::source;

use super::signals::{self, Signals};
use super::{CANNOT_SAY, write};

/// How long a command may go on behind a signal, to say what it knows: it ends within a second.
const GRACE: Duration = Duration::from_millis(600);

/// How long a report may take to be written that says what the time limit ended.
const LAST_WORDS: Duration = Duration::from_millis(900);

/// What a command is doing, for whoever waits for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Stage(Arc<Mutex<Watched>>);

#[derive(Debug, Default)]
struct Watched {
    name: String,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Working,
    /// The report is being written: nobody else may write one.
    Writing,
    /// A watch is ready, and runs as long as it likes.
    Ready,
    /// Given up: whatever it comes to, nobody wants it.
    Over,
}

impl Stage {
    /// Notes what begins now.
    pub(super) fn enter(&self, what: &str) {
        what.clone_into(&mut self.state().name);
    }

    /// Notes that the report is being written. False when it is too late for that.
    #[must_use]
    pub(super) fn write(&self) -> bool {
        self.enter_phase("writing the report", Phase::Writing)
    }

    /// Notes that a watch is ready: the time limit is over. False when it is too late for that.
    #[must_use]
    pub(super) fn ready(&self) -> bool {
        self.enter_phase("watching", Phase::Ready)
    }

    fn enter_phase(&self, name: &str, phase: Phase) -> bool {
        let mut state = self.state();
        if state.phase == Phase::Over {
            return false;
        }
        *state = Watched { name: name.to_owned(), phase };
        true
    }

    /// Gives the work up, unless it has gone beyond `Working` already. Returns what it was doing, and whether it was given
    /// up.
    fn give_up(&self) -> (String, Phase) {
        let mut state = self.state();
        let phase = state.phase;
        if phase == Phase::Working {
            state.phase = Phase::Over;
        }
        (state.name.clone(), phase)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a signal does to a command.
#[derive(Clone, Debug)]
pub(super) enum AtSignal {
    /// It ends by it at once.
    Die,
    /// It is asked to stop by this flag, and ends by the second signal, or by the first if it does not stop.
    Stop(Arc<AtomicBool>),
    /// It catches signals itself, and ends with 0.
    EndWell,
}

/// How a command is waited for.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// The time limit.
    pub(super) timeout: Option<Duration>,
    pub(super) at_signal: AtSignal,
    /// How much of the time is over before it begins.
    pub(super) spent: Duration,
}

/// Runs `work` on a thread of its own and returns its exit status.
///
/// Where that cannot be had (time limit, defect, no thread) `otherwise` gets the reason and writes a report that says so.
/// It runs on a thread as well: nobody may be reading.
pub(super) fn run(
    limits: &Limits,
    work: impl FnOnce(&Stage) -> u8 + Send + 'static,
    otherwise: impl FnOnce(String) -> u8 + Send + 'static,
) -> u8 {
    let stage = Stage::default();
    let theirs = stage.clone();
    let started = Guard::new(limits).and_then(|guard| Ok((guard, Worker::start(move || work(&theirs))?)));
    let (guard, worker) = match started {
        Ok(started) => started,
        Err(why) => return otherwise(why),
    };
    match guard.wait(&worker, &stage) {
        Ok(Ended::With(status)) => status,
        Ok(Ended::Signal(signal)) => {
            source::abandon();
            signals::end_by(signal);
            CANNOT_SAY
        }
        Ok(Ended::Well) => {
            source::abandon();
            0
        }
        Ok(Ended::TooLate) => {
            let (doing, phase) = stage.give_up();
            let seconds = limits.timeout.unwrap_or_default().as_secs();
            let why = format!("not done within the time limit of {seconds} s (--timeout), while {doing}");
            let status = finish(move || match phase {
                Phase::Working => otherwise(why),
                Phase::Writing | Phase::Ready | Phase::Over => write::complain(&why, CANNOT_SAY),
            });
            source::abandon();
            status
        }
        Err(why) => finish(move || otherwise(why)),
    }
}

/// Runs what is to be said at the end, for no longer than [`LAST_WORDS`].
fn finish(say: impl FnOnce() -> u8 + Send + 'static) -> u8 {
    match Worker::start(say) {
        Ok(worker) => {
            // Where it does not come to its end in time, the exit status tells.
            source::wait(&[worker.done.as_fd()], None, Some(LAST_WORDS)).unwrap_or_default();
            worker.status().unwrap_or(CANNOT_SAY)
        }
        Err(why) => write::complain(&why, CANNOT_SAY),
    }
}

/// A thread that comes to an exit status.
struct Worker {
    status: Receiver<u8>,
    /// Becomes readable when the thread has ended.
    done: UnixStream,
}

impl Worker {
    fn start(work: impl FnOnce() -> u8 + Send + 'static) -> Result<Self, String> {
        let cannot = |error: std::io::Error| format!("the audit could not be started: {error}");
        let (done, theirs) = UnixStream::pair().map_err(cannot)?;
        let (sender, status) = mpsc::channel();
        let thread = move || {
            // Closed when the thread ends, also by a defect.
            let _open = theirs;
            // Nobody is left to hear a status that comes too late. The thread ends with the process.
            sender.send(work()).unwrap_or_default();
        };
        thread::Builder::new().spawn(thread).map_err(cannot)?;
        Ok(Self { status, done })
    }

    fn status(&self) -> Result<u8, String> {
        self.status.try_recv().map_err(|_none| "a defect of pciback-audit ended the audit".to_owned())
    }
}

/// How the waiting ended.
enum Ended {
    /// The command ended with this exit status.
    With(u8),
    /// A signal is to end it.
    Signal(i32),
    /// A signal ended a watch.
    Well,
    /// The time limit is over.
    TooLate,
}

/// The main thread, which waits.
struct Guard<'a> {
    limits: &'a Limits,
    signals: Signals,
    began: Instant,
    /// The signal that asked the command to stop, and until when it may go on.
    stopping: Option<(Option<i32>, Duration)>,
}

impl<'a> Guard<'a> {
    #[expect(clippy::disallowed_methods, reason = "an edge: the time limit")]
    fn new(limits: &'a Limits) -> Result<Self, String> {
        let signals = match limits.at_signal {
            AtSignal::Die | AtSignal::Stop(_) => Signals::of_one_shot()?,
            AtSignal::EndWell => Signals::that_end_a_watch()?,
        };
        Ok(Self { limits, signals, began: Instant::now(), stopping: None })
    }

    fn wait(mut self, worker: &Worker, stage: &Stage) -> Result<Ended, String> {
        loop {
            if let Some(ended) = self.over(stage) {
                return Ok(ended);
            }
            let until = self.stopping.map(|(_, until)| until).or_else(|| self.limit(stage));
            let left = until.map(|until| until.saturating_sub(self.began.elapsed()));
            source::wait(&[worker.done.as_fd(), self.signals.source()], None, left)?;
            let signal = self.signals.take_end();
            if signal.is_none() && is_closed(&worker.done) {
                return worker.status().map(Ended::With);
            }
            if let Some(ended) = signal.and_then(|signal| self.on_signal(signal)) {
                return Ok(ended);
            }
        }
    }

    /// The time limit, while it counts.
    fn limit(&self, stage: &Stage) -> Option<Duration> {
        let limit = self.limits.timeout.filter(|_| stage.state().phase != Phase::Ready);
        limit.map(|limit| limit.saturating_sub(self.limits.spent))
    }

    /// Whether the time is over: that of the limit, or that to stop in.
    fn over(&mut self, stage: &Stage) -> Option<Ended> {
        let now = self.began.elapsed();
        match (self.stopping, &self.limits.at_signal) {
            (Some((_, until)), _) if now < until => None,
            (Some((Some(_), _)), AtSignal::EndWell) => Some(Ended::Well),
            (Some((Some(signal), _)), _) => Some(Ended::Signal(signal)),
            (None, _) if self.limit(stage).is_none_or(|limit| now < limit) => None,
            (None, AtSignal::Stop(stop)) => {
                stop.store(true, Ordering::SeqCst);
                self.stopping = Some((None, now + GRACE));
                None
            }
            (Some((None, _)), _) | (None, AtSignal::Die | AtSignal::EndWell) => Some(Ended::TooLate),
        }
    }

    /// What a signal comes to.
    fn on_signal(&mut self, signal: i32) -> Option<Ended> {
        let stopped_before = matches!(self.stopping, Some((Some(_), _)));
        match &self.limits.at_signal {
            AtSignal::Stop(stop) if !stopped_before => stop.store(true, Ordering::SeqCst),
            AtSignal::EndWell => {}
            AtSignal::Die | AtSignal::Stop(_) => return Some(Ended::Signal(signal)),
        }
        if !stopped_before {
            self.stopping = Some((Some(signal), self.began.elapsed() + GRACE));
        }
        None
    }
}

/// Whether the other end is closed. Nothing is ever written to it.
fn is_closed(done: &UnixStream) -> bool {
    source::wait(&[], Some((done.as_fd(), false)), Some(Duration::ZERO)).unwrap_or(true)
}
/// Has every panic say that it is a defect of this program, and where.
pub(super) fn name_defects() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let what =
            payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let what = what.unwrap_or("no message");
        // Standard error may be closed; there is nowhere else to say it.
        writeln!(std::io::stderr(), "pciback-audit: defect at {place}: {what}; please report it").unwrap_or_default();
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Limits =
        Limits { timeout: Some(Duration::from_millis(500)), at_signal: AtSignal::Die, spent: Duration::ZERO };

    fn said(limits: &Limits, work: impl FnOnce(&Stage) -> u8 + Send + 'static) -> (u8, String) {
        let why = Arc::new(Mutex::new(String::new()));
        let theirs = Arc::clone(&why);
        let status = run(limits, work, move |why| {
            *theirs.lock().unwrap() = why;
            CANNOT_SAY
        });
        let why = why.lock().unwrap().clone();
        (status, why)
    }

    #[test]
    fn a_command_ends_with_its_own_status() {
        assert_eq!(
            said(&Limits { timeout: None, at_signal: AtSignal::Die, spent: Duration::ZERO }, |_| 2),
            (2, String::new())
        );
    }

    #[test]
    fn a_defect_is_unknown_and_never_ok() {
        let (status, why) =
            said(&Limits { timeout: None, at_signal: AtSignal::Die, spent: Duration::ZERO }, |_| panic!("defect"));
        assert!(status == 3 && why.contains("defect"), "{why}");
    }

    #[test]
    fn a_command_that_does_not_end_is_unknown() {
        let (status, why) = said(&SOON, |stage| {
            stage.enter("sleeping");
            thread::sleep(Duration::from_secs(20));
            0
        });
        assert!(status == 3 && why.ends_with("while sleeping"), "{why}");
    }

    #[test]
    fn nobody_else_writes_while_a_report_is_written() {
        let (status, why) = said(&SOON, |stage| {
            assert!(stage.write());
            thread::sleep(Duration::from_secs(20));
            0
        });
        assert_eq!((status, why.as_str()), (3, ""));
    }

    #[test]
    fn a_command_that_can_stop_is_asked_to_and_its_own_words_count() {
        let stop = Arc::new(AtomicBool::new(false));
        let limits = Limits { at_signal: AtSignal::Stop(Arc::clone(&stop)), ..SOON };
        let stopped = move |_: &Stage| {
            while !stop.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
            1
        };
        assert_eq!(said(&limits, stopped), (1, String::new()));
    }

    #[test]
    fn a_watch_that_is_ready_has_no_time_limit() {
        let ready = |stage: &Stage| {
            assert!(stage.ready());
            thread::sleep(Duration::from_millis(700));
            1
        };
        assert_eq!(said(&SOON, ready), (1, String::new()));
    }
}
