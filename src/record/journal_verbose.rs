//! `journalctl -o verbose`: a line with the time and the cursor, then every field on an indented line of its own.
//!
//! systemd src/shared/logs-show.c, `output_verbose` (252).

use std::borrow::Cow;

use memchr::memchr;

use super::journal::{Fields, NoRecord};
use super::peel::{run, split};
use super::{Frame, Place, Record, kmsg, time};

/// More than any first line needs up to its cursor.
const LONGEST_START: usize = 64;

/// A name and its value.
type Field<'a> = (&'a [u8], Cow<'a, [u8]>);

/// Whether `bytes` start like an entry; `None` when there are too few to tell.
pub(super) fn starts(bytes: &[u8]) -> Option<bool> {
    let [b'M' | b'T' | b'W' | b'F' | b'S', rest @ ..] = bytes else { return Some(false) };
    match rest {
        [] | [_] | [_, _] | [_, _, b' '] | [_, _, b' ', b'1'..=b'9', ..] => {}
        _ => return Some(false),
    }
    let (window, _) = split(bytes, LONGEST_START);
    match time::full(window) {
        Some((_, rest)) if rest.starts_with(b" [s=") => Some(true),
        _ if bytes.len() < LONGEST_START && memchr(b'\n', window).is_none() => None,
        _ => Some(false),
    }
}

/// Looks for the end of an entry.
#[derive(Debug, Default)]
pub(super) struct Framer(kmsg::Framer);

impl Framer {
    /// An entry goes on as long as lines are indented, like a record of `/dev/kmsg`; but which field the end of the log
    /// cuts off is not known, so a cut one is no entry.
    pub(super) fn frame(&mut self, bytes: &[u8], at_end: bool) -> Frame {
        match self.0.frame(bytes, at_end) {
            Frame::Whole(length) if !split(bytes, length).0.ends_with(b"\n") => Frame::CutShort(length),
            frame @ (Frame::Whole(_) | Frame::NeedMore | Frame::Damaged(_) | Frame::CutShort(_)) => frame,
        }
    }

    /// How many bytes need not be kept to go on.
    pub(super) fn forget(&mut self) -> usize {
        self.0.forget()
    }
}

/// Reads a whole entry.
pub(super) fn decode(whole: &[u8], place: Place) -> Result<Record<'_>, NoRecord> {
    let (wall, _) = time::full(whole).ok_or(NoRecord::Damaged)?;
    let mut fields = Fields::default();
    let (_, mut rest) = line(whole);
    while !rest.is_empty() {
        let ((name, value), behind) = field(rest).ok_or(NoRecord::Damaged)?;
        let withheld = value.starts_with(b"[") && value.ends_with(b" blob data]");
        fields.add(name, Some(value).filter(|_| !withheld));
        rest = behind;
    }
    let mut record = fields.record(place)?;
    record.stamp.wall = record.stamp.wall.or(Some(wall));
    Ok(record)
}

/// `    NAME=value`, and the further lines of the value, which stand below its first byte.
fn field(text: &[u8]) -> Option<(Field<'_>, &[u8])> {
    let (field, mut rest) = line(text);
    let name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let (name, value) = run(field.strip_prefix(b"    ")?, name);
    let mut value = Cow::Borrowed(value.strip_prefix(b"=").filter(|_| !name.is_empty())?);
    let column = 4 + name.len() + 1;
    loop {
        let (further, behind) = line(rest);
        let (indent, text) = split(further, column);
        if indent.len() < column || !indent.iter().all(|byte| *byte == b' ') {
            return Some(((name, value), rest));
        }
        value.to_mut().push(b'\n');
        value.to_mut().extend_from_slice(text);
        rest = behind;
    }
}

/// A line without its end, and what follows it.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = split(text, memchr(b'\n', text).unwrap_or(text.len()));
    (line, rest.strip_prefix(b"\n").unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Author;

    #[test]
    fn the_lines_of_a_value_cannot_pose_as_fields() {
        let text = b"Sun 2026-11-22 07:05:53.830344 UTC [s=9f;i=1]
    _TRANSPORT=kernel
    SYSLOG_FACILITY=1
    MESSAGE=first
            SYSLOG_FACILITY=0
    PRIORITY=6
";
        assert_eq!(starts(text), Some(true));
        let record = decode(text, Place::default()).unwrap();
        assert_eq!((&*record.message, record.author), (&b"first\nSYSLOG_FACILITY=0"[..], Author::User));
        assert_eq!(record.stamp.wall.unwrap().local.to_string(), "2026-11-22 07:05:53.830344");
    }

    #[test]
    fn a_line_of_short_full_is_no_entry() {
        assert_eq!(starts(b"Sun 2026-11-22 07:05:53 UTC dom0 kernel: text that goes on and on and on"), Some(false));
        assert_eq!(starts(b"Sun 2026-11-22 07:05:53 UTC dom0\n"), Some(false));
        assert_eq!(starts(b"Sun 2026-11-22 07:05"), None);
        assert_eq!(starts(b"Some text"), Some(false));
    }
}
