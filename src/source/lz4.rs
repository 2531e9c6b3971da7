//! lz4: blocks, which the journal packs single objects in, and the frame of `lz4 -l`, in which kernels take boot images.

use std::io::{self, Read};

/// The first bytes of that frame (lz4 `doc/lz4_Frame_format.md`, "Legacy frame"; `lib/decompress_unlz4.c`).
pub(super) const MAGIC: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];

/// What one block of it holds at most, and what it is packed to at most (`LZ4_compressBound`).
const MOST: usize = 8 << 20;
const MOST_PACKED: usize = MOST + MOST / 255 + 16;

/// A block that holds so many bytes at most (lz4 `doc/lz4_Block_format.md`).
pub(super) fn block(mut block: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    loop {
        let (token, rest) = block.split_first()?;
        let (literals, rest) = run(usize::from(token >> 4), rest)?;
        let (literal, rest) = rest.split_at_checked(literals)?;
        text.extend_from_slice(literal);
        if rest.is_empty() || text.len() > most {
            return (text.len() <= most).then_some(text);
        }
        let (distance, rest) = rest.split_first_chunk()?;
        let (more, rest) = run(usize::from(token & 15), rest)?;
        let from = text.len().checked_sub(usize::from(u16::from_le_bytes(*distance)))?;
        if from == text.len() || text.len() + more > most {
            return None;
        }
        // It may reach into what it makes.
        for at in from..from + more + 4 {
            text.push(*text.get(at)?);
        }
        block = rest;
    }
}

/// A length of four bits, which goes on in further bytes when all are set.
fn run(four: usize, mut rest: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = four;
    let mut more = four == 15;
    while more {
        let (byte, behind) = rest.split_first()?;
        (length, rest, more) = (length + usize::from(*byte), behind, *byte == 255);
    }
    Some((length, rest))
}

/// What such frames hold, one behind the other. A length of 0 is padding, and the end.
pub(super) struct Legacy<R> {
    packed: R,
    text: Vec<u8>,
    read: usize,
}

impl<R: Read> Legacy<R> {
    pub(super) const fn new(packed: R) -> Self {
        Self { packed, text: Vec::new(), read: 0 }
    }

    /// The next block; none at the end.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "damaged or cut lz4 data");
        loop {
            let mut length = Vec::with_capacity(MAGIC.len());
            self.packed.by_ref().take(MAGIC.len() as u64).read_to_end(&mut length)?;
            if length.is_empty() || length.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            if length == MAGIC {
                continue;
            }
            let length = u32::from_le_bytes(length.as_slice().try_into().map_err(|_short| damaged())?);
            let length = usize::try_from(length).ok().filter(|length| *length <= MOST_PACKED).ok_or_else(damaged)?;
            let mut packed = Vec::new();
            self.packed.by_ref().take(length as u64).read_to_end(&mut packed)?;
            return (packed.len() == length).then(|| block(&packed, MOST)).flatten().map(Some).ok_or_else(damaged);
        }
    }
}

impl<R: Read> Read for Legacy<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.text.len() {
            let Some(text) = self.next()? else { return Ok(0) };
            (self.text, self.read) = (text, 0);
        }
        let taken = self.text.get(self.read..).unwrap_or_default().read(buffer)?;
        self.read += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_whole_or_not_at_all() {
        assert!(
            block(b"\x10a\x00\x00", 9).is_none() && block(b"\x10a\x02\x00", 9).is_none() && block(b"", 0).is_none()
        );
        let text = ["a".repeat(25), "b".to_owned()].concat().into_bytes();
        assert_eq!(block(b"\x1fa\x01\x00\x05\x10b", 26).unwrap(), text);
        assert_eq!(block(b"\x1fa\x01\x00\x05\x10b", 25), None);
    }

    #[test]
    fn frames_follow_each_other_up_to_padding() {
        let packed: &[u8] = b"\x1fa\x01\x00\x05\x10b";
        let length = u32::try_from(packed.len()).unwrap().to_le_bytes();
        let one = [&length, packed].concat();
        let whole = [&MAGIC, one.as_slice(), one.as_slice(), &MAGIC, one.as_slice(), &[0; 8]].concat();
        let read = |bytes: &[u8]| {
            let mut text = Vec::new();
            Legacy::new(bytes).read_to_end(&mut text).map(|_| text.len())
        };
        assert_eq!(read(&whole).unwrap(), 78);
        assert!(read(&whole[..20]).is_err() && read(&[&MAGIC[..], &[255; 4]].concat()).is_err());
    }
}
