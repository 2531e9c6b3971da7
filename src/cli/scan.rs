//! `scan`: reads saved logs of any size, and tells of every boot of every host in them.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pciback_audit::render::json;
use pciback_audit::report::{Report, Run, Totals, Verdict};
use pciback_audit::scan::{Progress, Scanned};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::plan::{Scan, ScanForm};
use super::write::{Page, complain, stdout};
use super::CANNOT_SAY;

/// Work that is done sooner needs no progress bar.
const SHORT: Duration = Duration::from_secs(1);

/// How often the bar moves, and a limit is looked at.
const TICK: Duration = Duration::from_millis(100);

/// Scans, prints, and says how the process is to end.
pub(super) fn run(scan: &Scan, page: &Page) -> u8 {
    let progress = Arc::new(Progress::default());
    let _caught = catch(&progress);
    let ended = Arc::new(AtomicBool::new(false));
    let ticker = tick(scan, &progress, &ended);
    let mut told = Told { scan, totals: Totals::default(), worst: None, text: String::new() };
    let scanned = scan.scan.run(&progress, &mut |report, run| told.take(report, run));
    ended.store(true, Ordering::SeqCst);
    ticker.map(std::thread::JoinHandle::join);
    told.end(&scanned, page)
}

struct Told<'a> {
    scan: &'a Scan,
    totals: Totals,
    /// The exit status and verdict so far.
    worst: Option<(Verdict, u8)>,
    text: String,
}

impl Told<'_> {
    fn take(&mut self, report: &Report, run: &Run) -> bool {
        self.totals.count(report, run);
        if self.scan.all_boots || run.back == 0 {
            self.worst = self.worst.max(Some((report.verdict, report.exit_status)));
        }
        match self.scan.form {
            ScanForm::Json => stdout(&json(report, env!("CARGO_PKG_VERSION"))).is_ok(),
            ScanForm::Table => stdout(&format!("{:?} {:?} {}\n", report.host, run.back, report.verdict.name())).is_ok(),
            ScanForm::Summary => true,
        }
    }

    fn end(self, scanned: &Scanned, _page: &Page) -> u8 {
        println!("{:?} {scanned:?}", self.totals);
        let status = self.worst.map_or(CANNOT_SAY, |(_, status)| status);
        for note in &scanned.notes {
            complain(note, status);
        }
        status
    }
}

/// Ctrl-C has the scan stop and tell what it knows; a second one ends the process.
fn catch(progress: &Arc<Progress>) {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, i32::from(CANNOT_SAY), Arc::clone(&progress.stop)).ok();
        flag::register(signal, Arc::clone(&progress.stop)).ok();
    }
}

/// Shows how far the work is, on a terminal, and stops it when it takes too long.
fn tick(scan: &Scan, progress: &Arc<Progress>, ended: &Arc<AtomicBool>) -> Option<std::thread::JoinHandle<()>> {
    let shows = std::io::stderr().is_terminal();
    let limit = scan.timeout;
    if !shows && limit.is_none() {
        return None;
    }
    let (progress, ended) = (Arc::clone(progress), Arc::clone(ended));
    std::thread::Builder::new().spawn(move || follow(&progress, &ended, shows, limit)).ok()
}

fn follow(progress: &Progress, ended: &AtomicBool, shows: bool, limit: Option<Duration>) {
    let mut gone = Duration::ZERO;
    let mut bar = None;
    while !ended.load(Ordering::SeqCst) {
        std::thread::sleep(TICK);
        gone += TICK;
        if limit.is_some_and(|limit| gone >= limit) {
            progress.stop.store(true, Ordering::SeqCst);
        }
        if shows && gone >= SHORT {
            let bar = bar.get_or_insert_with(self::bar);
            bar.set_length(progress.total.load(Ordering::Relaxed));
            bar.set_position(progress.done.load(Ordering::Relaxed));
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.with_style(style.unwrap_or_else(|_wrong| ProgressStyle::default_bar()))
}
