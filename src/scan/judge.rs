//! Judges every boot of every host when everything was read, and hands on the reports in the order of the hosts' names.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Builder;

use super::Scan;
use crate::audit::{Asked, Case, Options, conclude};
use crate::event::{Event, Fact};
use crate::record::{Stamp, Wall};
use crate::report::{Report, Run, Verdict};
use crate::timeline::{Boot, BootChoice, Host, Log, Moment, Wanted, Window, end_of, hosts_of_case, is_same_name};

/// How many reports of a thread may wait for those of the hosts before.
const WAITING: usize = 16;

/// For fewer hosts than this no further thread is worth its start.
const FEW: usize = 16;

/// Takes a report, and which boot of its host it is about. Says whether more are wanted.
pub type Sink<'a> = dyn FnMut(&Report, &Run) -> bool + Send + 'a;

/// Takes one report of a host. Says whether more are wanted.
type Tell<'a> = dyn FnMut(Report, Run) -> bool + 'a;

/// The parts of one boot, by the number of the log that has them.
type BootParts<'a> = [(usize, &'a Boot)];

/// What there was besides the boots that were reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silent {
    /// Hosts of which no boot says anything of pciback.
    pub hosts: usize,
    /// Boots that say nothing of it, and were not reported.
    pub boots: usize,
}

/// What a thread that judges hands on.
enum Judged {
    Report(Box<(Report, Run)>),
    /// That was all of a host.
    End(Silent),
}

impl Silent {
    const fn add(&mut self, more: Self) {
        self.hosts += more.hosts;
        self.boots += more.boots;
    }
}

/// Judges the hosts, in so many threads as the scan has. Of n threads, each judges every n-th host: so the next one is known, and the
/// threads that are ahead wait. Returns what was not reported.
pub(super) fn judge(scan: &Scan, logs: &[Log], hosts: &[Host<'_>], sink: &mut Sink<'_>) -> Silent {
    let threads = scan.threads.min(hosts.len().div_ceil(FEW));
    if threads > 1
        && let Some(silent) = in_threads(threads, scan, logs, hosts, sink)
    {
        return silent;
    }
    let mut silent = Silent::default();
    let mut judge = Judge::new(scan, logs);
    let mut wanted = true;
    for host in hosts {
        silent.add(judge.host(host, &mut |report, run| {
            wanted = wanted && sink(&report, &run);
            wanted
        }));
        if !wanted {
            break;
        }
    }
    silent
}

/// Judges every boot in the logs of a case, the last one with all that the case holds. Where the logs tell of several hosts and none
/// is chosen, or of no boot, the report is that of the whole case, which says so.
pub fn every_boot(case: &Case, sink: &mut Sink<'_>) -> Silent {
    let scan = Scan { asked: case.asked.clone(), options: case.options.clone(), now: case.now, ..Scan::default() };
    let hosts = hosts_of_case(&case.logs).hosts;
    let mut speaking = hosts.iter().filter(|host| host.kernel_records() > 0);
    let host = match &case.options.log_host {
        Some(chosen) => hosts.iter().find(|host| host.name.as_ref().is_some_and(|name| is_same_name(name, chosen))),
        None => speaking.next().filter(|_| speaking.next().is_none()),
    };
    let mut told = false;
    let mut judge = Judge { of_last: Some(case), ..Judge::new(&scan, &case.logs) };
    let silent = host.map(|host| {
        judge.host(host, &mut |report, run| {
            told = true;
            sink(&report, &run)
        })
    });
    if !told {
        sink(&conclude(case), &Run::default());
    }
    silent.unwrap_or_default()
}

/// Of n threads, each judges every n-th host: so the next one is known, and the threads that are ahead wait. None, and nothing is
/// told, where so many threads cannot be had.
fn in_threads(threads: usize, scan: &Scan, logs: &[Log], hosts: &[Host<'_>], sink: &mut Sink<'_>) -> Option<Silent> {
    std::thread::scope(|scope| {
        let start = |number: usize| {
            let (sender, receiver) = sync_channel(WAITING);
            let work = move || {
                let mut judge = Judge::new(scan, logs);
                let mut tell = |report, run| sender.send(Judged::Report(Box::new((report, run)))).is_ok();
                for host in hosts.iter().skip(number).step_by(threads) {
                    let silent = judge.host(host, &mut tell);
                    if sender.send(Judged::End(silent)).is_err() {
                        return;
                    }
                }
            };
            Builder::new().spawn_scoped(scope, work).ok().map(|_started| receiver)
        };
        // They end when nobody receives any more: the receivers go before the threads are waited for.
        let threads: Vec<Receiver<Judged>> = (0..threads).map(start).collect::<Option<_>>()?;
        let mut silent = Silent::default();
        for thread in threads.iter().cycle().take(hosts.len()) {
            for judged in thread {
                match judged {
                    Judged::Report(report) if sink(&report.0, &report.1) => {}
                    Judged::Report(_) => return Some(silent),
                    Judged::End(more) => {
                        silent.add(more);
                        break;
                    }
                }
            }
        }
        Some(silent)
    })
}

/// Judges the boots of hosts, one at a time.
struct Judge<'a> {
    scan: &'a Scan,
    logs: &'a [Log],
    /// What all boots have in common, and the logs of the one that is judged: a policy is long.
    case: Case,
    /// The case of each host's last boot, where there is more to it than the logs.
    of_last: Option<&'a Case>,
}

impl<'a> Judge<'a> {
    fn new(scan: &'a Scan, logs: &'a [Log]) -> Self {
        // Boots are chosen by their time here, before they are judged.
        let options = Options { boot: BootChoice::default(), window: Window::default(), ..scan.options.clone() };
        let case = Case { asked: scan.asked.clone(), options, now: scan.now, ..Case::default() };
        Self { scan, logs, case, of_last: None }
    }

    /// Judges every boot of a host. Those from before pciback is spoken of for the first time are not reported.
    fn host(&mut self, host: &Host<'_>, tell: &mut Tell<'_>) -> Silent {
        let speaks =
            |test: fn(&Boot) -> bool| move |parts: &&Vec<(usize, &Boot)>| parts.iter().any(|(_, boot)| test(boot));
        let boots: Vec<&Vec<(usize, &Boot)>> =
            host.boots_of(Wanted::Dom0).into_iter().filter_map(|at| host.boots.get(at)).collect();
        // By the witnesses alone no host is there, or it would be for where its lines happen to stand.
        if !boots.iter().any(speaks(is_notable)) {
            return Silent::default();
        }
        let asks = !matches!(self.scan.asked, Asked::Found { .. });
        let first = if asks { Some(0) } else { boots.iter().position(|parts| speaks(speaks_of_pciback)(parts)) };
        let Some(first) = first else {
            return Silent { hosts: 1, boots: boots.len() };
        };
        for (back, parts) in (0..boots.len()).rev().zip(&boots).skip(first) {
            let run = Run { back, first: first_of(parts), last: end_of(parts) };
            if self.scan.options.window.is_behind(parts) {
                continue;
            }
            self.case.logs = self.alone(parts);
            let mut report = conclude(self.of_last.filter(|_| back == 0).unwrap_or(&self.case));
            // An alarm is one in whichever boot. A boot that may not be the last one is not ok in its place.
            if back == 0 && self.of_last.is_none() && !host.last_is_known && report.verdict < Verdict::Unknown {
                self.case.logs = self.lasts(&boots);
                report = conclude(&self.case);
            }
            report.host = host.name.clone().or(report.host);
            if !tell(report, run) {
                break;
            }
        }
        Silent { hosts: 0, boots: first }
    }

    /// What the logs say of one boot, as logs of their own.
    fn alone(&self, parts: &BootParts<'_>) -> Vec<Log> {
        let mut alone: Vec<Log> = Vec::new();
        for (index, boot) in parts {
            let at = self.logs.binary_search_by_key(index, |log| log.index).ok();
            match (alone.iter_mut().find(|log| log.index == *index), at.and_then(|at| self.logs.get(at))) {
                (Some(log), _) => log.boots.push((*boot).clone()),
                // A boot of which only witnesses were selected is still a kernel's.
                (None, Some(log)) => {
                    let mut only = log.only(boot);
                    only.kernel_records = only.kernel_records.max(u64::from(boot.kernel_records > 0));
                    only.records = only.records.max(only.kernel_records);
                    alone.push(only);
                }
                (None, None) => {}
            }
        }
        alone
    }

    /// The last boot of each log, where nobody knows which of them is the last of all.
    fn lasts(&self, boots: &[&Vec<(usize, &Boot)>]) -> Vec<Log> {
        let lasts: BTreeMap<usize, &Boot> = boots.iter().flat_map(|parts| parts.iter().copied()).collect();
        self.alone(&lasts.into_iter().collect::<Vec<_>>())
    }
}

/// Whether a boot says anything, be it that it began.
fn is_notable(boot: &Boot) -> bool {
    boot.notable > 0 || boot.id.is_some()
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

fn first_of(parts: &BootParts<'_>) -> Option<Stamp> {
    // A file that says nothing else does not tell its years.
    let starts = || parts.iter().filter(|(_, boot)| boot.timed).map(|(_, boot)| boot.span.0);
    let dated = |stamp: &Stamp| stamp.wall.is_some_and(|wall| chrono::Datelike::year(&wall.local) != Wall::NO_YEAR);
    starts().find(dated).or_else(|| starts().next())
}
