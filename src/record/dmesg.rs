//! Lines as dmesg and consoles print them: `[    5.721955] text`, and what their options put before it.
//!
//! util-linux sys-utils/dmesg.c (2.23 to 2.41), `print_record`; kernel/printk/printk.c, `print_prefix`.

use chrono::Datelike as _;

use super::peel::{blanks, digits, number, split};
use super::time::{self, Fraction};
use super::{Author, Place, Record, Stamp, Wall};

/// Names of `dmesg -x`, by number (util-linux sys-utils/dmesg.c, `facility_names`).
const FACILITIES: [&[u8]; 24] = [
    b"kern",
    b"user",
    b"mail",
    b"daemon",
    b"auth",
    b"syslog",
    b"lpr",
    b"news",
    b"uucp",
    b"cron",
    b"authpriv",
    b"ftp",
    b"res0",
    b"res1",
    b"res2",
    b"res3",
    b"local0",
    b"local1",
    b"local2",
    b"local3",
    b"local4",
    b"local5",
    b"local6",
    b"local7",
];

/// Names of `dmesg -x`, by number (util-linux sys-utils/dmesg.c, `level_names`).
const LEVELS: [&[u8]; 8] = [b"emerg", b"alert", b"crit", b"err", b"warn", b"notice", b"info", b"debug"];

/// The author that a facility's name stands for.
pub(super) fn facility(name: &[u8]) -> Option<Author> {
    FACILITIES.contains(&name).then_some(if name == b"kern" { Author::Kernel } else { Author::User })
}

/// The level that a name stands for.
pub(super) fn level(name: &[u8]) -> Option<u8> {
    (0..).zip(LEVELS).find(|(_, level)| *level == name).map(|(number, _)| number)
}

/// `<6>`: facility * 8 + level, of syslog(2), of `dmesg -r` and of RFC 3164.
pub(super) fn priority(text: &[u8]) -> Option<(u32, &[u8])> {
    let (priority, rest) = number(text.strip_prefix(b"<")?)?;
    Some((u32::try_from(priority).ok()?, rest.strip_prefix(b">")?))
}

/// Who wrote a record with this priority: by syslog(2), if `call`, or by a saved log.
///
/// util-linux (2.38, `LOG_MAKEPRI` in `print_record`) mixes the facility into the level when it reads `/dev/kmsg` for
/// `dmesg -r`: what user space wrote as 12 or 14 comes out as 5 or 7, and 13 as 6. So a small number in a saved log proves
/// nothing.
pub(super) const fn author(priority: u32, call: bool) -> Author {
    match (priority, call) {
        (8.., _) => Author::User,
        (_, true) => Author::Kernel,
        (_, false) => Author::Unstated,
    }
}

/// Reads a line that starts with a priority, with names, or with one of dmesg's times. With `call`, syslog(2) gave it.
pub(super) fn decode(line: &[u8], place: Place, call: bool) -> Option<Record<'_>> {
    let mut record = Record::bare(place, line);
    match line {
        [b'<', ..] => {
            let (priority, rest) = priority(line)?;
            (record.author, record.level) = (author(priority, call), Some(super::level(priority)));
            timed(&mut record, rest);
        }
        [b'[' | b'0'..=b'9', ..] => {
            let (stamp, rest) = stamp(line)?;
            (record.stamp, record.message) = (stamp, rest.into());
        }
        [b'a'..=b'z', ..] => {
            let (author, level, rest) = names(line)?;
            (record.author, record.level) = (author, Some(level));
            timed(&mut record, rest);
        }
        _ => return None,
    }
    Some(record)
}

fn timed<'a>(record: &mut Record<'a>, text: &'a [u8]) {
    let (stamp, message) = stamp(text).unwrap_or((Stamp::default(), text));
    (record.stamp, record.message) = (stamp, message.into());
}

/// `kern  :info  : `: both names padded to six columns.
fn names(line: &[u8]) -> Option<(Author, u8, &[u8])> {
    let (name, rest) = split(line, memchr::memchr(b':', line.get(..16).unwrap_or(line))?);
    let author = facility(name.trim_ascii_end()).filter(|_| name.len() >= 6)?;
    let rest = rest.strip_prefix(b":")?;
    let (name, rest) = split(rest, memchr::memchr(b':', rest.get(..16).unwrap_or(rest))?);
    let level = level(name.trim_ascii_end()).filter(|_| name.len() == 6)?;
    let rest = rest.strip_prefix(b":")?;
    Some((author, level, rest.strip_prefix(b" ").unwrap_or(rest)))
}

/// The times that dmesg puts before a message (`--time-format` may be given several times), with the caller behind them, up to
/// where the message starts. xenconsoled's time stands before the one that the kernel printed.
pub(super) fn stamp(text: &[u8]) -> Option<(Stamp, &[u8])> {
    if let Some(read) = printed(text) {
        return Some(read);
    }
    let (mut kind, mut stamp, mut rest) = one(text)?;
    let mut kinds = [false; KINDS];
    loop {
        // What repeats a kind of time is part of the message.
        if let Some(seen) = kinds.get_mut(kind as usize) {
            *seen = true;
        }
        match one(rest) {
            Some((next, further, behind)) if kinds.get(next as usize) == Some(&false) => {
                stamp.uptime = stamp.uptime.or(further.uptime);
                stamp.wall = better(stamp.wall, further.wall);
                (kind, rest) = (next, behind);
            }
            _ => return Some((stamp, rest)),
        }
    }
}

/// The wall clock time that says more: with its offset, or at least with its year.
fn better(one: Option<Wall>, other: Option<Wall>) -> Option<Wall> {
    let says = |wall: &Wall| (wall.offset.is_some(), wall.local.year() != Wall::NO_YEAR);
    match (one, other) {
        (Some(one), Some(other)) if says(&other) > says(&one) => Some(other),
        (one, other) => one.or(other),
    }
}

/// The kinds of times that may stand in one line, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Uptime,
    Difference,
    Date,
    Relative,
    Iso,
}

const KINDS: usize = 5;

/// One time, and what stands behind it and its caller.
fn one(text: &[u8]) -> Option<(Kind, Stamp, &[u8])> {
    let Some(inside) = text.strip_prefix(b"[") else {
        let (wall, Fraction::Comma, rest) = time::rfc3339(text)? else { return None };
        return Some((Kind::Iso, Stamp { uptime: None, wall: Some(wall) }, message(rest)?));
    };
    let (kind, stamp, rest) = bracketed(inside)?;
    Some((kind, stamp, message(rest)?))
}

/// A time of the kernel that lost one of its brackets, where nothing else is wrong with it.
pub(super) fn unclosed(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let inside = text.strip_prefix(b"[");
    let (uptime, rest) = time::uptime(inside.unwrap_or(text))?;
    let message = match inside {
        Some(_) => rest.strip_prefix(b" ")?,
        None => rest.strip_prefix(b"] ")?,
    };
    message.first()?.is_ascii_alphanumeric().then_some((Stamp { uptime: Some(uptime), wall: None }, message))
}

/// Whether a text of which no time could be read begins like a time of the kernel.
pub(super) fn is_torn(text: &[u8]) -> bool {
    let Some(inside) = text.strip_prefix(b"[") else { return false };
    // Nothing else is padded behind a bracket.
    if inside.starts_with(b"  ") {
        return true;
    }
    let (seconds, rest) = digits(blanks(inside));
    let Some(rest) = rest.strip_prefix(b".").filter(|_| !seconds.is_empty()) else { return false };
    let (fraction, rest) = digits(rest);
    let padded = inside.starts_with(b" ");
    if padded && fraction.len() < 6 && rest.starts_with(b"] ") {
        return true;
    }
    (padded || fraction.len() > 2) && fraction.len() <= 6 && !matches!(rest, [b']' | b'.' | b':' | b'-', ..])
}

/// The time as the kernel prints it, with a message behind it that begins with a letter. Nearly all lines have this one.
fn printed(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let (uptime, rest) = time::uptime(text.strip_prefix(b"[")?)?;
    let message = rest.strip_prefix(b"] ")?;
    message.first()?.is_ascii_alphabetic().then_some((Stamp { uptime: Some(uptime), wall: None }, message))
}

/// What may stand between the brackets; the closing one is taken off the rest.
fn bracketed(inside: &[u8]) -> Option<(Kind, Stamp, &[u8])> {
    let wall = |kind, (wall, rest)| (kind, Stamp { uptime: None, wall: Some(wall) }, rest);
    let (kind, stamp, rest) = match blanks(inside) {
        [b'0'..=b'9', ..] => match time::uptime(inside) {
            Some((uptime, rest)) => (Kind::Uptime, Stamp { uptime: Some(uptime), wall: None }, rest),
            None => wall(Kind::Date, time::date_and_clock(inside)?),
        },
        [b'A'..=b'Z', ..] => match time::ctime(inside) {
            Some(read) => wall(Kind::Date, read),
            None => wall(Kind::Relative, time::reltime(inside)?),
        },
        [b'+' | b'-', rest @ ..] => (Kind::Relative, Stamp::default(), time::uptime(rest)?.1),
        [b'<', ..] => (Kind::Difference, Stamp::default(), inside),
        // A day of the week in another language than English.
        [b'a'..=b'z' | 0x80.., ..] => wall(Kind::Date, time::ctime(inside)?),
        _ => return None,
    };
    let rest = match blanks(rest) {
        [b'<', rest @ ..] => difference(rest)?,
        // The first line of `journalctl -o short-delta` has blanks in place of a difference.
        rest => rest,
    };
    Some((kind, stamp, rest.strip_prefix(b"]")?))
}

/// What stands behind the difference from the record before, which is below zero where several processors printed; `*` is
/// journalctl's mark of one that rests on the wall clock (systemd src/shared/logs-show.c, `output_timestamp_monotonic`).
fn difference(text: &[u8]) -> Option<&[u8]> {
    let text = blanks(text);
    let (_, rest) = time::uptime(text.strip_prefix(b"-").unwrap_or(text))?;
    blanks(rest.strip_prefix(b"*").unwrap_or(rest)).strip_prefix(b">")
}

/// The message behind a time: past the caller, which the console puts right behind the time (`[    T1]`, from 5.1 with
/// `CONFIG_PRINTK_CALLER`) and util-linux behind a space (2.40), and past the one space before the message.
fn message(text: &[u8]) -> Option<&[u8]> {
    let text = caller(text.strip_prefix(b" ").unwrap_or(text)).unwrap_or(text);
    match text {
        [b' ', rest @ ..] => Some(rest),
        [] => Some(text),
        _ => None,
    }
}

fn caller(text: &[u8]) -> Option<&[u8]> {
    let [b'T' | b'C', rest @ ..] = blanks(text.strip_prefix(b"[")?) else { return None };
    let (number, rest) = digits(rest);
    rest.strip_prefix(b"]").filter(|_| !number.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        let Some(record) = decode(line.as_bytes(), Place::default(), false) else { return "none".to_owned() };
        let uptime = record.stamp.uptime.map_or(String::new(), |uptime| uptime.to_string());
        let wall = record.stamp.wall.map_or(String::new(), |wall| {
            wall.local.to_string() + &wall.offset.map_or(String::new(), |offset| offset.to_string())
        });
        let level = record.level.map_or(String::new(), |level| level.to_string());
        let message = String::from_utf8_lossy(&record.message).into_owned();
        format!("{uptime}|{wall}|{:?}|{level}|{message}", record.author)
    }

    #[test]
    fn every_form_of_dmesg_is_read() {
        for (line, expected) in [
            ("[    5.721955] text", "5721955||Unstated||text"),
            ("[    5.721955]  text", "5721955||Unstated|| text"),
            ("[    5.721955]", "5721955||Unstated||"),
            ("[    5.721955] ", "5721955||Unstated||"),
            ("[12345.721955][    T1] text", "12345721955||Unstated||text"),
            ("[    5.721955] [    T1] text", "5721955||Unstated||text"),
            ("[    5.721955] [   C12] text", "5721955||Unstated||text"),
            ("[    5.721955] [   X12] text", "5721955||Unstated||[   X12] text"),
            ("<6>[   24.787468] text", "24787468||Unstated|6|text"),
            ("<6>[   24.787468][    T1] text", "24787468||Unstated|6|text"),
            ("<6>text", "||Unstated|6|text"),
            ("<12>[   24.787468] text", "24787468||User|4|text"),
            ("<14>text", "||User|6|text"),
            ("kern  :info  : [   24.787468] text", "24787468||Kernel|6|text"),
            ("kern  :info  : text", "||Kernel|6|text"),
            ("user  :warn  : [   24.787468] text", "24787468||User|4|text"),
            ("authpriv:notice: [   24.787468] text", "24787468||User|5|text"),
            ("local7:emerg : 2026-11-22T06:46:32,787468+00:00 text", "|2026-11-22 06:46:32.787468+00:00|User|0|text"),
            ("kern  :debug : [Sun Nov 22 06:46:32 2026] text", "|2026-11-22 06:46:32|Kernel|7|text"),
            ("[Sun Nov  2 06:46:32 2026] text", "|2026-11-02 06:46:32|Unstated||text"),
            ("2026-11-22T06:46:32,787468+01:00 text", "|2026-11-22 06:46:32.787468+01:00|Unstated||text"),
            ("[    1.234567 <    0.100000>] text", "1234567||Unstated||text"),
            ("[<    0.100000>] text", "||Unstated||text"),
            ("[Sun Nov 22 06:46:32 2026 <    0.100000>] text", "|2026-11-22 06:46:32|Unstated||text"),
            ("[Nov22 06:20] text", "|1972-11-22 06:20:00|Unstated||text"),
            ("[  +0.000012] text", "||Unstated||text"),
            ("[2026-11-22 06:20:37] [    1.000000] text", "1000000|2026-11-22 06:20:37|Unstated||text"),
            ("[2026-11-22 06:20:37] text", "|2026-11-22 06:20:37|Unstated||text"),
            ("[<   -0.000003>] text", "||Unstated||text"),
            ("[   24.700000 <   -0.000003>] text", "24700000||Unstated||text"),
            ("[   24.700000 <   24.700000 >] text", "24700000||Unstated||text"),
            ("[   24.700000 <   61.000000*>] text", "24700000||Unstated||text"),
            ("[    0.000000                ] text", "0||Unstated||text"),
            ("[   24.700000] [Sun Nov 22 06:20:24 2026] text", "24700000|2026-11-22 06:20:24|Unstated||text"),
            (
                "[<    5.300000>] 2026-11-22T06:20:30,000000+00:00 [   30.000000] [Nov22 06:20] text",
                "30000000|2026-11-22 06:20:30+00:00|Unstated||text",
            ),
            ("2026-11-22T06:20:30,000000+00:00 [  +0.000012] [T1] text", "|2026-11-22 06:20:30+00:00|Unstated||text"),
            ("[   24.700000] [   24.700000] text", "24700000||Unstated||[   24.700000] text"),
            ("[dim. nov. 22 06:46:32 2026] text", "|2026-11-22 06:46:32|Unstated||text"),
            ("[Sa Mär  7 09:15:30 2026 <    0.100000>] text", "|2026-03-07 09:15:30|Unstated||text"),
            ("[六 3月  7 09:15:30 2026] text", "|2026-03-07 09:15:30|Unstated||text"),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }

    #[test]
    fn a_time_without_one_bracket_is_read_and_a_torn_one_is_not() {
        let read = |text: &'static str| unclosed(text.as_bytes()).map(|(stamp, rest)| (stamp.uptime, rest));
        assert_eq!(read("[1.000000 pciback x"), Some((Some(1_000_000), &b"pciback x"[..])));
        assert_eq!(read("    1.000000] pciback x"), Some((Some(1_000_000), &b"pciback x"[..])));
        for text in ["[1.0000 pciback", "[   24.7", "[   24", "[   24.700000pciback", "[24.700 pciback"] {
            assert!(read(text).is_none() && is_torn(text.as_bytes()), "{text}");
        }
        for text in ["[1.5 GiB] text", "[10.0.0.1] text", "[mem 0x0-0x1]", "[12] text", "[ 5] x"] {
            assert!(!is_torn(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_prefix_is_text() {
        for line in [
            "[    5.721955]text",
            "[    5.72195] text",
            "[99999999999999999999.000000] text",
            "<6 text",
            "<99999999999999999999>text",
            "kern:info: text",
            "kernel:info  : text",
            "kern  :loud  : text",
            " [    5.721955] text",
            " <6>text",
            "2026-11-22T06:46:32.787468+01:00 gaia kernel: text",
            "[mem 0x0-0x1]",
        ] {
            assert_eq!(shown(line), "none", "{line}");
        }
    }
}
