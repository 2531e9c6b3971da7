//! The time that is asked about: which records and boots of a log count by their time.

use chrono::{DateTime, Datelike as _, FixedOffset, Utc};

use super::boot::Boot;
use crate::record::{Stamp, Wall, between};

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
    pub(super) fn complete(&self, stamp: &mut Stamp) {
        if let Some(wall) = &mut stamp.wall {
            wall.offset = wall.offset.or(self.zone);
        }
    }

    /// Whether a time is known to be later than all that is asked about.
    pub(super) fn is_over_at(&self, wall: &Wall) -> bool {
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

fn is_dated(wall: &Wall) -> bool {
    wall.local.year() != Wall::NO_YEAR
}

/// When the last record of a boot was made.
pub fn end_of(parts: &[(usize, &Boot)]) -> Option<Stamp> {
    let ends = parts.iter().filter(|(_, boot)| boot.timed).map(|(_, boot)| boot.span.1);
    ends.reduce(|one, other| if between(&one, &other).is_some_and(|ahead| ahead > 0) { other } else { one })
}
