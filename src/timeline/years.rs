//! Finds out the years of times that were written without one (RFC 3164): from their order, and from when the file was
//! last written.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use super::boot::Boot;
use super::hosts::is_nameless;
use super::log::{Keeps, Log};
use super::moment::Moment;
use crate::event::Recogniser;
use crate::record::{Record, Stamp, Wall};

/// A step back that is longer begins a new year. A shorter one is a clock that was set, or a record that was delivered
/// late. Where the records are those of a year's few boots, they may be months apart, and so is the step back.
const LATE: TimeDelta = TimeDelta::days(30);

/// How late a record of December may come behind one of January and still be told from one of the next December.
const LATE_OVER_NEW_YEAR: TimeDelta = TimeDelta::days(2);

/// A clock that is ahead, and zones: a log may seem to be written at most so long after its file was.
const AHEAD: TimeDelta = TimeDelta::days(1);

/// Eight years may lie between two leap years, as from 1896 to 1904.
const MOST_BETWEEN_LEAP_YEARS: i32 = 8;

/// The number of the year that the first record is of. The year before has 0: its last records may come late.
const FIRST: u32 = 1;

/// Counts the years of one log, record by record. A log that several hosts write into needs one for each.
#[derive(Clone, Copy, Debug, Default)]
struct Years {
    /// The last record that was not late over New Year, and the number of its year.
    last: Option<(NaiveDateTime, u32)>,
    /// The latest time of that year.
    latest: NaiveDateTime,
    /// The first and the last year that has a 29th of February.
    leap: Option<(u32, u32)>,
    /// Whether years that are said to be leap years are not four years apart.
    contradicts: bool,
}

/// The years, found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Resolved {
    /// The year of number 0.
    zero: i32,
}

/// How many times the number of the year may change in a file. A log in which it changes more often has no order.
const MOST_TURNS: usize = 1024;

/// How many hosts of a log are known to have said something. Of the others no line tells the year.
const MOST_SPEAKERS: usize = 1 << 16;

/// Places from which on records are of another year, and its number.
type Turns = Vec<(u64, u32)>;

/// The years of the files of one log, found out while it is read.
#[derive(Clone, Debug, Default)]
pub struct Dates {
    counting: Years,
    /// Where the number of the year changes in the file that is being read, and to which.
    turns: Turns,
    /// The same of the files before, with their years.
    files: Vec<(Turns, Option<Resolved>)>,
    /// The hosts of which a record said something.
    speakers: BTreeSet<Box<[u8]>>,
}

impl Dates {
    /// Notes the time of the next record, where that tells the year.
    pub fn note(&mut self, record: &Record<'_>) {
        let Some(wall) = record.stamp.wall.filter(|wall| wall.local.year() == Wall::NO_YEAR) else { return };
        if self.counts(record) {
            self.note_wall(&wall, record.place.offset);
        }
    }

    /// Notes a time that stands at `offset`.
    pub fn note_wall(&mut self, wall: &Wall, offset: u64) {
        let number = self.counting.note(wall);
        if wall.local.year() != Wall::NO_YEAR || self.turns.last().is_some_and(|(_, last)| *last == number) {
            return;
        }
        if self.turns.len() < MOST_TURNS {
            self.turns.push((offset, number));
        } else {
            self.counting.contradicts = true;
        }
    }

    /// Whether the time of a record tells the year. In a central log there are hosts whose clock was never set, so only those
    /// count that said something so far.
    fn counts(&mut self, record: &Record<'_>) -> bool {
        let Some(host) = record.hostname.as_deref().filter(|host| !is_nameless(host)) else { return true };
        if self.speakers.contains(host) {
            return true;
        }
        let speaks = says_something(record);
        if speaks && self.speakers.len() < MOST_SPEAKERS {
            self.speakers.insert(host.into());
        }
        speaks
    }

    /// Ends a file, which was last written at `modified`.
    pub fn end_file(&mut self, modified: Option<DateTime<Utc>>) {
        let resolved = modified.and_then(|modified| self.counting.resolve(modified));
        self.files.push((std::mem::take(&mut self.turns), resolved));
        self.counting = Years::default();
    }

    /// The time of the record that was noted last, with its year, if the file ended behind it.
    pub fn so_far(&self, wall: Wall, modified: Option<DateTime<Utc>>) -> Wall {
        let resolved = modified.and_then(|modified| self.counting.resolve(modified));
        let number = self.turns.last().map_or(0, |(_, number)| *number);
        resolved.and_then(|resolved| resolved.date(&wall, number)).unwrap_or(wall)
    }

    /// The time of a record that stands at `offset`, with its year.
    fn date(&self, wall: &Wall, offset: u64) -> Option<Wall> {
        let begins = |turns: &Turns| turns.first().is_some_and(|(from, _)| *from <= offset);
        let (turns, resolved) = self.files.iter().rfind(|(turns, _)| begins(turns))?;
        let at = turns.partition_point(|(from, _)| *from <= offset);
        let (_, number) = turns.get(at.checked_sub(1)?)?;
        resolved.as_ref()?.date(wall, *number)
    }
}

impl Log {
    /// Notes the time of the next record.
    pub(super) fn note_time(&mut self, record: &Record<'_>) {
        if self.keeps == Keeps::Facts {
            self.dates.note(record);
        }
    }

    /// Gives the times of its boots their years, when all its files were read.
    pub(super) fn date(&mut self) {
        if !self.dates.turns.is_empty() {
            self.dates.end_file(self.modified);
        }
        let dates = std::mem::take(&mut self.dates);
        // In a log with its newest record first a step back is no new year.
        if !self.direction.ran_backwards() && dates.files.iter().any(|(_, resolved)| resolved.is_some()) {
            self.boots.iter_mut().for_each(|boot| date_boot(boot, &dates));
        }
        self.boots.iter_mut().for_each(|boot| boot.identity.dated = dated_start(boot));
    }
}

/// When a boot began, in microseconds since 1970, where the year is known: its start, in the year that is nearest to its first
/// record.
fn dated_start(boot: &Boot) -> Option<i64> {
    let first = boot.span.0.wall.filter(|wall| wall.local.year() != Wall::NO_YEAR)?.local;
    let Some(start) = boot.identity.start() else { return Some(first.and_utc().timestamp_micros()) };
    let start = DateTime::from_timestamp_micros(start)?.naive_utc();
    let years = (first.year() - 1..=first.year()).filter_map(|year| start.with_year(year));
    years.min_by_key(|start| (*start - first).abs()).map(|start| start.and_utc().timestamp_micros())
}

/// Whether a record says anything that is known.
pub(super) fn says_something(record: &Record<'_>) -> bool {
    let mut any = false;
    Recogniser::get().hear(record, &mut |_| any = true);
    any
}

fn date_boot(boot: &mut Boot, dates: &Dates) {
    let mut ends: Option<(Wall, Wall)> = None;
    for moment in &mut boot.moments {
        let (stamp, offset) = match moment {
            Moment::Fact(fact) => {
                let offset = fact.place.offset;
                if fact.stamp.wall.is_none_or(|wall| wall.local.year() != Wall::NO_YEAR) {
                    continue;
                }
                (&mut Arc::make_mut(fact).stamp, offset)
            }
            Moment::Gap { gap, stamp } => (stamp, gap.place.offset),
        };
        let Some(dated) = stamp.wall.as_ref().and_then(|wall| dates.date(wall, offset)) else { continue };
        stamp.wall = Some(dated);
        ends = Some((ends.map_or(dated, |(first, _)| first), dated));
    }
    let (from, to) = &mut boot.span;
    let Some((first, last)) = ends else {
        for (stamp, offset) in [(from, boot.places.0), (to, boot.places.1)] {
            stamp.wall = stamp.wall.and_then(|wall| dates.date(&wall, offset)).or(stamp.wall);
        }
        return;
    };
    // The first and the last record of the boot stand before and behind these.
    near(from, first, |wall| wall.local <= first.local + AHEAD, -1);
    near(to, last, |wall| wall.local >= last.local - AHEAD, 1);
}

/// Gives a time the year of another one, or the one beside it, so that `fits` holds.
fn near(stamp: &mut Stamp, other: Wall, fits: impl Fn(&Wall) -> bool, step: i32) {
    let Some(wall) = stamp.wall.filter(|wall| wall.local.year() == Wall::NO_YEAR) else { return };
    let year = other.local.year();
    let in_year = |year| Some(Wall { local: wall.local.with_year(year)?, ..wall });
    let dated = in_year(year).filter(&fits).or_else(|| in_year(year + step));
    stamp.wall = dated.or(stamp.wall);
}

impl Years {
    /// Notes the next record's time, and hands back the number of its year within the log. Times that have a year are
    /// none of our business: they are 0.
    fn note(&mut self, wall: &Wall) -> u32 {
        let now = wall.local;
        // Many are of the same second.
        if let Some((last, number)) = self.last
            && last == now
        {
            return number;
        }
        if now.year() != Wall::NO_YEAR {
            return 0;
        }
        if let Some((last, number)) = &mut self.last
            && last.date() == now.date()
        {
            *last = now;
            self.latest = self.latest.max(now);
            return *number;
        }
        let year = TimeDelta::days(366);
        let number = match self.last {
            None => self.turn(now, FIRST),
            Some((last, number)) if last - now > LATE => self.turn(now, number.saturating_add(1)),
            Some((last, number)) if now - last > year - LATE_OVER_NEW_YEAR => number.saturating_sub(1),
            Some((_, number)) => {
                self.last = Some((now, number));
                self.latest = self.latest.max(now);
                number
            }
        };
        if (now.month(), now.day()) == (2, 29) {
            let (first, before) = self.leap.unwrap_or((number, number));
            self.contradicts |= number.abs_diff(before) % 4 != 0;
            self.leap = Some((first.min(number), before.max(number)));
        }
        number
    }

    /// Begins the year of this number.
    fn turn(&mut self, now: NaiveDateTime, number: u32) -> u32 {
        self.last = Some((now, number));
        self.latest = now;
        number
    }

    /// Finds out the years of a file that was last written at `modified`: the latest ones in which its last record is not
    /// of the future, and which have their 29th of February. None where there is no such year.
    fn resolve(self, modified: DateTime<Utc>) -> Option<Resolved> {
        let (_, number) = self.last.filter(|_| !self.contradicts)?;
        let most = modified.naive_utc().checked_add_signed(AHEAD)?;
        let number = i32::try_from(number).ok()?;
        let is_leap = |year: i32| NaiveDate::from_ymd_opt(year, 2, 29).is_some();
        let fits = |year: &i32| {
            let zero = year - number;
            let has_leap_day = |number: u32| i32::try_from(number).is_ok_and(|number| is_leap(zero + number));
            let leaps = self.leap.is_none_or(|(first, last)| has_leap_day(first) && has_leap_day(last));
            // Where the latest time is itself of a 29th of February, only a leap year has it.
            leaps && self.latest.with_year(*year).is_some_and(|latest| latest <= most)
        };
        let year = (0..=MOST_BETWEEN_LEAP_YEARS + 1).map(|back| most.year() - back).find(fits)?;
        let zero = year - number;
        (zero + i32::try_from(FIRST).ok()? >= 1970).then_some(Resolved { zero })
    }
}

impl Resolved {
    /// The time with its year; as it is where it has one.
    fn date(self, wall: &Wall, number: u32) -> Option<Wall> {
        if wall.local.year() != Wall::NO_YEAR {
            return Some(*wall);
        }
        let year = self.zero.checked_add(i32::try_from(number).ok()?)?;
        Some(Wall { local: wall.local.with_year(year)?, offset: wall.offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(text: &str) -> Wall {
        let local = NaiveDateTime::parse_from_str(&format!("1972 {text}"), "%Y %b %d %H:%M").unwrap();
        Wall { local, offset: None }
    }

    /// The dates of these times in a file that was last written at that date.
    fn dates(modified: &str, times: &[&str]) -> Vec<String> {
        let mut years = Years::default();
        let numbers: Vec<_> = times.iter().map(|time| years.note(&wall(time))).collect();
        let modified = format!("{modified}T12:00:00Z").parse().unwrap();
        let Some(resolved) = years.resolve(modified) else { return vec!["none".to_owned()] };
        let date = |(time, number): (&&str, &u32)| {
            let date = resolved.date(&wall(time), *number);
            date.map_or("none".to_owned(), |wall| wall.local.format("%Y-%m-%d").to_string())
        };
        times.iter().zip(&numbers).map(date).collect()
    }

    #[test]
    fn the_last_record_is_of_the_latest_year_that_is_not_the_future() {
        for (modified, time, expected) in [
            ("2026-11-22", "Nov 22 06:00", "2026-11-22"),
            ("2026-11-22", "Nov 23 06:00", "2026-11-23"),
            ("2026-11-22", "Nov 24 06:00", "2025-11-24"),
            ("2027-01-03", "Dec 31 23:00", "2026-12-31"),
            // Ahead by its zone.
            ("2026-12-31", "Jan 01 01:00", "2027-01-01"),
            ("2026-12-30", "Jan 01 01:00", "2026-01-01"),
        ] {
            assert_eq!(dates(modified, &[time]), [expected], "{modified} {time}");
        }
    }

    #[test]
    fn a_year_ends_where_the_times_go_back() {
        assert_eq!(dates("2027-01-03", &["Dec 31 23:59", "Jan 01 00:00"]), ["2026-12-31", "2027-01-01"]);
        // The boots of three years.
        let boots = ["Mar 01 08:00", "Aug 03 08:00", "Jun 01 08:00", "Jul 01 08:00", "Feb 02 08:00"];
        assert_eq!(dates("2026-11-22", &boots), ["2024-03-01", "2024-08-03", "2025-06-01", "2025-07-01", "2026-02-02"]);
    }

    #[test]
    fn a_record_that_comes_late_ends_no_year() {
        let late = ["Nov 21 10:00", "Nov 22 06:00", "Nov 20 23:00", "Nov 22 06:01"];
        assert_eq!(dates("2026-11-22", &late), ["2026-11-21", "2026-11-22", "2026-11-20", "2026-11-22"]);
        let night = ["Dec 31 23:58", "Jan 01 00:01", "Dec 31 23:59", "Jan 01 00:02", "Dec 31 23:59"];
        let expected = ["2026-12-31", "2027-01-01", "2026-12-31", "2027-01-01", "2026-12-31"];
        assert_eq!(dates("2027-01-03", &night), expected);
        assert_eq!(dates("2027-01-03", night.get(1..).unwrap()), expected[1..], "late behind the first record");
    }

    #[test]
    fn the_29th_of_february_is_of_a_leap_year() {
        assert_eq!(dates("2026-11-22", &["Feb 29 10:00"]), ["2024-02-29"]);
        assert_eq!(dates("2024-02-28", &["Feb 29 10:00"]), ["2024-02-29"], "ahead by its zone");
        assert_eq!(dates("2024-02-20", &["Feb 29 10:00"]), ["2020-02-29"]);
        assert_eq!(dates("2026-11-22", &["Feb 29 10:00", "Jun 01 10:00"]), ["2024-02-29", "2024-06-01"]);
        assert_eq!(dates("2026-11-22", &["Feb 29 10:00", "Jan 01 10:00"]), ["2024-02-29", "2025-01-01"]);
        assert_eq!(dates("1903-11-22", &["Feb 29 10:00"]), ["none"], "there was no log then");
        assert_eq!(dates("2026-11-22", &["Feb 29 10:00", "Jan 01 10:00", "Feb 29 10:00"]), ["none"]);
    }

    #[test]
    fn what_cannot_be_known_is_not_claimed() {
        assert_eq!(Years::default().resolve("2026-11-22T06:00:00Z".parse().unwrap()), None);
        assert_eq!(dates("1970-06-01", &["Nov 22 06:00"]), ["none"], "a clock that was never set");
        let resolved = Resolved { zero: 2025 };
        assert_eq!(resolved.date(&wall("Feb 29 10:00"), 1), None);
        let dated = Wall { local: "2001-02-03T04:05:06".parse().unwrap(), offset: None };
        let with_year = resolved.date(&dated, 0);
        assert_eq!((Years::default().note(&dated), with_year), (0, Some(dated)));
    }
}
