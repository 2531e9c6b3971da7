//! The records of `/dev/kmsg` itself, of which every read gives exactly one, whole.

use super::kmsg::{self, Framer};
use super::stream::Stream;
use super::{Author, Flaw, Frame, Input, Place, Unparsed, peel};

/// Turns the reads of `/dev/kmsg` into records.
///
/// [`Decoder`](super::Decoder) would find the same ones in the same bytes, but knows that a record has ended only when it
/// sees what comes behind it. Here the end of a read is the end of a record, which is handed on at once; and what is no
/// `/dev/kmsg` record is no record of another format either, since the device has none.
///
/// ```
/// use pciback_audit::record::{Input, Numbered};
///
/// let mut numbered = Numbered::new(0);
/// let mut seen = Vec::new();
/// let mut sink = |input: Input<'_>| match input {
///     Input::Record(record) => seen.push(record.place.sequence),
///     Input::Gap(gap) => seen.push(gap.lost),
///     Input::Unparsed(_) | Input::Boot(..) => {}
/// };
/// numbered.take(b"6,10,0,-;xen_pciback: backend is vpci\n", &mut sink);
/// numbered.take(b"6,13,7,-;random: crng init done\n", &mut sink);
/// assert_eq!(seen, [Some(10), Some(2), Some(13)]);
/// ```
#[derive(Debug)]
pub struct Numbered {
    /// Where the next byte would stand, if the records were written to a file.
    place: Place,
    stream: Stream,
}

impl Numbered {
    /// For log number `log` of the case.
    pub fn new(log: usize) -> Self {
        let place = Place { log, line: 1, offset: 0, sequence: None };
        Self { place, stream: Stream::default() }
    }

    /// Takes what one read gave, and hands it to `sink`: as a record, or as unparsed when it is none.
    ///
    /// A record is kept back in one case only, when its text is the first part of a line (kernel 3.6 to 4.9), until the
    /// next record or [`Numbered::pause`].
    pub fn take(&mut self, read: &[u8], sink: &mut dyn FnMut(Input<'_>)) {
        let mut rest = read;
        while !rest.is_empty() {
            rest = self.one(rest, sink);
        }
    }

    /// Notes that records are missing here, nobody knows how many. The next record's sequence number tells.
    pub fn gap(&mut self, sink: &mut dyn FnMut(Input<'_>)) {
        self.stream.gap(self.place, None, sink);
    }

    /// Hands out what was kept back: nothing more is to be had for now. A part of a line that comes later is a record of
    /// its own.
    pub fn pause(&mut self, sink: &mut dyn FnMut(Input<'_>)) {
        self.stream.release(sink);
    }

    /// Takes the record at the front, and returns what is behind it: nothing, as the kernel has it.
    fn one<'a>(&mut self, read: &'a [u8], sink: &mut dyn FnMut(Input<'_>)) -> &'a [u8] {
        let place = self.place;
        let (length, cut) = match Framer::default().frame(read, true) {
            Frame::Whole(length) => (length, false),
            Frame::CutShort(length) | Frame::Damaged(length) => (length, true),
            Frame::NeedMore => (read.len(), true),
        };
        let (record, rest) = peel::split(read, length);
        let kmsg = if kmsg::starts(read) == Some(true) { kmsg::decode(record, place) } else { None };
        let Some(kmsg) = kmsg else {
            self.pass(read);
            let why = if cut { Flaw::CutShort } else { Flaw::Damaged };
            self.stream.unparsed(Unparsed { place, length: read.len() as u64, why }, sink);
            return &[];
        };
        self.pass(record);
        // A text that needs more escapes than the kernel has room for loses its end, and the line feed with it
        // (kernel/printk/printk.c, `msg_print_ext_body`; 2 KiB from 6.4 on). What user space wrote proves nothing anyway.
        if cut && kmsg.record.author != Author::User {
            self.stream.cut(kmsg.sequence, Unparsed { place, length: length as u64, why: Flaw::CutShort }, sink);
        } else {
            self.stream.kmsg(kmsg, sink);
        }
        rest
    }

    /// Moves on behind `bytes`.
    fn pass(&mut self, bytes: &[u8]) {
        self.place.offset += bytes.len() as u64;
        self.place.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Decoder;

    /// What comes out: `10` a record, `-2` a gap of two, `-` a gap, `!` bytes that are no record.
    fn shown(input: &Input<'_>) -> String {
        match input {
            Input::Record(record) => {
                format!("{} {}", record.place.sequence.unwrap_or(0), String::from_utf8_lossy(&record.message))
            }
            Input::Gap(gap) => format!("-{}", gap.lost.map_or(String::new(), |lost| lost.to_string())),
            Input::Unparsed(unparsed) => format!("!{:?} {}", unparsed.why, unparsed.length),
            Input::Boot(..) => "boot".to_owned(),
        }
    }

    fn taken(reads: &[&[u8]]) -> Vec<String> {
        let mut numbered = Numbered::new(0);
        let mut found = Vec::new();
        for read in reads {
            numbered.take(read, &mut |input| found.push(shown(&input)));
        }
        found
    }

    #[test]
    fn a_record_is_handed_on_with_the_read_that_gave_it() {
        assert_eq!(taken(&[b"6,1,2,-;a\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:1d.0\n"]), ["1 a"]);
    }

    #[test]
    fn gaps_are_counted_by_sequence_numbers() {
        assert_eq!(taken(&[b"6,10,2,-;a\n", b"6,11,2,-;b\n", b"6,14,2,-;c\n"]), ["10 a", "11 b", "-2", "14 c"]);
    }

    #[test]
    fn what_another_format_would_read_is_no_record() {
        let reads: [&[u8]; 5] =
            [b"<6>[    1.000000] text\n", b"[    1.000000] text\n", b"{\"MESSAGE\":\"text\"}\n", b"a\nb\n", b"\0\0\n"];
        for read in reads {
            assert_eq!(taken(&[read]), [format!("!Damaged {}", read.len())]);
        }
        assert_eq!(taken(&[b"6,99999999999999999999,2,-;a\n"]), ["!Damaged 29"]);
    }

    #[test]
    fn junk_in_place_of_a_record_is_seen_in_the_next_number_as_well() {
        assert_eq!(taken(&[b"6,1,2,-;a\n", b"?\n", b"6,3,2,-;c\n"]), ["1 a", "!Damaged 2", "-1", "3 c"]);
        assert_eq!(taken(&[b"6,1,2,-;a\n", b"?\n", b"6,2,2,-;c\n"]), ["1 a", "!Damaged 2", "2 c"]);
    }

    #[test]
    fn a_kernel_record_without_its_end_is_no_evidence_and_not_missing_either() {
        assert_eq!(taken(&[b"6,1,2,-;a\n", b"6,3,2,-;cut", b"6,4,2,-;c\n"]), ["1 a", "-1", "!CutShort 11", "4 c"]);
        assert_eq!(taken(&[b"14,1,2,-;cut", b"6,2,2,-;c\n"]), ["1 cut", "2 c"]);
    }

    #[test]
    fn parts_of_a_line_are_put_together_unless_it_pauses_between_them() {
        let parts: [&[u8]; 3] = [b"6,1,2,c;a\n", b"6,2,2,+;b\n", b"6,3,2,-;c\n"];
        assert_eq!(taken(&parts), ["1 ab", "3 c"]);
        let mut numbered = Numbered::new(0);
        let mut found = Vec::new();
        for part in parts {
            numbered.take(part, &mut |input| found.push(shown(&input)));
            numbered.pause(&mut |input| found.push(shown(&input)));
        }
        assert_eq!(found, ["1 a", "2 b", "3 c"]);
    }

    #[test]
    fn the_decoder_finds_the_same_in_the_same_bytes() {
        let reads: [&[u8]; 5] = [
            b"6,1,2,-;a\n DEVICE=+pci:0000:00:1d.0\n",
            b"12,2,3,-;b\\x0ac\n",
            b"6,7,4,c,caller=T1;d\n",
            b"6,8,4,+;e\n",
            b"4,9,5,-;f\n",
        ];
        let (mut numbered, mut decoder) = (Numbered::new(3), Decoder::new(3));
        let (mut one, mut other) = (Vec::new(), Vec::new());
        for read in reads {
            numbered.take(read, &mut |input| one.push(format!("{input:?}")));
            decoder.feed(read, &mut |input| other.push(format!("{input:?}")));
        }
        decoder.finish(&mut |input| other.push(format!("{input:?}")));
        assert_eq!(one, other);
    }
}
