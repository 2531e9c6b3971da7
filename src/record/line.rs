//! Records that are one line: which of the line formats it is, or bare text, or no text at all.

use memchr::memchr;

use super::before::Before;
use super::journal_short::{self, Separator};
use super::peel::{chomp, run, split};
use super::{Frame, Record, dmesg, syslog};

/// Length of the longest names of `dmesg -x`: `authpriv:notice: `.
const LONGEST_NAMES: usize = 17;

/// Looks for the end of a line.
#[derive(Debug, Default)]
pub(super) struct Framer {
    /// No end of the line is before this.
    at: usize,
}

impl Framer {
    /// The last line of a log needs no end.
    pub(super) fn frame(&mut self, bytes: &[u8], at_end: bool) -> Frame {
        let (_, unseen) = split(bytes, self.at);
        if let Some(end) = memchr(b'\n', unseen) {
            return Frame::Whole(self.at + end + 1);
        }
        if at_end {
            return Frame::Whole(bytes.len());
        }
        self.at = bytes.len();
        Frame::NeedMore
    }

    /// How many bytes need not be kept to go on.
    pub(super) fn forget(&mut self) -> usize {
        std::mem::take(&mut self.at)
    }
}

/// What a line is.
#[derive(Debug)]
pub(super) enum Line {
    /// A record with a time, a priority or an origin.
    Record,
    /// Text of which nothing is known.
    Bare,
    /// The kernel's own note that the console was too slow for this many records.
    Dropped(u64),
    /// Not a record: a line of journalctl's own.
    Separator(Separator),
    /// No text.
    Binary,
}

/// Reads a line, of which `record` has the text. Right after `binary` bytes it must be clean text to count as text.
pub(super) fn decode<'a>(record: &mut Record<'a>, text: &'a [u8], before: &mut Before, binary: bool) -> Line {
    let controls = has_controls(text);
    if controls && is_binary(text) {
        return Line::Binary;
    }
    // Colours stand around the time, which -x puts its names before.
    if controls && memchr(b'\x1b', split(text, LONGEST_NAMES).0).is_some() {
        let plain = without_colours(text);
        let plain = chomp(&plain);
        let mut read = Record::bare(record.place, plain);
        let line = decode(&mut read, plain, before, binary);
        *record = read.into_owned();
        return line;
    }
    if recognised(record, text, before).is_some() {
        return Line::Record;
    }
    if let Some(separator) = journal_short::separator(text) {
        return Line::Separator(separator);
    }
    if let Some(count) = dropped(text) {
        return Line::Dropped(count);
    }
    if binary && (text.len() < 4 || controls || std::str::from_utf8(text).is_err()) {
        return Line::Binary;
    }
    Line::Bare
}

/// Tries the formats that can start as the line does. Blanks before a prefix are part of a message (dmesg and
/// journalctl indent the second line of one), so none are passed over: what stands there anyone may have written.
fn recognised<'a>(record: &mut Record<'a>, text: &'a [u8], before: &mut Before) -> Option<()> {
    let place = record.place;
    match text.first()? {
        b'[' => {
            let (stamp, rest) = dmesg::stamp(text)?;
            (record.stamp, record.message) = (stamp, rest.into());
            if stamp.uptime.is_some()
                && stamp.wall.is_none()
                && let Some((origin, rest)) = journal_short::behind_uptime(rest, &mut before.host)
            {
                syslog::body(record, origin, rest, None);
            }
        }
        b'<' => {
            let (priority, rest) = dmesg::priority(text)?;
            if syslog::read(record, rest, Some(priority), before).is_none() {
                *record = dmesg::decode(text, place)?;
            }
        }
        b'0'..=b'9' if syslog::read(record, text, None, before).is_none() => {
            *record = dmesg::decode(text, place).or_else(|| journal_short::decode(text, place))?;
        }
        b'A'..=b'Z' if syslog::read(record, text, None, before).is_none() => {
            *record = journal_short::decode(text, place)?;
        }
        b'0'..=b'9' | b'A'..=b'Z' => {}
        b'a'..=b'z' => *record = dmesg::decode(text, place)?,
        _ => return None,
    }
    Some(())
}

/// `** 12 printk messages dropped **` (kernel/printk/printk.c, `console_unlock`; from 6.4 `console_prepend_dropped`).
fn dropped(text: &[u8]) -> Option<u64> {
    let (count, rest) = super::peel::number(text.strip_prefix(b"** ")?)?;
    rest.starts_with(b" printk messages dropped **").then_some(count)
}

/// Whether there is a control character. Nearly no line has one.
pub(super) fn has_controls(text: &[u8]) -> bool {
    // Without a way out of the loop the compiler makes vectors of it.
    text.iter().fold(false, |any, byte| any | byte.is_ascii_control())
}

/// A NUL, mostly control characters, or some of them among bytes that are no UTF-8.
fn is_binary(text: &[u8]) -> bool {
    if memchr(0, text).is_some() {
        return true;
    }
    let strange = |byte: &&u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r' | b'\x1b');
    let controls = text.iter().filter(strange).count();
    controls > 0 && (controls * 3 > text.len() || (controls * 16 > text.len() && std::str::from_utf8(text).is_err()))
}

/// The line without the escape sequences of `dmesg --color=always` (ECMA-48 CSI ... m).
fn without_colours(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(b'\x1b', rest) {
        let (before, escape) = split(rest, at);
        plain.extend_from_slice(before);
        let (_, behind) = split(escape, 1);
        let colour = behind.strip_prefix(b"[").map(|code| run(code, |byte| byte.is_ascii_digit() || byte == b';').1);
        rest = colour.and_then(|end| end.strip_prefix(b"m")).unwrap_or(behind);
    }
    plain.extend_from_slice(rest);
    plain
}
