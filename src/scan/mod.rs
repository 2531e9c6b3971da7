//! Saved logs of any size, at the speed of a search: which host, in which boot, did not get which device?
//!
//! ```text
//! files ─► work: parts of files, in threads ─► lines: sieve ─► decoder ─► gleaner ─batches─► hosts: a strand for each
//!                                                                                               │ when all is read
//!           reports, host after host ◄── told: audit::conclude, boot after boot, in threads ◄── a log for each host
//! ```
//!
//! Only lines that hold one of a few texts are decoded (`sieve`), by the code that `check` uses, and only records that say
//! something are kept, in some ten bytes each (`strand`). When the last file was read, a host's records are laid out as
//! the logs that `check --log` would have made of them, and judged boot by boot.

mod batch;
mod conclude;
mod files;
mod gleaner;
mod hosts;
mod lines;
mod order;
mod readers;
mod repeats;
mod seen;
mod set;
mod shapes;
mod sieve;
mod sniff;
mod strand;
mod thread;
mod told;
mod window;
mod work;
mod years;

pub use conclude::Silent;
pub use told::Sink;
pub use work::Progress;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};

use crate::audit::{Asked, Options};
use crate::report::Report;
use batch::Batch;
use files::{Obstacle, Set};
use hosts::Hosts;
use set::SetState;
use told::Told;
use work::{Failure, Job, NO_LOG, Reading, Taker, jobs_of};

/// What is to be scanned, and how it is to be judged.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Files and directories; `-` is standard input.
    pub paths: Vec<PathBuf>,
    /// What every boot is held against. By default each boot's own command line.
    pub asked: Asked,
    /// How to judge.
    pub options: Options,
    /// When.
    pub now: Option<DateTime<Utc>>,
    /// Leave out boots of which no record is as late as this.
    pub since: Option<DateTime<Utc>>,
    /// Judge as of this time: leave out later records.
    pub until: Option<DateTime<Utc>>,
    /// How many files, or parts of one, are read at a time, and then how many hosts are judged.
    pub threads: usize,
    /// How large the parts are in which files of lines are read, in bytes, at least 128 KiB; none for the usual size. The
    /// outcome is the same.
    pub part: Option<NonZeroU64>,
    /// Decode every line of every log. Slower by far, and the outcome is the same.
    pub every_line: bool,
}

/// What a scan came to, besides its reports.
#[derive(Clone, Debug, Default)]
pub struct Scanned {
    /// Files that were read, wholly or in part.
    pub files: usize,
    /// Bytes of them, packed ones as they are.
    pub bytes: u64,
    /// Files that were found and passed over: they hold no text.
    pub passed_over: usize,
    /// Files and pieces of files that could not be read. There is a report of each.
    pub unreadable: usize,
    /// Records of ours that stand in a log of several hosts without saying of which they are.
    pub unattributed: u64,
    /// Hosts and boots that say nothing of pciback.
    pub silent: Silent,
    /// Worth knowing, and nothing that was asked for.
    pub notes: Vec<String>,
    /// Whether it was stopped.
    pub stopped: bool,
}

/// Takes what the jobs find.
struct Collector<'a, 'b> {
    told: Told<'a, 'b>,
    hosts: Hosts,
    /// The names of hosts of which boots were over early: each has thousands of them, and is looked for once.
    names: BTreeMap<usize, Option<Box<[u8]>>>,
    named: BTreeSet<&'a PathBuf>,
    sets: &'a [Set],
    scanned: Scanned,
    failures: Vec<(usize, u64, String)>,
}

impl Scan {
    /// Reads everything, and hands the report of each boot to `sink`.
    pub fn run(&self, progress: &Progress, sink: &mut Sink<'_>) -> Scanned {
        let (sets, obstacles) = files::find(&self.paths);
        let total = sets.iter().flat_map(|set| &set.files).map(|file| file.bytes).sum();
        progress.total.store(total, Ordering::Relaxed);
        let mut collector = Collector::new(self, &sets, sink);
        let reading =
            Reading { sieve: sieve::Sieve::new(), every_line: self.every_line, threads: self.threads, progress };
        reading.run(&self.jobs(&sets), &mut collector);
        let Collector { mut told, hosts, mut scanned, mut failures, .. } = collector;
        scanned.stopped = progress.stop.load(Ordering::Relaxed);
        // Where parts meet, some bytes are read twice.
        let done = progress.done.load(Ordering::Relaxed);
        scanned.bytes = if scanned.stopped || total == 0 { done } else { total };
        scanned.unattributed = hosts.unattributed;
        failures.sort();
        // A scan that is stopped leaves many parts of a file unread.
        failures.dedup_by_key(|(set, offset, _)| (*set, set::file_of(*offset)));
        let unread = unreadable(&hosts, &failures, &obstacles);
        scanned.unreadable = unread.len();
        scanned.notes = obstacles.iter().filter(|obstacle| !obstacle.counts).map(in_words).collect();
        for why in unread {
            told.tell(&Report::unreadable(why, self.now));
        }
        told.all(&hosts);
        scanned.silent = told.silent;
        scanned
    }

    fn jobs(&self, sets: &[Set]) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (set, of) in sets.iter().enumerate() {
            for (number, file) in of.files.iter().enumerate() {
                jobs.append(&mut jobs_of(set, number, file, self.part));
            }
        }
        jobs
    }
}

/// Everything that could not be read, in words: which file, where, and why.
fn unreadable(hosts: &Hosts, failures: &[(usize, u64, String)], obstacles: &[Obstacle]) -> Vec<String> {
    let mut unread: Vec<String> = obstacles.iter().filter(|obstacle| obstacle.counts).map(in_words).collect();
    for (set, state) in hosts.sets.iter().enumerate() {
        let log = state.log(set);
        let failed = failures.iter().filter(|(of, ..)| *of == set).map(|(_, offset, why)| {
            let (file, at) = log.file_at(*offset);
            if at == 0 {
                format!("{file} cannot be read: {why}")
            } else {
                format!("{file} cannot be read from byte {at} on: {why}")
            }
        });
        unread.extend(failed);
        unread.extend(state.flaws.values().map(|(offset, what, count)| {
            let (file, at) = log.file_at(*offset);
            let more = if *count > 1 { format!(", and {} more places", count - 1) } else { String::new() };
            format!("{file} has a piece that cannot be read at byte {at} ({what}){more}")
        }));
    }
    unread
}

fn in_words(obstacle: &Obstacle) -> String {
    format!("{} {}", obstacle.path.to_string_lossy(), obstacle.why)
}

impl<'a, 'b> Collector<'a, 'b> {
    fn new(scan: &'a Scan, sets: &'a [Set], sink: &'a mut Sink<'b>) -> Self {
        let state = |set: &Set| {
            let files = set.files.iter().map(|file| (file.path.to_string_lossy().into_owned(), file.modified));
            SetState::new(set.name.clone(), set.host.clone(), files.collect())
        };
        Self {
            told: Told::new(scan, sink),
            hosts: Hosts::new(sets.iter().map(state).collect(), scan.until),
            names: BTreeMap::new(),
            named: scan.paths.iter().collect(),
            sets,
            scanned: Scanned::default(),
            failures: Vec::new(),
        }
    }
}

impl Taker for Collector<'_, '_> {
    fn batch(&mut self, job: &Job, batch: &Batch) {
        self.hosts.take(job.set, batch);
        for (host, log) in std::mem::take(&mut self.hosts.finished) {
            if !self.names.contains_key(&host) {
                let found = self.hosts.all().find(|(_, at)| *at == host);
                self.names.extend(found.map(|(name, at)| (at, name.map(Box::from))));
            }
            if let Some(name) = self.names.get(&host) {
                self.told.early(name.as_deref(), host, &log);
            }
        }
    }

    fn end(&mut self, job: &Job, outcome: Result<(), Failure>) {
        let file = self.sets.get(job.set).and_then(|set| set.files.get(job.file));
        let no_log = matches!(&outcome, Err(failure) if failure.why == NO_LOG);
        if no_log && file.is_some_and(|file| !self.named.contains(&file.path)) {
            self.scanned.passed_over += 1;
        } else if let Err(Failure { offset, why }) = outcome {
            self.hosts.miss(job.set, offset);
            self.failures.push((job.set, offset, why));
        }
        if job.is_last {
            self.scanned.files += usize::from(!no_log);
            self.hosts.end_file(job.set);
            if self.sets.get(job.set).is_some_and(|set| set.files.len() == job.file + 1) {
                self.hosts.end_set(job.set);
            }
        }
    }
}
