//! Judges host after host, boot after boot, when everything was read.

use chrono::{DateTime, Utc};

use super::Scan;
use super::hosts::{Hosts, Name, Thread, replay};
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

/// The parts of one boot, by the number of the log that has them.
type Parts<'a> = [(usize, &'a Boot)];

impl Scan {
    /// Judges every boot of every host, by the name of the host.
    pub(super) fn conclude(&self, hosts: &Hosts, sink: &mut Sink<'_>) -> Silent {
        let mut silent = Silent::default();
        for (name, at) in &hosts.names {
            let threads = hosts.threads.get(*at).map(Vec::as_slice).unwrap_or_default();
            if threads.is_empty() {
                continue;
            }
            let logs: Vec<Log> = threads.iter().map(|(set, thread)| self.log(hosts, *set, thread)).collect();
            if !self.host(name, &logs, &mut silent, sink) {
                break;
            }
        }
        silent
    }

    /// What a set holds of a host, as a log.
    fn log(&self, hosts: &Hosts, set: usize, thread: &Thread) -> Log {
        let mut log = match (&thread.live, hosts.sets.get(set)) {
            (Some(log), _) => Log::clone(log),
            (None, Some(state)) => {
                let mut log = state.log(set);
                replay(&thread.strand, state, &hosts.shapes, self.until, &mut log);
                log
            }
            (None, None) => Log::new(set, String::new(), crate::timeline::LogKind::File),
        };
        log.end();
        log
    }

    /// Judges the boots of a host. Those from before pciback is spoken of for the first time are none of our business.
    fn host(&self, name: &Name, logs: &[Log], silent: &mut Silent, sink: &mut Sink<'_>) -> bool {
        let boots = together(logs);
        let speaks = |parts: &Vec<(usize, &Boot)>| parts.iter().any(|(_, boot)| speaks_of_pciback(boot));
        let asked = !matches!(self.asked, Asked::Found { .. });
        let first = if asked { Some(0) } else { boots.iter().position(speaks) };
        let Some(first) = first.filter(|_| !boots.is_empty()) else {
            silent.hosts += 1;
            silent.boots += boots.len();
            return true;
        };
        silent.boots += first;
        for (number, parts) in boots.iter().enumerate().skip(first) {
            let run = Run { back: boots.len() - number - 1, first: first_of(parts), last: last_of(parts) };
            if self.since.is_some_and(|since| run.last.is_some_and(|last| is_before(&last, since))) {
                continue;
            }
            let mut report = conclude(&self.case(logs, parts));
            report.host = match name {
                Name::Known(name) => Some(String::from_utf8_lossy(name).into_owned()),
                Name::Of(_) => report.host,
            };
            if !sink(&report, &run) {
                return false;
            }
        }
        true
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
        let options = Options { boot: BootChoice::default(), ..self.options.clone() };
        Case { asked: self.asked.clone(), tree: None, logs: alone, options, now: self.now, listening: None }
    }
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
    ends.reduce(|one, other| if crate::record::between(&one, &other).is_some_and(|ahead| ahead > 0) { other } else { one })
}

fn is_before(stamp: &Stamp, time: DateTime<Utc>) -> bool {
    stamp.wall.is_some_and(|wall| wall.utc() < time.naive_utc())
}
