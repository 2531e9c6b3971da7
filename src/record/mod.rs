//! Log records: what one line, object or entry of a log says about itself, before anyone asks what it means.
//!
//! One file per format. A format has two functions: `frame` finds where one whole record ends, however the bytes were
//! cut into reads, and `decode` turns it into a [`Record`]. [`Decoder`] drives them over a stream: formats are told
//! apart by content, record by record, so that one file may mix them; but only in a log that begins with a framing which
//! carries the facility does a framing prove the author. [`Numbered`] is for the kernel's device itself.

mod collected;
mod container;
mod decoder;
mod dmesg;
mod dmesg_json;
mod fluent;
mod front;
mod journal;
mod journal_export;
mod journal_json;
mod journal_short;
mod journal_verbose;
pub(crate) mod json;
mod kmsg;
mod lead;
mod line;
mod losses;
mod merged;
mod netconsole;
mod numbered;
mod object;
mod page;
mod peel;
mod stream;
mod syslog;
mod terminal;
mod text;
mod time;
mod torn;
mod wide;
mod wrapped;

pub use collected::is_table;
pub use decoder::Decoder;
pub(crate) use front::{Front, front};
pub use numbered::Numbered;
pub use wrapped::Below;

use std::borrow::Cow;

use chrono::{Datelike as _, FixedOffset, NaiveDateTime};

use crate::pci::Address;

/// Where a record stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which log of the case, counted from 0.
    pub log: usize,
    /// Line of its first byte, counted from 1.
    pub line: u64,
    /// Byte offset of its first byte.
    pub offset: u64,
    /// The kernel's sequence number, where the format carries it (`/dev/kmsg`).
    pub sequence: Option<u64>,
}

/// Who wrote a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Author {
    /// The kernel: the record has facility 0, which user space cannot write (kernel/printk/printk.c, `devkmsg_write`).
    Kernel,
    /// User space: the format says so.
    User,
    /// The format does not say. Anyone may have written it.
    Unstated,
}

/// A wall clock time as a log writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wall {
    /// Date and time as written. Where the log has no year (RFC 3164) this one is [`Wall::NO_YEAR`].
    pub local: NaiveDateTime,
    /// The offset from UTC, where the log has it.
    pub offset: Option<FixedOffset>,
}

impl Wall {
    /// The year of a time that was written without one: a leap year, so that Feb 29 exists.
    pub const NO_YEAR: i32 = 1972;

    /// The time in UTC; where the log does not say its zone, as if that were UTC.
    pub fn utc(&self) -> NaiveDateTime {
        self.offset.and_then(|offset| self.local.checked_sub_offset(offset)).unwrap_or(self.local)
    }
}

/// When a record was made, by each clock that its format carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Microseconds since boot by the kernel's clock.
    pub uptime: Option<u64>,
    /// Wall clock time.
    pub wall: Option<Wall>,
}

/// Microseconds from `earlier` to `later` by whichever clock both have; negative when it goes backwards.
#[inline]
pub fn between(earlier: &Stamp, later: &Stamp) -> Option<i64> {
    if let (Some(earlier), Some(later)) = (earlier.uptime, later.uptime) {
        let apart = i64::try_from(later.abs_diff(earlier)).ok()?;
        return Some(if later < earlier { -apart } else { apart });
    }
    between_walls(earlier.wall?, later.wall?)
}

/// A leap year, in microseconds.
const YEAR: i64 = 366 * 86_400 * 1_000_000;

fn between_walls(earlier: Wall, later: Wall) -> Option<i64> {
    match (earlier.local.year() == Wall::NO_YEAR, later.local.year() == Wall::NO_YEAR) {
        // A log without years runs from December into January.
        (true, true) => apart(earlier, later).map(|micros| if micros < -YEAR / 2 { micros + YEAR } else { micros }),
        (false, false) => apart(earlier, later),
        (true, false) => nearest(&|step| apart(in_year(earlier, later.local.year() + step)?, later)),
        (false, true) => nearest(&|step| apart(earlier, in_year(later, earlier.local.year() + step)?)),
    }
}

/// Where only one of two times has its year, the other one is of that year or of the one before or behind it.
fn nearest(apart: &dyn Fn(i32) -> Option<i64>) -> Option<i64> {
    (-1..=1).filter_map(apart).min_by_key(|micros| micros.abs())
}

fn in_year(wall: Wall, year: i32) -> Option<Wall> {
    Some(Wall { local: wall.local.with_year(year)?, ..wall })
}

fn apart(earlier: Wall, later: Wall) -> Option<i64> {
    let (from, to) = match (earlier.offset, later.offset) {
        (Some(from), Some(to)) => (earlier.local - from, later.local - to),
        _ => (earlier.local, later.local),
    };
    (to - from).num_microseconds()
}

/// The kernel's or journald's 128-bit boot id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootId(pub u128);

impl BootId {
    /// Reads 32 hexadecimal digits, with or without the dashes of `/proc/sys/kernel/random/boot_id`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits: Vec<u8> = text.iter().copied().filter(|b| *b != b'-').collect();
        if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        u128::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok().map(Self)
    }
}

impl std::fmt::Display for BootId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// One log record, with what its format says about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<'a> {
    /// Where it stood.
    pub place: Place,
    /// When it was made.
    pub stamp: Stamp,
    /// syslog level, 0 (emerg) to 7 (debug), where the format carries it.
    pub level: Option<u8>,
    /// Who wrote it.
    pub author: Author,
    /// The host it came from, where the format says.
    pub hostname: Option<Cow<'a, [u8]>>,
    /// The program it came from (`kernel`, `sshd`), where the format says; without the process number.
    pub identifier: Option<Cow<'a, [u8]>>,
    /// The boot it belongs to, where the format says.
    pub boot_id: Option<BootId>,
    /// The PCI device it is about by the record's own dictionary (`DEVICE=+pci:0000:00:1d.0`), not by its text.
    pub device: Option<Address>,
    /// The message, decoded: any bytes, possibly several lines.
    pub message: Cow<'a, [u8]>,
    /// Whether the end of the message is missing: another record stands behind it in the same line.
    pub cut: bool,
    /// Whether its time lost a bracket: what else was lost nobody knows, where the message is none of pciback.
    pub damaged: bool,
    /// The lines right below it that have no form of their own, where they may be its end: somebody may have broken a long line.
    pub below: Vec<Below>,
}

impl<'a> Record<'a> {
    /// A record of which only the text is known.
    pub fn bare(place: Place, message: &'a [u8]) -> Self {
        Self {
            place,
            stamp: Stamp::default(),
            level: None,
            author: Author::Unstated,
            hostname: None,
            identifier: None,
            boot_id: None,
            device: None,
            message: Cow::Borrowed(message),
            cut: false,
            damaged: false,
            below: Vec::new(),
        }
    }

    /// The program that wrote it, where the format says and it is not the kernel.
    pub fn program(&self) -> Option<&[u8]> {
        self.identifier.as_deref().filter(|name| *name != b"kernel")
    }

    /// The same record, with its bytes copied where they were borrowed.
    pub fn into_owned(self) -> Record<'static> {
        let owned = |bytes: Cow<'_, [u8]>| Cow::Owned(bytes.into_owned());
        Record {
            place: self.place,
            stamp: self.stamp,
            level: self.level,
            author: self.author,
            hostname: self.hostname.map(owned),
            identifier: self.identifier.map(owned),
            boot_id: self.boot_id,
            device: self.device,
            message: owned(self.message),
            cut: self.cut,
            damaged: self.damaged,
            below: self.below,
        }
    }
}

/// One thing that comes out of a log.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<'a> {
    /// A record.
    Record(Record<'a>),
    /// Records are missing before the next one.
    Gap(Gap),
    /// Another boot begins here: `journalctl` says so between two records, with the boot's id (which the records behind it
    /// then have) or without one.
    Boot(Place, Option<BootId>),
    /// Bytes that are no record of any known format, or a record that is damaged or cut.
    Unparsed(Unparsed),
}

/// A place where records are known to be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Where the first record behind the gap stands.
    pub place: Place,
    /// How many are missing, when that can be counted.
    pub lost: Option<u64>,
}

/// Bytes that could not be decoded. Never fatal: counted, shown, and held against a verdict of ok where they may matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unparsed {
    /// Where they start.
    pub place: Place,
    /// How many bytes.
    pub length: u64,
    /// What is wrong with them.
    pub why: Flaw,
}

/// What is wrong with bytes that could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// The log ends inside the record.
    CutShort,
    /// The record is longer than any log writer makes it ([`Decoder::LONGEST`]).
    TooLong,
    /// The record starts like one of its format, but does not go on like one.
    Damaged,
    /// Bytes of no text at all.
    Binary,
}

impl Flaw {
    /// In words, to follow "N records ".
    pub const fn words(self) -> &'static str {
        match self {
            Self::CutShort => "cut short by the end of the log",
            Self::TooLong => "too long to be a record",
            Self::Damaged => "damaged",
            Self::Binary => "not text",
        }
    }
}

/// What looking for the end of a record came to. Lengths count from the record's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// The record is whole, and has this many bytes.
    Whole(usize),
    /// Its end is not among the bytes given.
    NeedMore,
    /// No record can be made of this many bytes; behind them another one may start.
    Damaged(usize),
    /// The log ends inside the record.
    CutShort(usize),
}

/// The level in a priority: facility * 8 + level (`include/linux/kern_levels.h`, RFC 3164 section 4.1.1).
const fn level(priority: u32) -> u8 {
    (priority & 7) as u8
}
