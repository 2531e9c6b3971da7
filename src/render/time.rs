//! Times as reports write them.

use chrono::{DateTime, Datelike as _, SecondsFormat, Timelike as _, Utc};
use serde::Serialize;

use crate::record::{Stamp, Wall};
use crate::report;

/// RFC 3339 in UTC: seconds, and microseconds when there are any.
pub(super) fn date(time: DateTime<Utc>) -> String {
    let micros = time.nanosecond() / 1_000 != 0;
    time.to_rfc3339_opts(if micros { SecondsFormat::Micros } else { SecondsFormat::Secs }, true)
}

/// The same without fractions.
pub(super) fn to_the_second(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The instant that a wall clock time names, where it has a year and a zone.
pub(super) fn instant(stamp: &Stamp) -> Option<DateTime<Utc>> {
    let wall = stamp.wall.filter(|wall| wall.local.year() != Wall::NO_YEAR)?;
    Some(wall.local.checked_sub_offset(wall.offset?)?.and_utc())
}

/// The date of a record by its wall clock: in UTC, or without a zone where the log gives none. None where it has no year.
pub(super) fn wall(stamp: &Stamp) -> Option<String> {
    let local = || {
        let wall = stamp.wall.filter(|wall| wall.local.year() != Wall::NO_YEAR)?;
        Some(wall.local.format("%Y-%m-%dT%H:%M:%S").to_string())
    };
    instant(stamp).map(date).or_else(local)
}

/// The time of a record as its log writes it: seconds since boot as in `dmesg`, else the date.
pub(super) fn as_written(stamp: &Stamp) -> Option<String> {
    if let Some(uptime) = stamp.uptime {
        return Some(format!("{}.{:06}", uptime / 1_000_000, uptime % 1_000_000));
    }
    if let Some(instant) = instant(stamp) {
        return Some(date(instant));
    }
    let wall = stamp.wall?;
    let form = if wall.local.year() == Wall::NO_YEAR { "%b %e %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    Some(wall.local.format(form).to_string())
}

/// What `--since` and `--until` asked about.
#[derive(Serialize)]
pub(super) struct PrintedTimes {
    since: Option<String>,
    until: Option<String>,
}

pub(super) fn window(window: report::Window) -> Option<PrintedTimes> {
    let asked = PrintedTimes { since: window.since.map(date), until: window.until.map(date) };
    (!window.is_open()).then_some(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_fractions_only_when_it_needs_them() {
        let whole: DateTime<Utc> = "2026-11-22T06:00:00Z".parse().unwrap();
        assert_eq!(date(whole), "2026-11-22T06:00:00Z");
        assert_eq!(date(whole + chrono::Duration::microseconds(5)), "2026-11-22T06:00:00.000005Z");
    }

    #[test]
    fn a_time_without_year_or_zone_names_no_instant() {
        let local = "1972-11-02T06:00:00".parse().unwrap();
        let stamp = Stamp { uptime: None, wall: Some(Wall { local, offset: chrono::FixedOffset::east_opt(3600) }) };
        assert_eq!(instant(&stamp), None);
        assert_eq!(as_written(&stamp).unwrap(), "Nov  2 06:00:00");
        let local = "2026-11-22T06:00:00".parse().unwrap();
        let stamp = Stamp { uptime: None, wall: Some(Wall { local, offset: chrono::FixedOffset::east_opt(3600) }) };
        assert_eq!(as_written(&stamp).unwrap(), "2026-11-22T05:00:00Z");
        assert_eq!(as_written(&Stamp { uptime: Some(24_787_468), wall: None }).unwrap(), "24.787468");
    }
}
