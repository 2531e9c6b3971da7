//! The ways in which logs write a time, each peeled off the front of a text.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};

use super::Wall;
use super::peel::{blanks, digits, fixed, number, run, split, word};

const WEEKDAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

/// The short names of months in other languages than English: German, French, Spanish, Italian, Portuguese, Dutch, Danish, Swedish,
/// Norwegian, Russian, Ukrainian, Polish, Czech, Slovak, Hungarian, Romanian, Finnish, Turkish, Chinese, Japanese and Korean (glibc's
/// locales, `abmon`). `journalctl` and `dmesg -T` write those of the user's locale.
const MONTHS: [&[&str]; 12] = [
    &["jan", "jän", "janv", "ene", "gen", "янв", "січ", "sty", "led", "ian", "tammi", "oca", "1月", "1월"],
    &["feb", "févr", "fev", "фев", "лют", "lut", "úno", "febr", "helmi", "Şub", "2月", "2월"],
    &["mar", "mär", "mars", "mrt", "мар", "бер", "bře", "márc", "maalis", "3月", "3월"],
    &["apr", "april", "avril", "abr", "апр", "кві", "kwi", "dub", "ápr", "huhti", "nis", "4月", "4월"],
    &["mai", "may", "mag", "mei", "maj", "мая", "май", "тра", "kvě", "máj", "touko", "5月", "5월"],
    &["jun", "juin", "juni", "giu", "июн", "чер", "cze", "čen", "jún", "iun", "kesä", "haz", "6月", "6월"],
    &["jul", "juil", "juli", "lug", "июл", "лип", "lip", "čec", "júl", "iul", "heinä", "tem", "7月", "7월"],
    &["aug", "août", "ago", "авг", "сер", "sie", "srp", "elo", "ağu", "8月", "8월"],
    &["sep", "sept", "set", "сен", "вер", "wrz", "zář", "szept", "syys", "eyl", "9月", "9월"],
    &["oct", "okt", "ott", "out", "окт", "жов", "paź", "říj", "loka", "eki", "10月", "10월"],
    &["nov", "ноя", "лис", "lis", "marras", "kas", "11月", "11월"],
    &["dec", "dez", "déc", "dic", "des", "дек", "гру", "gru", "pro", "joulu", "ara", "12月", "12월"],
];

/// Year, month, day.
type Date = (i32, u32, u32);

/// Hour, minute, second.
type Clock = (u32, u32, u32);

/// What stands before the fraction of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fraction {
    /// Nothing: whole seconds.
    None,
    /// A full stop, as in syslog files.
    Point,
    /// A comma: only `dmesg --time-format=iso` writes one (util-linux sys-utils/dmesg.c, `iso_8601_time`).
    Comma,
}

/// Seconds and six digits, padded with spaces: `    1.648270` (kernel/printk/printk.c, `print_time`).
pub(super) fn uptime(text: &[u8]) -> Option<(u64, &[u8])> {
    let (seconds, rest) = number(blanks(text))?;
    let (micros, rest) = fixed::<6>(rest.strip_prefix(b".")?)?;
    if rest.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    Some((seconds.checked_mul(1_000_000)?.checked_add(u64::from(micros))?, rest))
}

/// Microseconds since 1970 UTC, as the journal keeps them.
pub(super) fn unix(micros: u64) -> Option<Wall> {
    let utc = DateTime::from_timestamp_micros(i64::try_from(micros).ok()?)?;
    Some(Wall { local: utc.naive_utc(), offset: FixedOffset::east_opt(0) })
}

/// `Jul  2 00:36:54`, `Jul 02 00:36:54.123456`: RFC 3164, section 4.1.2, and `journalctl -o short-precise`.
pub(super) fn rfc3164(text: &[u8]) -> Option<(Wall, &[u8])> {
    let (month, rest) = month(text)?;
    let (day, rest) = day(rest.strip_prefix(b" ")?)?;
    let (clock, rest) = clock(rest.strip_prefix(b" ")?)?;
    let (micros, _, rest) = fraction(rest);
    Some((Wall { local: moment((Wall::NO_YEAR, month, day), clock, micros)?, offset: None }, rest))
}

/// `2026-11-22T06:20:37.123456+00:00`, the offset also as `Z`, `+0000`, `+00` or left out.
pub(super) fn rfc3339(text: &[u8]) -> Option<(Wall, Fraction, &[u8])> {
    let (date, rest) = date(text)?;
    let (clock, rest) = clock(rest.strip_prefix(b"T")?)?;
    let (micros, fraction, rest) = fraction(rest);
    let local = moment(date, clock, micros)?;
    let (offset, rest) = offset(rest).map_or((None, rest), |(offset, rest)| (Some(offset), rest));
    Some((Wall { local, offset }, fraction, rest))
}

/// `Sun Nov 22 06:46:32 2026`: ctime(3), which `dmesg -T` writes in the language of its locale.
pub(super) fn ctime(text: &[u8]) -> Option<(Wall, &[u8])> {
    let (weekday, rest) = word(text);
    let is_name = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'.' || !byte.is_ascii();
    if weekday.is_empty() || weekday.len() > LONGEST_NAME || !weekday.iter().all(is_name) {
        return None;
    }
    let (month, rest) = month(rest)?;
    let (day, rest) = day(rest.strip_prefix(b" ")?)?;
    let (clock, rest) = clock(rest.strip_prefix(b" ")?)?;
    let (year, rest) = fixed::<4>(rest.strip_prefix(b" ")?)?;
    Some((Wall { local: moment((i32::try_from(year).ok()?, month, day), clock, 0)?, offset: None }, rest))
}

/// `Nov22 06:20`, the full stamps of `dmesg --reltime`: neither year nor seconds.
pub(super) fn reltime(text: &[u8]) -> Option<(Wall, &[u8])> {
    let (month, rest) = month(text)?;
    let (day, rest) = day(rest)?;
    let (hour, rest) = fixed::<2>(rest.strip_prefix(b" ")?)?;
    let (minute, rest) = fixed::<2>(rest.strip_prefix(b":")?)?;
    Some((Wall { local: moment((Wall::NO_YEAR, month, day), (hour, minute, 0), 0)?, offset: None }, rest))
}

/// `2026-11-22 07:05:53`, in brackets from xenconsoled (tools/console/daemon/io.c, `write_with_timestamp`).
pub(super) fn date_and_clock(text: &[u8]) -> Option<(Wall, &[u8])> {
    let (date, rest) = date(text)?;
    let (clock, rest) = clock(rest.strip_prefix(b" ")?)?;
    let (micros, _, rest) = fraction(rest);
    Some((Wall { local: moment(date, clock, micros)?, offset: None }, rest))
}

/// `Sun 2026-11-22 07:05:53.830344 UTC`: `journalctl -o short-full` and `-o verbose` (systemd src/basic/time-util.c,
/// `format_timestamp_style`). Abbreviations other than UTC are ambiguous, so they give no offset.
pub(super) fn full(text: &[u8]) -> Option<(Wall, &[u8])> {
    let (mut wall, rest) = date_and_clock(weekday(text)?)?;
    let (zone, rest) =
        run(rest.strip_prefix(b" ")?, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-'));
    wall.offset = match zone {
        [] => return None,
        b"UTC" | b"GMT" => FixedOffset::east_opt(0),
        other => offset(other).filter(|(_, rest)| rest.is_empty()).map(|(offset, _)| offset),
    };
    Some((wall, rest))
}

fn weekday(text: &[u8]) -> Option<&[u8]> {
    let (name, rest) = text.split_at_checked(3)?;
    WEEKDAYS.contains(&name).then_some(rest)?.strip_prefix(b" ")
}

/// Longest short name of a day or month, in bytes.
const LONGEST_NAME: usize = 12;

/// A month of another language than English, with the full stop that some have.
fn foreign_month(text: &[u8]) -> Option<(u32, &[u8])> {
    let text = if is_padded_month(text) { split(text, 1).1 } else { text };
    let end = text.iter().take(LONGEST_NAME).position(|byte| *byte == b' ')?;
    let (name, rest) = split(text, end);
    let name = name.strip_suffix(b".").unwrap_or(name);
    let is_one = |names: &&[&str]| names.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
    let at = MONTHS.iter().position(is_one)?;
    Some((u32::try_from(at + 1).ok()?, rest))
}

/// Whether a text begins like a month that is a number of two places, `" 3月"`: Japanese, Korean, and Chinese of Taiwan.
pub(super) const fn is_padded_month(text: &[u8]) -> bool {
    // The first bytes of the two words for a month.
    matches!(text, [b' ', b'1'..=b'9', 0xe6 | 0xec, ..])
}

fn month(text: &[u8]) -> Option<(u32, &[u8])> {
    english_month(text)
        .filter(|(_, rest)| !matches!(rest, [b'a'..=b'z' | b'.' | 0x80.., ..]))
        .or_else(|| foreign_month(text))
}

fn english_month(text: &[u8]) -> Option<(u32, &[u8])> {
    let (name, rest) = text.split_first_chunk()?;
    let number = match name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    Some((number, rest))
}

/// A day of the month: two digits, or a space and one (`%e`).
fn day(text: &[u8]) -> Option<(u32, &[u8])> {
    match text.strip_prefix(b" ") {
        Some(rest) => fixed::<1>(rest),
        None => fixed::<2>(text),
    }
}

fn date(text: &[u8]) -> Option<(Date, &[u8])> {
    let (year, rest) = fixed::<4>(text)?;
    let (month, rest) = fixed::<2>(rest.strip_prefix(b"-")?)?;
    let (day, rest) = fixed::<2>(rest.strip_prefix(b"-")?)?;
    Some(((i32::try_from(year).ok()?, month, day), rest))
}

fn clock(text: &[u8]) -> Option<(Clock, &[u8])> {
    let (hour, rest) = fixed::<2>(text)?;
    let (minute, rest) = fixed::<2>(rest.strip_prefix(b":")?)?;
    let (second, rest) = fixed::<2>(rest.strip_prefix(b":")?)?;
    Some(((hour, minute, second), rest))
}

/// The fraction of a second in microseconds; digits behind the sixth are dropped.
fn fraction(text: &[u8]) -> (u32, Fraction, &[u8]) {
    let (kind, rest) = match text {
        [b'.', rest @ ..] => (Fraction::Point, rest),
        [b',', rest @ ..] => (Fraction::Comma, rest),
        _ => return (0, Fraction::None, text),
    };
    let (digits, rest) = digits(rest);
    if digits.is_empty() {
        return (0, Fraction::None, text);
    }
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(6);
    (padded.fold(0, |value, digit| value * 10 + u32::from(digit - b'0')), kind, rest)
}

/// `+0000`, `+00:00`, `+00` or `Z`.
pub(super) fn offset(text: &[u8]) -> Option<(FixedOffset, &[u8])> {
    let (sign, rest) = match text {
        [b'Z', rest @ ..] => return Some((FixedOffset::east_opt(0)?, rest)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = fixed::<2>(rest)?;
    let (minutes, rest) = fixed::<2>(rest.strip_prefix(b":").unwrap_or(rest)).unwrap_or((0, rest));
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    Some((FixedOffset::east_opt(sign * seconds)?, rest))
}

/// Puts a date and a clock together. A leap second (`:60`) is how chrono wants it: in the fraction of second 59.
fn moment((year, month, day): Date, clock: Clock, micros: u32) -> Option<NaiveDateTime> {
    let (hour, minute, second, micros) = match clock {
        (hour, minute, 60) => (hour, minute, 59, micros + 1_000_000),
        (hour, minute, second) => (hour, minute, second, micros),
    };
    NaiveDate::from_ymd_opt(year, month, day)?.and_hms_micro_opt(hour, minute, second, micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(read: Option<(Wall, &[u8])>) -> String {
        read.map_or("none".to_owned(), |(wall, rest)| {
            let offset = wall.offset.map_or(String::new(), |offset| offset.to_string());
            format!("{}{offset}|{}", wall.local, String::from_utf8_lossy(rest))
        })
    }

    #[test]
    fn a_time_of_syslog_has_no_year_and_may_have_microseconds() {
        for (text, expected) in [
            ("Jul  2 00:36:54 gaia", "1972-07-02 00:36:54| gaia"),
            ("Nov 02 07:05:53.830344 x", "1972-11-02 07:05:53.830344| x"),
            ("Feb 29 00:00:00 x", "1972-02-29 00:00:00| x"),
            ("Jun 30 23:59:60 x", "1972-06-30 23:59:60| x"),
            ("Feb 30 00:00:00 x", "none"),
            ("Jul 2 00:36:54 x", "none"),
            ("Jul  2 25:36:54 x", "none"),
            ("Mär  7 09:15:30 dom0", "1972-03-07 09:15:30| dom0"),
            ("mars 07 09:15:30 dom0", "1972-03-07 09:15:30| dom0"),
            ("Mars 07 09:15:30.5 dom0", "1972-03-07 09:15:30.500| dom0"),
            ("déc. 07 09:15:30 dom0", "1972-12-07 09:15:30| dom0"),
            ("мая 07 09:15:30 dom0", "1972-05-07 09:15:30| dom0"),
            ("12月 07 09:15:30 dom0", "1972-12-07 09:15:30| dom0"),
            ("Möre 07 09:15:30 dom0", "none"),
        ] {
            assert_eq!(shown(rfc3164(text.as_bytes())), expected, "{text}");
        }
    }

    #[test]
    fn a_time_of_rfc_3339_has_any_offset_or_none() {
        for (text, expected) in [
            ("2026-11-22T06:20:37.123456+00:00 x", "2026-11-22 06:20:37.123456+00:00| x"),
            ("2026-11-22T06:20:37.123456789-0330 x", "2026-11-22 06:20:37.123456-03:30| x"),
            ("2026-11-22T06:20:37Z x", "2026-11-22 06:20:37+00:00| x"),
            ("2026-11-22T06:20:37.5 x", "2026-11-22 06:20:37.500| x"),
            ("2026-11-22T06:20:37+99:00 x", "2026-11-22 06:20:37|+99:00 x"),
            ("2026-13-22T06:20:37 x", "none"),
        ] {
            assert_eq!(shown(rfc3339(text.as_bytes()).map(|(wall, _, rest)| (wall, rest))), expected, "{text}");
        }
    }

    #[test]
    fn only_utc_names_a_zone_for_certain() {
        for (text, expected) in [
            ("Sun 2026-11-22 07:05:53 UTC dom0", "2026-11-22 07:05:53+00:00| dom0"),
            ("Sun 2026-11-22 07:05:53.5 +03 dom0", "2026-11-22 07:05:53.500+03:00| dom0"),
            ("Sun 2026-11-22 07:05:53 CET dom0", "2026-11-22 07:05:53| dom0"),
            ("Xyz 2026-11-22 07:05:53 CET dom0", "none"),
        ] {
            assert_eq!(shown(full(text.as_bytes())), expected, "{text}");
        }
    }

    #[test]
    fn an_uptime_that_fits_no_counter_is_no_time() {
        assert_eq!(uptime(b"    1.648270] x"), Some((1_648_270, &b"] x"[..])));
        for wrong in
            ["99999999999999999999.000000]", "18446744073709.999999]", "1.5]", "1.0000000]", ".000000]", "-1.000000]"]
        {
            assert_eq!(uptime(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
