//! What the name of a rotated file says: which log it is a part of, and how old a part.
//!
//! logrotate, newsyslog and savelog count (`kern.log.1`, `messages.0.gz`) or write the date (`kern.log-20261122`), in
//! front of the extension where they are told to keep it (`kern-20261122.log.gz`). Central log servers write files that
//! are named by the day from the start (`2026-11-22.log`).

use std::net::Ipv4Addr;

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime};

/// Suffixes of packed files. What is in them is found out by reading.
const PACKED: &[&[u8]] = &[b".gz", b".xz", b".zst", b".zstd", b".bz2", b".lz4", b".lzma", b".Z"];

/// Extensions that logs have, and that stay last where a writer was told to keep them.
const EXTENSIONS: &[&[u8]] = &[
    b".log",
    b".txt",
    b".json",
    b".jsonl",
    b".export",
    b".dmesg",
    b".kern",
    b".syslog",
    b".messages",
    b".out",
    b".err",
];

/// Names of logs, without host or extension.
const LOGS: &[&[u8]] = &[
    b"boot",
    b"console",
    b"daemon",
    b"debug",
    b"dmesg",
    b"journal",
    b"kern",
    b"kernel",
    b"kmsg",
    b"kmsg.raw",
    b"log",
    b"logs",
    b"messages",
    b"netconsole",
    b"serial",
    b"syslog",
    b"system",
    b"user",
    b"xen",
];

/// More suffixes than any writer puts one behind the other: `kern.log-20261122.gz-2026112306.backup` has four.
const MOST_SUFFIXES: usize = 5;

/// Longest number of a rotated file. Longer ones are process numbers and the like.
const MOST_DIGITS: usize = 4;

/// A file as a part of its log.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::source) struct RotatedName {
    /// The name of the log: what its newest part is called, which has no age. Empty but for the extension where files
    /// are named by the date alone.
    pub(in crate::source) base: Vec<u8>,
    pub(in crate::source) age: Age,
    pub(super) packed: bool,
    /// Whether `base` is a guess: `web.1.log` may be older than `web.log`, or be another host's.
    pub(super) guessed: bool,
}

/// How old a part is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::source) struct Age {
    pub(in crate::source) date: Option<Date>,
    /// The higher, the older.
    pub(in crate::source) number: Option<u32>,
}

/// A date in a name, and where one follows, a time in seconds that tells apart the files of one date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::source) struct Date(pub(super) NaiveDateTime, pub(super) u64);

/// Whether a file is called like one of journald's.
pub(in crate::source) fn is_journal(name: &str) -> bool {
    name.ends_with(".journal") || name.ends_with(".journal~")
}

/// A journal file that journald archived, by its first entry's number and time, or set aside as damaged, by the time
/// (systemd src/libsystemd/sd-journal/journal-file.c): `system@ID-NUMBER-TIME.journal`, `system@TIME-RANDOM.journal~`.
fn archived_journal(name: &[u8]) -> Option<(Vec<u8>, Date)> {
    let (stem, tail) = name.split_at(name.iter().rposition(|byte| *byte == b'@')?);
    let tail = std::str::from_utf8(tail.get(1..)?).ok()?;
    let time = match tail.strip_suffix(".journal") {
        Some(words) => words.rsplit('-').next()?,
        None => tail.strip_suffix(".journal~")?.split('-').next()?,
    };
    let micros = i64::from_str_radix(time, 16).ok().filter(|_| time.len() == 16)?;
    Some(([stem, b".journal"].concat(), Date(DateTime::from_timestamp_micros(micros)?.naive_utc(), 0)))
}

/// Reads a file name.
pub(in crate::source) fn member(name: &[u8]) -> RotatedName {
    let mut age = Age::default();
    let (mut rest, mut packed, mut guessed) = (name, false, false);
    // From the end, so that of two dates or numbers the one next to the name of the log remains.
    for _ in 0..MOST_SUFFIXES {
        if let Some((base, date)) = archived_journal(rest) {
            return RotatedName { base, age: Age { date: Some(date), number: None }, packed, guessed };
        }
        if let Some(shorter) = cut_any(rest, PACKED) {
            (rest, packed) = (shorter, true);
        } else if let Some(shorter) = cut_any(rest, &[b".backup"]) {
            rest = shorter;
        } else if let Some(shorter) = cut_any(rest, &[b".old", b".prev"]) {
            (rest, age.number) = (shorter, Some(1));
        } else if let Some((shorter, date)) = dated(rest) {
            (rest, age.date) = (shorter, Some(date));
        } else if let Some((shorter, number)) = numbered(rest) {
            (rest, age.number) = (shorter, Some(number));
        } else {
            break;
        }
    }
    let (mut stem, extension) = extension(rest);
    if !extension.is_empty() {
        if let Some((shorter, date)) = dated(stem) {
            (stem, age.date) = (shorter, Some(date));
        } else if let Some((shorter, number)) = numbered(stem) {
            (stem, age.number, guessed) = (shorter, Some(number), !is_log(shorter));
        }
    }
    RotatedName { base: [stem, extension].concat(), age, packed, guessed }
}

/// A name and its extension, which is empty where it has none that a log has.
pub(super) fn extension(name: &[u8]) -> (&[u8], &[u8]) {
    let known = EXTENSIONS.iter().find(|extension| name.ends_with(extension));
    name.split_at(name.len() - known.map_or(0, |extension| extension.len()))
}

/// Whether a name is that of a log as such, and neither a host's nor a program's.
pub(super) fn is_log(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    LOGS.contains(&extension(&name).0) || LOGS.contains(&name.as_slice())
}

/// The rest of a name that ends in a date, and the date.
pub(super) fn dated(name: &[u8]) -> Option<(&[u8], Date)> {
    let starts = (0..name.len()).filter(|start| match start.checked_sub(1).and_then(|before| name.get(before)) {
        Some(before) => matches!(before, b'-' | b'.' | b'_'),
        None => true,
    });
    // The longest first: the date of `-20261122-063000` does not begin at the time.
    for start in starts {
        let (before, tail) = name.split_at_checked(start)?;
        let Some((date, digits)) = date(tail) else { continue };
        let rest = before.split_last().map_or(before, |(_, rest)| rest);
        // A host may be called `node-2026`, or have six digits in its name; a day is unmistakable.
        if digits >= 8 || rest.is_empty() || extension(rest).1.len() > 1 || is_log(rest) {
            return Some((rest, date));
        }
    }
    None
}

/// A date that is all of `text`, and how many digits it is written with: `20261122`, `2026-11-22`, `2026112206`,
/// `20261122-063000`, `20261122-1795305600`, `1795305600`, `2026-11`, `202611`, `2026`.
fn date(text: &[u8]) -> Option<(Date, usize)> {
    let groups: Vec<&[u8]> = text.split(|byte| matches!(byte, b'-' | b'_' | b'T')).collect();
    if !groups.iter().all(|group| !group.is_empty() && group.iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    match lengths.as_slice() {
        [8, 10] => {
            let [day, seconds] = groups.as_slice() else { return None };
            Some((Date(calendar(day)?, number(seconds)?), 18))
        }
        [4 | 6 | 8 | 10 | 12 | 14]
        | [8, 2 | 4 | 6]
        | [4, 2]
        | [4, 2, 2]
        | [4, 2, 2, 2 | 4 | 6]
        | [4, 2, 2, 2, 2]
        | [4, 2, 2, 2, 2, 2] => {
            let digits = groups.concat();
            let date = calendar(&digits).or_else(|| epoch(&digits))?;
            Some((Date(date, 0), digits.len()))
        }
        _ => None,
    }
}

/// Year, month, day, hour, minute and second, one behind the other; what is left out is the least.
pub(super) fn calendar(digits: &[u8]) -> Option<NaiveDateTime> {
    let part = |at: usize, length: usize, least: u32| match digits.get(at..at + length) {
        Some(part) => number(part).and_then(|value| u32::try_from(value).ok()),
        None => Some(least),
    };
    let year = i32::try_from(part(0, 4, 0)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, part(4, 2, 1)?, part(6, 2, 1)?)?;
    let time = date.and_hms_opt(part(8, 2, 0)?, part(10, 2, 0)?, part(12, 2, 0)?)?;
    (1980..2100).contains(&time.year()).then_some(time)
}

/// Seconds since 1970, as ten digits: the years from 2001 on.
fn epoch(digits: &[u8]) -> Option<NaiveDateTime> {
    let seconds = number(digits).filter(|_| digits.len() == 10)?;
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0).map(|time| time.naive_utc())
}

/// The rest of a name that ends in a number, and the number.
fn numbered(name: &[u8]) -> Option<(&[u8], u32)> {
    let point = name.iter().rposition(|byte| *byte == b'.')?;
    let (rest, digits) = (name.get(..point)?, name.get(point + 1..)?);
    if rest.is_empty() || digits.len() > MOST_DIGITS {
        return None;
    }
    let number = u32::try_from(number(digits)?).ok()?;
    // The last part of an address or of a version is no number of a file.
    let before = rest.rsplit(|byte| *byte == b'.').next().unwrap_or(rest);
    let is_part = !before.is_empty() && before.iter().all(u8::is_ascii_digit);
    (!is_part || dated(rest).is_some() || is_address(rest)).then_some((rest, number))
}

/// Whether a name is an IPv4 address, as files and directories of hosts are called that have no name.
pub(super) fn is_address(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| name.parse::<Ipv4Addr>().is_ok())
}

fn number(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

/// `name` without the one of these endings that it has; a name is more than its ending.
fn cut_any<'a>(name: &'a [u8], endings: &[&[u8]]) -> Option<&'a [u8]> {
    endings.iter().find_map(|ending| name.strip_suffix(*ending)).filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str) -> String {
        let RotatedName { base, age, packed, guessed } = member(name.as_bytes());
        let mut parts = vec![String::from_utf8(base).unwrap()];
        parts.extend(age.date.map(|Date(date, more)| {
            let more = if more > 0 { format!("+{more}") } else { String::new() };
            format!("{}{more}", date.format("%Y%m%d-%H%M%S").to_string().trim_end_matches("-000000"))
        }));
        parts.extend(age.number.map(|number| number.to_string()));
        parts.extend(packed.then(|| "packed".to_owned()));
        parts.extend(guessed.then(|| "guessed".to_owned()));
        parts.join(" ")
    }

    #[test]
    fn a_name_says_which_log_it_is_a_part_of_and_how_old() {
        for (name, expected) in [
            ("kern.log", "kern.log"),
            ("kern.log.1", "kern.log 1"),
            ("kern.log.01", "kern.log 1"),
            ("kern.log.2.gz", "kern.log 2 packed"),
            ("messages.0.gz", "messages 0 packed"),
            ("dmesg.4.xz", "dmesg 4 packed"),
            ("dmesg.old", "dmesg 1"),
            ("kern.log.gz", "kern.log packed"),
            ("kern.log-20261122", "kern.log 20261122"),
            ("messages-20261122.gz", "messages 20261122 packed"),
            ("messages-20261122.xz", "messages 20261122 packed"),
            ("messages-2026112206.zst", "messages 20261122-060000 packed"),
            ("kern.log-20261122-1795305600", "kern.log 20261122+1795305600"),
            ("kern.log-1795305600", "kern.log 20261122-000000"),
            ("kern.log-20261122-0630", "kern.log 20261122-063000"),
            ("kern.log_2026-11-22T06", "kern.log 20261122-060000"),
            ("kern.log.20261122063000", "kern.log 20261122-063000"),
            ("kern.log.2026-11-22", "kern.log 20261122"),
            ("kern.log-2026-11", "kern.log 20261101"),
            ("kern.log-202611.gz", "kern.log 20261101 packed"),
            ("messages.2025", "messages 20250101"),
            ("kern-20261122.log", "kern.log 20261122"),
            ("kern-20261122.log.gz", "kern.log 20261122 packed"),
            ("kern.1.log", "kern.log 1"),
            ("kern.12.log.xz", "kern.log 12 packed"),
            ("web.1.log", "web.log 1 guessed"),
            ("kern.log-20261122.1", "kern.log 20261122 1"),
            ("kern.log.20261122.1.gz", "kern.log 20261122 1 packed"),
            ("kern.log-20261122.gz-2026112306.backup", "kern.log 20261122 packed"),
            ("2026-11-22.log", ".log 20261122"),
            ("20261122", " 20261122"),
            ("dom0-a.example.com-20261122.log", "dom0-a.example.com.log 20261122"),
            ("dom0.1", "dom0 1"),
        ] {
            assert_eq!(shown(name).trim_end(), expected.trim_end_matches("-000000"), "{name}");
        }
    }

    #[test]
    fn a_number_of_a_host_or_a_version_is_no_age() {
        for name in [
            "10.0.0.1",
            "10.0.0.1.log",
            "node-2026.log",
            "pc-201905.log",
            "dmesg-6.12.1",
            "core.123456",
            "kern.log-20261322",
            "kern.log-2026112",
            ".1",
            ".gz",
            "20",
            "",
        ] {
            assert_eq!(shown(name), name, "{name}");
        }
        assert_eq!(shown("10.0.0.1.2.gz"), "10.0.0.1 2 packed");
        assert_eq!(shown("10.0.0.1.log.2"), "10.0.0.1.log 2");
        assert_eq!(shown("10.0.0.1-20261122"), "10.0.0.1 20261122");
    }

    #[test]
    fn an_archived_journal_tells_its_first_entry() {
        let id = "00061c2a6f3b1e8a9d4f27c05b7e6a10";
        for name in [
            format!("system@{id}-0000000000000001-00065bfeda25e000.journal"),
            "system@00065bfeda25e000-0123456789abcdef.journal~".to_owned(),
        ] {
            assert!(shown(&name).starts_with("system.journal 2026"), "{name}: {}", shown(&name));
        }
        assert_eq!(shown("remote-gaia.journal"), "remote-gaia.journal");
        assert_eq!(shown("user@host.journal"), "user@host.journal");
    }

    #[test]
    fn any_bytes_are_a_name() {
        let named = member(b"\xff\xfe.log.1");
        assert_eq!((named.base.as_slice(), named.age.number), (&b"\xff\xfe.log"[..], Some(1)));
    }
}
