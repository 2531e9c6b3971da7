//! Lines that a mail program or a terminal broke: what stands below a line of pciback and has no form of its own may be its end.
//!
//! Whether it is one only the messages can tell (`event::Joiner`). Here such lines are handed on beside the record that they stand
//! below, and as records of their own behind it.

use memchr::memmem;

use super::peel::split;
use super::stream::Stream;
use super::{Input, Record};

/// Most lines that are kept below a record: the longest command line that the kernel takes (2,048 bytes), in lines of 64.
const MOST: usize = 32;

/// The longest of them, in bytes.
const LONGEST: usize = 1024;

/// A line below a record that has no form of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Below {
    /// Byte offset of its first byte.
    pub offset: u64,
    /// The line, without its end.
    pub text: Vec<u8>,
}

/// A record that waits for the lines below it.
#[derive(Debug)]
pub(super) struct Held {
    record: Record<'static>,
    /// The lines below it, as records of their own.
    below: Vec<Record<'static>>,
    /// Where the line behind them begins. `None` where no further line can belong to it.
    end: Option<u64>,
}

/// The drivers whose messages matter, by their first seven letters: pciback and pcifront.
const NAMES: [&[u8]; 2] = [b"pciback", b"pcifron"];

/// Whether the end of a message like this one matters, wherever it stands.
pub(super) fn matters(message: &[u8]) -> bool {
    memmem::find_iter(message, b"pci").any(|at| NAMES.contains(&split(split(message, at).1, 7).0))
        || [&b"Command line: "[..], b"Kernel command line: ", b"Linux version "]
            .iter()
            .any(|text| message.starts_with(text))
}

/// Whether the line is one of the hypervisor or of a guest in a serial capture: `(XEN) `, `(d1) ` (xen/drivers/char/console.c).
fn is_of_another(line: &[u8]) -> bool {
    line.starts_with(b"(XEN)") || matches!(line, [b'(', b'd', b'0'..=b'9', ..])
}

impl Stream {
    /// Passes on a record of one line, of `length` bytes, that has a form of its own.
    pub(super) fn wrapped(&mut self, mut record: Record<'_>, length: u64, sink: &mut dyn FnMut(Input<'_>)) {
        if !matters(&record.message) {
            return self.record(record, sink);
        }
        self.begin(sink);
        record.below = Vec::new();
        let end = Some(record.place.offset + length);
        self.held = Some(Held { record: record.into_owned(), below: Vec::new(), end });
    }

    /// Passes on a line without a form.
    pub(super) fn below(&mut self, record: Record<'_>, length: u64, sink: &mut dyn FnMut(Input<'_>)) {
        let offset = record.place.offset;
        if is_of_another(&record.message) || record.message.len() > LONGEST {
            self.end_lines();
        }
        match &mut self.held {
            Some(held) if held.end == Some(offset) && held.below.len() < MOST => {
                held.end = Some(offset + length);
                held.record.below.push(Below { offset, text: record.message.to_vec() });
                held.below.push(record.into_owned());
            }
            _ => self.record(record, sink),
        }
    }

    /// What comes next does not go on with a record above it.
    pub(super) fn end_lines(&mut self) {
        if let Some(held) = &mut self.held {
            held.end = None;
        }
    }

    /// The records that waited.
    pub(super) fn waited(&mut self) -> impl Iterator<Item = Record<'static>> + use<> {
        let held = self.held.take();
        held.into_iter().flat_map(|held| std::iter::once(held.record).chain(held.below))
    }
}
