//! Hands on the reports, host after host in the order of their names, whichever thread judged them.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, sync_channel};

use super::Scan;
use super::conclude::{Early, Judge, Silent};
use super::hosts::Hosts;
use crate::report::{Report, Run};
use crate::timeline::Log;

/// How many reports of a thread may wait for those of the hosts before.
const WAITING: usize = 16;

/// Fewer hosts than this are judged before threads would be there.
const FEW: usize = 16;

/// Takes a report, and which boot of its host it is about. Says whether more are wanted.
pub type Sink<'a> = dyn FnMut(&Report, &Run) -> bool + Send + 'a;

/// Has the hosts judged, and hands on the reports.
pub(super) struct Told<'a, 'b> {
    scan: &'a Scan,
    judge: Judge<'a>,
    ear: Ear<'a, 'b>,
    early: BTreeMap<usize, Early>,
    pub(super) silent: Silent,
}

/// Whoever is told.
struct Ear<'a, 'b> {
    sink: &'a mut Sink<'b>,
    wanted: bool,
}

impl Ear<'_, '_> {
    /// Hands on a report, if more are wanted. Says whether they still are.
    fn tell(&mut self, report: &Report, run: &Run) -> bool {
        self.wanted = self.wanted && (self.sink)(report, run);
        self.wanted
    }

    /// Hands on what a thread says of one host, as long as it is wanted. Returns what was not reported.
    fn hear(&mut self, thread: &Receiver<Word>) -> Silent {
        for word in thread {
            match word {
                Word::Report(report) if self.tell(&report.0, &report.1) => {}
                Word::Report(_) => break,
                Word::End(silent) => return silent,
            }
        }
        Silent::default()
    }
}

/// What comes out of a thread that judges.
enum Word {
    Report(Box<(Report, Run)>),
    /// That was all of a host.
    End(Silent),
}

impl<'a, 'b> Told<'a, 'b> {
    pub(super) fn new(scan: &'a Scan, sink: &'a mut Sink<'b>) -> Self {
        let ear = Ear { sink, wanted: true };
        Self { scan, judge: Judge::new(scan), ear, early: BTreeMap::new(), silent: Silent::default() }
    }

    /// Hands on a report that is about no boot.
    pub(super) fn tell(&mut self, report: &Report) {
        self.ear.tell(report, &Run::default());
    }

    /// Has boots judged that are over, of one log of a host.
    pub(super) fn early(&mut self, name: Option<&[u8]>, host: usize, log: &Log) {
        let Self { judge, ear, early, silent, .. } = self;
        if ear.wanted {
            let early = early.entry(host).or_default();
            silent.add(judge.early(name, log, early, &mut |report, run| ear.tell(&report, &run)));
        }
    }

    /// Has every boot of every host judged that was not judged early, by the name of the host.
    pub(super) fn all(&mut self, hosts: &Hosts) {
        if self.scan.threads > 1 && hosts.count() >= FEW {
            self.in_threads(hosts);
            return;
        }
        let Self { judge, ear, early, silent, .. } = self;
        for host in hosts.all() {
            if !ear.wanted {
                return;
            }
            let early = early.get(&host.1).copied().unwrap_or_default();
            silent.add(judge.host(host, hosts, early, &mut |report, run| ear.tell(&report, &run)));
        }
    }

    /// Of so many threads, each has every so manieth host: so it is known who comes next, and who is ahead has to wait.
    fn in_threads(&mut self, hosts: &Hosts) {
        let Self { scan, ear, early, silent, .. } = self;
        let (scan, early) = (*scan, &*early);
        std::thread::scope(|scope| {
            let start = |number: usize| {
                let (sender, receiver) = sync_channel(WAITING);
                let mine = hosts.all().skip(number).step_by(scan.threads);
                scope.spawn(move || {
                    let mut judge = Judge::new(scan);
                    let mut tell = |report, run| sender.send(Word::Report(Box::new((report, run)))).is_ok();
                    for host in mine {
                        let early = early.get(&host.1).copied().unwrap_or_default();
                        let silent = judge.host(host, hosts, early, &mut tell);
                        if sender.send(Word::End(silent)).is_err() {
                            return;
                        }
                    }
                });
                receiver
            };
            // They end when nobody takes what they say: these go before the threads are waited for.
            let threads: Vec<Receiver<Word>> = (0..scan.threads).map(start).collect();
            for thread in threads.iter().cycle().take(hosts.count()) {
                silent.add(ear.hear(thread));
                if !ear.wanted {
                    return;
                }
            }
        });
    }
}
