//! What extended netconsole adds to records of `/dev/kmsg`: the kernel's release before them, and messages in fragments.
//!
//! Documentation/networking/netconsole.rst; drivers/net/netconsole.c, `send_ext_msg_udp` (4.2 and later; the release since
//! 6.6).

use memchr::memmem;

use super::kmsg;
use super::peel::{digits, number, split};
use super::stream::Stream;
use super::{Decoder, Flaw, Gap, Input, Place, Unparsed};

/// Longest release of a kernel (include/uapi/linux/utsname.h, `__NEW_UTS_LEN`).
const LONGEST_RELEASE: usize = 64;

/// The field before the offset of a fragment and the length of the whole message.
const FRAGMENT: &[u8] = b",ncfrag=";

/// What the start of a record says about a release before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release<'a> {
    /// There is none.
    None,
    /// The bytes are too few to tell.
    NeedMore,
    /// What stands behind it.
    Behind(&'a [u8]),
}

/// Looks for `6.11.1-dom0,` at the front.
pub(super) fn release(bytes: &[u8]) -> Release<'_> {
    let (major, rest) = digits(bytes);
    let (minor, _) = match rest {
        [b'.', rest @ ..] => digits(rest),
        [] if major.len() < LONGEST_RELEASE => return Release::NeedMore,
        _ => return Release::None,
    };
    let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | b'_' | b'~');
    let (window, _) = split(bytes, LONGEST_RELEASE + 1);
    let length = window.iter().position(|byte| !belongs(byte));
    match length.map(|at| split(bytes, at).1) {
        Some([b',', rest @ ..]) if !major.is_empty() && !minor.is_empty() => Release::Behind(rest),
        None if bytes.len() <= LONGEST_RELEASE => Release::NeedMore,
        Some(_) | None => Release::None,
    }
}

/// A record without the release before it.
pub(super) fn without_release(record: &[u8]) -> &[u8] {
    match release(record) {
        Release::Behind(rest) => rest,
        Release::None | Release::NeedMore => record,
    }
}

/// The fragments of one message, as far as they came.
#[derive(Debug)]
pub(super) struct FragmentSet {
    place: Place,
    sequence: u64,
    /// The header with its semicolon and without the field of fragments, then the text so far.
    whole: Vec<u8>,
    /// Length of the header in it.
    header: usize,
    /// Length of the whole text.
    total: usize,
    /// Bytes of the log that it was made from.
    length: u64,
}

/// One fragment.
#[derive(Clone, Copy, Debug)]
struct Fragment<'a> {
    header: &'a [u8],
    offset: usize,
    total: usize,
    text: &'a [u8],
}

impl Stream {
    /// Takes a record that is a fragment, or several behind each other in one line, as receivers write them that add no line
    /// feed. `None` where it is none.
    pub(super) fn fragments(&mut self, record: &[u8], place: Place, sink: &mut dyn FnMut(Input<'_>)) -> Option<()> {
        let mut rest = record;
        let first = part(rest)?;
        self.framed();
        let again = [first.header, FRAGMENT].concat();
        let starts = memmem::find_iter(first.text, &again).map(|at| record.len() - first.text.len() + at);
        let mut from = 0;
        for end in starts.chain([record.len()]) {
            rest = split(split(record, end).0, from).1;
            // Without one, the text holds what looks like its header.
            let Some(part) = part(rest) else {
                self.damaged(record, place, sink);
                break;
            };
            from = end;
            self.fragment(part, rest.len(), place, sink);
        }
        Some(())
    }

    fn damaged(&mut self, record: &[u8], place: Place, sink: &mut dyn FnMut(Input<'_>)) {
        self.unparsed(Unparsed { place, length: record.len() as u64, why: Flaw::Damaged }, sink);
    }

    fn fragment(&mut self, part: Fragment<'_>, length: usize, place: Place, sink: &mut dyn FnMut(Input<'_>)) {
        let begun = self.parts.as_ref().is_some_and(|parts| parts.takes(&part));
        if !begun {
            self.release(sink);
            self.parts = FragmentSet::begin(&part, place);
        }
        let Some(parts) = &mut self.parts else {
            self.damaged(part.text, place, sink);
            return;
        };
        parts.whole.truncate(parts.header + part.offset);
        parts.whole.extend_from_slice(part.text);
        parts.length += length as u64;
        if parts.whole.len() < parts.header + parts.total {
            return;
        }
        let Some(parts) = self.parts.take() else { return };
        match kmsg::decode(&parts.whole, parts.place) {
            Some(kmsg) => self.kmsg(kmsg, sink),
            None => self.unparsed(parts.unparsed(Flaw::Damaged), sink),
        }
    }

    /// Gives up a message of which fragments are missing.
    pub(super) fn drop_parts(&mut self, sink: &mut dyn FnMut(Input<'_>)) {
        if let Some(parts) = self.parts.take() {
            if let Some(missing) = self.missing(parts.sequence) {
                sink(Input::Gap(Gap { place: parts.place, lost: Some(missing) }));
            }
            sink(Input::Unparsed(parts.unparsed(Flaw::CutShort)));
        }
    }
}

impl FragmentSet {
    fn begin(part: &Fragment<'_>, place: Place) -> Option<Self> {
        let header = [part.header, b";"].concat();
        let (_, rest) = number(part.header)?;
        let (sequence, _) = number(rest.strip_prefix(b",")?)?;
        let fits = part.offset == 0 && part.total <= Decoder::LONGEST;
        fits.then_some(Self { place, sequence, header: header.len(), whole: header, total: part.total, length: 0 })
    }

    /// Whether a fragment goes on where the last one ended. Behind that one may stand what is no part of it: a line feed of the
    /// receiver, or the release before the header of this one.
    fn takes(&self, part: &Fragment<'_>) -> bool {
        let (header, text) = split(&self.whole, self.header);
        let goes_on = part.offset > 0 && part.offset <= text.len();
        header.strip_suffix(b";") == Some(part.header) && self.total == part.total && goes_on
    }

    const fn unparsed(&self, why: Flaw) -> Unparsed {
        Unparsed { place: self.place, length: self.length, why }
    }
}

/// Reads a fragment: its header up to the field that makes it one, and its text.
fn part(record: &[u8]) -> Option<Fragment<'_>> {
    let (fields, text) = split(record, memchr::memchr(b';', record)?);
    let (header, fragment) = split(fields, memmem::find(fields, FRAGMENT)?);
    let (offset, rest) = number(fragment.strip_prefix(FRAGMENT)?)?;
    let (total, _) = number(rest.strip_prefix(b"/")?)?;
    let text = text.strip_prefix(b";")?;
    Some(Fragment { header, offset: usize::try_from(offset).ok()?, total: usize::try_from(total).ok()?, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Author;

    fn told(log: &str) -> Vec<String> {
        let mut told = Vec::new();
        let mut sink = |input: Input<'_>| {
            told.push(match input {
                Input::Record(record) => {
                    let device = record.device.map_or(String::new(), |device| device.to_string());
                    let kernel = record.author == Author::Kernel;
                    format!("{kernel} {} {device}", String::from_utf8_lossy(&record.message))
                }
                Input::Gap(gap) => format!("gap {:?}", gap.lost),
                Input::Unparsed(unparsed) => format!("{:?} {}", unparsed.why, unparsed.length),
                Input::Boot(..) => "boot".to_owned(),
            });
        };
        let mut decoder = Decoder::new(0);
        decoder.feed(log.as_bytes(), &mut sink);
        decoder.finish(&mut sink);
        told
    }

    #[test]
    fn a_release_is_told_from_dates_and_numbers() {
        assert_eq!(release(b"6.11.1-dom0,6,1,2,-;x"), Release::Behind(b"6,1,2,-;x"));
        assert_eq!(release(b"6.1.0-rc1+_x~1,6"), Release::Behind(b"6"));
        for text in
            [&b"6,1,2,-;x"[..], b"2026-11-22T06:46:32,787468 x", b"1795331153.830344 dom0", b"6.,6,1", b"10.0.0.1 x"]
        {
            assert_eq!(release(text), Release::None, "{text:?}");
        }
        assert_eq!(release(b"6.1"), Release::NeedMore);
    }

    #[test]
    fn fragments_are_put_together() {
        let expected = ["true the first chunk, the 2nd chunk. "];
        let (one, two) =
            ("6,416,1758426,-,ncfrag=0/31;the first chunk,", "6,416,1758426,-,ncfrag=16/31; the 2nd chunk.\n");
        assert_eq!(told(&format!("{one}\n{two}")), expected);
        assert_eq!(told(&format!("{one}{two}")), expected);
        assert_eq!(told(&format!("6.4.0,{one}\n6.4.0,{two}")), expected);
        assert_eq!(told(&format!("6.4.0,{one}6.4.0,{two}")), expected);
        let cut = told(&format!("{one}\n6,417,1758427,-;next\n"));
        assert_eq!(cut, ["CutShort 45", "true next "]);
    }

    #[test]
    fn a_dictionary_may_be_cut_by_fragments() {
        let text = "pciback 0000:00:1d.0: x\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:1d.0\n";
        let (one, two) = text.split_at(30);
        let total = text.len();
        let log = format!("6,1,2,-,ncfrag=0/{total};{one}\n6,1,2,-,ncfrag=30/{total};{two}6,2,3,-;next\n");
        assert_eq!(told(&log), ["true pciback 0000:00:1d.0: x 0000:00:1d.0", "true next "]);
    }
}
