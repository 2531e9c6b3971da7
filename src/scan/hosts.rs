//! Puts together what belongs to one host, from whatever file it comes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::batch::{Batch, Piece, Run};
use super::seen::Mark;
use super::set::{Named, SetState, file_of};
use super::shapes::Shapes;
use super::thread::{Known, Thread};
use crate::record::{BootId, Gap, Input, Place, Unparsed, Wall};
use crate::timeline::{Log, is_nameless};

/// How many places of a set are kept at which something could not be read. Behind these, up to the last one of all, every
/// record counts as one with something missing before it.
const MOST_BREAKS: usize = 1024;

/// The hosts of all logs.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// Where each host stands in `threads`, by its name.
    names: BTreeMap<Box<[u8]>, usize>,
    /// The same of hosts that no record names, by their set.
    nameless: BTreeMap<usize, usize>,
    pub(super) threads: Threads,
    pub(super) shapes: Shapes,
    pub(super) sets: Vec<SetState>,
    /// Records of ours that stand in a log of several hosts without saying of which they are.
    pub(super) unattributed: u64,
    until: Option<DateTime<Utc>>,
    /// Boots that nothing can be added to any more, with the host: there is one set only, and another boot follows. Many
    /// boots of many records would fill the memory otherwise.
    pub(super) finished: Vec<(usize, Log)>,
}

/// What is known of each host: what each set holds of it, by the set's number.
type Threads = Vec<Vec<(usize, Thread)>>;

impl Hosts {
    pub(super) fn new(sets: Vec<SetState>, until: Option<DateTime<Utc>>) -> Self {
        Self { sets, until, ..Self::default() }
    }

    /// Every host: its name where it has one, and where it stands in `threads`.
    pub(super) fn all(&self) -> impl Iterator<Item = (Option<&[u8]>, usize)> {
        let named = self.names.iter().map(|(name, at)| (Some(name.as_ref()), *at));
        named.chain(self.nameless.values().map(|at| (None, *at)))
    }

    /// How many hosts there are.
    pub(super) fn count(&self) -> usize {
        self.names.len() + self.nameless.len()
    }

    /// Takes what was found next in a set.
    pub(super) fn take(&mut self, set: usize, batch: &Batch) {
        if let Some(state) = self.sets.get_mut(set) {
            state.guess();
        }
        for piece in batch.pieces() {
            match piece {
                Piece::Run(run) => self.records(set, &run),
                Piece::Gap(gap, Some(host)) => self.gap(set, host, gap),
                Piece::Gap(gap, None) => self.flaw(set, gap.place.offset, "records are missing"),
                Piece::Boot(place, id) => self.boot(set, place, id),
                Piece::Unparsed(Unparsed { place, why, .. }) => self.flaw(set, place.offset, why.words()),
                Piece::Time(wall, host) => self.time(set, wall, host),
            }
        }
    }

    /// Counts the years by a line that may have been passed over. In a central log there are hosts whose clock was never set, so
    /// only those count that said something of ours before.
    fn time(&mut self, set: usize, wall: Wall, host: &[u8]) {
        let nameless = host.is_empty() || is_nameless(host);
        let known = if nameless { self.nameless.contains_key(&set) } else { self.names.contains_key(host) };
        if let Some(state) = self.sets.get_mut(set).filter(|_| known) {
            state.counting.note(&wall);
        }
    }

    /// Another boot begins in a set. Only journalctl says so, whose output is of one host.
    fn boot(&mut self, set: usize, place: Place, id: Option<BootId>) {
        let Some(state) = self.sets.get_mut(set) else { return };
        state.boot = id;
        for thread in self.threads.iter_mut().filter_map(|threads| thread_of(threads, set)) {
            thread.catch_up(place.offset, &mut Known::new(state, &mut self.shapes, self.until));
            match &mut thread.live {
                Some(log) => log.take(Input::Boot(place, id)),
                None => thread.strand.boot(&place, id, &mut self.shapes),
            }
        }
    }

    /// Notes what could not be read, at a place of a set.
    fn flaw(&mut self, set: usize, offset: u64, what: &str) {
        if let Some(state) = self.sets.get_mut(set) {
            state.flaws.entry(file_of(offset)).or_insert_with(|| (offset, what.to_owned(), 0)).2 += 1;
        }
        self.miss(set, offset);
    }

    /// Notes that records may be missing at a place of a set.
    pub(super) fn miss(&mut self, set: usize, offset: u64) {
        if let Some(state) = self.sets.get_mut(set) {
            if state.breaks.len() < MOST_BREAKS {
                state.breaks.push(offset);
            } else {
                state.broken_until = Some(offset);
            }
        }
        for thread in self.threads.iter_mut().filter_map(|threads| thread_of(threads, set)) {
            if let Some(log) = &mut thread.live {
                log.take(Input::Gap(Gap { place: Place { offset, ..Place::default() }, lost: None }));
            }
        }
    }

    /// Ends a file of a set.
    pub(super) fn end_file(&mut self, set: usize) {
        if let Some(state) = self.sets.get_mut(set) {
            state.end_file();
        }
    }

    /// Ends a set: if none of its records named a host, its path does.
    pub(super) fn end_set(&mut self, set: usize) {
        let Some(state) = self.sets.get(set) else { return };
        if let (Named::None, Some(host)) = (&state.named, &state.host) {
            let host = host.clone();
            self.christen(set, &host);
        }
    }

    fn records(&mut self, set: usize, run: &Run<'_>) {
        let host = self.host(set, run.host);
        let Self { threads, shapes, sets, until, finished, unattributed, .. } = self;
        let alone = sets.len() == 1;
        let Some(state) = sets.get_mut(set) else { return };
        let mut counting = state.counting;
        let mut thread = host.and_then(|host| Some((host, some_thread(threads.get_mut(host)?, set)?)));
        let mut known = Known::new(state, shapes, *until);
        let mut common = run.common();
        common.place.log = set;
        if known.state.boot.is_some() && common.place.sequence.is_none() {
            common.boot_id = common.boot_id.or(known.state.boot);
        }
        // What only shows that its host went on may come out of order.
        let counts = run.says_something();
        let number = |wall| if counts { counting.note(wall) } else { counting.clone().note(wall) };
        let year = common.stamp.wall.as_ref().map_or(0, number);
        let written = common.stamp.wall;
        let dated = known.date(&common, year);
        run.each(common, |record, said| {
            let Some((host, thread)) = &mut thread else {
                *unattributed += u64::from(!said.is_empty());
                return;
            };
            if said.is_empty() {
                record.stamp.wall = written;
                thread.wait(Mark::of(record), year, &mut known);
                return;
            }
            if !thread.waiting.is_empty() {
                thread.catch_up(record.place.offset, &mut known);
            }
            thread.take(record, said, dated, &mut known);
            if let Some(log) = thread.bound(set, alone, &known) {
                finished.push((*host, log));
            }
        });
        state.counting = counting;
    }

    fn gap(&mut self, set: usize, host: &[u8], gap: Gap) {
        let Some(host) = self.host(set, Some(host)) else { return };
        let (Some(state), Some(threads)) = (self.sets.get(set), self.threads.get_mut(host)) else { return };
        let Some(thread) = some_thread(threads, set) else { return };
        thread.catch_up(gap.place.offset, &mut Known::new(state, &mut self.shapes, self.until));
        match &mut thread.live {
            Some(log) => log.take(Input::Gap(gap)),
            None => thread.strand.gap(&gap),
        }
    }

    /// Which host's a record is that names this one, or none. None where nobody can tell.
    fn host(&mut self, set: usize, host: Option<&[u8]>) -> Option<usize> {
        let state = self.sets.get_mut(set)?;
        let Some(host) = host.filter(|host| !is_nameless(host)) else {
            return match &state.named {
                Named::None => Some(*self.nameless.entry(set).or_insert_with(|| more(&mut self.threads))),
                Named::One(host) => Some(place(&mut self.names, &mut self.threads, host)),
                Named::Several => None,
            };
        };
        match &state.named {
            Named::One(known) if **known == *host => {}
            Named::One(_) | Named::Several => state.named = Named::Several,
            Named::None => {
                state.named = Named::One(host.into());
                // What came before it had a name was its own: a machine learns its name while it starts.
                self.christen(set, host);
            }
        }
        Some(place(&mut self.names, &mut self.threads, host))
    }

    /// Gives what a set holds of its nameless host to the host of this name.
    fn christen(&mut self, set: usize, name: &[u8]) {
        let Some(from) = self.nameless.remove(&set) else { return };
        let threads = self.threads.get_mut(from).map(std::mem::take).unwrap_or_default();
        let at = place(&mut self.names, &mut self.threads, name);
        if let Some(known) = self.threads.get_mut(at) {
            known.extend(threads);
        }
    }
}

/// Where the host of this name stands, which may be new.
fn place(names: &mut BTreeMap<Box<[u8]>, usize>, threads: &mut Threads, name: &[u8]) -> usize {
    if let Some(at) = names.get(name) {
        return *at;
    }
    let at = more(threads);
    names.insert(name.into(), at);
    at
}

/// Makes room for another host. Returns where it stands.
fn more(threads: &mut Threads) -> usize {
    threads.push(Vec::new());
    threads.len() - 1
}

fn thread_of(threads: &mut [(usize, Thread)], set: usize) -> Option<&mut Thread> {
    threads.iter_mut().rev().find(|(of, _)| *of == set).map(|(_, thread)| thread)
}

/// The same, made where there is none yet.
fn some_thread(threads: &mut Vec<(usize, Thread)>, set: usize) -> Option<&mut Thread> {
    if !threads.iter().any(|(of, _)| *of == set) {
        // Most hosts are in one set, and there may be a hundred thousand of them.
        threads.reserve_exact(1);
        threads.push((set, Thread::default()));
    }
    thread_of(threads, set)
}
