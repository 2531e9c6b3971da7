//! Saved logs of any size, at the speed of a search: which host, in which boot, did not get which device?
//!
//! ```text
//! files ─► work: parts of files, in threads ─► picker: sieve, witnesses ─selections─► set: record ─► timeline::Log
//!                                                                                        │ when all is read
//!                    reports, host after host ◄── judge: audit::conclude, in threads ◄── timeline::hosts
//! ```
//!
//! A search (`sieve`) finds the lines that can say something, `picker` adds a few witnesses, and all of them go through the
//! decoder, the timeline and the judge of `check`. Nothing here knows what a line means.

mod folders;
mod judge;
mod lines;
mod members;
mod order;
mod picker;
mod readers;
mod selection;
mod set;
mod sieve;
mod sniff;
mod window;
mod work;

pub use judge::{Silent, Sink, every_boot};
pub use readers::Progress;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};

use crate::audit::{Asked, Options};
use crate::report::{Report, Run};
use crate::source::saved::{Obstacle, Set, find, number_sets};
use crate::timeline::{Beyond, Host, Log, Window, hosts, is_same_name, trim};
use judge::judge;
use order::Stopped;
use selection::{Member, Remark, Selection};
use set::{HostLog, named};
use work::{Job, NO_LOG, Reading, Taker, jobs_of};

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
    /// How many files, or parts of one, are read at a time, and then how many hosts are judged.
    pub threads: usize,
    /// Size of the parts in which files of lines are read, in bytes, at least 128 KiB; none: the usual one. It changes no outcome.
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

/// The files that a scan is to read.
#[derive(Debug)]
pub struct Found {
    sets: Vec<Set>,
    obstacles: Vec<Obstacle>,
}

impl Found {
    /// The paths of those that are links: what they lead to may be anywhere.
    pub fn links(&self) -> impl Iterator<Item = &PathBuf> {
        let paths = self.sets.iter().flat_map(|set| &set.files).map(|file| &file.path);
        paths.filter(|path| path.is_symlink())
    }
}

/// Takes what the jobs find.
struct Collector<'a> {
    logs: Vec<HostLog>,
    /// The paths that were named, not found.
    named: BTreeSet<&'a PathBuf>,
    scanned: Scanned,
    failures: Vec<(usize, u64, String)>,
    /// The hosts of archives, by the files in them that name these.
    hostnames: BTreeMap<PathBuf, String>,
    /// The file in an archive that is being read, and the number of its log.
    current: Option<(Arc<Member>, usize)>,
    window: Window,
    /// About so many bytes the logs take that were read since the last look at all of them.
    weight: usize,
}

/// About how many bytes are kept of all logs together, beside the last boots.
const MOST_BYTES: usize = 128 << 20;

impl Scan {
    /// Finds the files, and opens none of them, but for the first bytes of what may be a journal file.
    pub fn find(&self) -> Found {
        let (sets, obstacles) = find(&self.paths);
        Found { sets, obstacles }
    }

    /// Reads everything, and hands the report of each boot to `sink`.
    pub fn run(&self, progress: &Progress, sink: &mut Sink<'_>) -> Scanned {
        self.read(self.find(), progress, sink)
    }

    /// Reads what was found, and hands the report of each boot to `sink`.
    pub fn read(&self, found: Found, progress: &Progress, sink: &mut Sink<'_>) -> Scanned {
        let Found { sets, obstacles } = found;
        let total = sets.iter().flat_map(|set| &set.files).map(|file| file.bytes).sum();
        progress.total.store(total, Ordering::Relaxed);
        let mut collector = Collector::new(self, &sets);
        let reading =
            Reading { sieve: sieve::Sieve::new(), every_line: self.every_line, threads: self.threads, progress };
        let files = sets.iter().flat_map(|set| &set.files).enumerate();
        let part = self.part.filter(|_| !self.every_line);
        let jobs: Vec<Job> = files.flat_map(|(log, file)| jobs_of(log, file, part, self.every_line)).collect();
        reading.run(&jobs, &mut collector);
        let Collector { logs, mut scanned, mut failures, hostnames, .. } = collector;
        scanned.stopped = progress.stop.load(Ordering::Relaxed);
        // Where parts meet, some bytes are read twice.
        let done = progress.done.load(Ordering::Relaxed);
        scanned.bytes = if scanned.stopped || total == 0 { done } else { total };
        failures.sort();
        // A scan that is stopped leaves many parts of a file unread.
        failures.dedup_by_key(|(log, ..)| *log);
        let unread = unreadable(&logs, &failures, &obstacles);
        scanned.unreadable = unread.len();
        scanned.notes = obstacles.iter().filter(|obstacle| !obstacle.counts).map(in_words).collect();
        scanned.notes.append(&mut folders::notes(&sets));
        let mut wanted = true;
        for why in unread {
            wanted = wanted && sink(&Report::unreadable(why, self.now), &Run::default());
        }
        // Those that daemons alone wrote tell of no boot.
        let logs: Vec<Log> = named(logs, &hostnames).filter(|log| log.kernel_records > 0).collect();
        let mut told = hosts(&logs);
        if let Some(chosen) = &self.options.log_host {
            let is_chosen = |host: &Host<'_>| host.name.as_ref().is_some_and(|name| is_same_name(name, chosen));
            // A log that names no host is taken for the one that is meant.
            let is_named = told.hosts.iter().any(is_chosen);
            told.hosts.retain(|host| if is_named { is_chosen(host) } else { host.name.is_none() });
        }
        scanned.unattributed = told.unattributed;
        if wanted {
            scanned.silent = judge(self, &logs, &told.hosts, sink);
        }
        scanned
    }
}

/// Everything that could not be read, in words: which file, where, and why.
fn unreadable(logs: &[HostLog], failures: &[(usize, u64, String)], obstacles: &[Obstacle]) -> Vec<String> {
    let mut unread: Vec<String> = obstacles.iter().filter(|obstacle| obstacle.counts).map(in_words).collect();
    let mut failures = failures.iter().peekable();
    for (number, HostLog { log, flaws, .. }) in logs.iter().enumerate() {
        let file = &log.name;
        if let Some((_, at, why)) = failures.next_if(|(of, ..)| *of == number) {
            let from = if *at == 0 { String::new() } else { format!(" from byte {at} on") };
            unread.push(format!("{file} cannot be read{from}: {why}"));
        }
        unread.extend(flaws.map(|(at, what, count)| {
            let more = if count > 1 { format!(", and {} more places", count - 1) } else { String::new() };
            format!("{file} has a piece that cannot be read at byte {at} ({what}){more}")
        }));
        unread.extend(beyond(log));
    }
    unread
}

/// What of a log is not kept, in words.
fn beyond(log: &Log) -> Option<String> {
    let Beyond { boots, of_hosts, .. } = &log.beyond;
    let left_out = format!("its {boots} oldest boots and {of_hosts} records of further hosts are left out");
    (boots + of_hosts > 0).then(|| format!("{} tells of more than can be kept: {left_out}", log.name))
}

fn in_words(obstacle: &Obstacle) -> String {
    format!("{} {}", obstacle.path.to_string_lossy(), obstacle.why)
}

impl<'a> Collector<'a> {
    fn new(scan: &'a Scan, sets: &'a [Set]) -> Self {
        let mut logs: Vec<HostLog> = Vec::new();
        for set in sets {
            let archive = set.archive.as_ref().map(|archive| archive.top.clone());
            for file in &set.files {
                let mut log = HostLog::new(logs.len(), file, scan.options.window);
                (log.log.host, log.archive) = (set.host.clone(), archive.clone());
                logs.push(log);
            }
        }
        number_sets(logs.iter_mut().map(|log| &mut log.log));
        let archives = sets.iter().filter_map(|set| set.archive.as_ref());
        let hostnames = archives.filter_map(|archive| Some((archive.top.clone(), archive.hostname.clone()?))).collect();
        Self {
            logs,
            named: scan.paths.iter().collect(),
            scanned: Scanned::default(),
            failures: Vec::new(),
            hostnames,
            current: None,
            window: scan.options.window,
            weight: 0,
        }
    }

    /// A log was read to its end.
    fn weigh(&mut self, log: usize) {
        self.weight += self.logs.get(log).map_or(0, |log| log.log.weight());
        if self.weight > MOST_BYTES / 2 {
            trim(self.logs.iter_mut().map(|log| &mut log.log), MOST_BYTES / 2);
            self.weight = 0;
        }
    }
}

impl Taker for Collector<'_> {
    fn selection(&mut self, job: &Job, selection: &Selection) {
        let index = match (&selection.member, &selection.remark) {
            (Some(member), Some(Remark::Hostname(name))) => {
                self.hostnames.entry(member.archive.clone().into()).or_insert_with(|| name.clone());
                return;
            }
            (Some(_), Some(Remark::PassedOver)) => return self.scanned.passed_over += 1,
            (Some(member), _) => self.member(member),
            (None, _) => job.log,
        };
        let Some(log) = self.logs.get_mut(index) else { return };
        log.take(selection, job.end());
        if let Some(Remark::Failed(offset, why)) = &selection.remark {
            log.miss(*offset);
            self.failures.push((index, *offset, why.clone()));
        }
    }

    fn end(&mut self, job: &Job, outcome: Result<(), Stopped>) {
        self.end_member();
        let no_log = matches!(&outcome, Err((_, why)) if why == NO_LOG);
        let Some(log) = self.logs.get_mut(job.log) else { return };
        if no_log && !self.named.contains(&job.path) {
            self.scanned.passed_over += 1;
        } else if let Err((offset, why)) = outcome {
            log.miss(offset);
            self.failures.push((job.log, offset, why));
        }
        if job.is_last {
            self.scanned.files += usize::from(!no_log);
            log.end_file();
            self.weigh(job.log);
        }
    }
}
