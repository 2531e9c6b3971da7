//! Records as `/dev/kmsg` gives them, one per read: `6,534,31984116,-;text`, then ` KEY=value` dictionary lines.
//!
//! Extended netconsole sends the same, with the kernel's release before it or not.
//!
//! Documentation/ABI/testing/dev-kmsg; kernel/printk/printk.c, `msg_print_ext_header` (3.6 and later).

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::netconsole::{self, Release};
use super::peel::{chomp, digits, number, run, split};
use super::{Author, Frame, Place, Record, Stamp};
use crate::pci::Address;

/// More than any prefix is long: what has not shown its `;` by then is some other text.
const LONGEST_PREFIX: usize = 256;

/// Part of a line that the kernel could not put together (3.6 to 4.9; later kernels only write `c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fragment {
    /// `-` or no flag (3.5): a line of its own.
    No,
    /// `c`: the first part of a line.
    First,
    /// `+`: goes behind the record before it.
    Next,
}

/// A record and its place in a line.
#[derive(Debug)]
pub(super) struct Kmsg<'a> {
    pub(super) record: Record<'a>,
    pub(super) sequence: u64,
    pub(super) fragment: Fragment,
}

/// Whether `bytes` start like a record; `None` when there are too few to tell.
pub(super) fn starts(bytes: &[u8]) -> Option<bool> {
    let (mut window, _) = split(bytes, LONGEST_PREFIX);
    match netconsole::release(window) {
        Release::Behind(rest) => window = rest,
        Release::NeedMore => return None,
        Release::None => {}
    }
    for field in 0..3 {
        let (digits, rest) = digits(window);
        window = match rest {
            [] if bytes.len() < LONGEST_PREFIX => return None,
            [b';', ..] if field == 2 && !digits.is_empty() => return Some(true),
            [b',', rest @ ..] if !digits.is_empty() => rest,
            _ => return Some(false),
        };
    }
    match window {
        [flag, b';' | b',', ..] if flag.is_ascii_graphic() => {}
        [] | [_] if bytes.len() < LONGEST_PREFIX => return None,
        _ => return Some(false),
    }
    match run(window, |byte| byte.is_ascii_graphic() && byte != b';').1 {
        [b';', ..] => Some(true),
        [] if bytes.len() < LONGEST_PREFIX => None,
        _ => Some(false),
    }
}

/// Looks for the end of a record and its dictionary.
#[derive(Debug, Default)]
pub(super) struct Framer {
    /// No end of a line is before this.
    at: usize,
}

impl Framer {
    /// A record ends where a line does (or a NUL, in the files for `dmesg -K`) that is not followed by a space.
    pub(super) fn frame(&mut self, bytes: &[u8], at_end: bool) -> Frame {
        loop {
            let (_, unseen) = split(bytes, self.at);
            let Some(end) = memchr2(b'\n', 0, unseen).map(|end| self.at + end) else {
                if at_end {
                    return Frame::CutShort(bytes.len());
                }
                self.at = bytes.len();
                return Frame::NeedMore;
            };
            match split(bytes, end + 1) {
                (_, []) if !at_end => {
                    self.at = end;
                    return Frame::NeedMore;
                }
                // A dictionary line that is cut says nothing, but what is above it is whole.
                (_, [b' ', rest @ ..]) if !(at_end && memchr2(b'\n', 0, rest).is_none()) => self.at = end + 1,
                (_, [b' ', ..]) => return Frame::Whole(bytes.len()),
                _ => return Frame::Whole(end + 1),
            }
        }
    }

    /// How many bytes need not be kept to go on.
    pub(super) fn forget(&mut self) -> usize {
        std::mem::take(&mut self.at)
    }
}

/// Reads a whole record; `None` when its prefix does not fit the numbers it stands for.
pub(super) fn decode(whole: &[u8], place: Place) -> Option<Kmsg<'_>> {
    let (priority, rest) = number(netconsole::without_release(whole))?;
    let (sequence, rest) = number(rest.strip_prefix(b",")?)?;
    let (uptime, rest) = number(rest.strip_prefix(b",")?)?;
    let (fields, text) = split(rest, memchr(b';', rest)?);
    let priority = u32::try_from(priority).ok()?;
    let fragment = match fields {
        [b',', b'c'] | [b',', b'c', b',', ..] => Fragment::First,
        [b',', b'+'] | [b',', b'+', b',', ..] => Fragment::Next,
        _ => Fragment::No,
    };
    let text = text.strip_prefix(b";")?;
    let (text, dictionary) = split(text, memchr2(b'\n', 0, text).unwrap_or(text.len()));
    let record = Record {
        stamp: Stamp { uptime: Some(uptime), wall: None },
        level: Some(super::level(priority)),
        // User space cannot write facility 0: devkmsg_write makes it 1 (kernel/printk/printk.c).
        author: if priority >> 3 == 0 { Author::Kernel } else { Author::User },
        device: device(dictionary),
        message: unescape(chomp(text)),
        ..Record::bare(Place { sequence: Some(sequence), ..place }, &[])
    };
    Some(Kmsg { record, sequence, fragment })
}

/// Whether the head of another record stands in a text: what is between the two was lost.
pub(super) fn holds_head(text: &[u8]) -> bool {
    memchr::memmem::find_iter(text, b",-;").any(|at| {
        let head = split(text, at).0;
        let mut fields = head.rsplit(|byte| *byte == b',');
        let number = |field: &[u8]| !field.is_empty() && field.iter().all(u8::is_ascii_digit);
        let behind_numbers = fields.by_ref().take(2).filter(|field| number(field)).count() == 2;
        behind_numbers && fields.next().is_some_and(|field| field.last().is_some_and(u8::is_ascii_digit))
    })
}

/// The PCI device that the dictionary names (drivers/base/core.c, `set_dev_info`).
fn device(dictionary: &[u8]) -> Option<Address> {
    if dictionary.len() < 2 {
        return None;
    }
    let ended = memchr::memrchr2(b'\n', 0, dictionary).map_or(dictionary, |end| split(dictionary, end).0);
    ended
        .split(|byte| matches!(byte, b'\n' | 0))
        .find_map(|line| Address::from_kernel(chomp(line).strip_prefix(b" DEVICE=+pci:")?))
}

/// Undoes `\xNN`, which the kernel writes for control characters, bytes above ASCII and `\` itself
/// (kernel/printk/printk.c, `append_char`). Once: what comes out is not looked at again.
pub(super) fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(b'\\', rest) {
        let (before, escape) = split(rest, at);
        plain.extend_from_slice(before);
        rest = if let [_, b'x', high, low, rest @ ..] = escape
            && let (Some(high), Some(low)) = (nibble(*high), nibble(*low))
        {
            plain.push(high << 4 | low);
            rest
        } else {
            plain.push(b'\\');
            split(escape, 1).1
        };
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Kmsg<'_> {
        decode(text.as_bytes(), Place::default()).unwrap()
    }

    #[test]
    fn unknown_fields_are_passed_over() {
        for (text, fragment) in [
            ("6,1,2;text\n", Fragment::No),
            ("6,1,2,-;text\n", Fragment::No),
            ("6,1,2,c,caller=T1,more=x;text\n", Fragment::First),
            ("6,1,2,+;text\n", Fragment::Next),
        ] {
            assert_eq!(starts(text.as_bytes()), Some(true), "{text}");
            let kmsg = decoded(text);
            assert_eq!((kmsg.fragment, &*kmsg.record.message), (fragment, &b"text"[..]), "{text}");
        }
    }

    #[test]
    fn what_is_no_prefix_is_told_at_once() {
        for text in
            ["6,1,2 text", "6,1,,-;x", " 6,1,2,-;x", "6,1,2,-", "6, 1,2,-;x", "2026-11-22T", "6,1,2,--;x", "6;x"]
        {
            assert_ne!(starts(text.as_bytes()), Some(true), "{text}");
        }
        assert_eq!(starts("1".repeat(300).as_bytes()), Some(false));
    }

    #[test]
    fn facility_0_is_the_kernel_and_nobody_else() {
        assert_eq!(decoded("6,1,2,-;x\n").record.author, Author::Kernel);
        assert_eq!(decoded("8,1,2,-;x\n").record.author, Author::User);
        let record = decoded("14,1,2,-;x\n").record;
        assert_eq!((record.author, record.level), (Author::User, Some(6)));
    }

    #[test]
    fn numbers_that_do_not_fit_are_damage() {
        for text in ["6,18446744073709551616,2,-;x\n", "4294967296,1,2,-;x\n", "6,1,99999999999999999999,-;x\n"] {
            assert_eq!(starts(text.as_bytes()), Some(true), "{text}");
            assert!(decode(text.as_bytes(), Place::default()).is_none(), "{text}");
        }
        assert_eq!(decoded("6,18446744073709551615,2,-;x\n").sequence, u64::MAX);
    }

    #[test]
    fn the_head_of_another_record_is_seen_in_a_text() {
        for text in ["e1000e 0006,18,22804371,-;e1000e", "6,18,1,-;x", "a,6,18,1,-;x"] {
            assert!(holds_head(text.as_bytes()), "{text}");
        }
        for text in ["a,-;b", "1,-;x", "18,1,-;x", "x,18,1,-;y", "6,18,,-;x", "6,18,1,-x"] {
            assert!(!holds_head(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn escapes_are_undone_once() {
        for (text, expected) in [
            (r"a\x0ab", "a\nb"),
            (r"\x5cx41", r"\x41"),
            (r"\x", r"\x"),
            (r"\xg0\x4", r"\xg0\x4"),
            (r"\xc3\xa9", "é"),
            (r"\\x41", r"\A"),
        ] {
            assert_eq!(&*unescape(text.as_bytes()), expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn only_whole_dictionary_lines_name_a_device() {
        let address = "0000:00:1d.7".parse().ok();
        assert_eq!(decoded("6,1,2,-;x\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:1d.7\n").record.device, address);
        assert_eq!(decoded("6,1,2,-;x\n DEVICE=+usb:1-0:1.0\n").record.device, None);
        assert_eq!(decoded("6,1,2,-;x\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:1d.7").record.device, None);
    }

    #[test]
    fn a_record_is_whole_when_the_next_byte_is_known() {
        let text = b"6,1,2,-;x\n A=b\n7,2,3,-;y\n";
        for length in 0..=15 {
            assert_eq!(Framer::default().frame(&text[..length], false), Frame::NeedMore, "{length}");
        }
        assert_eq!(Framer::default().frame(&text[..16], false), Frame::Whole(15));
        assert_eq!(Framer::default().frame(&text[..15], true), Frame::Whole(15));
        assert_eq!(Framer::default().frame(&text[..9], true), Frame::CutShort(9));
        assert_eq!(Framer::default().frame(b"6,1,2,-;x\0\x006,", false), Frame::Whole(10));
    }
}
