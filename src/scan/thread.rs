//! What one set of files holds of one host.

use chrono::{DateTime, Utc};

use super::seen::Mark;
use super::set::SetState;
use super::shapes::Shapes;
use super::strand::{Strand, Thing};
use super::years::Day;
use crate::event::Said;
use crate::record::{Gap, Input, Place, Record, Stamp, Wall};
use crate::timeline::{Keeps, Log};

/// From this length on, in bytes, what a strand holds is put into a log that keeps no more than the host has devices.
const LONGEST: usize = 64 << 10;

/// How many records of a host wait until it is known what stands before them: the first and the last that part of a file tells
/// of, and one or two by which a boot is known to be the kernel's.
const MOST_WAITING: usize = 4;

/// What one set holds of one host.
#[derive(Debug, Default)]
pub(super) struct Thread {
    pub(super) strand: Strand,
    /// In place of the strand, where that became too long.
    pub(super) live: Option<Box<Log>>,
    /// The last records that say nothing but that they are there, by their place, and the year of each. Where parts of a file
    /// meet, records that come later stand before them.
    pub(super) waiting: Vec<(Mark, u32)>,
}

impl Thread {
    /// Keeps a record that says nothing, until it is known what stands before it.
    pub(super) fn wait(&mut self, mark: Mark, year: u32, known: &mut Known<'_>) {
        let place = self.waiting.partition_point(|(known, _)| known.offset() < mark.offset());
        // It was seen from two parts.
        if self.waiting.get(place).is_some_and(|(known, _)| known.offset() == mark.offset()) {
            return;
        }
        // Most hosts have one.
        self.waiting.reserve_exact(1);
        self.waiting.insert(place, (mark, year));
        if self.waiting.len() > MOST_WAITING {
            let second = self.waiting.get(1).map_or(0, |(mark, _)| mark.offset());
            self.catch_up(second, known);
        }
    }

    /// Takes what waited, up to a place.
    pub(super) fn catch_up(&mut self, to: u64, known: &mut Known<'_>) {
        while self.waiting.first().is_some_and(|(mark, _)| mark.offset() < to) {
            let (mark, year) = self.waiting.remove(0);
            let mut record = mark.record(&[]);
            let dated = known.date(&record, year);
            self.take(&mut record, &[], dated, known);
        }
    }

    /// Writes down a record, or has it taken by the log.
    #[inline]
    pub(super) fn take(&mut self, record: &mut Record<'_>, said: &[Said], dated: Dated, known: &mut Known<'_>) {
        let Some(log) = &mut self.live else {
            self.strand.record(record, dated.year, known.shapes);
            return;
        };
        if !dated.is_too_late {
            record.stamp.wall = dated.wall;
            log.hear(record, said);
        }
    }

    /// Keeps it from growing without end. Returns what boots are over, of a host that has no other thread.
    pub(super) fn bound(&mut self, set: usize, alone: bool, known: &Known<'_>) -> Option<Log> {
        if let Some(log) = &mut self.live {
            if !alone || log.boots.len() < 2 {
                return None;
            }
            let mut over = known.state.log(set);
            over.boots = log.take_finished();
            return (!over.boots.is_empty()).then_some(over);
        }
        if self.strand.length() > LONGEST {
            let mut log = known.state.log(set);
            log.keeps = Keeps::PastAlone;
            replay(&self.strand, known.state, known.shapes, known.until, &mut log);
            (self.strand, self.live) = (Strand::default(), Some(Box::new(log)));
        }
        None
    }

    /// All of it as a log.
    pub(super) fn finish(&self, state: &SetState, shapes: &Shapes, until: Option<DateTime<Utc>>, set: usize) -> Log {
        let mut log = if let Some(log) = &self.live {
            Log::clone(log)
        } else {
            let mut log = state.log(set);
            replay(&self.strand, state, shapes, until, &mut log);
            log
        };
        let mut day = Day::default();
        for (mark, year) in &self.waiting {
            let mut record = mark.record(&[]);
            record.stamp.wall = state.date(&record, *year, &mut day);
            if !is_later(&record.stamp, until) {
                log.hear(&record, &[]);
            }
        }
        log.end();
        log
    }
}

/// What it takes to take a record.
pub(super) struct Known<'a> {
    pub(super) state: &'a SetState,
    shapes: &'a mut Shapes,
    until: Option<DateTime<Utc>>,
    day: Day,
}

impl<'a> Known<'a> {
    pub(super) fn new(state: &'a SetState, shapes: &'a mut Shapes, until: Option<DateTime<Utc>>) -> Self {
        Self { state, shapes, until, day: Day::default() }
    }

    /// Gives the year to a record's time.
    pub(super) fn date(&mut self, record: &Record<'_>, year: u32) -> Dated {
        let wall = self.state.date(record, year, &mut self.day);
        Dated { year, wall, is_too_late: is_later(&Stamp { wall, uptime: None }, self.until) }
    }
}

/// The time of a record, with its year.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dated {
    /// Which year of its file it is of, where that was inferred.
    year: u32,
    wall: Option<Wall>,
    /// Whether it is behind all that is asked for.
    is_too_late: bool,
}

fn is_later(stamp: &Stamp, until: Option<DateTime<Utc>>) -> bool {
    until.is_some_and(|until| stamp.wall.is_some_and(|wall| wall.utc() > until.naive_utc()))
}

/// Has a log take what a strand holds, with the places between where something could not be read.
pub(super) fn replay(strand: &Strand, state: &SetState, shapes: &Shapes, until: Option<DateTime<Utc>>, log: &mut Log) {
    let mut breaks = state.breaks.iter().copied().peekable();
    let (mut over, mut end, mut day) = (false, 0, Day::default());
    let gap = |offset| Input::Gap(Gap { place: Place { offset, ..Place::default() }, lost: None });
    let index = log.index;
    let broken = |offset| {
        let behind = state.breaks.last().is_some_and(|last| *last < offset);
        behind && state.broken_until.is_some_and(|until| offset <= until)
    };
    strand.read(shapes, &mut |thing| {
        let (Thing::Record(Record { place, .. }, _) | Thing::Boot(place, _) | Thing::Gap(Gap { place, .. })) = &thing;
        end = place.offset;
        while let Some(at) = breaks.next_if(|at| *at < place.offset) {
            log.take(gap(at));
        }
        if broken(place.offset) {
            log.take(gap(place.offset));
        }
        match thing {
            _ if over => {}
            Thing::Boot(place, id) => log.take(Input::Boot(place, id)),
            Thing::Gap(gap) => log.take(Input::Gap(gap)),
            Thing::Record(mut record, year) => {
                record.stamp.wall = state.date(&record, year, &mut day);
                record.place.log = index;
                over = is_later(&record.stamp, until);
                match record.message.is_empty() {
                    _ if over => {}
                    true => log.hear(&record, &[]),
                    false => log.take(Input::Record(record)),
                }
            }
        }
    });
    let behind = state.broken_until.filter(|until| *until > end);
    if let Some(at) = breaks.last().or(behind).filter(|_| !over) {
        log.take(gap(at));
    }
}
