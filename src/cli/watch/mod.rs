//! `watch`: prints how things stand, then a line for every change, until it is stopped.

mod outlet;
mod systemd;
mod textfile;

use std::time::Duration;

use pciback_audit::record::BootId;
use pciback_audit::render::{event_json, event_text};
use pciback_audit::report::{Change, Kind, Report, Snapshot, changes, events_skipped, new_boot, records_lost, state};
use pciback_audit::source::{self, Memory};

use super::listen::Listener;
use super::plan::Watch;
use super::rights::{self, OpenUevents};
use super::signals::Signals;
use super::watchdog::{self, AtSignal, Limits, Stage};
use super::{CANNOT_SAY, when, write};
use outlet::Outlet;
use systemd::Systemd;
use textfile::Textfile;

/// The least time between two looks at the host, whatever the kernel prints: a flood costs no more than this.
const CALM: Duration = Duration::from_millis(100);

/// How long the host gets to come to rest, where a look found a device in the middle of its set-up or something happened
/// during the look.
const STEADY: Duration = Duration::from_secs(2);

/// How often to look where nothing wakes us.
const ASK: Duration = Duration::from_secs(10);

/// The same at a copy of another machine's files.
const ASK_COPY: Duration = Duration::from_secs(1);

/// How soon to try again what could not be written.
const AGAIN: Duration = Duration::from_secs(5);

/// Watches until it is stopped, and says how the process is to end. The time limit ends when the watch begins.
pub(super) fn guarded(watch: Watch) -> u8 {
    let limits = Limits { timeout: watch.check.timeout, at_signal: AtSignal::EndWell, spent: Duration::ZERO };
    let heard = rights::of_watch(&watch);
    let work = move |stage: &Stage| match Watcher::begin(&watch, heard, stage).and_then(Watcher::run) {
        Ok(()) => 0,
        Err(why) => write::complain(&why, CANNOT_SAY),
    };
    watchdog::run(&limits, work, |why| write::complain(&why, CANNOT_SAY))
}

struct Watcher<'a> {
    plan: &'a Watch,
    listener: Listener<'a>,
    signals: Signals,
    outlet: Outlet,
    textfile: Option<Textfile<'a>>,
    systemd: Systemd,
    /// What was told last.
    told: Snapshot,
    report: Report,
    looked: Duration,
    /// Whether something happened since.
    fresh: bool,
    /// Since when the host has not been at rest.
    unsteady: Option<Duration>,
    /// Why the state could not be remembered, once that was said.
    forgetful: Option<source::FileError>,
}

impl<'a> Watcher<'a> {
    /// Reads the policy and opens what is written to before anything else is read: an error is then known at once.
    fn begin(plan: &'a Watch, heard: OpenUevents, stage: &Stage) -> Result<Self, String> {
        stage.enter("reading the policy");
        let asked = plan.check.request.read()?;
        let signals = Signals::of_watch()?;
        stage.enter("looking at what is written to");
        for (flag, path) in [("--textfile", &plan.textfile), ("--resume", &plan.resume)] {
            if let Some((path, why)) = path.as_deref().and_then(|path| Some((path, source::refusal(path)?))) {
                return Err(format!("{flag} {}: {why}", write::safe(path)));
            }
        }
        let outlet = Outlet::open(plan.output.as_deref())?;
        let remembered = plan.resume.as_deref().and_then(|path| {
            Memory::read(path).unwrap_or_else(|why| {
                write::complain(&format!("--resume {why}; beginning anew"), 0);
                None
            })
        });
        stage.enter("reading the kernel's log and the host's files");
        let mut listener = Listener::begin(&plan.check, asked, heard);
        let mut looked = listener.elapsed();
        let mut report = listener.look(false);
        while (listener.turn().any() || report.waiting.unsteady) && listener.elapsed() < STEADY {
            std::thread::sleep(CALM);
            looked = listener.elapsed();
            report = listener.look(false);
        }
        let mut watcher = Self {
            plan,
            listener,
            signals,
            outlet,
            textfile: plan.textfile.as_deref().map(Textfile::new),
            systemd: Systemd::default(),
            told: Snapshot::of(&report),
            report,
            looked,
            fresh: false,
            unsteady: None,
            forgetful: None,
        };
        for complaint in &watcher.listener.complaints {
            write::complain(complaint, 0);
        }
        if !stage.ready() {
            return Err("given up before it watched".to_owned());
        }
        let first = watcher.since(remembered);
        watcher.tell(&first);
        watcher.written();
        watcher.systemd.ready(&watcher.report);
        Ok(watcher)
    }

    /// What happened since the last watch of this boot, and how things stand.
    fn since(&self, remembered: Option<Memory>) -> Vec<Change> {
        let mut between = Vec::new();
        match remembered {
            Some(memory) if Some(memory.boot) == self.boot() => {
                let (first, _) = self.listener.sequences();
                let next = memory.sequence.map(|last| last.saturating_add(1));
                let lost = first.zip(next).map_or(0, |(first, next)| first.saturating_sub(next));
                between.extend((lost > 0).then(|| records_lost(lost)));
                // The verdict ends the state.
                let changes = changes(&memory.told, &self.report).into_iter();
                between.extend(changes.filter(|change| change.kind != Kind::Verdict));
            }
            Some(_) => between.push(new_boot()),
            None => {}
        }
        between.extend(state(&self.report));
        between
    }

    fn boot(&self) -> Option<BootId> {
        self.report.boot_id
    }

    fn run(mut self) -> Result<(), String> {
        while !self.signals.end() && !self.outlet.is_closed(self.plan.textfile.is_some()) {
            let due = self.due();
            let left = due.map(|due| due.saturating_sub(self.listener.elapsed()));
            let mut sources = self.listener.sources();
            sources.push(self.signals.source());
            let sink_gone = source::wait(&sources, self.outlet.sink(), left)?;
            if sink_gone {
                self.outlet.close();
            }
            self.turn(due);
        }
        self.systemd.stopping();
        self.flush();
        self.outlet.end();
        self.remember();
        Ok(())
    }

    /// When to wake although nothing happens; never, if there is nothing to wait for.
    fn due(&self) -> Option<Duration> {
        let times = [
            self.fresh.then(|| self.looked + CALM),
            self.listener.asks_every(ASK, ASK_COPY).map(|every| self.looked + every),
            self.textfile.as_ref().map(|textfile| self.looked + textfile.every()),
            self.outlet.is_stuck().then(|| self.looked.max(self.listener.elapsed()) + AGAIN),
            self.systemd.due(),
        ];
        times.into_iter().flatten().min()
    }

    /// Takes what happened, and looks at the host when there is reason to.
    fn turn(&mut self, due: Option<Duration>) {
        self.fresh |= self.listener.turn().any();
        let again = self.signals.again();
        if again {
            self.systemd.reloading();
            self.outlet.reopen();
        }
        let now = self.listener.elapsed();
        self.systemd.alive(now);
        let asked = due.is_some_and(|due| now >= due) && !self.fresh;
        if again || (asked && self.is_old(now)) || (self.fresh && now >= self.looked + CALM) {
            self.look(now);
        }
        if again {
            self.systemd.ready(&self.report);
        }
        self.flush();
    }

    /// Writes what can be written, and how many events were left out.
    fn flush(&mut self) {
        self.outlet.flush();
        if let Some(skipped) = self.outlet.skipped() {
            let line = self.line(&events_skipped(skipped));
            self.outlet.tell(&line);
            self.outlet.flush();
        }
    }

    /// Whether the last look is older than it may become where nothing wakes us.
    fn is_old(&self, now: Duration) -> bool {
        let asked = self.listener.asks_every(ASK, ASK_COPY).is_some_and(|every| now >= self.looked + every);
        asked || self.textfile.as_ref().is_some_and(|textfile| now >= self.looked + textfile.every())
    }

    fn look(&mut self, now: Duration) {
        self.report = self.listener.look(false);
        // The host's files are read one after the other: what changed meanwhile may be in some and not in others.
        let stirred = self.listener.turn().any();
        (self.looked, self.fresh) = (now, stirred);
        if stirred || self.report.waiting.unsteady {
            let since = *self.unsteady.get_or_insert(now);
            if now < since + STEADY {
                self.fresh = true;
                return;
            }
        } else {
            self.unsteady = None;
        }
        let changes = changes(&self.told, &self.report);
        self.told = Snapshot::of(&self.report);
        self.tell(&changes);
        self.written();
        if !changes.is_empty() {
            self.systemd.status(&self.report);
        }
    }

    fn tell(&mut self, changes: &[Change]) {
        for change in changes {
            let line = self.line(change);
            self.outlet.tell(&line);
        }
        self.outlet.flush();
        if !changes.is_empty() {
            self.remember();
        }
    }

    fn line(&self, change: &Change) -> String {
        let now = when::now();
        if self.plan.json { event_json(change, self.report.verdict, now) } else { event_text(change, now) }
    }

    fn written(&mut self) {
        let took = self.listener.elapsed().saturating_sub(self.looked);
        if let Some(textfile) = &mut self.textfile {
            textfile.write(&self.report, took);
        }
    }

    /// Notes what was told, so that the next watch does not tell it again.
    fn remember(&mut self) {
        let (Some(path), Some(boot)) = (&self.plan.resume, self.boot()) else { return };
        let memory = Memory { boot, sequence: self.listener.sequences().1, told: self.told.clone() };
        let trouble = memory.write(path).err();
        if trouble != self.forgetful {
            if let Some(why) = &trouble {
                write::complain(&format!("--resume {why}; will try again"), 0);
            }
            self.forgetful = trouble;
        }
    }
}
