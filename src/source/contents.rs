//! What a file holds, whatever it is packed by: a log, or an archive of files.

use std::io::{self, Cursor, Read};

use super::journal_file::{self, JournalFile};
use super::tar::{self, Tar};
use super::unpack::{Allowance, Unpacked};

/// Reads the contents of one file.
type Reader<'a> = Box<dyn Read + 'a>;

/// The contents of a file.
pub(crate) enum Contents<'a> {
    /// A log. A journal file is one in the export format.
    Log(Reader<'a>),
    /// An archive, and what may still be unpacked of the files in it.
    Archive(Tar<Reader<'a>>, Allowance),
}

impl<'a> Contents<'a> {
    /// Tells by its first bytes what `reader` yields, and undoes its packing.
    pub(crate) fn of(reader: impl Read + 'a) -> Result<Self, String> {
        Self::unpacked(Unpacked::new(reader)?)
    }

    /// The same of a file in an archive.
    pub(crate) fn within(reader: impl Read + 'a, archive: &Allowance) -> Result<Self, String> {
        Self::unpacked(Unpacked::within(reader, archive)?)
    }

    fn unpacked(mut unpacked: Unpacked<impl Read + 'a>) -> Result<Self, String> {
        let allowance = unpacked.allowance();
        let mut head = Vec::with_capacity(tar::BLOCK);
        let error = unpacked.by_ref().take(tar::BLOCK as u64).read_to_end(&mut head).err();
        let (is_journal, is_archive) = (head.starts_with(journal_file::MAGIC), tar::is_header(&head));
        let whole: Reader<'a> = Box::new(Cursor::new(head).chain(Failing(error)).chain(unpacked));
        Ok(match (is_journal, is_archive) {
            (true, _) => Self::Log(Box::new(JournalFile::new(whole)?)),
            (_, true) => Self::Archive(Tar::new(whole), allowance),
            _ => Self::Log(whole),
        })
    }

    /// Whether a file that begins like this is more than the text or the records of a log.
    pub(crate) fn is_wrapped(head: &[u8]) -> bool {
        Unpacked::<&[u8]>::is_packed(head) || head.starts_with(journal_file::MAGIC) || tar::is_header(head)
    }
}

/// Gives an error once, and is at its end then.
pub(crate) struct Failing(pub(crate) Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// A reader that ends with an error where more than so many bytes come.
pub(crate) struct Bounded<R> {
    reader: R,
    left: u64,
    most: u64,
}

impl<R> Bounded<R> {
    pub(crate) const fn new(reader: R, most: u64) -> Self {
        Self { reader, left: most, most }
    }

    /// How many bytes were read.
    pub(super) const fn used(&self) -> u64 {
        self.most - self.left
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let mut next = [0];
            let more = self.reader.read(&mut next)?;
            let why = || io::Error::other(format!("only the first {} bytes are read", self.most));
            return if more == 0 { Ok(0) } else { Err(why()) };
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.reader.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_without_end_is_cut_and_that_is_said() {
        let mut bounded = Bounded::new(io::repeat(b'a'), 10);
        let mut text = Vec::new();
        let why = bounded.read_to_end(&mut text).unwrap_err();
        assert_eq!((text.len(), why.to_string().as_str()), (10, "only the first 10 bytes are read"));
        let mut whole = Bounded::new(&b"0123456789"[..], 10);
        assert_eq!(whole.read_to_end(&mut Vec::new()).unwrap(), 10);
    }
}
