//! Reads a log whose records are lines, and decodes only those lines that the search finds.

use std::io::{self, Read};
use std::ops::Range;

use memchr::{memchr, memmem, memrchr};

use super::gleaner::{Gleaner, Look, Open};
use super::sieve::{Sieve, is_strange};
use super::window::{BLOCK, FRONT, Window};
use crate::record::{Decoder, Flaw, Input, Place, Unparsed, undated};

/// Where one line in so many bytes says something, most do.
const DENSE: usize = 256;

/// Where one line in so many bytes says nothing, it is not worth while to decode them for the others.
const SPARSE: usize = 512;

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
    /// Whether most lines said something of late.
    dense: bool,
    /// Where the next byte stands in the file.
    at: u64,
    /// From here on the next line is asked for its time.
    sample: u64,
}

impl<'a, 'b> Lines<'a, 'b> {
    pub(super) fn new(sieve: &'a Sieve, every: bool, stretch: Stretch, gleaner: &'a mut Gleaner<'b>) -> Self {
        let at = stretch.from.saturating_sub(1);
        let (decoder, other) = (Decoder::new(0), Decoder::new(0));
        Self { sieve, every, stretch, decoder, other, gleaner, hits: Vec::new(), dense: true, at, sample: stretch.from }
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
        self.sample(mine);
        self.search(mine);
        self.end_record(lines, mine.len());
        self.follow_up(lines);
        more || self.gleaner.has_open()
    }

    /// Takes the time of a line of each [`BLOCK`] of the file, whatever the line says: between two that say something years can
    /// have gone by. Which ones does not hang on how the file is parted.
    fn sample(&mut self, lines: &[u8]) {
        let from = usize::try_from(self.sample.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let start = match from.checked_sub(1) {
            None => Some(0),
            Some(before) => lines.get(before..).and_then(|rest| Some(from + memchr(b'\n', rest)?)),
        };
        if let Some(start) = start
            && let Some(line) = lines.get(start..).filter(|line| !line.is_empty())
        {
            self.sample = (self.at + start as u64).next_multiple_of(BLOCK as u64) + 1;
            if let Some((wall, host)) = undated(line) {
                self.gleaner.time(wall, host);
            }
        }
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
        if self.dense && !self.every && !self.sieve.is_strange(lines) {
            self.one_by_one(lines);
        } else {
            self.sift(lines);
            self.dense = self.hits.len() * DENSE > lines.len();
        }
    }

    /// Decodes one line after the other, as long as they are syslog's and say something: then the search would have found them.
    /// Where most do, it takes longer than decoding the others in vain.
    fn one_by_one(&mut self, lines: &[u8]) {
        let mut done = self.end_record(lines, 0);
        let (mut heard, mut missed) = (false, 0);
        while let Some(rest) = lines.get(done..).filter(|rest| !rest.is_empty()) {
            if !heard {
                self.follow_up(lines.split_at(done).0);
            }
            let line = rest.split_at(memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)).0;
            self.decoder.skip_to(self.stretch.base + self.at + done as u64);
            let mut lost = false;
            let record = self.decoder.syslog(line, &mut |input| match input {
                // It is told of when the line is decoded below.
                Input::Gap(_) => lost = true,
                Input::Record(_) | Input::Boot(..) | Input::Unparsed(_) => self.gleaner.take(&input),
            });
            heard = record.is_some_and(|(record, header)| !lost && self.gleaner.offer(&record, header));
            if heard {
                done += line.len();
                continue;
            }
            missed += SPARSE;
            self.dense = missed < done + 4 * SPARSE;
            let searched = if self.dense { line } else { rest };
            self.at += done as u64;
            self.sift(searched);
            self.at -= done as u64;
            done = self.end_record(lines, done + searched.len());
        }
    }

    /// Looks for the lines that can say something, and decodes these.
    fn sift(&mut self, lines: &[u8]) {
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
