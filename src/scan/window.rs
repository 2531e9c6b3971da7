//! What was read of a log and is not done with: whole lines of it at a time.

use std::io::{self, Read};

use memchr::{memchr, memrchr};

use crate::record::Decoder;

/// How much is read and searched at a time. What fits into the processor's nearer caches is searched while it is there.
pub(super) const BLOCK: usize = 64 << 10;

/// What was read and is not done with. A block is always read to the same place, with what was left of the one before it in
/// front of it.
pub(super) struct Window {
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
pub(super) const FRONT: usize = 4 << 10;

/// Where in memory a block may begin. The kernel takes half as long again to copy a page to where a large allocation begins,
/// 16 bytes behind such a place (benches/README.md).
const ALIGNED: usize = 64;

impl Window {
    pub(super) fn new() -> Self {
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
    pub(super) fn fill(&mut self, reader: &mut dyn Read, most: usize) -> io::Result<usize> {
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
    pub(super) fn last_block(&self) -> &[u8] {
        self.bytes.get(self.front..self.front + self.last).unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.from..self.until).unwrap_or_default()
    }

    /// The whole lines, if there are any; at the end of the log the last one may lack its line feed.
    pub(super) fn lines(&self, at_end: bool) -> Option<&[u8]> {
        if self.dropped > 0 {
            return None;
        }
        let end = memrchr(b'\n', self.bytes()).map(|end| end + 1);
        let end = if at_end { Some(self.bytes().len()) } else { end };
        end.map(|end| self.bytes().split_at(end).0)
    }

    pub(super) fn pass(&mut self, length: usize) {
        self.from += length;
    }

    /// Passes over what is left of the first line. Returns whether its end was there.
    pub(super) fn skip_line(&mut self, at: &mut u64) -> bool {
        let end = memchr(b'\n', self.bytes());
        let length = end.map_or(self.bytes().len(), |end| end + 1);
        self.pass(length);
        *at += length as u64;
        end.is_some()
    }

    /// Gives up what there is of a line, if it is too long to be a record. Returns its length once its end is reached.
    pub(super) fn give_up(&mut self, at_end: bool) -> Option<u64> {
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
