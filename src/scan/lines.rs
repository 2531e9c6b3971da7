//! Reads a log whose records are lines, and decodes only those lines that the search finds.

use std::io::{self, Read};
use std::ops::Range;

use memchr::{memchr, memmem, memrchr};

use super::gleaner::{Gleaner, Look, Open};
use super::sieve::{Sieve, is_strange};
use crate::record::{Decoder, Flaw, Input, Place, Unparsed};

/// How much is read and searched at a time. What fits into the processor's nearer caches is searched while it is there.
pub(super) const BLOCK: usize = 64 << 10;

/// How far behind a seizing line the next record of its host is looked for.
const FAR: u64 = 1 << 20;

/// Says whether to read on.
pub(super) type GoOn<'a> = dyn Fn() -> bool + 'a;

/// A stretch of a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// Its first byte. Where this is not the start of the log, it begins behind the first line feed from the byte before on.
    pub(super) from: u64,
    /// Lines that begin here or later are not its own.
    pub(super) until: u64,
    /// What is added to a place in the file to make one in the whole set.
    pub(super) base: u64,
    /// Whether nobody else can read the last lines of the log once more.
    pub(super) is_stream: bool,
}

/// Reads the lines of one stretch of a log.
pub(super) struct Lines<'a, 'b> {
    sieve: &'a Sieve,
    /// Whether every line is decoded all the same.
    every: bool,
    stretch: Stretch,
    decoder: Decoder,
    /// For lines that the search passed over, and that are decoded all the same: what a line means can hang on those before it,
    /// and must not hang on whether these were decoded.
    other: Decoder,
    gleaner: &'a mut Gleaner<'b>,
    hits: Vec<Range<usize>>,
    /// Where the next byte stands in the file.
    at: u64,
}

impl<'a, 'b> Lines<'a, 'b> {
    pub(super) fn new(sieve: &'a Sieve, every: bool, stretch: Stretch, gleaner: &'a mut Gleaner<'b>) -> Self {
        let at = stretch.from.saturating_sub(1);
        Self { sieve, every, stretch, decoder: Decoder::new(0), other: Decoder::new(0), gleaner, hits: Vec::new(), at }
    }

    /// Reads the stretch. `reader` begins at its first byte, or one before where that is not the start of the log. Returns
    /// where the log ended, if it did.
    pub(super) fn read(mut self, reader: &mut dyn Read, go_on: &GoOn<'_>) -> (Option<u64>, io::Result<()>) {
        let mut window = Window::new();
        let mut skipping = self.stretch.from > 0;
        loop {
            let end = self.at.saturating_add(window.bytes().len() as u64);
            // Behind the end there is mostly no more to read than what is left of a line.
            let ahead = self.stretch.until.saturating_sub(end).saturating_add(FRONT as u64);
            let got = match window.fill(reader, usize::try_from(ahead).unwrap_or(BLOCK).min(BLOCK)) {
                Ok(got) => got,
                Err(error) => return (None, Err(error)),
            };
            if got > 0 && !(go_on() && self.gleaner.is_wanted()) {
                return (None, Err(io::Error::from(io::ErrorKind::Interrupted)));
            }
            if skipping && !window.skip_line(&mut self.at) {
                // No line of this stretch begins here.
                if got == 0 || self.at >= self.stretch.until {
                    return ((got == 0).then_some(self.at), Ok(()));
                }
                continue;
            }
            skipping = false;
            if let Some(whole) = window.lines(got == 0) {
                let length = whole.len();
                if !self.block(whole) {
                    return (None, Ok(()));
                }
                self.at += length as u64;
                window.pass(length);
            } else {
                self.too_long(&mut window, got == 0);
            }
            if got == 0 {
                if self.stretch.is_stream {
                    self.pass_over(window.last_block());
                }
                self.decoder.finish(&mut |input| self.gleaner.take(&input));
                return (Some(self.at), Ok(()));
            }
        }
    }

    /// Takes whole lines. Returns whether there are more to come.
    fn block(&mut self, lines: &[u8]) -> bool {
        // Lines that begin behind the end are only asked what became of seizing lines.
        let own = usize::try_from(self.stretch.until.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let more = own > lines.len();
        // The line that holds the last byte before the end begins before it.
        let last = own.saturating_sub(1);
        let mine = match lines.get(last..) {
            _ if more => lines,
            Some(rest) if own > 0 => lines.split_at(memchr(b'\n', rest).map_or(lines.len(), |end| own + end)).0,
            _ => &[],
        };
        self.search(mine);
        self.end_record(lines, mine.len());
        self.follow_up(lines);
        more || self.gleaner.has_open()
    }

    /// Looks for what became of the seizing lines that are followed up, up to the end of these lines.
    fn follow_up(&mut self, lines: &[u8]) {
        if self.gleaner.has_open() {
            let open = self.gleaner.open();
            let open = open.into_iter().filter_map(|open| self.follow(open, lines)).collect();
            self.gleaner.keep_open(open);
        }
    }

    /// Decodes the lines that can say something.
    fn search(&mut self, lines: &[u8]) {
        let mut hits = std::mem::take(&mut self.hits);
        if self.sieve.search(lines, &mut hits) || self.every {
            // Bytes that no text has: the decoder says what they are.
            self.every(lines, &hits);
        } else {
            let mut done = self.end_record(lines, 0);
            for hit in &hits {
                // It may belong to a record that began before it.
                let Some(before) = lines.get(done..hit.start) else { continue };
                let from = memrchr(b'\n', before).map_or(done, |end| done + end + 1);
                if from > done || !self.gleaner.heard() {
                    // What a host said before this is to be told before it.
                    self.follow_up(lines.split_at(from).0);
                }
                self.decoder.skip_to(self.stretch.base + self.at + from as u64);
                let line = lines.get(from..hit.end).unwrap_or_default();
                self.decoder.feed_line(line, &mut |input| self.gleaner.take(&input));
                done = self.end_record(lines, hit.end);
            }
        }
        self.hits = hits;
    }

    /// Decodes every line, whether it was found or not.
    fn every(&mut self, lines: &[u8], hits: &[Range<usize>]) {
        let mut hits = hits.iter().peekable();
        let mut from = 0;
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            self.follow_up(lines.split_at(from).0);
            let until = from + line.len();
            // Colours may stand in the middle of what was looked for.
            let found = hits.next_if(|hit| hit.start < until).is_some() || line.iter().any(|byte| is_strange(*byte));
            if found || !self.decoder.is_at_rest() {
                self.decode(line, self.at + from as u64);
            } else {
                self.gleaner.found(false);
                self.other.skip_to(self.stretch.base + self.at + from as u64);
                self.other.feed(line, &mut |input| self.gleaner.take(&input));
                self.gleaner.found(true);
            }
            from = until;
        }
    }

    /// Decodes lines from `done` on until a record ends: where it has several, they belong to it whatever they say.
    fn end_record(&mut self, lines: &[u8], mut done: usize) -> usize {
        while !self.decoder.is_at_rest()
            && let Some(rest) = lines.get(done..).filter(|rest| !rest.is_empty())
        {
            let end = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            self.decode(rest.split_at(end).0, self.at + done as u64);
            done += end;
        }
        done
    }

    fn decode(&mut self, lines: &[u8], at: u64) {
        self.decoder.skip_to(self.stretch.base + at);
        self.decoder.feed(lines, &mut |input| self.gleaner.take(&input));
    }

    /// Looks for what a seizing line's host said next. Returns the line again if it must be looked for further on.
    fn follow(&mut self, mut open: Open, lines: &[u8]) -> Option<Open> {
        let block = self.stretch.base + self.at;
        let mut from = usize::try_from(open.from.saturating_sub(block)).ok()?;
        self.gleaner.look(Look::Passed);
        let mut found = false;
        while !found
            && let Some(rest) = lines.get(from..)
            && let Some(hit) = memmem::find(rest, &open.host)
        {
            let (before, behind) = rest.split_at(hit);
            let start = from + memrchr(b'\n', before).map_or(0, |end| end + 1);
            let end = from + hit + memchr(b'\n', behind).map_or(behind.len(), |end| end + 1);
            let mut decoder = Decoder::new(0);
            decoder.skip_to(block + start as u64);
            let line = lines.get(start..end).unwrap_or_default();
            // The line itself is cut where it begins, and is no record then.
            let gleaner = &mut *self.gleaner;
            let mut sink = |input: Input<'_>| {
                if let Input::Record(record) = input
                    && open.is_of(&record)
                {
                    found |= open.is_settled_by(&record);
                    gleaner.take(&Input::Record(record));
                    // The part of the log that it stands in tells of it.
                    found |= gleaner.ends();
                }
            };
            decoder.feed(line, &mut sink);
            decoder.finish(&mut sink);
            from = end;
        }
        self.gleaner.look(Look::Found);
        open.from = block + lines.len() as u64;
        (!found && open.from < open.since + FAR).then_some(open)
    }

    /// Asks the last lines of the log, which were passed over, how long the boots of their hosts went on.
    fn pass_over(&mut self, block: &[u8]) {
        let end = self.stretch.base + self.at;
        ask(self.gleaner, block, end - block.len() as u64, self.at == block.len() as u64);
    }

    /// Passes over a line that is longer than any record.
    fn too_long(&mut self, window: &mut Window, at_end: bool) {
        let Some(length) = window.give_up(at_end) else { return };
        let place = Place { offset: self.stretch.base + self.at, ..Place::default() };
        self.at += length;
        self.gleaner.take(&Input::Unparsed(Unparsed { place, length, why: Flaw::TooLong }));
    }
}

/// Asks lines that were passed over how long the boots of their hosts went on. The first one is cut, unless they are the
/// first of the log.
pub(super) fn ask(gleaner: &mut Gleaner<'_>, lines: &[u8], offset: u64, first: bool) {
    let start = if first { Some(0) } else { memchr(b'\n', lines).map(|end| end + 1) };
    let Some(start) = start else { return };
    let mut decoder = Decoder::new(0);
    decoder.skip_to(offset + start as u64);
    gleaner.look(Look::Passed);
    decoder.feed(lines.get(start..).unwrap_or_default(), &mut |input| gleaner.take(&input));
    decoder.finish(&mut |input| gleaner.take(&input));
    gleaner.look(Look::Found);
}

/// What was read and is not done with. A block is always read to the same place, with what was left of the one before it in
/// front of it.
struct Window {
    bytes: Vec<u8>,
    /// Where blocks are read to.
    front: usize,
    from: usize,
    until: usize,
    /// How much of a line that is too long was given up.
    dropped: u64,
    /// How much the last block was.
    last: usize,
}

/// Room in front of a block, for what is left of the one before.
const FRONT: usize = 4 << 10;

/// Where in memory a block may begin. The kernel takes half as long again to copy a page to where a large allocation begins,
/// 16 bytes behind such a place (benches/README.md).
const ALIGNED: usize = 64;

impl Window {
    fn new() -> Self {
        let (bytes, front) = Self::room(FRONT);
        Self { bytes, front, from: front, until: front, dropped: 0, last: 0 }
    }

    /// Memory for a block and so many bytes before it.
    fn room(before: usize) -> (Vec<u8>, usize) {
        let bytes = vec![0; before + ALIGNED + BLOCK];
        let front = before + bytes.as_ptr().wrapping_add(before).align_offset(ALIGNED);
        // Where it cannot be told, any place will do.
        let front = if front > before + ALIGNED { before } else { front };
        (bytes, front)
    }

    /// Reads the next block, of `most` bytes, or as much of it as there is. 0 is the end.
    fn fill(&mut self, reader: &mut dyn Read, most: usize) -> io::Result<usize> {
        let left = self.until - self.from;
        if left > self.front {
            let (mut bytes, front) = Self::room(left * 2);
            let line = self.bytes.get(self.from..self.until).unwrap_or_default();
            bytes.iter_mut().skip(front - left).zip(line).for_each(|(to, byte)| *to = *byte);
            (self.bytes, self.front) = (bytes, front);
        } else {
            self.bytes.copy_within(self.from..self.until, self.front - left);
        }
        (self.from, self.until) = (self.front - left, self.front);
        let mut got = 0;
        while got < most {
            let room = self.bytes.get_mut(self.front + got..self.front + most);
            match reader.read(room.unwrap_or_default()) {
                Ok(0) => break,
                Ok(length) => got += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What came before the error is read first.
                Err(_) if got > 0 => break,
                Err(error) => return Err(error),
            }
        }
        self.until += got;
        if got > 0 {
            self.last = got;
        }
        Ok(got)
    }

    /// What was read last, at the end of the log: the next block was not put in its place.
    fn last_block(&self) -> &[u8] {
        self.bytes.get(self.front..self.front + self.last).unwrap_or_default()
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(self.from..self.until).unwrap_or_default()
    }

    /// The whole lines, if there are any; at the end of the log the last one may lack its line feed.
    fn lines(&self, at_end: bool) -> Option<&[u8]> {
        if self.dropped > 0 {
            return None;
        }
        let end = memrchr(b'\n', self.bytes()).map(|end| end + 1);
        let end = if at_end { Some(self.bytes().len()) } else { end };
        end.map(|end| self.bytes().split_at(end).0)
    }

    fn pass(&mut self, length: usize) {
        self.from += length;
    }

    /// Passes over what is left of the first line. Returns whether its end was there.
    fn skip_line(&mut self, at: &mut u64) -> bool {
        let end = memchr(b'\n', self.bytes());
        let length = end.map_or(self.bytes().len(), |end| end + 1);
        self.pass(length);
        *at += length as u64;
        end.is_some()
    }

    /// Gives up what there is of a line, if it is too long to be a record. Returns its length once its end is reached.
    fn give_up(&mut self, at_end: bool) -> Option<u64> {
        if self.dropped == 0 && self.bytes().len() < Decoder::LONGEST {
            return None;
        }
        let end = memchr(b'\n', self.bytes());
        let length = end.map_or(self.bytes().len(), |end| end + 1);
        self.dropped += length as u64;
        self.pass(length);
        (at_end || end.is_some()).then(|| std::mem::take(&mut self.dropped))
    }
}
