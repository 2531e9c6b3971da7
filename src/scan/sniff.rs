//! What a log looks like, by its first bytes and some others.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use memchr::memchr;

use super::window::BLOCK;
use crate::record::{Decoder, Input, Record, is_table};
use crate::source::Contents;

/// How a log is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Records are lines with a time and a host, as syslog writes them: any of them can be passed over unread.
    Lines,
    /// Any other log. Some number their records, and what is missing can be seen only if all are read; in some a record has
    /// several lines; of some nobody knows the host.
    Records,
    /// No text.
    NoLog,
}

/// At how many places of a file of lines it is looked for other records.
const PIECES: usize = 4;

/// How many things are looked at.
const ENOUGH: usize = 64;

/// What a file looks like from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// Lines, any of which can be passed over.
    Lines,
    /// Lines and other records.
    Mixed,
    /// Packed, an archive, other records than lines, or no log at all.
    Other,
}

impl Looked {
    /// Looks at the start, the end and two places between; at all of a file that is small.
    pub(super) fn at(file: &File) -> io::Result<Self> {
        let mut piece = vec![0; PIECES * BLOCK];
        let head = piece.get_mut(..BLOCK).unwrap_or_default();
        let length = file.read_at(head, 0)?;
        let head = head.get(..length).unwrap_or_default();
        if Contents::is_wrapped(head) || sniff(head) != Shape::Lines {
            return Ok(Self::Other);
        }
        let bytes = file.metadata()?.len();
        let last = bytes.saturating_sub(BLOCK as u64);
        let places: Vec<(u64, usize)> = if bytes <= piece.len() as u64 {
            vec![(0, piece.len())]
        } else {
            (0..PIECES as u64).map(|number| (last * number / (PIECES as u64 - 1), BLOCK)).collect()
        };
        for (from, length) in places {
            let length = file.read_at(piece.get_mut(..length).unwrap_or_default(), from)?;
            let piece = piece.get(..length).unwrap_or_default();
            if holds_others(piece, from == 0, from + length as u64 >= bytes) {
                return Ok(Self::Mixed);
            }
        }
        Ok(Self::Lines)
    }
}

/// Tells the shape of a log by its first bytes.
pub(super) fn sniff(head: &[u8]) -> Shape {
    // UTF-16, with the mark of its byte order.
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Shape::Records;
    }
    // A crash leaves a run of zeros in a log, and colours are control characters. Of other files they are a good part.
    let mut last = 0;
    let is_odd = |byte: &&u8| {
        let before = std::mem::replace(&mut last, **byte);
        byte.is_ascii_control() && !byte.is_ascii_whitespace() && (**byte, before) != (0, 0)
    };
    let controls = head.iter().filter(is_odd).count();
    if head.iter().all(|byte| *byte == 0) || controls > head.len() / 16 {
        return Shape::NoLog;
    }
    let (mut lines, mut others) = (0_usize, 0_usize);
    let mut decoder = Decoder::new(0);
    let mut sink = |input: Input<'_>| match input {
        Input::Record(record) if is_line(&record) => lines += 1,
        Input::Record(_) | Input::Gap(_) | Input::Boot(..) | Input::Unparsed(_) => others += 1,
    };
    for line in head.split_inclusive(|byte| *byte == b'\n').take(ENOUGH) {
        decoder.feed(line, &mut sink);
    }
    if head.split(|byte| *byte == b'\n').count() <= ENOUGH {
        decoder.finish(&mut sink);
    }
    // A few lines without a time stand in many a syslog: what a daemon wrote in several lines.
    if lines > others * 4 && !is_numbered(head) { Shape::Lines } else { Shape::Records }
}

/// Whether a piece of a log, from somewhere in it, holds records that must all be read: numbered ones, such as have several
/// lines, or damaged ones. Logs of several kinds are put behind each other.
fn holds_others(piece: &[u8], is_start: bool, is_end: bool) -> bool {
    let start = if is_start { 0 } else { memchr(b'\n', piece).map_or(piece.len(), |end| end + 1) };
    let mut others = false;
    let mut sink = |input: Input<'_>| {
        others |= match input {
            Input::Record(record) => record.place.sequence.is_some() || record.boot_id.is_some(),
            Input::Unparsed(_) => true,
            Input::Gap(_) | Input::Boot(..) => false,
        };
    };
    let mut decoder = Decoder::new(0);
    decoder.feed(piece.get(start..).unwrap_or_default(), &mut sink);
    if is_end {
        decoder.finish(&mut sink);
    }
    others
}

/// Whether the record is one line of a syslog.
fn is_line(record: &Record<'_>) -> bool {
    record.hostname.is_some()
        && record.stamp.wall.is_some()
        && record.boot_id.is_none()
        && record.place.sequence.is_none()
}

/// Whether the log begins like those whose records must all be read.
fn is_numbered(head: &[u8]) -> bool {
    let start = head.trim_ascii_start();
    matches!(start.first(), Some(b'{' | b'_' | b'-' | b'"')) || is_table(head)
}
