//! The reader against a played `/dev/kmsg`, through every order of what a kernel can print and of what can go wrong when it
//! is read. The truth is what was printed, read or not.
//!
//! Sound: never ok when a record that could contradict it may be lost. Exact: what is lost is counted, once. Useful: with
//! nothing lost the verdict is the truth.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

mod support;

use std::collections::VecDeque;

use pciback_audit::audit::{Asked, Case, conclude};
use pciback_audit::report::Verdict;
use pciback_audit::source::{Drained, Reader, Ring};
use pciback_audit::timeline::{Keeps, Log, LogKind};
use pciback_audit::tree::Tree;
use rustix::io::Errno;

const ADDRESS: &str = "0000:00:1d.0";
const LIST: &str = "(0000:00:1d.0)";

/// What is printed next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Print {
    /// The banner and the command line.
    Boot,
    /// pciback takes the device, which it can do when nobody has it.
    Seize,
    /// Setting the device up fails, at once.
    Fail,
    /// The load comes to its end.
    Backend,
    /// Another driver takes the device from pciback.
    Take,
    /// User space writes a seizing line.
    Forge,
    /// Something else, three seconds later.
    Noise,
}
use Print::{Backend, Boot, Fail, Forge, Noise, Seize, Take};

/// What becomes of a record on its way to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Read,
    /// Overwritten before it was read: EPIPE, once for all that were overwritten in a row.
    Overrun,
    /// Missing without an error.
    Silent,
    /// Longer than the buffer: EINVAL, and it is skipped.
    Skipped,
    /// Something else comes in its place.
    Junk,
}
use Fate::{Junk, Overrun, Read, Silent, Skipped};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Emit(Print, Fate),
    /// A signal.
    Interrupt,
    /// The ring is empty for now: the audit is concluded, and goes on.
    Pause,
    /// The device ends.
    End,
}
use Step::{Emit, End, Interrupt, Pause};

/// What a read of the device gives.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Record { priority: u8, sequence: u64, micros: u64, text: &'static str },
    Junk,
    Error(Errno),
    End,
}

struct Played(VecDeque<Answer>);

impl Ring for Played {
    fn read(&mut self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
        let text = match self.0.pop_front() {
            None => return Err(Errno::AGAIN),
            Some(Answer::Error(error)) => return Err(error),
            Some(Answer::End) => return Ok(0),
            Some(Answer::Junk) => "<6>[    1.000000] pciback 0000:00:1d.0: xen_pciback: seizing device\n".to_owned(),
            Some(Answer::Record { priority, sequence, micros, text }) => {
                format!("{priority},{sequence},{micros},-;{text}\n SUBSYSTEM=pci\n DEVICE=+pci:{ADDRESS}\n")
            }
        };
        buffer[..text.len()].copy_from_slice(text.as_bytes());
        Ok(text.len())
    }
}

/// Who has the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Nobody,
    /// pciback, which is setting it up.
    Setup,
    Pciback,
    /// Its set-up has failed: it can be given to nobody.
    Broken,
    Other,
}

/// What is to be found out.
#[derive(Clone, Copy, Debug)]
struct Truth {
    owner: Owner,
    /// Whether pciback has it, by what could be known: of a record that is missing without an error nothing shows until
    /// another one is read.
    told: bool,
    /// Whether the last seizing line was read, and it is known that nothing behind it is lost.
    proved: bool,
    /// Records that were read, that came as junk, and that are missing between the first and the last that were read.
    counts: (u64, u64, u64),
    ended: bool,
}

/// A kernel and its ring.
#[derive(Clone)]
struct World {
    steps: Vec<Step>,
    answers: VecDeque<Answer>,
    sequence: u64,
    micros: u64,
    loaded: bool,
    /// Records that are missing since the last one that was read.
    missing: u64,
    begun: bool,
    truth: Truth,
    /// The truth at every pause.
    pauses: Vec<Truth>,
}

impl World {
    /// A ring whose first record has this number.
    fn new(sequence: u64) -> Self {
        let counts = (0, 0, 0);
        let truth = Truth { owner: Owner::Nobody, told: false, proved: false, counts, ended: false };
        Self {
            steps: Vec::new(),
            answers: VecDeque::new(),
            sequence,
            micros: 1_000_000,
            loaded: false,
            missing: 0,
            begun: false,
            truth,
            pauses: Vec::new(),
        }
    }

    /// The world after the step, where it can happen.
    fn after(&self, step: Step) -> Option<Self> {
        if self.truth.ended {
            return None;
        }
        let mut world = self.clone();
        world.steps.push(step);
        match step {
            Emit(what, fate) => world.print(what, fate)?,
            Interrupt => world.answers.push_back(Answer::Error(Errno::INTR)),
            Pause => {
                world.answers.push_back(Answer::Error(Errno::AGAIN));
                world.pauses.push(world.truth);
            }
            End => {
                world.answers.push_back(Answer::End);
                world.truth.ended = true;
                world.truth.proved = false;
            }
        }
        Some(world)
    }

    fn print(&mut self, what: Print, fate: Fate) -> Option<()> {
        let truth = &mut self.truth;
        self.micros += if what == Noise { 3_000_000 } else { 1_000 };
        truth.owner = match (what, truth.owner) {
            (Seize, Owner::Nobody) => Owner::Setup,
            (Fail, Owner::Setup) => Owner::Broken,
            (Take, Owner::Pciback) => Owner::Other,
            (Backend, _) if self.loaded => return None,
            (Backend | Noise, Owner::Setup) => Owner::Pciback,
            (Backend | Noise | Boot | Forge, owner) => owner,
            _ => return None,
        };
        self.loaded |= what == Backend;
        if fate != Silent {
            truth.told = truth.owner == Owner::Pciback;
        }
        match what {
            Boot => {
                self.put(5, "Linux version 6.1.0-56-amd64 (builder) #1 SMP", false, fate);
                self.put(6, "Command line: root=/dev/sda1 ro xen-pciback.hide=(0000:00:1d.0)", false, Read);
            }
            Seize => self.put(6, "pciback 0000:00:1d.0: xen_pciback: seizing device", true, fate),
            Fail => self.put(3, "pciback 0000:00:1d.0: xen_pciback: error -22 initializing device", false, fate),
            Backend => self.put(6, "xen_pciback: backend is vpci", false, fate),
            Take => self.put(6, "uhci_hcd 0000:00:1d.0: UHCI Host Controller", false, fate),
            Forge => self.put(14, "pciback 0000:00:1d.0: xen_pciback: seizing device", false, fate),
            Noise => self.put(6, "random: crng init done", false, fate),
        }
        Some(())
    }

    fn put(&mut self, priority: u8, text: &'static str, seizing: bool, fate: Fate) {
        let truth = &mut self.truth;
        let record = Answer::Record { priority, sequence: self.sequence, micros: self.micros, text };
        self.sequence += 1;
        if fate == Read {
            if self.begun && self.missing > 0 {
                // Now it shows.
                truth.proved = false;
                truth.counts.2 += self.missing;
            }
            truth.counts.0 += 1;
            (self.missing, self.begun) = (0, true);
            truth.proved |= seizing;
        } else {
            self.missing += 1;
            truth.proved &= fate == Silent && !seizing;
            truth.counts.1 += u64::from(fate == Junk);
        }
        match fate {
            Read => self.answers.push_back(record),
            Silent => {}
            Overrun if matches!(self.answers.back(), Some(Answer::Error(Errno::PIPE))) => {}
            Overrun => self.answers.push_back(Answer::Error(Errno::PIPE)),
            Skipped => self.answers.push_back(Answer::Error(Errno::INVAL)),
            Junk => self.answers.push_back(Answer::Junk),
        }
    }

    /// The files of the host as they are now.
    fn tree(&self) -> Tree {
        let (driver, handlers) = match self.truth.owner {
            Owner::Nobody => ("", ""),
            Owner::Setup | Owner::Pciback => ("pciback", "0000:00:1d.0:off:not acking:0\\n"),
            Owner::Broken => ("pciback", ""),
            Owner::Other => ("uhci_hcd", ""),
        };
        let link = format!("sys/bus/pci/devices/{ADDRESS}/driver -> ../../drivers/{driver}\n");
        let manifest = format!(
            "proc/xen/capabilities = control_d\\n\n\
             sys/bus/pci/devices/{ADDRESS}/class = 0x0c0300\\n\n\
             {}sys/bus/pci/drivers/pciback/slots = {ADDRESS}\\n\n\
             sys/bus/pci/drivers/pciback/irq_handlers = {handlers}\n\
             sys/module/xen_pciback/parameters/hide = {LIST}\\n\n",
            if driver.is_empty() { "" } else { &link },
        );
        support::tree(manifest.as_bytes())
    }

    /// Reads all there is, `most` records at a time, and looks at the log whenever the ring is empty.
    fn read(&self, most: u64, endless: bool, look: &mut dyn FnMut(&Log, &Truth)) -> Log {
        let mut reader = Reader::new(0, Played(self.answers.clone()));
        let mut log = Log::new(0, "kmsg".to_owned(), LogKind::Ring);
        log.keeps = if endless { Keeps::Past } else { Keeps::Facts };
        let mut truths = self.pauses.iter().chain([&self.truth]);
        loop {
            match reader.drain(most, &mut log) {
                Drained::More => continue,
                Drained::Empty | Drained::Ended(_) => {}
            }
            let mut seen = log.clone();
            seen.end();
            let Some(truth) = truths.next() else { return seen };
            look(&seen, truth);
            if std::ptr::eq(truth, &raw const self.truth) {
                return seen;
            }
        }
    }

    /// With a last record, behind which everything that is missing shows.
    fn settled(&self) -> Option<Self> {
        self.after(Emit(Noise, Read))
    }
}

fn verdict(log: &Log, tree: Option<Tree>, asked: Asked) -> Verdict {
    conclude(&Case { asked, tree, logs: vec![log.clone()], ..Case::default() }).verdict
}

fn device() -> Asked {
    Asked::Devices(vec![ADDRESS.parse().unwrap()])
}

/// The rings that a reading can begin with: whole, without its banner, and grown so old that only its end is left.
fn beginnings() -> Vec<World> {
    let booted = |fate| World::new(0).after(Emit(Boot, fate)).unwrap();
    vec![booted(Read), booted(Overrun), booted(Skipped), booted(Junk), World::new(1_000_000)]
}

/// Every world that `most` of these steps lead to from these beginnings.
fn every_world(beginnings: &[World], most: usize, steps: &[Step], check: &(dyn Fn(&World) + Sync)) {
    fn go(world: &World, left: usize, steps: &[Step], check: &dyn Fn(&World)) {
        check(world);
        if left > 0 {
            steps.iter().filter_map(|step| world.after(*step)).for_each(|world| go(&world, left - 1, steps, check));
        }
    }
    std::thread::scope(|scope| {
        for first in beginnings {
            scope.spawn(|| go(first, most, steps, check));
        }
    });
}

const PRINTS: [Print; 6] = [Seize, Fail, Backend, Take, Forge, Noise];

/// All that can happen.
fn all_steps() -> Vec<Step> {
    let fates = [Read, Overrun, Silent, Skipped, Junk];
    let prints = PRINTS.iter().flat_map(|what| fates.iter().map(|fate| Emit(*what, *fate)));
    prints.chain([Interrupt, Pause, End]).collect()
}

/// Each record read or overwritten.
fn few_steps() -> Vec<Step> {
    PRINTS.iter().flat_map(|what| [Emit(*what, Read), Emit(*what, Overrun)]).collect()
}

/// What must hold of a log whenever it is looked at.
fn assert_sound(world: &World, log: &Log, truth: &Truth) {
    let (read, junk, _) = truth.counts;
    assert_eq!((log.records, log.unparsed.1), (read, junk), "{:?}", world.steps);
    assert_eq!(log.failure.is_some(), truth.ended, "{:?}", world.steps);
    let found = verdict(log, None, device());
    assert!(found != Verdict::Ok || (truth.told && truth.proved), "{:?}: ok, but {truth:?}", world.steps);
}

#[test]
fn no_order_of_records_and_losses_yields_a_false_ok() {
    let check = |world: &World| {
        world.read(u64::MAX, false, &mut |log, truth| assert_sound(world, log, truth));
    };
    every_world(&beginnings(), 3, &all_steps(), &check);
    every_world(&beginnings(), 5, &few_steps(), &check);
}

#[test]
fn what_is_lost_is_counted_once_and_exactly() {
    every_world(&beginnings(), 3, &all_steps(), &|world| {
        let Some(world) = world.settled() else { return };
        let log = world.read(u64::MAX, false, &mut |_, _| {});
        assert_eq!((log.records, log.unparsed.1, log.lost), world.truth.counts, "{:?}", world.steps);
    });
}

#[test]
fn with_nothing_lost_the_verdict_is_the_truth() {
    let steps: Vec<Step> = few_steps().into_iter().filter(|step| !matches!(step, Emit(_, Overrun))).collect();
    let steps: Vec<Step> = steps.into_iter().chain([Interrupt, Pause]).collect();
    let whole = &beginnings()[..1];
    every_world(whole, 6, &steps, &|world| {
        let world = world.settled().unwrap();
        let log = world.read(u64::MAX, false, &mut |_, _| {});
        let forged = world.steps.contains(&Emit(Forge, Read));
        for asked in [device(), Asked::List(LIST.as_bytes().to_vec())] {
            let found = verdict(&log, None, asked);
            // What user space wrote about a device is worth a warning.
            let is_true = match world.truth.owner {
                Owner::Pciback => found == Verdict::Ok || (forged && found == Verdict::Warning),
                // That pciback says nothing is no proof before two minutes went by, and none of these worlds is so long.
                Owner::Nobody if !world.steps.contains(&Emit(Backend, Read)) => {
                    matches!(found, Verdict::Critical | Verdict::Unknown)
                }
                Owner::Nobody | Owner::Setup | Owner::Broken | Owner::Other => found == Verdict::Critical,
            };
            assert!(is_true, "{:?}: {found}", world.steps);
        }
    });
}

#[test]
fn a_seizing_line_behind_every_loss_is_proof_enough() {
    every_world(&beginnings(), 3, &all_steps(), &|world| {
        // The load of a module in a moment, as it is when nothing waits for a device.
        let steps = [Emit(Seize, Read), Emit(Backend, Read), Emit(Noise, Read)];
        let world = steps.iter().try_fold(world.clone(), |world, step| world.after(*step));
        let Some(world) = world else { return };
        let log = world.read(u64::MAX, false, &mut |_, _| {});
        assert_eq!(verdict(&log, None, device()), Verdict::Ok, "{:?}", world.steps);
    });
}

#[test]
fn a_host_that_proves_it_needs_no_whole_log() {
    every_world(&beginnings(), 3, &all_steps(), &|world| {
        let tree = world.tree();
        let log = world.read(u64::MAX, false, &mut |_, _| {});
        let found = verdict(&log, Some(tree), device());
        let expected = matches!(world.truth.owner, Owner::Setup | Owner::Pciback);
        assert_eq!(found == Verdict::Ok, expected, "{:?}: {found}", world.steps);
    });
}

#[test]
fn drains_of_every_size_read_the_same() {
    every_world(&beginnings(), 2, &all_steps(), &|world| {
        for endless in [false, true] {
            let looks = |most| {
                let mut looks = Vec::new();
                world.read(most, endless, &mut |log, _| looks.push(format!("{log:?}")));
                looks
            };
            let whole = looks(u64::MAX);
            assert_eq!(whole.len(), world.pauses.len() + 1);
            for most in [1, 2, 3] {
                assert_eq!(looks(most), whole, "{:?}, {most} at a time", world.steps);
            }
        }
    });
}

#[test]
fn a_log_without_end_is_judged_like_one_that_is_kept() {
    every_world(&beginnings(), 3, &all_steps(), &|world| {
        let judged = |endless| verdict(&world.read(u64::MAX, endless, &mut |_, _| {}), None, device());
        assert_eq!(judged(true), judged(false), "{:?}", world.steps);
    });
}
