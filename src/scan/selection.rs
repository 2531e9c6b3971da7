//! Bytes of a log on their way from the thread that reads them to the one that collects.

use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, Utc};

/// A selection is handed on when it holds this many bytes.
const FULL: usize = 512 << 10;

/// Bytes of one file, each piece with its place in the set: lines that were selected, or everything.
#[derive(Debug, Default)]
pub(super) struct Selection {
    text: Vec<u8>,
    pieces: Vec<Piece>,
    /// The log of which they are, in a file that is an archive.
    pub(super) member: Option<Arc<Member>>,
    /// What else is to be known of it.
    pub(super) remark: Option<Remark>,
}

/// A file in an archive.
#[derive(Debug)]
pub(super) struct Member {
    /// The archive as it was given or found; one in another archive behind the name of that and a colon.
    pub(super) archive: String,
    pub(super) path: String,
    pub(super) modified: Option<DateTime<Utc>>,
}

/// What becomes known of a file in an archive besides its text.
#[derive(Debug)]
pub(super) enum Remark {
    /// It cannot be read from this byte on.
    Failed(u64, String),
    /// It holds the name of the host.
    Hostname(String),
    /// It is no text.
    PassedOver,
}

#[derive(Debug)]
struct Piece {
    offset: u64,
    text: Range<usize>,
    /// The length of a line that is too long to be a record; there is no text of it.
    too_long: u64,
}

/// One piece of a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selected<'a> {
    /// Whole lines, or a piece of a log that is read whole.
    Bytes(&'a [u8]),
    /// A line of this length, which is too long to be a record.
    TooLong(u64),
}

impl Selection {
    /// Adds bytes that stand at `offset`.
    pub(super) fn push(&mut self, offset: u64, bytes: &[u8]) {
        let from = self.text.len();
        self.text.extend_from_slice(bytes);
        self.pieces.push(Piece { offset, text: from..self.text.len(), too_long: 0 });
    }

    /// Adds a line that is too long to be a record.
    pub(super) fn push_too_long(&mut self, offset: u64, length: u64) {
        self.pieces.push(Piece { offset, text: 0..0, too_long: length });
    }

    /// Adds everything from `other` that begins at `from` or later.
    pub(super) fn push_from(&mut self, other: &Self, from: u64) {
        for (offset, piece) in other.pieces().filter(|(offset, _)| *offset >= from) {
            match piece {
                Selected::Bytes(bytes) => self.push(offset, bytes),
                Selected::TooLong(length) => self.push_too_long(offset, length),
            }
        }
    }

    /// Puts the pieces in the order of the log, each of them once.
    pub(super) fn sort(&mut self) {
        self.pieces.sort_by_key(|piece| piece.offset);
        self.pieces.dedup_by_key(|piece| piece.offset);
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = (u64, Selected<'_>)> {
        self.pieces.iter().map(|piece| match piece.too_long {
            0 => (piece.offset, Selected::Bytes(self.text.get(piece.text.clone()).unwrap_or_default())),
            length => (piece.offset, Selected::TooLong(length)),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= FULL
    }

    /// Empties it. Its memory stays for the next one.
    pub(super) fn clear(&mut self) {
        (self.member, self.remark) = (None, None);
        self.text.clear();
        self.pieces.clear();
    }
}
