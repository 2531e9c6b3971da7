//! Judges host after host, boot after boot, when everything was read.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::Scan;
use super::hosts::{Hosts, Name, Thread};
use super::set::SetState;
use crate::audit::{Asked, Case, Options, conclude};
use crate::event::{Event, Fact};
use crate::record::Stamp;
use crate::report::{Report, Run};
use crate::timeline::{Boot, BootChoice, Log, Moment, together};

/// Takes a report, and which boot of its host it is about. Says whether more are wanted.
pub type Sink<'a> = dyn FnMut(&Report, &Run) -> bool + 'a;

/// What there was besides the boots that were reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silent {
    /// Hosts of which no boot says anything of pciback.
    pub hosts: usize,
    /// Boots that say nothing of it, and were not reported.
    pub boots: usize,
}

/// What was told of a host before everything was read.
#[derive(Clone, Copy, Debug, Default)]
struct Early {
    /// How many of its boots were over.
    boots: usize,
    /// Whether any of them says something of pciback.
    spoke: bool,
}

/// The parts of one boot, by the number of the log that has them.
type Parts<'a> = [(usize, &'a Boot)];

/// Judges hosts and their boots, one at a time.
pub(super) struct Judge<'a, 'b> {
    scan: &'a Scan,
    sink: &'a mut Sink<'b>,
    early: BTreeMap<usize, Early>,
    pub(super) silent: Silent,
    wanted: bool,
}

impl<'a, 'b> Judge<'a, 'b> {
    pub(super) fn new(scan: &'a Scan, sink: &'a mut Sink<'b>) -> Self {
        Self { scan, sink, early: BTreeMap::new(), silent: Silent::default(), wanted: true }
    }

    /// Hands on a report, if more are wanted.
    pub(super) fn tell(&mut self, report: &Report, run: &Run) {
        self.wanted = self.wanted && (self.sink)(report, run);
    }

    /// Judges every boot of every host that was not judged early, by the name of the host.
    pub(super) fn all(&mut self, hosts: &Hosts) {
        for (name, at) in &hosts.names {
            let threads = hosts.threads.get(*at).map(Vec::as_slice).unwrap_or_default();
            if threads.is_empty() || !self.wanted {
                continue;
            }
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
                logs.clear();
            }
            self.host(name, *at, &logs);
        }
    }

    /// Judges boots of one log that are over.
    pub(super) fn early(&mut self, name: &Name, host: usize, log: &Log) {
        for boot in &log.boots {
            let asks = self.asks();
            let early = self.early.entry(host).or_default();
            early.boots += 1;
            early.spoke |= asks || speaks_of_pciback(boot);
            if !early.spoke {
                self.silent.boots += 1;
                continue;
            }
            // How many come later is not known; the earlier one has the higher number.
            let back = usize::try_from(u32::MAX).unwrap_or(usize::MAX) - early.boots;
            self.boot(name, std::slice::from_ref(log), &[(log.index, boot)], back);
        }
    }

    /// Whether every boot is held against the same request.
    const fn asks(&self) -> bool {
        !matches!(self.scan.asked, Asked::Found { .. })
    }

    /// Judges the boots of a host. Those from before pciback is spoken of for the first time are none of our business.
    fn host(&mut self, name: &Name, host: usize, logs: &[Log]) {
        let mut boots = together(logs);
        // Any text has lines. A boot says something, be it that it began.
        boots.retain(|parts| parts.iter().any(|(_, boot)| boot.notable > 0 || boot.id.is_some()));
        if boots.is_empty() {
            return;
        }
        let spoke = self.early.get(&host).is_some_and(|early| early.spoke);
        let speaks = |parts: &Vec<(usize, &Boot)>| parts.iter().any(|(_, boot)| speaks_of_pciback(boot));
        let first = if self.asks() || spoke { Some(0) } else { boots.iter().position(speaks) };
        let Some(first) = first else {
            self.silent.hosts += usize::from(!spoke);
            self.silent.boots += boots.len();
            return;
        };
        self.silent.boots += first;
        let numbered = (0..boots.len()).rev().zip(&boots);
        for (back, parts) in numbered.skip(first) {
            self.boot(name, logs, parts, back);
        }
    }

    /// Judges one boot.
    fn boot(&mut self, name: &Name, logs: &[Log], parts: &Parts<'_>, back: usize) {
        let run = Run { back, first: first_of(parts), last: last_of(parts) };
        let is_over = self.scan.since.is_some_and(|since| run.last.is_some_and(|last| is_before(&last, since)));
        if is_over || !self.wanted {
            return;
        }
        let mut report = conclude(&self.case(logs, parts));
        report.host = match name {
            Name::Known(name) => Some(String::from_utf8_lossy(name).into_owned()),
            Name::Of(_) => report.host,
        };
        self.tell(&report, &run);
    }

    /// One boot as a case of its own.
    fn case(&self, logs: &[Log], parts: &Parts<'_>) -> Case {
        let mut alone: Vec<Log> = Vec::new();
        for (index, boot) in parts {
            match alone.iter_mut().find(|log| log.index == *index) {
                Some(log) => log.boots.push((*boot).clone()),
                None => alone.extend(logs.iter().find(|log| log.index == *index).map(|log| log.only(boot))),
            }
        }
        let Scan { asked, options, now, .. } = self.scan;
        let options = Options { boot: BootChoice::default(), ..options.clone() };
        Case { asked: asked.clone(), tree: None, logs: alone, options, now: *now, listening: None }
    }
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
