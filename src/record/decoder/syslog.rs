//! Lines of syslog, of which nearly all begin as the one before did.

use super::Decoder;
use crate::record::before::Header;
use crate::record::dmesg_json::Array;
use crate::record::peel::{chomp, split};
use crate::record::syslog::body;
use crate::record::{Input, Record, line, wrapped};

impl Decoder {
    /// Decodes a line of syslog that begins as the one before did, as nearly all do. Returns its length, or nothing where it
    /// has to be looked at more closely.
    pub(super) fn next(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Input<'_>)) -> Option<usize> {
        let (header, text) = self.stream.before.again(bytes).filter(|_| self.is_between())?;
        let end = memchr::memchr(b'\n', text)?;
        let length = bytes.len() - text.len() + end + 1;
        let text = chomp(split(text, end).0);
        if length > Self::LONGEST || line::has_controls(text) || line::may_hold_more(text) {
            return None;
        }
        let number = header.number;
        let mut record = self.behind_header(header, text);
        // The lines below it may be its end.
        if wrapped::matters(&record.message) {
            return None;
        }
        self.place.offset += length as u64;
        self.place.line += u64::from(self.place.line > 0);
        self.stream.header(&record, number);
        self.stream.prepare(&mut record, sink);
        sink(Input::Record(record));
        Some(length)
    }

    /// Whether a line can begin here.
    fn is_between(&self) -> bool {
        self.is_at_rest() && self.stream.array == Array::Outside
    }

    /// The record of a line, by its header and its text, which holds no control characters but tabs.
    #[inline]
    fn behind_header<'a>(&self, header: Header<'a>, text: &'a [u8]) -> Record<'a> {
        let mut record = Record::bare(self.place, text);
        record.stamp.wall = Some(header.wall);
        body(&mut record, header.origin, text, None);
        record
    }
}
