//! `journalctl -o export`: `FIELD=value` lines, or for any bytes `FIELD`, a length and the value; an empty line ends an
//! entry (systemd `docs/JOURNAL_EXPORT_FORMATS.md`).

use memchr::memchr;

use super::journal::{Fields, NoRecord};
use super::peel::{run, split};
use super::{Frame, Place, Record};

/// Longest name of a field (systemd src/libsystemd/sd-journal/journal-file.c, `journal_field_valid`).
const LONGEST_NAME: usize = 64;

/// More than any name, its value and the next name need for a look at the second field.
const LONGEST_START: usize = 512;

/// Fields of the journal without an underscore before them (systemd.journal-fields(7), "User Journal Fields").
const USER_FIELDS: [&[u8]; 12] = [
    b"MESSAGE",
    b"MESSAGE_ID",
    b"PRIORITY",
    b"SYSLOG_FACILITY",
    b"SYSLOG_IDENTIFIER",
    b"SYSLOG_PID",
    b"SYSLOG_TIMESTAMP",
    b"SYSLOG_RAW",
    b"CODE_FILE",
    b"CODE_LINE",
    b"CODE_FUNC",
    b"INVOCATION_ID",
];

/// Whether `bytes` start like an entry; `None` when there are too few to tell. journalctl writes the fields with two
/// underscores first, and the cursor before the others; but the order of fields is not defined, and an entry that comes from no
/// file of the journal has none of those.
pub(super) fn starts(bytes: &[u8]) -> Option<bool> {
    let (name, rest) = field_name(split(bytes, LONGEST_NAME + 1).0);
    let is_known = name.starts_with(b"_") || USER_FIELDS.contains(&name);
    match rest {
        _ if name.is_empty() || name.len() > LONGEST_NAME => Some(false),
        [] if bytes.len() > LONGEST_NAME => Some(false),
        [] => None,
        [b'=' | b'\n', ..] if is_known => Some(true),
        // A name that anyone may have given: the next field tells.
        [b'=', ..] => second(split(bytes, LONGEST_START).0, bytes.len() < LONGEST_START),
        _ => Some(false),
    }
}

/// Whether the second line starts like a field; `None` when there are too few bytes to tell, and `more` may come.
fn second(bytes: &[u8], more: bool) -> Option<bool> {
    let unknown = if more { None } else { Some(false) };
    let Some(end) = memchr(b'\n', bytes) else { return unknown };
    match field_name(split(bytes, end + 1).1) {
        (_, []) => unknown,
        (name, [b'=', ..]) => Some(name.starts_with(b"_") || USER_FIELDS.contains(&name)),
        _ => Some(false),
    }
}

/// The part of an entry that comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum FieldPart {
    #[default]
    Name,
    /// A value up to the end of its line.
    Text,
    /// Eight bytes, little end first.
    Length,
    /// That many bytes.
    Bytes(u64),
    /// The end of a line behind them.
    End,
}

/// Looks for the end of an entry.
#[derive(Debug, Default)]
pub(super) struct Framer {
    /// Where `part` goes on.
    at: usize,
    part: FieldPart,
}

impl Framer {
    /// An entry ends with an empty line. Bytes are counted, never searched: they may hold lines that look like entries.
    pub(super) fn frame(&mut self, bytes: &[u8], at_end: bool) -> Frame {
        loop {
            let (_, rest) = split(bytes, self.at);
            let taken = match self.part {
                FieldPart::Name if rest.starts_with(b"\n") => return Frame::Whole(self.at + 1),
                FieldPart::Name => self.name(rest),
                FieldPart::Text => Ok(memchr(b'\n', rest).map(|end| (end + 1, FieldPart::Name))),
                FieldPart::Length => {
                    Ok(rest.first_chunk().map(|length| (8, FieldPart::Bytes(u64::from_le_bytes(*length)))))
                }
                FieldPart::Bytes(0) => Ok(Some((0, FieldPart::End))),
                FieldPart::Bytes(left) if rest.is_empty() || left > u64::MAX >> 1 => {
                    if left > u64::MAX >> 1 {
                        Err(self.at)
                    } else {
                        Ok(None)
                    }
                }
                FieldPart::Bytes(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    Ok(Some((taken, FieldPart::Bytes(left - taken as u64))))
                }
                FieldPart::End => match rest {
                    [b'\n', ..] => Ok(Some((1, FieldPart::Name))),
                    [] => Ok(None),
                    _ => Err(self.at),
                },
            };
            match taken {
                Ok(Some((length, part))) => (self.at, self.part) = (self.at + length, part),
                Ok(None) if at_end => return Frame::CutShort(bytes.len()),
                Ok(None) => {
                    if self.part == FieldPart::Text {
                        self.at = bytes.len();
                    }
                    return Frame::NeedMore;
                }
                // Some progress must be made, even when nothing before the flaw was kept.
                Err(length) => return Frame::Damaged(length.max(1).min(bytes.len())),
            }
        }
    }

    /// How many bytes need not be kept to go on.
    pub(super) fn forget(&mut self) -> usize {
        std::mem::take(&mut self.at)
    }

    /// Past a name and what ends it; the error is where the entry stops being one.
    fn name(&self, rest: &[u8]) -> Result<Option<(usize, FieldPart)>, usize> {
        let (name, end) = field_name(rest);
        match end {
            _ if name.len() > LONGEST_NAME => Err(self.at),
            [b'=', ..] if !name.is_empty() => Ok(Some((name.len() + 1, FieldPart::Text))),
            [b'\n', ..] if !name.is_empty() => Ok(Some((name.len() + 1, FieldPart::Length))),
            [] => Ok(None),
            _ => Err(self.at),
        }
    }
}

fn field_name(text: &[u8]) -> (&[u8], &[u8]) {
    run(text, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Reads a whole entry.
pub(super) fn decode(whole: &[u8], place: Place) -> Result<Record<'_>, NoRecord> {
    let mut fields = Fields::default();
    let mut rest = whole;
    while rest != b"\n" {
        let (name, value, behind) = field(rest).ok_or(NoRecord::Damaged)?;
        fields.add(name, Some(value.into()));
        rest = behind;
    }
    fields.record(place)
}

fn field(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, rest) = field_name(text);
    let (value, rest) = match rest {
        [b'=', rest @ ..] => split(rest, memchr(b'\n', rest)?),
        [b'\n', rest @ ..] => {
            let (length, rest) = rest.split_first_chunk()?;
            rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?
        }
        _ => return None,
    };
    Some((name, value, rest.strip_prefix(b"\n")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &[u8] = b"__CURSOR=x\nMESSAGE\n\x05\0\0\0\0\0\0\0a\n\nMb\nPRIORITY=6\n\n";

    #[test]
    fn bytes_are_counted_and_not_searched() {
        let mut framer = Framer::default();
        for length in 1..ENTRY.len() {
            assert_eq!(framer.frame(&ENTRY[..length], false), Frame::NeedMore, "{length}");
        }
        assert_eq!(framer.frame(ENTRY, false), Frame::Whole(ENTRY.len()));
        let record = decode(ENTRY, Place::default()).unwrap();
        assert_eq!((&*record.message, record.level), (&b"a\n\nMb"[..], Some(6)));
    }

    #[test]
    fn an_entry_that_goes_wrong_ends_where_it_does() {
        for (text, length) in [
            (&b"__CURSOR=x\nmessage=y\n"[..], 11),
            (b"__CURSOR=x\n=y\n", 11),
            (b"__CURSOR=x\nM\n\xff\xff\xff\xff\xff\xff\xff\xffxyz", 21),
            (b"__CURSOR=x\nM\n\x01\0\0\0\0\0\0\0xyz", 22),
        ] {
            assert_eq!(Framer::default().frame(text, false), Frame::Damaged(length), "{text:?}");
        }
        assert_eq!(Framer::default().frame(b"__CURSOR=x\nM=y\n", true), Frame::CutShort(15));
    }

    #[test]
    fn an_entry_starts_with_its_cursor() {
        assert_eq!(starts(b"__CURSOR=s"), Some(true));
        assert_eq!(starts(b"__CUR"), None);
        assert_eq!(starts(b"__init"), Some(false));
        assert_eq!(starts(b"_BOOT_ID=e"), Some(true));
        assert_eq!(starts(b"MESSAGE\n\x05\0"), Some(true));
        assert_eq!(starts(b"PRIORITY=6"), Some(true));
        assert_eq!(starts(b"ACTION=add"), None);
        assert_eq!(starts(b"ACTION=add\nDEVPATH=/x\n"), Some(false));
        assert_eq!(starts(b"UNIT=a\n_PID=1\n"), Some(true));
        assert_eq!(starts(b"Linux version"), Some(false));
    }
}
