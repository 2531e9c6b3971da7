//! `check --wait`: listens until every requested device is settled, or the time is over.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pciback_audit::report::{Outlook, Report, Snapshot, Verdict, changes};
use pciback_audit::source;

use super::listen::Listener;
use super::outcome::Outcome;
use super::watchdog::Stage;

/// How long nothing must happen where the log does not say that the driver is done.
const QUIET: Duration = Duration::from_secs(1);

/// The least time between two looks at the host, whatever the kernel prints.
const CALM: Duration = Duration::from_millis(50);

/// How often to look where nothing wakes us: as often at a copy of another machine's files, unless a look takes long.
const ASK: Duration = Duration::from_millis(250);

/// How often the time left is shown.
const TICK: Duration = Duration::from_millis(200);

/// Waits no longer than `limit`, and audits.
pub(super) fn audit(mut listener: Listener<'_>, limit: Duration, stage: &Stage) -> Outcome {
    stage.enter("waiting for the requested devices (--wait)");
    let progress = Progress::shown();
    let mut report = listener.look(true);
    let (mut looked, mut stirred) = (listener.elapsed(), Duration::ZERO);
    let mut fresh = false;
    let complaint = loop {
        progress.show(&report, limit.saturating_sub(looked));
        // What was heard during a look may be in some of the files that it read, and not in others.
        let torn = fresh && report.verdict != Verdict::Ok;
        if (is_settled(&report, looked, stirred) && !torn) || looked >= limit {
            break None;
        }
        let due = [
            Some(limit),
            needs_quiet(&report).then(|| stirred + QUIET),
            listener.asks_every(ASK, ASK).map(|every| looked + every),
            fresh.then(|| looked + CALM),
        ];
        let due = due.into_iter().flatten().min().unwrap_or(limit);
        let left = due.saturating_sub(listener.elapsed());
        let left = if progress.0.is_some() { left.min(TICK) } else { left };
        if let Err(why) = source::wait(&listener.sources(), None, Some(left)) {
            break Some(format!("--wait: {why}"));
        }
        if listener.turn().any() {
            (fresh, stirred) = (true, listener.elapsed());
        }
        let now = listener.elapsed();
        if now >= due || (fresh && now >= looked + CALM) {
            let before = Snapshot::of(&report);
            report = listener.look(true);
            (fresh, looked) = (listener.turn().any(), now);
            // Where nothing is heard, what is seen counts.
            if fresh || !changes(&before, &report).is_empty() {
                stirred = now;
            }
        }
    };
    progress.end();
    listener.complaints.extend(complaint);
    Outcome { report, complaints: listener.complaints }
}

/// Whether nothing more can come, as of the last look.
fn is_settled(report: &Report, looked: Duration, stirred: Duration) -> bool {
    match report.waiting.outlook {
        Outlook::Open => false,
        Outlook::Final | Outlook::WhenQuiet => !needs_quiet(report) || looked >= stirred + QUIET,
    }
}

/// Whether a second must go by without any event before this is final.
fn needs_quiet(report: &Report) -> bool {
    match report.waiting.outlook {
        Outlook::Final => report.waiting.unsteady,
        Outlook::WhenQuiet => true,
        Outlook::Open => false,
    }
}

/// A line on a terminal: how many devices are settled, and how long we shall wait.
struct Progress(Option<ProgressBar>);

impl Progress {
    fn shown() -> Self {
        Self(std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {msg}");
            bar.set_style(style.unwrap_or_else(|_constant| ProgressStyle::default_spinner()));
            bar
        }))
    }

    fn show(&self, report: &Report, left: Duration) {
        if let Some(bar) = &self.0 {
            let (settled, requested) = (report.waiting.settled, report.requested());
            bar.set_message(format!("{settled} of {requested} settled, {} s left", left.as_secs()));
            bar.tick();
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
