//! What can be wrong with a hide list, and how that is told.

use std::ops::Range;

use super::Part;
use super::scan::Expected;

/// The first thing wrong with a hide list, in the order in which the kernel meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An entry is not written as an entry. Every entry of the list is void; the kernel quotes the rest in its log.
    Malformed {
        /// The byte where the kernel began to read the entry, and where its quotation starts.
        entry: usize,
        /// The byte where reading failed: the furthest the kernel's forms got.
        at: usize,
        /// The same as a character of the list, counted from 1.
        column: usize,
        /// What would have been right there, in plain words.
        expected: String,
        /// The character that stands there; `None` at the end of the list.
        found: Option<char>,
    },
    /// A number is too large (from 3.7 on). Every entry of the list is void, and the kernel prints nothing.
    OutOfRange {
        /// The bytes of the entry, brackets included.
        entry: Range<usize>,
        /// Which part of the address.
        part: Part,
        /// The number as written.
        written: String,
        /// The number as the kernel reads it: its low 32 bits.
        value: u32,
        /// The largest number allowed there.
        most: u32,
    },
    /// An entry has its numbers but not its bracket (up to 3.6). It is taken, and everything behind it is dropped
    /// without a word.
    CutShort {
        /// Which of the list's entries it is: the last one taken.
        entry: usize,
        /// The bytes the kernel never read.
        rest: Range<usize>,
    },
    /// The list is longer than [`super::LONGEST`] bytes: the kernel refuses it before pciback sees it.
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
}

impl Fault {
    pub(super) fn malformed(text: &[u8], entry: usize, at: usize, wanted: &[Expected]) -> Self {
        let (before, rest) = text.split_at_checked(at).unwrap_or((text, &[]));
        Self::Malformed {
            entry,
            at,
            column: String::from_utf8_lossy(before).chars().count() + 1,
            expected: in_words(wanted),
            found: String::from_utf8_lossy(rest).chars().next(),
        }
    }
}

fn in_words(wanted: &[Expected]) -> String {
    let words = wanted.iter().map(|wanted| match wanted {
        Expected::Digit => "a hexadecimal digit".to_owned(),
        Expected::Literal(literal) => format!("`{}`", char::from(*literal)),
    });
    words.collect::<Vec<_>>().join(" or ")
}
