//! What the lines before a line tell about it.

use std::ops::Range;

use super::Wall;
use super::journal_short::Names;
use super::peel::split;
use super::syslog::{self, Origin};

/// What the lines before a line tell about it.
///
/// Lines of one second and one host begin with the same bytes, and these are not read twice: in the same place they say the
/// same.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// The names behind the times of `journalctl -o short-monotonic`.
    pub(super) names: Names,
    /// The last time of syslog, with the space behind it, and what it said.
    time: (Vec<u8>, Option<Wall>),
    /// The last origin, with the space behind it, and what it said.
    origin: (Vec<u8>, Option<Parts>),
    /// Both, as they stood in one line, unless one of them is of a later line.
    header: Option<Vec<u8>>,
    /// How many headers were read, and not known from the line before.
    headers: u64,
}

/// What stands before the text of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a> {
    pub(super) wall: Wall,
    pub(super) origin: Origin<'a>,
    /// Headers of one number, read one behind the other by one decoder, are the same.
    pub(super) number: u64,
}

/// Where the parts of an [`Origin`] stand in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    /// It begins with the host, if it has one.
    hostname: Option<usize>,
    identifier: Range<usize>,
    process: bool,
}

impl Before {
    /// The header of a line of syslog, and the text behind it.
    pub(super) fn header<'a>(&mut self, line: &'a [u8]) -> Option<(Header<'a>, &'a [u8])> {
        if let Some(known) = self.again(line) {
            return Some(known);
        }
        let (wall, rest) = self.time(line)?;
        if let Some((origin, text)) = syslog::fields_without_priority(rest) {
            self.headers += 1;
            return Some((Header { wall, origin, number: self.headers }, text));
        }
        let (origin, text) = self.origin(rest);
        Some((Header { wall, origin, number: self.headers }, text))
    }

    /// The same, where the line begins as the one before did.
    pub(super) fn again<'a>(&self, line: &'a [u8]) -> Option<(Header<'a>, &'a [u8])> {
        let text = line.strip_prefix(self.header.as_deref()?)?;
        let ((time, Some(wall)), (_, Some(parts))) = (&self.time, &self.origin) else { return None };
        let origin = parts.of(split(line, time.len()).1);
        Some((Header { wall: *wall, origin, number: self.headers }, text))
    }

    /// Reads the time at the front of a line of syslog; also returns what stands behind the space behind it.
    pub(super) fn time<'a>(&mut self, line: &'a [u8]) -> Option<(Wall, &'a [u8])> {
        let (text, wall) = &mut self.time;
        if let (Some(wall), Some(rest)) = (*wall, line.strip_prefix(text.as_slice())) {
            return Some((wall, rest));
        }
        let (read, rest) = syslog::time(line)?;
        let rest = rest.strip_prefix(b" ")?;
        *wall = Some(read);
        keep(text, line, rest);
        self.header = None;
        Some((read, rest))
    }

    /// Reads where a line of syslog comes from, behind its time; also returns the text behind it.
    pub(super) fn origin<'a>(&mut self, line: &'a [u8]) -> (Origin<'a>, &'a [u8]) {
        let (text, parts) = &mut self.origin;
        let (origin, rest) = match &*parts {
            Some(parts) if line.starts_with(text) => (parts.of(line), split(line, text.len()).1),
            _ => {
                let (origin, rest) = syslog::origin(line);
                keep(text, line, rest);
                self.header = None;
                // Without colon and space at its end, what stands behind it had a say; and so it has where a host has the kernel's
                // name.
                let alone = text.ends_with(b": ") && origin.hostname != Some(b"kernel");
                let known = Parts::within(&origin).filter(|parts| parts.of(line) == origin);
                *parts = known.filter(|_| alone && !text.iter().any(u8::is_ascii_control));
                (origin, rest)
            }
        };
        self.headers += 1;
        if self.header.is_none() && parts.is_some() {
            self.header = Some([self.time.0.as_slice(), text].concat());
        }
        (origin, rest)
    }
}

impl Parts {
    fn within(origin: &Origin<'_>) -> Option<Self> {
        let hostname = origin.hostname.map(<[u8]>::len);
        let from = hostname.map_or(0, |length| length + 1);
        Some(Self { hostname, identifier: from..from + origin.identifier?.len(), process: origin.process })
    }

    fn of<'a>(&self, text: &'a [u8]) -> Origin<'a> {
        let hostname = self.hostname.map(|length| split(text, length).0);
        Origin { hostname, identifier: text.get(self.identifier.clone()), process: self.process }
    }
}

/// Keeps what of `line` stands before `rest`, its end.
fn keep(kept: &mut Vec<u8>, line: &[u8], rest: &[u8]) {
    kept.clear();
    kept.extend_from_slice(split(line, line.len() - rest.len()).0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Decoder, Input, Place};

    /// Lines of every kind of header, with what may stand behind it.
    fn lines() -> Vec<String> {
        let times =
            ["Jul  2 00:36:54 ", "Jul  2 00:36:54.1 ", "Jul  2 00:36:55 ", "2026-11-22T06:20:37Z ", "Jul  2 00:36:54"];
        let origins = [
            "gaia kernel: ",
            "gaia kernel ",
            "gaia kernel:",
            "kernel: ",
            "kernel ",
            "kernel kernel: ",
            "gaia sshd[812]: ",
            "gaia sshd[8x]: ",
            "gaia kern.info kernel: ",
            "gaia ",
            "gaia-2 kernel: ",
            "gaia\t kernel: ",
            "gaia : ",
            "",
        ];
        let texts = [
            "[    1.648270] text",
            "[    1.648270][    T1] text",
            "kernel: text",
            "text: text\r",
            " a#012b\tc",
            "\u{7f}\u{1b}[1m",
            // Too much of it for a text.
            "\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}",
            "",
        ];
        let mut lines = Vec::new();
        for time in times {
            for origin in origins {
                lines.extend(texts.map(|text| format!("{time}{origin}{text}")));
            }
        }
        lines
    }

    #[test]
    fn a_header_says_the_same_whatever_came_before_it() {
        let read = |before: &mut Before, line: &str| {
            let (wall, rest) = before.time(line.as_bytes())?;
            let (origin, rest) = before.origin(rest);
            Some(format!("{wall:?} {origin:?} {rest:?}"))
        };
        let lines = lines();
        for first in &lines {
            let mut before = Before::default();
            read(&mut before, first);
            for second in &lines {
                let alone = read(&mut Before::default(), second);
                let again = before.again(second.as_bytes());
                let again = again.map(|(Header { wall, origin, .. }, rest)| format!("{wall:?} {origin:?} {rest:?}"));
                assert!(again.is_none() || again == alone, "{first} / {second}");
                assert_eq!(read(&mut before, second), alone, "{first} / {second}");
                read(&mut before, first);
            }
        }
    }

    #[test]
    fn a_line_is_the_same_record_whatever_came_before_it() {
        type Feed = fn(&mut Decoder, &[u8], &mut dyn FnMut(Input<'_>));
        let read = |decoder: &mut Decoder, line: &str, feed: Feed| {
            let mut read = Vec::new();
            let mut sink = |input: Input<'_>| {
                if let Input::Record(mut record) = input {
                    record.place = Place::default();
                    read.push(record.into_owned());
                }
            };
            feed(decoder, format!("{line}\n").as_bytes(), &mut sink);
            read
        };
        let lines = lines();
        for first in &lines {
            for second in &lines {
                let mut decoder = Decoder::new(0);
                if read(&mut decoder, first, Decoder::feed).is_empty() {
                    // What is no text has a say in what is text behind it.
                    continue;
                }
                let alone = read(&mut Decoder::new(0), second, Decoder::feed);
                if alone.iter().all(|record| record.stamp.wall.is_none()) {
                    // A line without a header belongs to the message before it.
                    continue;
                }
                assert_eq!(read(&mut decoder, second, Decoder::feed), alone, "{first:?} / {second:?}");
            }
        }
    }
}
