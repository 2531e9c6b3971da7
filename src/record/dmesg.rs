//! Lines as dmesg and consoles print them: `[    5.721955] text`, and what their options put before it.
//!
//! util-linux sys-utils/dmesg.c (2.23 to 2.41), `print_record`; kernel/printk/printk.c, `print_prefix`.

use super::peel::{blanks, digits, number, split};
use super::time::{self, Fraction};
use super::{Author, Place, Record, Stamp};

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

/// Who wrote a record with this priority, by syslog(2) and `dmesg -r`.
///
/// util-linux (2.38, `LOG_MAKEPRI` in `print_record`) mixes the facility into the level when it reads `/dev/kmsg`: what user
/// space wrote as 12 or 14 comes out as 5 or 7, and 13 would come out as 6. Only root can write there, and the recogniser
/// takes a seizing line at level 6 only; that much is trusted here.
const fn author(priority: u32) -> Author {
    if priority >= 8 { Author::User } else { Author::Kernel }
}

/// Reads a line that starts with a priority, with names, or with one of dmesg's times.
pub(super) fn decode(line: &[u8], place: Place) -> Option<Record<'_>> {
    let mut record = Record::bare(place, line);
    match line {
        [b'<', ..] => {
            let (priority, rest) = priority(line)?;
            (record.author, record.level) = (author(priority), Some(super::level(priority)));
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

/// Any time that dmesg puts before a message, with the caller behind it, up to where the message starts.
pub(super) fn stamp(text: &[u8]) -> Option<(Stamp, &[u8])> {
    if let Some(read) = printed(text) {
        return Some(read);
    }
    let Some(inside) = text.strip_prefix(b"[") else {
        let (wall, Fraction::Comma, rest) = time::rfc3339(text)? else { return None };
        return Some((Stamp { uptime: None, wall: Some(wall) }, message(rest)?));
    };
    let (stamp, rest) = bracketed(inside)?;
    let (mut stamp, rest) = (stamp, message(rest)?);
    // xenconsoled's time stands before the one that the kernel printed.
    if stamp.uptime.is_none()
        && let Some((second, rest)) = rest.strip_prefix(b"[").and_then(bracketed)
        && second.uptime.is_some()
    {
        stamp.uptime = second.uptime;
        return Some((stamp, message(rest)?));
    }
    Some((stamp, rest))
}

/// The time as the kernel prints it, with a message behind it that begins with a letter. Nearly all lines have this one.
fn printed(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let (uptime, rest) = time::uptime(text.strip_prefix(b"[")?)?;
    let message = rest.strip_prefix(b"] ")?;
    message.first()?.is_ascii_alphabetic().then_some((Stamp { uptime: Some(uptime), wall: None }, message))
}

/// What may stand between the brackets; the closing one is taken off the rest.
fn bracketed(inside: &[u8]) -> Option<(Stamp, &[u8])> {
    let wall = |(wall, rest)| (Stamp { uptime: None, wall: Some(wall) }, rest);
    let (stamp, rest) = match blanks(inside) {
        [b'0'..=b'9', ..] => match time::uptime(inside) {
            Some((uptime, rest)) => (Stamp { uptime: Some(uptime), wall: None }, rest),
            None => time::date_and_clock(inside).map(wall)?,
        },
        [b'A'..=b'Z', ..] => time::ctime(inside).or_else(|| time::reltime(inside)).map(wall)?,
        [b'+' | b'-', rest @ ..] => (Stamp::default(), time::uptime(rest)?.1),
        [b'<', ..] => (Stamp::default(), inside),
        _ => return None,
    };
    let rest = match blanks(rest) {
        [b'<', difference @ ..] => blanks(time::uptime(difference)?.1).strip_prefix(b">")?,
        _ => rest,
    };
    Some((stamp, rest.strip_prefix(b"]")?))
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
        let Some(record) = decode(line.as_bytes(), Place::default()) else { return "none".to_owned() };
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
            ("<6>[   24.787468] text", "24787468||Kernel|6|text"),
            ("<6>[   24.787468][    T1] text", "24787468||Kernel|6|text"),
            ("<6>text", "||Kernel|6|text"),
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
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }

    #[test]
    fn what_only_looks_like_a_prefix_is_text() {
        for line in [
            "[    5.721955]text",
            "[    5.72195] text",
            "[99999999999999999999.000000] text",
            "[dim. nov. 22 06:46:32 2026] text",
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
