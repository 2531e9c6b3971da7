//! The time that is asked about: which records and boots of a log count by their time.

use chrono::{DateTime, Datelike as _, FixedOffset, Utc};

use super::boot::Boot;
use super::log::Log;
use crate::record::{Input, Stamp, Wall, between};

/// The time that is asked about, and the zone of times that name none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Boots that ended before this are left out. Of the others every record counts: what came before it is how things came to be
    /// as they are.
    pub since: Option<DateTime<Utc>>,
    /// Later records are left out: things are as they were then.
    pub until: Option<DateTime<Utc>>,
    /// The zone of times that name none, as those of most syslog files.
    pub zone: Option<FixedOffset>,
}

impl Window {
    /// Whether no time is asked about.
    pub const fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// Gives a time its zone where the log names none.
    fn complete(&self, stamp: &mut Stamp) {
        if let Some(wall) = &mut stamp.wall {
            wall.offset = wall.offset.or(self.zone);
        }
    }

    /// Whether a time is known to be later than all that is asked about.
    fn is_over_at(&self, wall: &Wall) -> bool {
        self.until.is_some_and(|until| is_dated(wall) && wall.utc() > until.naive_utc())
    }

    /// Whether a boot is known to have ended before the time that is asked about.
    pub fn is_behind(&self, parts: &[(usize, &Boot)]) -> bool {
        let end = end_of(parts).and_then(|end| end.wall).filter(is_dated);
        self.since.is_some_and(|since| end.is_some_and(|end| end.utc() < since.naive_utc()))
    }

    /// Whether a time is asked about, and nothing says when this boot was.
    pub(super) fn cannot_place(&self, parts: &[(usize, &Boot)]) -> bool {
        !self.is_open() && !end_of(parts).and_then(|end| end.wall).is_some_and(|end| is_dated(&end))
    }
}

impl Log {
    /// Gives the next record its zone, notes its time, and says whether it is later than all that is asked about. One that is tells the
    /// year of the others all the same.
    pub(super) fn leaves_out(&mut self, input: &mut Input<'_>) -> bool {
        let Input::Record(record) = input else { return false };
        self.window.complete(&mut record.stamp);
        self.note_time(record);
        let Some(wall) = record.stamp.wall.filter(|_| self.window.until.is_some()) else { return false };
        let is_late = self.window.is_over_at(&self.dates.so_far(wall, self.modified));
        self.is_cut |= is_late;
        is_late
    }

    /// Marks the boots that may have gone on in the records that were left out: the last one of each host.
    pub(super) fn mark_cut(&mut self) {
        for lane in self.lanes.values().filter(|_| self.is_cut) {
            self.boots.get_mut(lane.boot).into_iter().for_each(|boot| boot.is_cut = true);
        }
    }
}

fn is_dated(wall: &Wall) -> bool {
    wall.local.year() != Wall::NO_YEAR
}

/// When the last record of a boot was made.
pub fn end_of(parts: &[(usize, &Boot)]) -> Option<Stamp> {
    let ends = parts.iter().filter(|(_, boot)| boot.timed).map(|(_, boot)| boot.span.1);
    ends.reduce(|one, other| if between(&one, &other).is_some_and(|ahead| ahead > 0) { other } else { one })
}
