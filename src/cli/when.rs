//! Times: the present one, and those that are typed for `--since` and `--until`.

use std::time::SystemTime;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

/// What is understood, for who typed something else.
const FORMS: &str = "expected a time such as 2026-11-22T06:20:00Z, '2026-11-22 06:20' or 2026-11-22 (UTC where no zone is \
                     given), now, today, yesterday, or a span such as '2 days ago', -2d or 90m";

/// Units as systemd.time(7) names them, in seconds; but a month has 30 days and a year 365.
const UNITS: &[(&[&str], i64)] = &[
    (&["seconds", "second", "secs", "sec", "s"], 1),
    (&["minutes", "minute", "mins", "min", "m"], 60),
    (&["hours", "hour", "hrs", "hr", "h"], 3600),
    (&["days", "day", "d"], 86_400),
    (&["weeks", "week", "w"], 7 * 86_400),
    (&["months", "month", "M"], 30 * 86_400),
    (&["years", "year", "y"], 365 * 86_400),
];

/// The time of the audit.
#[expect(clippy::disallowed_methods, reason = "an edge: the time of the audit")]
pub(super) fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// The instant that `text` means: RFC 3339; a date, with a clock or at its midnight; a word; or a span, which goes back
/// from now. What has no zone is UTC, as the time zone of a log's host is not that of its reader.
pub(super) fn when(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    let midnight = now.date_naive().and_time(NaiveTime::MIN).and_utc();
    let time = match text {
        "now" => Some(now),
        "today" => Some(midnight),
        "yesterday" => midnight.checked_sub_signed(TimeDelta::days(1)),
        _ => date(text).or_else(|| epoch(text)).or_else(|| now.checked_sub_signed(span(text)?)),
    };
    time.ok_or_else(|| FORMS.to_owned())
}

/// `2026-11-22`, `2026-11-22T06:20`, `2026-11-22 06:20:30.5+01:00`.
fn date(text: &str) -> Option<DateTime<Utc>> {
    let (day, rest) = text.split_at_checked(10)?;
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(digits(day.get(..4)?)?).ok()?,
        digits(day.get(4..)?.strip_prefix('-')?.get(..2)?)?,
        digits(day.get(7..)?.strip_prefix('-')?)?,
    )?;
    if rest.is_empty() {
        return Some(date.and_time(NaiveTime::MIN).and_utc());
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let end =
        rest.find(|letter: char| !letter.is_ascii_digit() && letter != ':' && letter != '.').unwrap_or(rest.len());
    let (clock, zone) = rest.split_at_checked(end)?;
    let local = NaiveDateTime::new(date, time(clock)?);
    local.checked_sub_offset(offset(zone.trim_start())?).map(|utc| utc.and_utc())
}

/// `06:20`, `06:20:30`, `06:20:30.25`.
fn time(text: &str) -> Option<NaiveTime> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let parts: Vec<&str> = whole.split(':').collect();
    let (hour, minute, second) = match (parts.as_slice(), fraction) {
        ([hour, minute], None) => (hour, minute, "00"),
        ([hour, minute, second], _) => (hour, minute, *second),
        _ => return None,
    };
    if [hour, minute, second].iter().any(|part| part.len() != 2) {
        return None;
    }
    let micros = match fraction {
        None => 0,
        Some(fraction) => {
            digits(&fraction.chars().take(9).collect::<String>())
                .filter(|_| fraction.bytes().all(|b| b.is_ascii_digit()))?;
            digits(&fraction.chars().chain("000000".chars()).take(6).collect::<String>())?
        }
    };
    NaiveTime::from_hms_micro_opt(digits(hour)?, digits(minute)?, digits(second)?, micros)
}

/// `Z`, `UTC`, `+01:00`, `-0330`, `+01`; UTC where there is none.
fn offset(text: &str) -> Option<FixedOffset> {
    if ["", "Z", "z", "UTC", "GMT"].contains(&text) {
        return FixedOffset::east_opt(0);
    }
    let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => (1, rest),
        (_, Some(rest)) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_at_checked(2)?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    let minutes =
        if minutes.is_empty() && rest.len() == 2 { 0 } else { digits(minutes).filter(|_| minutes.len() == 2)? };
    let seconds = i32::try_from(digits(hours)? * 3600 + minutes * 60).ok().filter(|_| minutes < 60)?;
    FixedOffset::east_opt(sign * seconds)
}

/// `@1795305600`: seconds since 1970, as `date +%s` prints them.
fn epoch(text: &str) -> Option<DateTime<Utc>> {
    let seconds = text.strip_prefix('@')?;
    let plain = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    DateTime::from_timestamp(seconds.parse().ok().filter(|_| plain)?, 0)
}

/// How far back `2 days ago`, `2d ago`, `-2d`, `90m` and `1h 30min` go.
fn span(text: &str) -> Option<TimeDelta> {
    let behind = text.strip_suffix("ago").map(|rest| (rest, rest.ends_with([' ', '\t'])));
    let mut rest = match (text.strip_prefix('-'), behind) {
        (Some(rest), None) | (None, Some((rest, true))) => rest,
        (None, None) => text,
        _ => return None,
    }
    .trim();
    let mut seconds: i64 = 0;
    while !rest.is_empty() {
        let (number, behind) = rest.split_at_checked(rest.find(|letter: char| !letter.is_ascii_digit())?)?;
        let behind = behind.trim_start();
        let end = behind.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at_checked(end)?;
        let (_, length) = UNITS.iter().find(|(names, _)| names.contains(&unit))?;
        seconds = number.parse::<i64>().ok()?.checked_mul(*length)?.checked_add(seconds)?;
        rest = behind.trim_start();
    }
    TimeDelta::try_seconds(seconds).filter(|_| text.bytes().any(|byte| byte.is_ascii_digit()))
}

fn digits(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let now = "2026-11-22T06:20:30Z".parse().unwrap();
        let rfc3339 = |time: DateTime<Utc>| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
        when(text, now).map_or("none".to_owned(), rfc3339)
    }

    #[test]
    fn a_date_is_utc_where_it_has_no_zone() {
        for (text, expected) in [
            ("2026-11-22T06:00:00Z", "2026-11-22T06:00:00Z"),
            ("2026-11-22 06:00:00Z", "2026-11-22T06:00:00Z"),
            ("2026-11-22T06:00:00.25+01:00", "2026-11-22T05:00:00.250Z"),
            ("2026-11-22 06:00:00 +0130", "2026-11-22T04:30:00Z"),
            ("2026-11-22T06:00-03", "2026-11-22T09:00:00Z"),
            ("2026-11-22 06:00 UTC", "2026-11-22T06:00:00Z"),
            ("2026-11-22", "2026-11-22T00:00:00Z"),
            ("2026-11-22 06:20", "2026-11-22T06:20:00Z"),
            ("2026-11-22 06:20:30", "2026-11-22T06:20:30Z"),
            (" 2026-11-22T06:20:30.123456789 ", "2026-11-22T06:20:30.123456Z"),
            ("@1795305600", "2026-11-22T00:00:00Z"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn words_and_spans_go_back_from_now() {
        for (text, expected) in [
            ("now", "2026-11-22T06:20:30Z"),
            ("today", "2026-11-22T00:00:00Z"),
            ("yesterday", "2026-11-21T00:00:00Z"),
            ("2 days ago", "2026-11-20T06:20:30Z"),
            ("2d ago", "2026-11-20T06:20:30Z"),
            ("-2d", "2026-11-20T06:20:30Z"),
            ("- 2 days", "2026-11-20T06:20:30Z"),
            ("90m", "2026-11-22T04:50:30Z"),
            ("1h 30min ago", "2026-11-22T04:50:30Z"),
            ("1h30m", "2026-11-22T04:50:30Z"),
            ("1 week ago", "2026-11-15T06:20:30Z"),
            ("2 weeks ago", "2026-11-08T06:20:30Z"),
            ("3 months ago", "2026-08-24T06:20:30Z"),
            ("3M", "2026-08-24T06:20:30Z"),
            ("1y", "2025-11-22T06:20:30Z"),
            ("30 seconds ago", "2026-11-22T06:20:00Z"),
            ("0s", "2026-11-22T06:20:30Z"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_is_understood() {
        for text in [
            "",
            "ago",
            "-",
            "2",
            "days ago",
            "2 days hence",
            "+2d",
            "--2d",
            "-2d ago",
            "2dago",
            "2 fortnights ago",
            "tomorrow",
            "2026",
            "2026-11",
            "2026-13-01",
            "2026-02-29",
            "2026-11-22T",
            "2026-11-22T06",
            "2026-11-22T6:00",
            "2026-11-22T25:00",
            "2026-11-22T06:00:00+1",
            "2026-11-22T06:00:00+01:75",
            "2026-11-22T06:00:00.Z",
            "2026-11-22T06:00:00 CET",
            "26-11-22",
            "+026-11-22",
            "99999999999999999999d",
            "999999999y",
            "@",
            "@-1",
            "2\u{b5}s",
            "2026\u{2010}11-22",
        ] {
            assert_eq!(shown(text), "none", "{text}");
        }
        assert!(when("soon", DateTime::UNIX_EPOCH).unwrap_err().starts_with("expected a time such as"));
    }
}
