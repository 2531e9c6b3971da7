//! Judges a host, boot after boot, when everything was read of it.

use chrono::{DateTime, Utc};

use super::Scan;
use super::hosts::Hosts;
use super::set::SetState;
use super::thread::Thread;
use crate::audit::{Asked, Case, Options, conclude};
use crate::event::{Event, Fact};
use crate::record::Stamp;
use crate::report::{Report, Run};
use crate::timeline::{Boot, BootChoice, Log, Moment, together};

/// What there was besides the boots that were reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silent {
    /// Hosts of which no boot says anything of pciback.
    pub hosts: usize,
    /// Boots that say nothing of it, and were not reported.
    pub boots: usize,
}

impl Silent {
    pub(super) const fn add(&mut self, more: Self) {
        self.hosts += more.hosts;
        self.boots += more.boots;
    }
}

/// What was told of a host before everything was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Early {
    /// How many of its boots were over.
    boots: usize,
    /// Whether any of them says something of pciback.
    spoke: bool,
}

/// Takes a report, and which boot of its host it is about. Says whether more are wanted.
pub(super) type Tell<'a> = dyn FnMut(Report, Run) -> bool + 'a;

/// A host's name, where it has one, and where it stands among all.
type Host<'a> = (Option<&'a [u8]>, usize);

/// The parts of one boot, by the number of the log that has them.
type Parts<'a> = [(usize, &'a Boot)];

/// Judges the boots of hosts, one at a time.
pub(super) struct Judge<'a> {
    scan: &'a Scan,
    /// What all boots have in common, and the logs of the one that is judged: a policy is long.
    case: Case,
}

impl<'a> Judge<'a> {
    pub(super) fn new(scan: &'a Scan) -> Self {
        let options = Options { boot: BootChoice::default(), ..scan.options.clone() };
        let case = Case { asked: scan.asked.clone(), options, now: scan.now, ..Case::default() };
        Self { scan, case }
    }

    /// Judges every boot of a host that was not judged early. Returns what was not reported.
    pub(super) fn host(&mut self, host: Host<'_>, hosts: &Hosts, early: Early, tell: &mut Tell<'_>) -> Silent {
        let (name, at) = host;
        let threads = hosts.threads.get(at).map(Vec::as_slice).unwrap_or_default();
        let log = |(set, thread): &(usize, Thread)| {
            Some(thread.finish(hosts.sets.get(*set)?, &hosts.shapes, self.scan.until, *set))
        };
        let mut logs: Vec<Log> = threads.iter().filter_map(log).collect();
        // What daemons alone wrote (auth.log) tells of no boot of its own.
        logs.retain(|log| log.kernel_records > 0);
        // Of a log of several hosts, only the end is asked what went on without anything to say: by that alone no host is
        // there, or it would be for where its lines happen to stand.
        let shared = |(set, _): &(usize, Thread)| hosts.sets.get(*set).is_some_and(SetState::has_several);
        if threads.iter().all(shared) && !logs.iter().flat_map(|log| &log.boots).any(says_something) {
            return Silent::default();
        }
        self.boots(name, &logs, early.spoke, tell)
    }

    /// Judges boots of one log that are over. Returns what was not reported.
    pub(super) fn early(&mut self, name: Option<&[u8]>, log: &Log, early: &mut Early, tell: &mut Tell<'_>) -> Silent {
        let mut silent = Silent::default();
        for boot in &log.boots {
            early.boots += 1;
            early.spoke |= self.asks() || speaks_of_pciback(boot);
            if !early.spoke {
                silent.boots += 1;
                continue;
            }
            // How many come later is not known; the earlier one has the higher number.
            let back = usize::try_from(u32::MAX).unwrap_or(usize::MAX) - early.boots;
            let judged = self.boot(std::slice::from_ref(log), &[(log.index, boot)], back);
            if judged.is_some_and(|(report, run)| !tell(named(report, name), run)) {
                break;
            }
        }
        silent
    }

    /// Whether every boot is held against the same request.
    const fn asks(&self) -> bool {
        !matches!(self.scan.asked, Asked::Found { .. })
    }

    /// Judges the boots of a host. Those from before pciback is spoken of for the first time are none of our business.
    fn boots(&mut self, name: Option<&[u8]>, logs: &[Log], spoke: bool, tell: &mut Tell<'_>) -> Silent {
        let mut boots = together(logs);
        // Any text has lines. A boot says something, be it that it began.
        boots.retain(|parts| parts.iter().any(|(_, boot)| boot.notable > 0 || boot.id.is_some()));
        if boots.is_empty() {
            return Silent::default();
        }
        let speaks = |parts: &Vec<(usize, &Boot)>| parts.iter().any(|(_, boot)| speaks_of_pciback(boot));
        let first = if self.asks() || spoke { Some(0) } else { boots.iter().position(speaks) };
        let Some(first) = first else {
            return Silent { hosts: usize::from(!spoke), boots: boots.len() };
        };
        let numbered = (0..boots.len()).rev().zip(&boots);
        for (back, parts) in numbered.skip(first) {
            let judged = self.boot(logs, parts, back);
            if judged.is_some_and(|(report, run)| !tell(named(report, name), run)) {
                break;
            }
        }
        Silent { hosts: 0, boots: first }
    }

    /// Judges one boot, if it is not too old.
    fn boot(&mut self, logs: &[Log], parts: &Parts<'_>, back: usize) -> Option<(Report, Run)> {
        let run = Run { back, first: first_of(parts), last: last_of(parts) };
        if self.scan.since.is_some_and(|since| run.last.is_some_and(|last| is_before(&last, since))) {
            return None;
        }
        self.case.logs = alone(logs, parts);
        Some((conclude(&self.case), run))
    }
}

/// The report with the name of its host, where that is known.
fn named(report: Report, name: Option<&[u8]>) -> Report {
    match name {
        Some(name) => Report { host: Some(String::from_utf8_lossy(name).into_owned()), ..report },
        None => report,
    }
}

/// What the logs say of one boot, as logs of their own.
fn alone(logs: &[Log], parts: &Parts<'_>) -> Vec<Log> {
    let mut alone: Vec<Log> = Vec::new();
    for (index, boot) in parts {
        match alone.iter_mut().find(|log| log.index == *index) {
            Some(log) => log.boots.push((*boot).clone()),
            None => alone.extend(logs.iter().find(|log| log.index == *index).map(|log| log.only(boot))),
        }
    }
    alone
}

/// Whether a boot has any record with something to say.
fn says_something(boot: &Boot) -> bool {
    let kept = boot.moments.iter().any(|moment| matches!(moment, Moment::Fact(_)));
    kept || boot.past.is_some() || boot.forged.pretended().next().is_some()
}

/// Whether anything in a boot is about pciback: a record of it, one that looks like that, or a list on the command line.
fn speaks_of_pciback(boot: &Boot) -> bool {
    let lists = |text: &[u8]| memchr::memmem::find(text, b"pciback").is_some();
    let speaks = |fact: &Fact| {
        let asks = if let Event::CommandLine { text } = &fact.event { lists(text) } else { false };
        asks || fact.event.is_pciback()
    };
    let past = boot.past.as_ref().is_some_and(|past| past.heard().0 > 0 || past.command_line().is_some_and(speaks));
    let now = boot.moments.iter().any(|moment| matches!(moment, Moment::Fact(fact) if speaks(fact)));
    past || now || boot.forged.pretended().next().is_some()
}

fn first_of(parts: &Parts<'_>) -> Option<Stamp> {
    parts.iter().filter(|(_, boot)| boot.timed).map(|(_, boot)| boot.span.0).next()
}

fn last_of(parts: &Parts<'_>) -> Option<Stamp> {
    let ends = parts.iter().filter(|(_, boot)| boot.timed).map(|(_, boot)| boot.span.1);
    ends.reduce(
        |one, other| if crate::record::between(&one, &other).is_some_and(|ahead| ahead > 0) { other } else { one },
    )
}

fn is_before(stamp: &Stamp, time: DateTime<Utc>) -> bool {
    stamp.wall.is_some_and(|wall| wall.utc() < time.naive_utc())
}
