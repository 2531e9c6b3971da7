//! What shows a finding.

use crate::record::Stamp;
use crate::request::{Location, Source};

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// A log record.
    Log {
        /// `kmsg`, or the file's name.
        source: String,
        /// The kernel's sequence number, where the format has it.
        sequence: Option<u64>,
        /// Line in the file, counted from 1; `None` for the live ring buffer.
        line: Option<u64>,
        /// Where it begins in the file, in bytes (of the unpacked text), where the lines before it were not counted.
        offset: Option<u64>,
        /// When the record was made.
        stamp: Stamp,
        /// The message.
        text: String,
    },
    /// A file of sysfs or procfs.
    Host {
        /// Its path, from the root.
        path: String,
        /// What it says; for a link the last part of its target; `None` when it is not there.
        value: Option<String>,
    },
    /// A written list.
    Request {
        /// The kind of place.
        source: Source,
        /// The file and line.
        location: Option<Location>,
        /// The list or entry.
        text: String,
    },
}
