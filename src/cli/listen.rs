//! Evidence as it comes: the log and the uevents of the running kernel, and the host's files whenever they are asked.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use pciback_audit::audit::{Asked, Case, conclude};
use pciback_audit::pci::KernelVersion;
use pciback_audit::report::Report;
use pciback_audit::source::{Live, Uevents, Wakeup, keep, keep_archive, keep_nameless};
use pciback_audit::tree::Tree;

use super::evidence;
use super::plan::{Check, HostSource};
use super::rights::OpenUevents;
use super::watchdog::Stage;
use super::when;

/// How many times as long as a look took nobody looks again at a copy: its logs may be large.
const REST: u32 = 10;

/// One who listens, and judges what came whenever asked.
#[derive(Debug)]
pub(super) struct Listener<'a> {
    check: &'a Check,
    asked: Asked,
    /// The running kernel; none where the files of another machine are looked at again and again.
    live: Option<Live>,
    clock: Instant,
    /// How long the last look took.
    took: Duration,
    /// What went wrong in the last look.
    pub(super) complaints: Vec<String>,
}

impl<'a> Listener<'a> {
    /// Begins to listen, also to uevents that were opened before. The host is read behind this, so that no change falls
    /// between the two.
    #[expect(clippy::disallowed_methods, reason = "an edge: when to look again")]
    pub(super) fn begin(check: &'a Check, asked: Asked, heard: OpenUevents) -> Self {
        let is_copy = matches!(check.host, HostSource::Below(_));
        let live = (!is_copy).then(|| Live::begin(heard.unwrap_or_else(Uevents::open)));
        Self { check, asked, live, clock: Instant::now(), took: Duration::ZERO, complaints: Vec::new() }
    }

    /// How long it has been listening.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Takes what has come since the last turn, without waiting.
    pub(super) fn turn(&mut self) -> Wakeup {
        self.live.as_mut().map_or_else(Wakeup::default, Live::turn)
    }

    /// What becomes readable when there is something to take.
    pub(super) fn sources(&self) -> Vec<BorrowedFd<'_>> {
        self.live.as_ref().map_or_else(Vec::new, Live::sources)
    }

    /// How long after a look the next one is due where nothing wakes us for a change, if so: `running` on this machine, and
    /// `copy` for the files of another one.
    pub(super) fn asks_every(&self, running: Duration, copy: Duration) -> Option<Duration> {
        match &self.live {
            Some(live) => live.must_be_asked().then_some(running),
            None => Some(copy.max(self.took.saturating_mul(REST))),
        }
    }

    /// The numbers of the first and the last record of the running kernel's ring.
    pub(super) fn sequences(&self) -> (Option<u64>, Option<u64>) {
        let log = self.live.as_ref().map(Live::log);
        log.map_or((None, None), |log| (log.first_sequence, log.last_sequence))
    }

    /// Looks at the host, and judges everything that is known by now. Names of devices are for persons only.
    pub(super) fn look(&mut self, with_names: bool) -> Report {
        let began = self.elapsed();
        let keep = if with_names { keep } else { keep_nameless };
        let report = if let Some(live) = &mut self.live {
            let root = (self.check.host == HostSource::Here).then_some(Path::new("/"));
            let tree = root.map(|root| keep(root).unwrap_or_else(|error| closed(&error)));
            hear(live, self.check, &self.asked, tree)
        } else {
            let (case, complaints) =
                evidence::gather(self.check, &self.asked, &[keep, keep_archive], &Stage::default());
            self.complaints = complaints;
            conclude(&case)
        };
        self.took = self.elapsed().saturating_sub(began);
        report
    }
}

/// Judges the files of this machine by what was heard of it.
fn hear(live: &mut Live, check: &Check, asked: &Asked, tree: Option<Tree>) -> Report {
    let mut case = Case {
        asked: asked.clone(),
        tree,
        logs: vec![live.log()],
        xen_logs: Vec::new(),
        guest: None,
        options: check.options.clone(),
        now: Some(when::now()),
        listening: Some(live.listening()),
    };
    let report = conclude(&case);
    let version = report.kernel.as_deref().and_then(KernelVersion::of_release);
    if version.is_none_or(KernelVersion::announces_bindings) || live.must_be_asked() {
        return report;
    }
    live.disregard_uevents();
    case.listening = Some(live.listening());
    conclude(&case)
}

fn closed(error: &std::io::Error) -> Tree {
    evidence::closed(&error.to_string())
}
