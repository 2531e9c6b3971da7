//! Records that are one line: where it ends, and which of the line formats it has.

use memchr::memchr;

use super::container::Form;
use super::journal_short::Names;
use super::peel::split;
use super::{Frame, Record, dmesg, journal_short, merged, syslog, time};

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

/// Reads a line into a bare record by the formats that can start as it does; a record that it is not may be changed by then.
/// With `call`, the line is one that syslog(2) gave.
///
/// Blanks before a prefix are part of a message (dmesg and journalctl indent the second line of one), so none are passed over:
/// what stands there anyone may have written.
pub(super) fn recognised<'a>(record: &mut Record<'a>, text: &'a [u8], names: &mut Names, call: bool) -> Option<Form> {
    if call && !text.starts_with(b"<") {
        return None;
    }
    let place = record.place;
    let header = Some(Form::Header { priority: false });
    match text.first()? {
        b'[' => {
            let whole = dmesg::stamp(text);
            record.damaged = whole.is_none();
            let (stamp, rest) = whole.or_else(|| dmesg::unclosed(text))?;
            (record.stamp, record.message) = (stamp, rest.into());
            if stamp.uptime.is_some()
                && stamp.wall.is_none()
                && let Some((origin, rest)) = journal_short::behind_uptime(rest, names)
            {
                syslog::body(record, origin, rest, None);
                return header;
            }
            return Some(Form::Time);
        }
        b'<' => {
            let (priority, rest) = dmesg::priority(text)?;
            if !call && syslog::read(record, rest, Some(priority)).is_some() {
                return Some(Form::Header { priority: true });
            }
            *record = dmesg::decode(text, place, call)?;
            return Some(Form::Priority);
        }
        b' ' if time::is_padded_month(text) => syslog::read(record, text, None)?,
        b'0'..=b'9' | b'A'..=b'Z' | 0x80.. if syslog::read(record, text, None).is_some() => {}
        b'0'..=b'9' => match dmesg::decode(text, place, call) {
            Some(read) => {
                *record = read;
                return Some(Form::Time);
            }
            None => *record = journal_short::decode(text, place)?,
        },
        b'A'..=b'Z' => *record = journal_short::decode(text, place)?,
        b'a'..=b'z' => match dmesg::decode(text, place, call) {
            Some(read) => {
                *record = read;
                return Some(Form::Names);
            }
            // A month in another language than English.
            None => syslog::read(record, text, None)?,
        },
        _ => return None,
    }
    header
}

/// Whether there is a control character. Nearly no line has one.
pub(super) fn has_controls(text: &[u8]) -> bool {
    // Without a way out of the loop the compiler makes vectors of it.
    text.iter().fold(false, |any, byte| any | byte.is_ascii_control())
}
