//! The kind of log that records stand in. It decides whether the framing of a record proves its author.

use super::{Author, Record, Wall};

/// The kind of log, by its first records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Container {
    /// No record was seen yet.
    #[default]
    Undecided,
    /// The framing carries the facility from the first record on: `/dev/kmsg`, `dmesg -x`, JSON, export, verbose.
    Stated,
    /// The text that syslog(2) gave: `<6>` is the kernel's own word.
    Call,
    /// Lines of dmesg, of a console, or bare text. A framing inside them is text that somebody logged.
    Text,
    /// Lines with a syslog header. A line without one belongs to the message above it.
    Syslog,
}

impl Container {
    /// Whether the framing of a record proves its author.
    pub(super) const fn is_trusted(self) -> bool {
        matches!(self, Self::Undecided | Self::Stated | Self::Call)
    }
}

/// How a line of text begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// With the header of a syslog file or of `journalctl -o short`.
    Header {
        /// Whether a priority stands before it.
        priority: bool,
    },
    /// With the names of `dmesg -x`.
    Names,
    /// With a priority and no header.
    Priority,
    /// With a time of dmesg.
    Time,
    /// With its message.
    Bare,
}

/// The header of the last message in a syslog file, for the further lines of that message.
#[derive(Debug, Default)]
pub(super) struct Heading {
    hostname: Option<Vec<u8>>,
    identifier: Option<Vec<u8>>,
    wall: Option<Wall>,
    /// Author of the message, while further lines of it may come.
    author: Option<Author>,
    /// Whether headers have a priority before them.
    pub(super) prioritised: bool,
}

impl Heading {
    /// A message begins.
    pub(super) fn open(&mut self, record: &Record<'_>) {
        self.author = Some(record.author);
        self.wall = record.stamp.wall;
        keep(&mut self.hostname, record.hostname.as_deref());
        keep(&mut self.identifier, record.identifier.as_deref());
    }

    /// The message has no further lines.
    pub(super) fn close(&mut self) {
        self.author = None;
    }

    /// The author of the message that a further line would belong to.
    pub(super) const fn author(&self) -> Option<Author> {
        self.author
    }

    /// Adds to a further line what the header says.
    pub(super) fn complete(&self, record: &mut Record<'_>) {
        record.stamp.wall = record.stamp.wall.or(self.wall);
        let owned = |bytes: &Option<Vec<u8>>| bytes.clone().map(Into::into);
        record.hostname = record.hostname.take().or_else(|| owned(&self.hostname));
        record.identifier = record.identifier.take().or_else(|| owned(&self.identifier));
    }
}

/// Copies `value` into the room that is there.
fn keep(kept: &mut Option<Vec<u8>>, value: Option<&[u8]>) {
    match (kept.as_mut(), value) {
        (Some(kept), Some(value)) => {
            kept.clear();
            kept.extend_from_slice(value);
        }
        _ => *kept = value.map(<[u8]>::to_vec),
    }
}
