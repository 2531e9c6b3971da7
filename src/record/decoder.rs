//! Drives the formats over a stream of bytes: recognises a record, finds its end, decodes it, whatever the reads were.

use super::container::Container;
use super::dmesg_json::Array;
use super::journal::NoRecord;
use super::peel::{run, split};
use super::stream::Stream;
use super::wide::Wide;
use super::{Author, Flaw, Frame, Input, Place, Unparsed};
use super::{dmesg_json, journal_export, journal_json, journal_verbose, kmsg, line, netconsole, object};

/// Turns the bytes of one log into records, however they are cut into reads.
///
/// ```
/// use pciback_audit::record::{Author, Decoder, Input};
///
/// let mut decoder = Decoder::new(0);
/// let mut authors = Vec::new();
/// let mut sink = |input: Input<'_>| {
///     if let Input::Record(record) = input {
///         authors.push(record.author);
///     }
/// };
/// decoder.feed(b"6,1,0,-;xen_pciback: backend is vpci\n12,2,7,-;xen_pci", &mut sink);
/// decoder.feed(b"back: backend is vpci\n", &mut sink);
/// decoder.finish(&mut sink);
/// assert_eq!(authors, [Author::Kernel, Author::User]);
/// ```
#[derive(Debug)]
pub struct Decoder {
    /// What makes UTF-8 of a log in UTF-16; places count the bytes behind it.
    wide: Wide,
    /// Bytes of a record whose end has not come yet.
    carry: Vec<u8>,
    /// Where the next byte stands.
    place: Place,
    /// The record that the next bytes belong to.
    open: Option<Open>,
    stream: Stream,
}

/// A record whose end is looked for.
#[derive(Debug)]
struct Open {
    place: Place,
    framer: Framer,
    /// Bytes of it that were given up because it is too long.
    dropped: u64,
}

/// The formats that differ in where a record ends.
#[derive(Debug)]
enum Framer {
    Line(line::Framer),
    /// What is left of a damaged record.
    Rest(line::Framer),
    /// A crash leaves a run of NULs where a file had grown and its text was not written yet; the next boot goes on
    /// behind it, in the same line.
    Zeros,
    Kmsg(kmsg::Framer),
    /// A record of `dmesg -J`, or a journal entry.
    Object(object::Framer),
    Export(journal_export::Framer),
    Verbose(journal_verbose::Framer),
}

/// What the first bytes of a record say about it.
#[derive(Debug)]
enum Start {
    Record(Framer),
    /// These bytes belong to no record.
    Skip(usize),
    /// They are too few to tell.
    NeedMore,
}

impl Decoder {
    /// Longest record, in bytes. printk cuts at 1 KiB (2 KiB from 7.x), journald at 64 KiB a field; rsyslog at 8 KiB.
    pub const LONGEST: usize = 1 << 20;

    /// A decoder for log number `log` of the case.
    pub fn new(log: usize) -> Self {
        let place = Place { log, line: 1, offset: 0, sequence: None };
        Self { wide: Wide::default(), carry: Vec::new(), place, open: None, stream: Stream::default() }
    }

    /// A decoder for the text that syslog(2) gave, in which `<6>` is the kernel's own word. In a saved log it proves nothing: `dmesg
    /// -r` mixes the facility into it, and anyone may have written it.
    pub fn for_syslog_call(log: usize) -> Self {
        let mut decoder = Self::new(log);
        decoder.stream.container = Container::Call;
        decoder.wide = Wide::narrow();
        decoder
    }

    /// Whether any record so far had a form that is known: a time, a priority, a header, or fields. A log without any may be no log.
    pub fn has_known_form(&self) -> bool {
        self.stream.known || self.stream.stamped > 0
    }

    /// Goes on at `offset`, where another record begins. What was passed over is not known, so lines are counted no longer.
    pub fn skip_to(&mut self, offset: u64) {
        self.place.line = 0;
        self.wide.begin();
        if self.is_at_rest() {
            self.place.offset = offset;
        }
    }

    /// Whether the next byte begins a record.
    pub fn is_at_rest(&self) -> bool {
        self.carry.is_empty() && self.open.is_none()
    }

    /// Takes the next bytes, and hands every record that is whole to `sink`.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Input<'_>)) {
        let text = self.wide.take(bytes);
        self.read(&text, sink);
    }

    fn read(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Input<'_>)) {
        if self.carry.is_empty() {
            let used = self.run(bytes, false, sink);
            self.carry.extend_from_slice(split(bytes, used).1);
            return;
        }
        let mut buffer = std::mem::take(&mut self.carry);
        buffer.extend_from_slice(bytes);
        let used = self.run(&buffer, false, sink);
        buffer.drain(..used);
        self.carry = buffer;
    }

    /// Ends the log: hands the last record to `sink`, or what is left of it as cut short.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Input<'_>)) {
        let rest = self.wide.rest();
        self.read(&rest, sink);
        let buffer = std::mem::take(&mut self.carry);
        let used = self.run(&buffer, true, sink);
        let (_, left) = split(&buffer, used);
        let dropped = self.open.take().map_or(0, |open| open.dropped);
        let why = if dropped > 0 { Flaw::TooLong } else { Flaw::CutShort };
        // An array of dmesg -J that is not closed was cut, even when it was cut between two records.
        let open = self.stream.array != Array::Outside;
        if dropped > 0 || !left.is_empty() || (open && !self.stream.flawed) {
            self.stream.unparsed(Unparsed { place: self.place, length: dropped + left.len() as u64, why }, sink);
        }
        self.stream.release(sink);
    }

    /// Decodes as many records as there are, and says how many bytes are done with.
    fn run(&mut self, bytes: &[u8], at_end: bool, sink: &mut dyn FnMut(Input<'_>)) -> usize {
        let mut used = 0;
        loop {
            let (_, rest) = split(bytes, used);
            if rest.is_empty() {
                return used;
            }
            let length = self.step(rest, at_end, sink);
            if length == 0 {
                return used;
            }
            used += length;
        }
    }

    /// Takes one step over the front of `rest`, and returns its length, or 0 when more bytes are needed.
    fn step(&mut self, rest: &[u8], at_end: bool, sink: &mut dyn FnMut(Input<'_>)) -> usize {
        // Never looking further than this makes the outcome the same however the bytes were cut into reads.
        let (window, beyond) = split(rest, Self::LONGEST);
        let at_end = at_end && beyond.is_empty();
        let mut open = match self.open.take() {
            Some(open) => open,
            None => match self.start(window, at_end) {
                Start::Record(framer) => Open { place: self.place, framer, dropped: 0 },
                Start::Skip(length) => {
                    let skipped = split(window, length).0;
                    if matches!(skipped, [b'\n' | b'\r', ..]) {
                        self.stream.section();
                    }
                    self.pass(skipped);
                    return length;
                }
                Start::NeedMore => return 0,
            },
        };
        let (length, flaw) = match open.framer.frame(window, at_end) {
            Frame::Whole(length) => (length, None),
            Frame::Damaged(length) => (length, Some(Flaw::Damaged)),
            Frame::CutShort(length) => (length, Some(Flaw::CutShort)),
            Frame::NeedMore if window.len() < Self::LONGEST => {
                self.open = Some(open);
                return 0;
            }
            Frame::NeedMore => {
                let length = open.framer.forget();
                open.dropped += length as u64;
                self.pass(split(window, length).0);
                self.open = Some(open);
                return length;
            }
        };
        let (record, _) = split(window, length);
        if matches!(open.framer, Framer::Line(_)) {
            // A line has no end but its own.
            self.place.offset += length as u64;
            if self.place.line > 0 {
                self.place.line += u64::from(record.ends_with(b"\n"));
            }
        } else {
            self.pass(record);
        }
        let flaw = if open.dropped > 0 { Some(Flaw::TooLong) } else { flaw };
        match flaw {
            Some(why) => {
                let length = open.dropped + length as u64;
                self.stream.unparsed(Unparsed { place: open.place, length, why }, sink);
            }
            None => self.decode(&open, record, sink),
        }
        length
    }

    /// Recognises a record by its first bytes.
    fn start(&mut self, bytes: &[u8], at_end: bool) -> Start {
        let (between, array) = self.stream.array.between(bytes);
        self.stream.array = array;
        if between > 0 {
            return Start::Skip(between);
        }
        // A format of several lines, when it is one and when more bytes would tell; a single line otherwise.
        let either = |starts: Option<bool>, framer| match starts {
            Some(true) => Start::Record(framer),
            None if !at_end => Start::NeedMore,
            Some(false) | None => Start::Record(Framer::Line(line::Framer::default())),
        };
        if !self.stream.takes_frames() {
            return self.blank(bytes, at_end);
        }
        match bytes {
            [b'0'..=b'9', ..] => match kmsg::starts(bytes) {
                // Half a prefix behind other records is the start of one that was cut.
                None if at_end && self.stream.kmsg => Start::Record(Framer::Kmsg(kmsg::Framer::default())),
                starts => either(starts, Framer::Kmsg(kmsg::Framer::default())),
            },
            [b'{', ..] => self.object(bytes, at_end),
            [0x1e, ..] | [b'd', b'a', ..] | [b'd'] => match journal_json::lead(bytes) {
                Some(length @ 1..) => Start::Skip(length),
                lead => either(lead.map(|_| false), Framer::Line(line::Framer::default())),
            },
            [b'_', ..] => either(journal_export::starts(bytes), Framer::Export(journal_export::Framer::default())),
            [b'A'..=b'Z', ..] => match journal_verbose::starts(bytes) {
                Some(false) if self.stream.container.is_trusted() => {
                    either(journal_export::starts(bytes), Framer::Export(journal_export::Framer::default()))
                }
                starts => either(starts, Framer::Verbose(journal_verbose::Framer::default())),
            },
            [b'[', ..] if self.stream.container.is_trusted() => match dmesg_json::bare(bytes) {
                Some(length @ 1..) => {
                    self.stream.array = Array::Bare;
                    Start::Skip(length)
                }
                starts => either(starts.map(|_| false), Framer::Line(line::Framer::default())),
            },
            [b'"', ..] if self.stream.array != Array::Outside => Start::Record(Framer::Rest(line::Framer::default())),
            _ => self.blank(bytes, at_end),
        }
    }

    /// An object, the start of the wrapper of `dmesg -J`, or text with a brace.
    fn object(&mut self, bytes: &[u8], at_end: bool) -> Start {
        let (bytes, _) = split(bytes, dmesg_json::LONGEST_WRAPPER);
        match dmesg_json::wrapper(bytes) {
            Some(length @ 1..) if self.stream.array == Array::Outside => {
                self.stream.array = Array::Open;
                Start::Skip(length)
            }
            None if !at_end => Start::NeedMore,
            // Inside the array even a lone brace is the start of a record, cut by the end of the log.
            None if self.stream.array != Array::Outside => Start::Record(Framer::Object(object::Framer::default())),
            _ if object::starts(bytes) => Start::Record(Framer::Object(object::Framer::default())),
            _ => Start::Record(Framer::Line(line::Framer::default())),
        }
    }

    /// What stands between records and is none: empty lines, NULs behind `/dev/kmsg` records, the mark of UTF-8.
    fn blank(&self, bytes: &[u8], at_end: bool) -> Start {
        let line = Start::Record(Framer::Line(line::Framer::default()));
        match bytes {
            [b'\n', ..] if !self.stream.is_binary(self.place) => Start::Skip(1),
            [0, ..] if self.stream.kmsg => Start::Skip(run(bytes, |byte| byte == 0).0.len()),
            [0, ..] => Start::Record(Framer::Zeros),
            [b'\r', ..] if !self.stream.is_binary(self.place) => match run(bytes, |byte| byte == b'\r') {
                (blank, [b'\n', ..]) => Start::Skip(blank.len() + 1),
                (blank, []) if at_end => Start::Skip(blank.len()),
                (blank, []) if blank.len() < 8 => Start::NeedMore,
                _ => line,
            },
            [0xef, rest @ ..] if self.place.offset == 0 => match rest {
                [0xbb, 0xbf, ..] => Start::Skip(3),
                [] | [0xbb] if !at_end => Start::NeedMore,
                _ => line,
            },
            _ => line,
        }
    }

    /// Decodes a whole record.
    fn decode(&mut self, open: &Open, record: &[u8], sink: &mut dyn FnMut(Input<'_>)) {
        let place = open.place;
        let read = match open.framer {
            Framer::Line(_) => return self.stream.line_or_row(record, place, sink),
            Framer::Zeros => return self.unparsed(record, place, Flaw::Binary, sink),
            Framer::Kmsg(_) => return self.kmsg(netconsole::without_release(record), place, sink),
            Framer::Rest(_) => Err(NoRecord::Damaged),
            Framer::Object(_) if self.stream.array == Array::Open => {
                dmesg_json::decode(record, place).map_or_else(|| journal_json::decode(record, place), Ok)
            }
            Framer::Object(_) => journal_json::decode(record, place)
                .or_else(|flaw| dmesg_json::decode(record, place).filter(|_| flaw == NoRecord::Foreign).ok_or(flaw)),
            Framer::Export(_) => journal_export::decode(record, place),
            Framer::Verbose(_) => journal_verbose::decode(record, place),
        };
        if !matches!(read, Err(NoRecord::Foreign | NoRecord::Damaged)) {
            self.stream.framed();
        }
        match read {
            Ok(record) => self.stream.record(record, sink),
            // User space may leave out what it likes. The kernel's messages are too short to be left out.
            Err(NoRecord::Silent | NoRecord::Withheld(Author::User)) => {}
            Err(NoRecord::Foreign) => self.stream.foreign(record, place, sink),
            Err(NoRecord::Withheld(Author::Kernel | Author::Unstated) | NoRecord::Damaged) => {
                self.unparsed(record, place, Flaw::Damaged, sink);
            }
        }
    }

    fn kmsg(&mut self, record: &[u8], place: Place, sink: &mut dyn FnMut(Input<'_>)) {
        if self.stream.fragments(record, place, sink).is_some() {
            return;
        }
        match kmsg::decode(record, place) {
            Some(kmsg) if kmsg.record.author == Author::Kernel && kmsg::holds_head(&kmsg.record.message) => {
                let (length, why) = (record.len() as u64, Flaw::Damaged);
                self.stream.cut(kmsg.sequence, Unparsed { place, length, why }, sink);
            }
            Some(kmsg) => self.stream.kmsg(kmsg, sink),
            None => self.unparsed(record, place, Flaw::Damaged, sink),
        }
    }

    fn unparsed(&mut self, bytes: &[u8], place: Place, why: Flaw, sink: &mut dyn FnMut(Input<'_>)) {
        self.stream.unparsed(Unparsed { place, length: bytes.len() as u64, why }, sink);
    }

    /// Moves on behind `bytes`.
    fn pass(&mut self, bytes: &[u8]) {
        self.place.offset += bytes.len() as u64;
        if self.place.line > 0 {
            self.place.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
        }
    }
}

impl Framer {
    fn frame(&mut self, bytes: &[u8], at_end: bool) -> Frame {
        match self {
            Self::Line(framer) | Self::Rest(framer) => framer.frame(bytes, at_end),
            // The pieces of a run are put together again behind this.
            Self::Zeros => Frame::Whole(run(bytes, |byte| byte == 0).0.len()),
            Self::Kmsg(framer) => framer.frame(bytes, at_end),
            Self::Object(framer) => framer.frame(bytes, at_end),
            Self::Export(framer) => framer.frame(bytes, at_end),
            Self::Verbose(framer) => framer.frame(bytes, at_end),
        }
    }

    fn forget(&mut self) -> usize {
        match self {
            Self::Line(framer) | Self::Rest(framer) => framer.forget(),
            Self::Zeros => 0,
            Self::Kmsg(framer) => framer.forget(),
            Self::Object(framer) => framer.forget(),
            Self::Export(framer) => framer.forget(),
            Self::Verbose(framer) => framer.forget(),
        }
    }
}
