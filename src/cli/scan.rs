//! `scan`: reads saved logs of any size, and tells of every boot of every host in them.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pciback_audit::render::{CSV_HEADING, Overview, Sheet, csv, json_line, scan_metrics, scan_summary};
use pciback_audit::report::{Baseline, Changed, Changes, Code, Counted, Report, Run, Since, Totals, Verdict};
use pciback_audit::scan::{self, Found, Progress, Scanned};
use pciback_audit::source;

use super::CANNOT_SAY;
use super::evidence;
use super::plan::{Check, Scan, ScanForm};
use super::rights;
use super::watchdog::{self, AtSignal, Limits, Stage};
use super::write::{Page, complain, stdout};

/// Work that is done sooner needs no progress bar.
const SHORT: Duration = Duration::from_secs(1);

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// Columns of a table that no terminal shows: whoever searches it wants whole rows.
const WIDE: usize = 160;

/// How much text is gathered before it is written.
const FULL: usize = 64 << 10;

/// Scans within the limits, and says how the process is to end: finds the files, gives up the right to read others, and reads
/// them.
#[expect(clippy::disallowed_methods, reason = "an edge: the time limit")]
pub(super) fn guarded(scan: Scan, page: Page) -> u8 {
    let began = Instant::now();
    let progress = Arc::new(Progress::default());
    // Ctrl-C has the scan stop and tell what it knows; a second one ends the process.
    let at_signal = AtSignal::Stop(Arc::clone(&progress.stop));
    let mut limits = Limits { timeout: scan.timeout, at_signal, spent: Duration::ZERO };
    let shared = Arc::new((scan, page));
    let otherwise = || {
        let shared = Arc::clone(&shared);
        move |why| Reporter::new(&shared.0, &shared.1, None).refuse(Code::LogUnreadable, why)
    };
    let (sender, found) = mpsc::channel();
    let work = shared.0.work.clone();
    let find = move |stage: &Stage| {
        stage.enter("looking for logs");
        // Nobody is left to hear of files that are found too late.
        sender.send(work.find()).unwrap_or_default();
        0
    };
    let status = watchdog::run(&limits, find, otherwise());
    let Ok(found) = found.try_recv() else { return status };
    rights::of_scan(&found, &shared.0, &shared.1);
    limits.spent = began.elapsed();
    let theirs = Arc::clone(&shared);
    watchdog::run(&limits, move |stage| run(&theirs.0, &theirs.1, found, &progress, stage), otherwise())
}

/// Audits every boot in the logs of a check, and says how the process is to end.
pub(super) fn every_boot(check: Check, scan: Box<Scan>, page: Page) -> u8 {
    rights::of_check(&check, &page);
    let limits = Limits { timeout: check.timeout, at_signal: AtSignal::Die, spent: Duration::ZERO };
    let shared = Arc::new((check, scan, page));
    let theirs = Arc::clone(&shared);
    let work = move |stage: &Stage| {
        let (check, scan, page) = &*theirs;
        stage.enter("reading the policy");
        let mut reporter = Reporter::new(scan, page, Some(stage));
        let asked = match scan.request.read() {
            Ok(asked) => asked,
            Err(why) => return reporter.refuse(Code::PolicyUnreadable, why),
        };
        let (case, complaints) = evidence::gather(check, &asked, &[source::keep, source::keep_archive], stage);
        reporter.unread = complaints;
        stage.enter("judging");
        let silent = scan::every_boot(&case, &mut |report, run| reporter.take(report, run));
        reporter.end(&Scanned { silent, ..Scanned::default() })
    };
    watchdog::run(&limits, work, move |why| Reporter::new(&shared.1, &shared.2, None).refuse(Code::LogUnreadable, why))
}

/// Scans, prints, and says how the process is to end.
fn run(scan: &Scan, page: &Page, found: Found, progress: &Arc<Progress>, stage: &Stage) -> u8 {
    stage.enter("reading the policy");
    let mut reporter = Reporter::new(scan, page, Some(stage));
    let mut work = scan.work.clone();
    match scan.request.read() {
        Ok(asked) => work.asked = asked,
        Err(why) => return reporter.refuse(Code::PolicyUnreadable, why),
    }
    if let Some(file) = &scan.baseline {
        stage.enter("reading the baseline");
        match source::baseline(file) {
            Ok(baseline) => reporter.baseline = Some(baseline),
            Err(why) => return complain(&format!("--baseline {why}"), CANNOT_SAY),
        }
    }
    stage.enter("reading the logs");
    let ended = Arc::new(AtomicBool::new(false));
    let bar = show(progress, &ended);
    let scanned = work.read(found, progress, &mut |report, run| reporter.take(report, run));
    ended.store(true, Ordering::SeqCst);
    // The bar is gone from the terminal when this returns. It has nothing else to say.
    if let Some(bar) = bar {
        bar.join().unwrap_or_default();
    }
    reporter.end(&scanned)
}

/// Tells of the boots as they are judged.
struct Reporter<'a> {
    scan: &'a Scan,
    page: &'a Page,
    /// Who waits for it; none where nobody else can be writing.
    stage: Option<&'a Stage>,
    began: Instant,
    totals: Totals,
    /// Hosts of which there is a boot, whether it was asked for or not.
    last_boots: u64,
    overview: Overview,
    /// What is not written yet.
    text: String,
    /// The worst that counts, and how the process ends for it.
    worst: Option<(Verdict, u8)>,
    baseline: Option<Baseline>,
    changes: Vec<Changed>,
    /// Whether any report was chosen.
    chosen: bool,
    failure: Option<String>,
    /// What was named and could not be read.
    unread: Vec<String>,
}

impl<'a> Reporter<'a> {
    #[expect(clippy::disallowed_methods, reason = "an edge: how long the scan takes")]
    fn new(scan: &'a Scan, page: &'a Page, stage: Option<&'a Stage>) -> Self {
        let (mut style, terminal) = (page.style(), page.file.is_none() && std::io::stdout().is_terminal());
        if !terminal {
            style.width = WIDE;
        }
        let lines = terminal.then(super::write::height).flatten();
        let sheet = Sheet { style, lines, all: scan.all, choice: scan.choice.clone(), counted: scan.counted };
        Self {
            scan,
            page,
            stage,
            began: Instant::now(),
            totals: Totals::default(),
            last_boots: 0,
            overview: Overview::new(sheet),
            text: if scan.form == ScanForm::Csv { CSV_HEADING.to_owned() } else { String::new() },
            worst: None,
            baseline: None,
            changes: Vec::new(),
            chosen: false,
            failure: None,
            unread: Vec::new(),
        }
    }

    /// Takes a report. Says whether anybody wants more: a reader that has gone away has read enough, but what the process
    /// ends with depends on all.
    fn take(&mut self, report: &Report, run: &Run) -> bool {
        if !report.logs.is_empty() {
            self.last_boots += u64::from(run.back == 0);
            // Of the boots that are not asked for, nothing is told.
            if matches!(self.scan.counted, Counted::Back(1..)) && !self.scan.counted.has(run) {
                return true;
            }
        }
        self.totals.count(report, run, self.scan.counted);
        self.judge(report, run);
        let is_chosen = !report.silent && self.scan.choice.takes(report);
        self.chosen |= is_chosen;
        match self.scan.form {
            // It counts hosts that are not shown as well.
            ScanForm::Table => self.overview.take(report, run),
            ScanForm::Json if is_chosen => {
                self.text.push_str(&json_line(report, Some(run), env!("CARGO_PKG_VERSION")));
            }
            ScanForm::Csv if is_chosen => self.text.push_str(&csv(report, run, &self.scan.choice)),
            ScanForm::Json | ScanForm::Csv | ScanForm::Prometheus | ScanForm::Summary => {}
        }
        // What may never be written, or only as a whole, is kept.
        let at_once = self.page.file.is_none() && !self.page.quiet;
        if at_once && self.text.len() >= FULL {
            if !self.may_write() {
                return false;
            }
            self.failure = stdout(&self.text).err();
            self.text.clear();
        }
        self.failure.is_none()
    }

    /// Has a report count for the exit status, and compares it with the baseline.
    fn judge(&mut self, report: &Report, run: &Run) {
        if report.silent {
            return;
        }
        if (self.scan.counted.has(run) || report.logs.is_empty()) && !self.scan.only_new_fails {
            self.worst = self.worst.max(Some((report.verdict, report.exit_status)));
        }
        let Some(baseline) = self.baseline.as_mut().filter(|_| run.back == self.scan.counted.newest()) else { return };
        let changes = baseline.compare(report);
        if self.scan.only_new_fails {
            let new = changes.iter().filter(|change| change.since == Since::New).map(|change| change.verdict);
            let worst = new.max().unwrap_or(Verdict::Ok);
            self.worst = self.worst.max(Some((worst, worst.exit_status())));
        }
        self.changes.extend(changes);
    }

    /// Whether it is not too late to write.
    fn may_write(&self) -> bool {
        self.stage.is_none_or(Stage::write)
    }

    /// Says that nothing was scanned, and why, also to whoever reads the report.
    fn refuse(mut self, code: Code, why: String) -> u8 {
        if !self.may_write() {
            return CANNOT_SAY;
        }
        complain(&why, CANNOT_SAY);
        self.take(&Report::without(code, why, self.scan.work.now), &Run::default());
        self.totals.unreadable = 1;
        self.lay_out(false);
        self.page.write(&self.text, false, CANNOT_SAY)
    }

    fn end(mut self, scanned: &Scanned) -> u8 {
        self.count(scanned);
        let status = self.status(scanned);
        let complaints = self.complaints(scanned);
        self.lay_out(true);
        if !self.may_write() {
            return CANNOT_SAY;
        }
        if let Some(why) = self.failure {
            return complain(&why, CANNOT_SAY);
        }
        let hushed = (self.page.quiet || self.scan.work.options.if_requested) && status == 0;
        if !hushed {
            let notes = scanned.notes.iter().filter(|_| self.page.verbose);
            for complaint in complaints.iter().chain(notes) {
                complain(complaint, status);
            }
        }
        self.page.write(&self.text, hushed, status)
    }

    /// Makes the text of what is not told boot by boot, of a scan that came to its end or was refused.
    fn lay_out(&mut self, ended: bool) {
        let unseen = self.baseline.as_ref().filter(|_| ended).map(|baseline| {
            let (rest, unseen) = baseline.rest();
            self.changes.extend(rest);
            self.totals.changes = Some(Changes::of(&self.changes));
            unseen
        });
        match self.scan.form {
            ScanForm::Json | ScanForm::Csv => {}
            ScanForm::Table => {
                let changes = unseen.map(|unseen| (std::mem::take(&mut self.changes), unseen));
                self.text = self.overview.page(&self.totals, changes);
            }
            ScanForm::Summary => self.text = scan_summary(&self.totals),
            ScanForm::Prometheus => {
                let totals = ended.then_some(&self.totals);
                let version = env!("CARGO_PKG_VERSION");
                self.text = scan_metrics(totals, self.scan.work.now, version, self.began.elapsed());
            }
        }
    }

    /// What a reader of the report must not miss.
    fn complaints(&self, scanned: &Scanned) -> Vec<String> {
        let mut complaints = self.unread.clone();
        if scanned.stopped {
            complaints.push("stopped: this is what the logs say as far as they were read".to_owned());
        }
        let records = scanned.unattributed;
        if records > 0 {
            complaints.push(format!(
                "{records} records of pciback do not say of which host they are, in logs of several hosts"
            ));
        }
        if self.totals.boots == 0 && self.last_boots == 0 && !scanned.stopped {
            let time = if self.scan.work.options.window.is_open() { "" } else { " in that time" };
            complaints.push(format!("no boot in these logs says anything of pciback{time}"));
        }
        let without = self.last_boots.saturating_sub(self.totals.hosts);
        if let Counted::Back(back @ 1..) = self.scan.counted
            && without > 0
        {
            let hosts = self.last_boots;
            complaints
                .push(format!("no boot -{back} says anything of pciback for {without} of {hosts} hosts in these logs"));
        }
        let choice = &self.scan.choice;
        let chooses = !(choice.hosts.is_empty() && choice.verdicts.is_empty() && choice.only.is_empty());
        if chooses && !self.chosen && self.totals.boots > 0 {
            complaints.push(format!("no boot of {} is what was chosen", self.totals.boots));
        }
        complaints
    }

    /// Fills in what no report tells.
    fn count(&mut self, scanned: &Scanned) {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.totals = Totals {
            silent_hosts: number(scanned.silent.hosts),
            silent_boots: number(scanned.silent.boots),
            files: number(scanned.files),
            bytes: scanned.bytes,
            passed_over: number(scanned.passed_over),
            unattributed: scanned.unattributed,
            unreadable: number(scanned.unreadable),
            partial: scanned.stopped,
            ..self.totals
        };
    }

    fn status(&self, scanned: &Scanned) -> u8 {
        // Where no boot was seen, nobody knows whether something is requested.
        let quiet = self.scan.work.options.if_requested && scanned.silent.boots > 0;
        // Of the rest nobody knows anything, and what could not be given to a host may have been a failure.
        let unsure = scanned.stopped || scanned.unattributed > 0;
        let unknown = unsure.then_some((Verdict::Unknown, CANNOT_SAY));
        self.worst.max(unknown).map_or(if quiet { 0 } else { CANNOT_SAY }, |(_, status)| status)
    }
}

/// Shows how far the work is, on a terminal.
fn show(progress: &Arc<Progress>, ended: &Arc<AtomicBool>) -> Option<std::thread::JoinHandle<()>> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let (progress, ended) = (Arc::clone(progress), Arc::clone(ended));
    std::thread::Builder::new().spawn(move || follow(&progress, &ended)).ok()
}

fn follow(progress: &Progress, ended: &AtomicBool) {
    let mut gone = Duration::ZERO;
    let mut bar = None;
    while !ended.load(Ordering::SeqCst) {
        std::thread::sleep(TICK);
        gone += TICK;
        if gone >= SHORT {
            let (done, total) = (progress.done.load(Ordering::Relaxed), progress.total.load(Ordering::Relaxed));
            let bar = bar.get_or_insert_with(|| self::bar(total > 0));
            // Where parts of a file meet, some bytes are read twice.
            bar.set_length(total.max(done));
            bar.set_position(done);
            bar.set_message(pace(done, total, gone));
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

/// A bar; of what has no known end, how much was read.
fn bar(has_end: bool) -> ProgressBar {
    let template = if has_end { "{bar:30} {bytes} of {total_bytes}, {msg}" } else { "{spinner} {bytes}, {msg}" };
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_wrong| ProgressStyle::default_bar()))
}

/// How fast the files are read, in bytes as they are stored, and how long the rest takes at that rate. A rate of the last moment
/// would jump: a packed file takes many times as long as a plain one.
fn pace(done: u64, total: u64, gone: Duration) -> String {
    let seconds = gone.as_secs().max(1);
    let rate = format!("{}/s", HumanBytes(done / seconds));
    match total.checked_sub(done).filter(|_| done > 0 && total > 0) {
        Some(left) => {
            let left = u128::from(left) * gone.as_millis() / u128::from(done) / 1000;
            format!("{rate}, {} left", HumanDuration(Duration::from_secs(u64::try_from(left).unwrap_or(u64::MAX))))
        }
        None => rate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_the_bytes_on_the_disk() {
        let gone = Duration::from_secs(10);
        assert_eq!(pace(10 << 20, 40 << 20, gone), "1.00 MiB/s, 30 seconds left");
        assert_eq!((pace(10 << 20, 0, gone).as_str(), pace(0, 5, gone).as_str()), ("1.00 MiB/s", "0 B/s"));
        assert_eq!(pace(6, 5, gone), "0 B/s");
    }
}
