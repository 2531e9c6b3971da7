//! What a log looks like, by its first bytes.

use crate::record::{Decoder, Input, Record};

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

/// How many things are looked at.
const ENOUGH: usize = 64;

/// Tells the shape of a log by its first bytes.
pub(super) fn sniff(head: &[u8]) -> Shape {
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
    matches!(start.first(), Some(b'{' | b'_' | b'-' | b'"'))
}
