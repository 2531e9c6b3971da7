//! One boot: whether two stretches of log belong to the same boot of the same machine.
//!
//! Everything that cuts a log into boots, lays logs over each other, gives lines to a host or compares a log with the running
//! machine asks here. What identifies a boot, strongest first: its id; the banner and the command line; the boot instant
//! (wall clock minus kernel clock); records that both hold.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use chrono::{DateTime, Datelike as _};

use crate::record::{BootId, Record, Stamp, Wall};

/// The answer to "do these two belong to the same boot?"
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// They do.
    Same,
    /// They do not.
    Different,
    /// Nothing decides it.
    CannotTell,
}

/// What identifies the boot that a stretch of log is of.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// The kernel's or journald's boot id.
    pub id: Option<BootId>,
    /// The banner, whole.
    pub banner: Option<Arc<[u8]>>,
    /// The kernel's command line, and whether printk may have cut it.
    pub command_line: Option<(Arc<[u8]>, bool)>,
    /// Wall clock at the banner.
    began: Option<Wall>,
    instants: Option<Instants>,
    /// When it began, in microseconds since 1970, once its year is known. Times without one may be of any year.
    pub(super) dated: Option<i64>,
    /// Records of this boot that another log may hold as well.
    prints: VecDeque<Print>,
}

/// A record as two logs of one boot both hold it: when, and a hash of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Print {
    /// Microseconds of the kernel's clock, or seconds of the wall clock where the record has only that.
    time: i64,
    text: u32,
    by_wall: bool,
}

/// The boot instants that records show, in microseconds: wall clock minus kernel clock.
#[derive(Clone, Copy, Debug)]
struct Instants {
    least: i64,
    most: i64,
    first: (u64, i64),
    last: (u64, i64),
    has_zone: bool,
    has_year: bool,
}

/// How many records are kept of the boot that a log is in, for comparison.
const MOST_PRINTS: usize = 4096;

/// How many of them are kept of a boot that is over, from the first and from the last.
const OLD_PRINTS: usize = 64;

/// Kernel clocks that are a multiple of this, in microseconds, may be of a timer tick: there every boot prints the same.
const TICK: u64 = 1_000;

/// From this kernel clock on, in microseconds, boots of one machine do not print the same at the same time.
const LATE: i64 = 3_000_000;

/// How many records at the same fine and late time make two stretches the same boot, and how many early ones.
const SHARED_LATE: usize = 2;
const SHARED_EARLY: usize = 8;

/// Boot instants this close are one: whole seconds, and the time that a log daemon takes to read what was before it.
const CLOSE: i64 = 5_000_000;

/// Boot instants further apart than this are two.
const FAR: i64 = 60_000_000;

const DAY: i64 = 86_400_000_000;

/// Starts that are further apart than this are of two years.
pub(super) const HALF_YEAR: u64 = 150 * 86_400 * 1_000_000;

impl Identity {
    /// Of a boot with this id.
    pub(super) fn of(id: Option<BootId>) -> Self {
        Self { id, ..Self::default() }
    }

    /// Notes a record of the kernel.
    pub(super) fn note(&mut self, record: &Record<'_>) {
        let stamp = &record.stamp;
        if let (Some(uptime), Some(wall)) = (stamp.uptime, &stamp.wall)
            && let Some(instant) = micros(wall).checked_sub_unsigned(uptime)
        {
            let zone = (wall.offset.is_some(), wall.local.year() != Wall::NO_YEAR);
            match &mut self.instants {
                Some(known) if (known.has_zone, known.has_year) == zone => known.add(uptime, instant),
                Some(_) => {}
                None => self.instants = Some(Instants::of(uptime, instant, zone)),
            }
        }
        if let Some(print) = Print::of(record) {
            if self.prints.len() == MOST_PRINTS {
                self.prints.remove(MOST_PRINTS / 2);
            }
            self.prints.push_back(print);
        }
    }

    /// Takes what another boot says as well that began at the same time by a clock which is not set.
    pub(super) fn begun_alike(&mut self, other: &Self) {
        self.join_names(other);
        self.began = other.began;
        self.instants = other.instants.map(|known| Instants::of(known.first.0, known.first.1, known.zone()));
    }

    /// Notes the banner.
    pub(super) fn begin(&mut self, text: Arc<[u8]>, stamp: &Stamp) {
        self.banner.get_or_insert(text);
        self.began = self.began.or(stamp.wall);
    }

    /// Another boot begins behind this one: few records are kept of it.
    pub(super) fn end(&mut self) {
        if self.prints.len() > 2 * OLD_PRINTS {
            let last = self.prints.len() - OLD_PRINTS;
            self.prints.drain(OLD_PRINTS..last);
        }
    }

    /// Takes no more room than it needs.
    pub(super) fn shrink(&mut self) {
        self.prints.shrink_to_fit();
    }

    /// About so many bytes it takes, with those of an index of its records.
    pub(super) fn weight(&self) -> usize {
        let banner = self.banner.as_ref().map_or(0, |text| text.len());
        let line = self.command_line.as_ref().map_or(0, |(text, _)| text.len());
        banner + line + 3 * size_of::<Print>() * self.prints.len()
    }

    /// Joins what the same boot says elsewhere.
    pub(super) fn join(&mut self, other: &Self) {
        self.join_names(other);
        self.began = self.began.or(other.began);
        match (&mut self.instants, other.instants) {
            (Some(known), Some(other)) => {
                known.add(other.first.0, other.first.1);
                known.add(other.last.0, other.last.1);
            }
            (None, instants) => self.instants = instants,
            (Some(_), None) => {}
        }
        self.prints.extend(other.prints.iter().take(MOST_PRINTS.saturating_sub(self.prints.len())));
    }

    /// The same of id, banner and command line alone; a line that is whole counts for more than one that may be cut.
    pub(super) fn join_names(&mut self, other: &Self) {
        self.id = self.id.or(other.id);
        self.banner = self.banner.take().or_else(|| other.banner.clone());
        if self.command_line.as_ref().is_none_or(|(_, cut)| *cut) {
            self.command_line = other.command_line.clone().or(self.command_line.take());
        }
    }

    /// Whether a record's clocks show the boot instant of this boot, by which a record that is late is told from a reboot.
    pub(super) fn holds_instant(&self, stamp: &Stamp) -> bool {
        let (Some(known), Some(uptime), Some(wall)) = (&self.instants, stamp.uptime, &stamp.wall) else { return false };
        let instant = micros(wall).saturating_sub_unsigned(uptime);
        known.ranges().into_iter().any(|(least, most)| (least - CLOSE..=most + CLOSE).contains(&instant))
    }

    /// Whether `later`, of the same host and without a beginning of its own, is of this boot although a clock was set in between: by
    /// both clocks its records come behind these, and its boot began before these were made.
    pub(super) fn goes_on_in(&self, later: &Self) -> bool {
        let (Some(one), Some(other)) = (&self.instants, &later.instants) else { return false };
        let years = one.has_year && other.has_year;
        let wall = |(uptime, instant): (u64, i64)| instant.saturating_add_unsigned(uptime);
        later.banner.is_none()
            && !self.is_of_another_year(later)
            && self.compare_names(later) != Sameness::Different
            && one.last.0 <= other.first.0
            && apart(wall(one.last), wall(other.first), years) >= 0
            && apart(wall(one.last), other.first.1, years) < -CLOSE
    }

    /// Whether its records have both clocks.
    pub(super) const fn has_instant(&self) -> bool {
        self.instants.is_some()
    }

    /// Whether a record's clocks show a boot instant that is far from that of this boot: another boot, or a clock that was set.
    pub(super) fn contradicts_instant(&self, stamp: &Stamp) -> bool {
        let (Some(known), Some(uptime), Some(wall)) = (&self.instants, stamp.uptime, &stamp.wall) else { return false };
        let instant = micros(wall).saturating_sub_unsigned(uptime);
        !(known.least - FAR..=known.most + FAR).contains(&instant)
    }

    /// Whether both belong to one boot.
    pub fn compare(&self, other: &Self) -> Sameness {
        let by_names = self.compare_names(other);
        if by_names != Sameness::CannotTell {
            return by_names;
        }
        let by_start = match (&self.instants, &other.instants) {
            (Some(one), Some(other)) => one.compare(other),
            _ => self.compare_starts(other),
        };
        let is_chance = by_start == Sameness::Same && self.is_of_another_year(other);
        let by_start = if is_chance { Sameness::CannotTell } else { by_start };
        if by_start == Sameness::CannotTell && self.shares_records(other) { Sameness::Same } else { by_start }
    }

    /// Whether both began in different years, by the dates of their files: that they began at the same time of the year is chance.
    fn is_of_another_year(&self, other: &Self) -> bool {
        self.dated.zip(other.dated).is_some_and(|(one, other)| one.abs_diff(other) > HALF_YEAR)
    }

    /// The same by id, banner and command line alone.
    pub(super) fn compare_names(&self, other: &Self) -> Sameness {
        if let (Some(one), Some(other)) = (self.id, other.id) {
            return if one == other { Sameness::Same } else { Sameness::Different };
        }
        if matches!((&self.banner, &other.banner), (Some(one), Some(other)) if one != other) {
            return Sameness::Different;
        }
        if let (Some((one, false)), Some((other, false))) = (&self.command_line, &other.command_line)
            && one != other
        {
            return Sameness::Different;
        }
        Sameness::CannotTell
    }

    /// Where one of them has no kernel clock beside its wall clock, the banner's wall clock stands for the boot instant.
    fn compare_starts(&self, other: &Self) -> Sameness {
        let start = |identity: &Self| {
            let has_year = |wall: &Wall| wall.local.year() != Wall::NO_YEAR;
            let by_banner = identity.began.map(|wall| (micros(&wall), wall.offset.is_some(), has_year(&wall)));
            identity.instants.map(|known| (known.least, known.has_zone, known.has_year)).or(by_banner)
        };
        let (Some(one), Some(two)) = (start(self), start(other)) else { return Sameness::CannotTell };
        if self.banner.is_none() || other.banner.is_none() {
            return Sameness::CannotTell;
        }
        // A log daemon may have read the banner long after it was printed.
        let exact = self.instants.is_none() && other.instants.is_none();
        by_distance(apart(one.0, two.0, one.2 && two.2), one.1 && two.1, if exact { CLOSE } else { FAR }, FAR)
    }

    /// Whether both hold several records whose times no other boot has.
    pub(super) fn shares_records(&self, other: &Self) -> bool {
        let (few, many) = if self.prints.len() < other.prints.len() { (self, other) } else { (other, self) };
        let few: BTreeSet<Print> = few.prints.iter().copied().collect();
        let of_another_year = self.is_of_another_year(other);
        let shared = many.prints.iter().filter(|print| few.contains(print) && !(print.by_wall && of_another_year));
        let (mut late, mut early, mut before) = (0, 0, i64::MIN);
        for print in shared {
            // In the same order: otherwise it is chance.
            if print.time < before {
                continue;
            }
            before = print.time;
            late += usize::from(print.by_wall || print.time >= LATE);
            early += 1;
        }
        late >= SHARED_LATE || early >= SHARED_EARLY
    }

    /// Records by which another log of the same boot is found.
    pub(super) fn prints(&self) -> impl Iterator<Item = &Print> {
        self.prints.iter()
    }

    /// When the boot began, in microseconds of the one year that all times are folded into, for a search.
    pub(super) fn start(&self) -> Option<i64> {
        self.instants.map(|known| known.least).or_else(|| self.began.as_ref().map(micros)).map(fold)
    }
}

/// Whether no other boot prints the same at this time of the kernel's clock.
pub(super) fn is_late(uptime: u64) -> bool {
    !uptime.is_multiple_of(TICK) && i64::try_from(uptime).is_ok_and(|uptime| uptime >= LATE)
}

impl Print {
    fn of(record: &Record<'_>) -> Option<Self> {
        let (time, by_wall) = match (record.stamp.uptime, &record.stamp.wall) {
            (Some(uptime), _) if uptime % TICK != 0 => (i64::try_from(uptime).ok()?, false),
            (Some(_), _) | (None, None) => return None,
            (None, Some(wall)) => (fold(micros(wall)).div_euclid(1_000_000), true),
        };
        let mut hasher = DefaultHasher::new();
        hasher.write(&record.message);
        let text = u32::try_from(hasher.finish() >> 32).unwrap_or_default();
        Some(Self { time, text, by_wall })
    }
}

impl Instants {
    const fn zone(&self) -> (bool, bool) {
        (self.has_zone, self.has_year)
    }

    /// Between what times they lie. Where a clock was set, other boots may lie between those before and those behind.
    const fn ranges(&self) -> [(i64, i64); 2] {
        let (first, last) = (self.first.1, self.last.1);
        if self.is_set() { [(first, first), (last, last)] } else { [(self.least, self.most); 2] }
    }

    /// Whether a clock was set within the boot.
    const fn is_set(&self) -> bool {
        self.most.saturating_sub(self.least) > FAR
    }

    const fn of(uptime: u64, instant: i64, (has_zone, has_year): (bool, bool)) -> Self {
        let at = (uptime, instant);
        Self { least: instant, most: instant, first: at, last: at, has_zone, has_year }
    }

    fn add(&mut self, uptime: u64, instant: i64) {
        self.least = self.least.min(instant);
        self.most = self.most.max(instant);
        if uptime < self.first.0 {
            self.first = (uptime, instant);
        }
        // Of one second the last record tells best: a log daemon reads what was before it all at once.
        if uptime >= self.last.0 {
            self.last = (uptime, instant);
        }
    }

    fn compare(&self, other: &Self) -> Sameness {
        let (early, late) = if self.first.0 <= other.first.0 { (self, other) } else { (other, self) };
        // The clocks drift apart: the kernel's is not set by NTP.
        let years = self.has_year && other.has_year;
        let (distance, drift) = if early.last.0 <= late.first.0 {
            (apart(early.last.1, late.first.1, years), late.first.0 - early.last.0)
        } else {
            let distance = |((one, other), (two, last)): ((i64, i64), (i64, i64))| {
                let (one, two) = (apart(one, last, years), apart(other, two, years));
                // Of opposite signs: the ranges of both overlap.
                if one >= 0 && two <= 0 { 0 } else { one.abs().min(two.abs()) }
            };
            let pairs = early.ranges().into_iter().flat_map(|one| late.ranges().map(|other| (one, other)));
            let distance = pairs.map(distance).min().unwrap_or(i64::MAX);
            if distance > CLOSE && (early.is_set() || late.is_set()) {
                return Sameness::CannotTell;
            }
            (distance, 0)
        };
        let drift = i64::try_from(drift).unwrap_or(i64::MAX);
        by_distance(distance, self.has_zone && other.has_zone, CLOSE + drift / 10_000, FAR + drift / 1000)
    }
}

/// What the distance between two starts says. Without both zones, any number of quarters of an hour may lie between.
fn by_distance(distance: i64, zones: bool, close: i64, far: i64) -> Sameness {
    let distance = distance.abs();
    let quarter = 15 * 60 * 1_000_000;
    let into = distance % quarter;
    let by_zone = !zones && distance <= 14 * 4 * quarter && into.min(quarter - into) <= close && distance > far;
    match distance {
        _ if distance <= close => Sameness::Same,
        _ if distance <= far || by_zone => Sameness::CannotTell,
        _ => Sameness::Different,
    }
}

/// Microseconds since 1970, as if a time without a zone were UTC.
fn micros(wall: &Wall) -> i64 {
    wall.utc().and_utc().timestamp_micros()
}

/// A time put into the year of those that are written without one.
fn fold(time: i64) -> i64 {
    let year = DateTime::from_timestamp_micros(time).and_then(|time| time.with_year(Wall::NO_YEAR));
    year.map_or(time, |time| time.timestamp_micros())
}

/// From one time to the other; by the shorter way around the year where one of them has none.
fn apart(one: i64, other: i64, years: bool) -> i64 {
    if years {
        return other.saturating_sub(one);
    }
    let year = 366 * DAY;
    let distance = (fold(other) - fold(one)).rem_euclid(year);
    if distance > year / 2 { distance - year } else { distance }
}
