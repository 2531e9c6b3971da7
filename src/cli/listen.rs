//! Evidence as it comes: the log and the uevents of the running kernel, and the host's files whenever they are asked.

use std::path::Path;
use std::time::{Duration, Instant};

use pciback_audit::audit::{Asked, Case, conclude};
use pciback_audit::pci::KernelVersion;
use pciback_audit::report::Report;
use pciback_audit::source::{Live, Uevents, keep, keep_nameless};
use pciback_audit::tree::Tree;

use super::check;
use super::plan::{Check, Host};
use super::rights::Heard;

/// One who listens, and judges what came whenever asked.
#[derive(Debug)]
pub(super) struct Listener<'a> {
    check: &'a Check,
    asked: Asked,
    pub(super) live: Live,
    clock: Instant,
}

impl<'a> Listener<'a> {
    /// Begins to listen, also to uevents that were opened before. The host is read behind this, so that no change falls
    /// between the two.
    #[expect(clippy::disallowed_methods, reason = "an edge: when to look again")]
    pub(super) fn begin(check: &'a Check, asked: Asked, heard: Heard) -> Self {
        let live = Live::begin(heard.unwrap_or_else(Uevents::open));
        Self { check, asked, live, clock: Instant::now() }
    }

    /// How long it has been listening.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Looks at the host, and judges everything that is known by now. Names of devices are for persons only.
    pub(super) fn look(&mut self, with_names: bool) -> Report {
        let read = if with_names { keep } else { keep_nameless };
        let tree = (self.check.host == Host::Here).then(|| read(Path::new("/")).unwrap_or_else(|error| closed(&error)));
        let case = Case {
            asked: self.asked.clone(),
            tree,
            logs: vec![self.live.log()],
            xen_logs: Vec::new(),
            guest: None,
            options: self.check.options.clone(),
            now: Some(check::now()),
            listening: Some(self.live.listening()),
        };
        let report = conclude(&case);
        let version = report.kernel.as_deref().and_then(KernelVersion::of_release);
        if version.is_some_and(|version| !version.announces_bindings()) && !self.live.must_be_asked() {
            self.live.disregard_uevents();
            return self.look(with_names);
        }
        report
    }
}

fn closed(error: &std::io::Error) -> Tree {
    check::closed(&error.to_string())
}
