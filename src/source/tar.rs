//! The files in a tar archive, one after the other, as the archive is read: nothing is unpacked to a disk, and no member leads
//! anywhere. Links, devices and directories are passed over.
//!
//! Read are the headers of POSIX 1003.1-1988 (ustar) and 1003.1-2001 (pax), and those of GNU tar with their long names
//! (tar(5) of libarchive; GNU tar 1.35, src/tar.h).

use std::io::{self, Read};

use chrono::{DateTime, Utc};

/// Headers and the contents of files take whole blocks.
pub(super) const BLOCK: usize = 512;

/// Longest text about a member: its path, and what pax says of it.
const LONGEST: u64 = 64 << 10;

/// Most headers of one archive.
const MOST_HEADERS: u64 = 1 << 20;

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its path, without a leading `/` or `./`.
    pub(crate) path: String,
    /// When it was last written.
    pub(crate) modified: Option<DateTime<Utc>>,
    /// Why its contents cannot be read.
    pub(crate) closed: Option<&'static str>,
}

/// An archive that is being read: [`Tar::next`], then [`Read`] to the end of that member.
pub(crate) struct Tar<R> {
    reader: R,
    /// How much of the current member is still to be read, and how much fills its last block.
    left: u64,
    padding: u64,
    headers: u64,
}

/// What the headers in front of a member's own say of it.
#[derive(Default)]
struct Before {
    path: Option<Vec<u8>>,
    bytes: Option<u64>,
    modified: Option<i64>,
    sparse: bool,
}

impl<R: Read> Tar<R> {
    pub(crate) const fn new(reader: R) -> Self {
        Self { reader, left: 0, padding: 0, headers: 0 }
    }

    /// Goes on to the next file. None is the end of the archive; one that ends without saying so was cut.
    pub(crate) fn next(&mut self) -> io::Result<Option<Member>> {
        let mut before = Before::default();
        loop {
            io::copy(&mut self.reader.by_ref().take(self.left), &mut io::sink())
                .and_then(|read| whole(read, self.left))?;
            io::copy(&mut self.reader.by_ref().take(self.padding), &mut io::sink())?;
            (self.left, self.padding) = (0, 0);
            let mut block = [0; BLOCK];
            self.reader.read_exact(&mut block).map_err(cut)?;
            if block.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            self.headers += 1;
            if self.headers > MOST_HEADERS {
                return Err(io::Error::other(format!("only the first {MOST_HEADERS} members of it are read")));
            }
            let header = TarHeader(&block);
            if !is_header(&block) {
                return Err(damaged());
            }
            let own = header.number(124, 12).ok_or_else(damaged)?;
            let kind = header.byte(156);
            match kind {
                b'L' | b'K' | b'x' | b'X' | b'g' => {
                    let text = self.text(own)?;
                    match kind {
                        b'L' => before.path = Some(until_nul(&text).to_vec()),
                        b'x' | b'X' => before.pax(&text),
                        _ => {}
                    }
                }
                b'0' | 0 | b'7' | b'S' => {
                    self.expect(before.bytes.unwrap_or(own));
                    if let Some(member) = before.member(&header, kind == b'S') {
                        return Ok(Some(member));
                    }
                    before = Before::default();
                }
                // Links, devices, directories and fifos have no contents, whatever size they state.
                b'1'..=b'6' => before = Before::default(),
                _ => {
                    self.expect(before.bytes.unwrap_or(own));
                    before = Before::default();
                }
            }
        }
    }

    /// So many bytes belong to the header that was read.
    const fn expect(&mut self, bytes: u64) {
        let block = BLOCK as u64;
        (self.left, self.padding) = (bytes, (block - bytes % block) % block);
    }

    /// What a header says of the next one.
    fn text(&mut self, bytes: u64) -> io::Result<Vec<u8>> {
        if bytes > LONGEST {
            return Err(io::Error::other("a name in it is too long"));
        }
        self.expect(bytes);
        let mut text = Vec::new();
        self.read_to_end(&mut text)?;
        Ok(text)
    }
}

impl<R: Read> Read for Tar<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.reader.read(buffer.get_mut(..most).unwrap_or_default())?;
        if read == 0 && most > 0 {
            return Err(cut(io::ErrorKind::UnexpectedEof.into()));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

impl Before {
    /// Takes the records of a pax header: `30 mtime=1795331153.830344\n`.
    fn pax(&mut self, mut text: &[u8]) {
        while let Some(length) = text.iter().position(|byte| *byte == b' ').and_then(|end| decimal(text.get(..end)?)) {
            let Some((record, rest)) = usize::try_from(length).ok().and_then(|length| text.split_at_checked(length))
            else {
                return;
            };
            text = rest;
            let mut words =
                record.splitn(2, |byte| *byte == b' ').skip(1).flat_map(|word| word.splitn(2, |byte| *byte == b'='));
            let (Some(key), Some(value)) = (words.next(), words.next()) else { return };
            let value = value.strip_suffix(b"\n").unwrap_or(value);
            let whole = || decimal(value.split(|byte| *byte == b'.').next()?);
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"size" => self.bytes = whole(),
                b"mtime" => self.modified = whole().and_then(|seconds| i64::try_from(seconds).ok()),
                _ => self.sparse |= key.starts_with(b"GNU.sparse"),
            }
        }
    }

    /// The file that a header is of; none for one that is a directory by its name or stands outside.
    fn member(self, header: &TarHeader<'_>, sparse: bool) -> Option<Member> {
        let path = self.path.unwrap_or_else(|| header.path());
        let path = String::from_utf8_lossy(&path);
        let names: Vec<&str> = path.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
        if path.ends_with('/') || names.is_empty() || names.contains(&"..") {
            return None;
        }
        let stated = || header.number(136, 12).and_then(|seconds| i64::try_from(seconds).ok());
        let modified = self.modified.or_else(stated).and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let closed = (sparse || self.sparse).then_some("is stored with holes, which this program does not read");
        Some(Member { path: names.join("/"), modified, closed })
    }
}

/// A header, field by field.
struct TarHeader<'a>(&'a [u8; BLOCK]);

impl TarHeader<'_> {
    fn field(&self, at: usize, length: usize) -> &[u8] {
        self.0.get(at..at + length).unwrap_or_default()
    }

    fn byte(&self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or_default()
    }

    /// Octal digits; or GNU's form of larger numbers, a set bit and big endian bytes.
    fn number(&self, at: usize, length: usize) -> Option<u64> {
        let field = self.field(at, length);
        if let [0x80, rest @ ..] = field {
            return rest.iter().try_fold(0_u64, |sum, byte| Some(sum.checked_mul(256)? + u64::from(*byte)));
        }
        octal(field)
    }

    fn path(&self) -> Vec<u8> {
        let name = until_nul(self.field(0, 100));
        // GNU tar has other things where ustar has the front of a long path.
        let prefix = until_nul(if self.field(257, 8) == b"ustar\x0000" { self.field(345, 155) } else { b"" });
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }
}

/// Whether bytes begin with a header: the sum of its bytes is one of its fields.
pub(super) fn is_header(bytes: &[u8]) -> bool {
    let Some(block) = bytes.first_chunk::<BLOCK>() else { return false };
    let sum = block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) });
    block.first().is_some_and(|byte| *byte != 0) && octal(TarHeader(block).field(148, 8)) == Some(sum.sum())
}

fn octal(field: &[u8]) -> Option<u64> {
    let digits = until_nul(field).trim_ascii();
    let digit = |sum: u64, byte: &u8| match byte {
        b'0'..=b'7' => sum.checked_mul(8)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    };
    digits.iter().try_fold(0, digit)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn damaged() -> io::Error {
    io::Error::other("damaged archive")
}

fn whole(read: u64, expected: u64) -> io::Result<()> {
    if read == expected { Ok(()) } else { Err(cut(io::ErrorKind::UnexpectedEof.into())) }
}

fn cut(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { io::Error::other("the archive is cut short") } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header and contents, in whole blocks.
    fn entry(name: &str, kind: u8, contents: &[u8]) -> Vec<u8> {
        let mut block = [0; BLOCK];
        let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
        put(0, name.as_bytes());
        put(124, format!("{:011o}", contents.len()).as_bytes());
        put(136, b"15224000000");
        put(148, b"        ");
        put(156, &[kind]);
        put(257, b"ustar\x0000");
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        let mut bytes = [&block[..], contents].concat();
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    fn archive(entries: &[(&str, u8, &[u8])]) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            entries.iter().flat_map(|(name, kind, contents)| entry(name, *kind, contents)).collect();
        bytes.extend_from_slice(&[0; 2 * BLOCK]);
        bytes
    }

    /// The files: path and contents, until the end or an error.
    fn files(bytes: &[u8]) -> (Vec<(String, String)>, Option<String>) {
        let (mut tar, mut files) = (Tar::new(bytes), Vec::new());
        loop {
            let mut text = Vec::new();
            match tar.next().and_then(|member| Ok((member, tar.read_to_end(&mut text)?))) {
                Ok((Some(Member { path, closed, .. }), _)) => {
                    files.push((path, closed.map_or_else(|| String::from_utf8(text).unwrap(), str::to_owned)));
                }
                Ok((None, _)) => return (files, None),
                Err(error) => return (files, Some(error.to_string())),
            }
        }
    }

    fn paths(entries: &[(&str, u8, &[u8])]) -> Vec<String> {
        let (files, error) = files(&archive(entries));
        assert_eq!(error, None);
        files.into_iter().map(|(path, text)| format!("{path}={text}")).collect()
    }

    #[test]
    fn files_are_read_and_nothing_else() {
        let long = "a/".repeat(80) + "kern.log";
        let pax = |text: &str| format!("{} {text}\n", text.len() + 4).into_bytes();
        assert_eq!(
            paths(&[
                ("./gaia/", b'5', b""),
                ("./gaia/kern.log", b'0', b"one"),
                ("/gaia/old", 0, b"two"),
                ("gaia/link", b'2', b""),
                ("gaia/hard", b'1', b""),
                ("../gaia/out", b'0', b"out"),
                ("././@LongLink", b'L', format!("{long}\0").as_bytes()),
                ("a/short", b'0', b"three"),
                ("x", b'x', &pax(&format!("path={}", "b/messages.of.a.host"))),
                ("b/short", b'0', b"four"),
                ("g", b'g', b"17 comment=1234\n"),
                ("holes", b'S', b"12345"),
                ("dev", b'3', b""),
                ("new", b'Z', b"unknown"),
                ("end", b'7', b"five"),
            ]),
            [
                "gaia/kern.log=one".to_owned(),
                "gaia/old=two".to_owned(),
                format!("{long}=three"),
                "b/messages.of.a.host=four".to_owned(),
                "holes=is stored with holes, which this program does not read".to_owned(),
                "end=five".to_owned(),
            ]
        );
    }

    #[test]
    fn a_file_may_be_left_in_the_middle_and_tells_its_time() {
        let bytes = archive(&[("one", b'0', &[b'x'; 2000]), ("two", b'0', b"2")]);
        let mut tar = Tar::new(&bytes[..]);
        let one = tar.next().unwrap().unwrap();
        assert_eq!(one.modified.unwrap().timestamp(), 0o15_224_000_000);
        tar.read_exact(&mut [0; 700]).unwrap();
        assert_eq!(tar.next().unwrap().unwrap().path, "two");
    }

    #[test]
    fn an_archive_that_is_cut_or_damaged_anywhere_says_so() {
        let bytes = archive(&[("one", b'0', b"first"), ("two", b'0', &[b'x'; 1000])]);
        for length in 0..bytes.len() - 2 * BLOCK {
            assert!(files(&bytes[..length]).1.is_some_and(|why| why.contains("cut short")), "{length}");
        }
        for at in 0..BLOCK {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            assert!(!is_header(&damaged) || files(&damaged).1.is_none(), "{at}");
        }
        let endless = entry("././@LongLink", b'L', &[]);
        let mut endless = endless;
        endless[124..135].copy_from_slice(b"77777777777");
        assert!(files(&endless).1.is_some());
    }
}
