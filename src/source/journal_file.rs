//! Files of journald, read as `journalctl -o export` shows them: the kernel's entries, and journald's own notes of losses.
//!
//! A file is a row of objects, each behind those that it refers to (systemd `docs/JOURNAL_FILE_FORMAT.md` and
//! src/libsystemd/sd-journal/journal-def.h, 257). So one pass tells everything, no reference is followed, and packed files
//! need no second one. What is kept meanwhile are the fields of interest, up to a bound.

use std::io::{self, BufReader, Read};

use super::inside::words;
use super::lz4;
use super::unpack::Unpacked;

/// The first bytes of a journal file.
pub(super) const MAGIC: &[u8] = b"LPKSHHRH";

const CHUNK: usize = 64 << 10;

/// What stands in a header up to `tail_object_offset`, the same since the first version.
const HEADER: usize = 144;

/// `HEADER_INCOMPATIBLE_*`: compressed by xz, lz4 and zstd, keyed hashes, compact.
const KNOWN_FLAGS: u32 = 0b1_1111;
const COMPACT: u32 = 1 << 4;

/// The header of an object: type, flags, six reserved bytes, size.
const OBJECT: u64 = 16;
const DATA: u8 = 1;
const ENTRY: u8 = 3;

/// `OBJECT_COMPRESSED_*`: by xz, lz4, zstd.
const PACKED: u8 = 0b111;

/// Of an object of data or of an entry, what stands in front of payload or items.
const FRONT: usize = 64 - 16;

/// `ENTRY_FIELD_COUNT_MAX`.
const MOST_ITEMS: usize = 1024;

/// Longest field that is kept, packed or not. The kernel's messages have 2 KiB at most.
const LONGEST: u64 = 64 << 10;

/// Longest entry that is handed on: its items may all be the same long field.
const LONGEST_ENTRY: usize = 256 << 10;

/// How many of the names in [`FIELDS`] have few values.
const COMMON: usize = 7;

/// Fields that an entry is read by, with those of few values first.
const FIELDS: [&[u8]; 10] = [
    b"_TRANSPORT=",
    b"_BOOT_ID=",
    b"_HOSTNAME=",
    b"PRIORITY=",
    b"SYSLOG_FACILITY=",
    b"SYSLOG_IDENTIFIER=",
    b"_KERNEL_DEVICE=",
    b"_SOURCE_REALTIME_TIMESTAMP=",
    b"_SOURCE_MONOTONIC_TIMESTAMP=",
    b"MESSAGE=",
];

/// How much of the fields is kept, in bytes. Past it the oldest half is forgotten; an entry that needs it is damaged.
const MOST_KEPT: usize = 24 << 20;

/// A journal file as a log in the export format.
pub(super) struct JournalFile<R> {
    reader: BufReader<R>,
    /// Where the next byte stands in the file.
    at: u64,
    compact: bool,
    /// Where the last object stood when the file was written; behind it the file may be unfinished.
    tail: u64,
    fields: Fields,
    /// An entry, or the part of it that was not handed on yet.
    entry: Vec<u8>,
    handed: usize,
    ended: bool,
}

/// Why reading ends before the end.
enum Flaw {
    /// The file is damaged, or is cut, at this byte.
    Damaged(u64),
    Read(io::Error),
}

impl From<io::Error> for Flaw {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// The fields of interest, in the order of the file.
#[derive(Default)]
struct Fields {
    bytes: Vec<u8>,
    /// Where each stands in the file, and where it begins among `bytes`; it ends where the next one begins.
    places: Vec<(u64, usize)>,
    /// Fields that nearly every entry has: never forgotten, and few.
    common: Vec<(u64, Vec<u8>)>,
}

/// How many of the common fields are kept.
const MOST_COMMON: usize = 4096;

impl<R: Read> JournalFile<R> {
    /// Reads the header.
    pub(super) fn new(mut reader: R) -> Result<Self, String> {
        let mut header = [0; HEADER];
        reader.read_exact(&mut header).map_err(|_short| "is a journal file, cut short".to_owned())?;
        let flags = u32::from_le_bytes(array(&header, 12));
        if flags & !KNOWN_FLAGS != 0 {
            return Err("is a journal file of a newer form: journalctl -o export --file FILE | pciback-audit check -"
                .to_owned());
        }
        let (size, tail) = (number(&header, 88), number(&header, 136));
        let mut file = Self {
            reader: BufReader::with_capacity(CHUNK, reader),
            at: HEADER as u64,
            compact: flags & COMPACT != 0,
            tail,
            fields: Fields::default(),
            entry: Vec::new(),
            handed: 0,
            ended: false,
        };
        match file.skip(size.saturating_sub(HEADER as u64)) {
            Ok(()) => Ok(file),
            Err(Flaw::Damaged(_)) => Err("is a journal file, cut short".to_owned()),
            Err(Flaw::Read(error)) => Err(words(&error)),
        }
    }

    /// Reads on to the next entry of interest. False at the end.
    fn advance(&mut self) -> io::Result<bool> {
        loop {
            let place = self.at.next_multiple_of(8);
            match self.object(place) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                // Behind the last object that was finished there is nothing, or what was being written.
                Err(Flaw::Damaged(_)) if place > self.tail => return Ok(false),
                Err(Flaw::Damaged(at)) => {
                    return Err(io::Error::other(format!("damaged or cut journal file: no object at byte {at}")));
                }
                Err(Flaw::Read(error)) => return Err(error),
            }
        }
    }

    /// Reads the object at a place. Says whether it is an entry to hand on.
    fn object(&mut self, place: u64) -> Result<bool, Flaw> {
        self.skip(place - self.at)?;
        let head = self.take(OBJECT)?;
        let kind = head.first().copied().unwrap_or_default();
        let flags = head.get(1).copied().unwrap_or_default();
        let size = number(&head, 8).checked_sub(OBJECT).filter(|_| matches!(kind, 1..=7));
        let size = size.ok_or(Flaw::Damaged(place))?;
        match kind {
            DATA => self.data(place, flags, size).map(|()| false),
            ENTRY => self.entry(place, size),
            _ => self.skip(size).map(|()| false),
        }
    }

    /// An object of data: one field, with its name.
    fn data(&mut self, place: u64, flags: u8, size: u64) -> Result<(), Flaw> {
        let front = FRONT as u64 + if self.compact { 8 } else { 0 };
        let size = size.checked_sub(front).ok_or(Flaw::Damaged(place))?;
        self.skip(front)?;
        let is_packed = flags & PACKED != 0;
        // It is told by its first bytes whether a field is of interest, unless it is packed.
        let first = if is_packed { LONGEST } else { 32 };
        let mut text = self.take(size.min(first))?;
        let mut rest = size - text.len() as u64;
        if !is_packed && rest > 0 && rest <= LONGEST && is_of_interest(&text) {
            text.append(&mut self.take(rest)?);
            rest = 0;
        }
        self.skip(rest)?;
        if is_packed {
            text = if rest == 0 { unpacked(flags, &text).unwrap_or_default() } else { Vec::new() };
        }
        if rest == 0 && is_of_interest(&text) {
            self.fields.keep(place, &text);
        }
        Ok(())
    }

    /// An entry. Says whether it is handed on.
    fn entry(&mut self, place: u64, size: u64) -> Result<bool, Flaw> {
        let item = if self.compact { 4 } else { 16 };
        let bytes = usize::try_from(size).ok().and_then(|size| size.checked_sub(FRONT));
        let bytes =
            bytes.filter(|bytes| bytes % item == 0 && bytes / item <= MOST_ITEMS).ok_or(Flaw::Damaged(place))?;
        let front = self.take(FRONT as u64)?;
        let items = self.take(bytes as u64)?;
        let offset = |item: &[u8]| match item.first_chunk() {
            Some(offset) if !self.compact => u64::from_le_bytes(*offset),
            _ => item.first_chunk().map_or(0, |offset| u64::from(u32::from_le_bytes(*offset))),
        };
        let items: Vec<u64> = items.chunks_exact(item).map(offset).collect();
        // An object that an entry refers to stands in front of it.
        if items.iter().any(|offset| *offset == 0 || *offset >= place) {
            return Err(Flaw::Damaged(place));
        }
        let fields: Vec<&[u8]> = items.iter().filter_map(|offset| self.fields.at(*offset)).collect();
        let transports: [&[u8]; 2] = [b"_TRANSPORT=kernel", b"_TRANSPORT=driver"];
        if !fields.iter().any(|field| transports.contains(field)) {
            return Ok(false);
        }
        let mut entry = Vec::new();
        add(&mut entry, b"__REALTIME_TIMESTAMP", number(&front, 8).to_string().as_bytes());
        add(&mut entry, b"__MONOTONIC_TIMESTAMP", number(&front, 16).to_string().as_bytes());
        if !fields.iter().any(|field| field.starts_with(b"_BOOT_ID=")) {
            let id = format!("{:032x}", u128::from_be_bytes(array(&front, 24)));
            add(&mut entry, b"_BOOT_ID", id.as_bytes());
        }
        if fields.iter().map(|field| field.len()).sum::<usize>() > LONGEST_ENTRY {
            return Err(Flaw::Damaged(place));
        }
        for field in &fields {
            let mut parts = field.splitn(2, |byte| *byte == b'=');
            add(&mut entry, parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        }
        // Its text was damaged, too long or forgotten: the decoder must know that there was one.
        entry.extend_from_slice(if fields.iter().any(|field| field.starts_with(b"MESSAGE=")) {
            b"\n"
        } else {
            b"=\n\n"
        });
        (self.entry, self.handed) = (entry, 0);
        Ok(true)
    }

    fn take(&mut self, length: u64) -> Result<Vec<u8>, Flaw> {
        let mut bytes = Vec::new();
        self.reader.by_ref().take(length).read_to_end(&mut bytes)?;
        self.pass(bytes.len() as u64, length)?;
        Ok(bytes)
    }

    fn skip(&mut self, length: u64) -> Result<(), Flaw> {
        let skipped = io::copy(&mut self.reader.by_ref().take(length), &mut io::sink())?;
        self.pass(skipped, length)
    }

    const fn pass(&mut self, got: u64, wanted: u64) -> Result<(), Flaw> {
        self.at += got;
        if got == wanted { Ok(()) } else { Err(Flaw::Damaged(self.at)) }
    }
}

impl<R: Read> Read for JournalFile<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.handed == self.entry.len() && (self.ended || !self.advance().inspect_err(|_| self.ended = true)?) {
            self.ended = true;
            return Ok(0);
        }
        let left = self.entry.get(self.handed..).unwrap_or_default();
        let length = left.len().min(buffer.len());
        buffer.iter_mut().zip(left).for_each(|(to, byte)| *to = *byte);
        self.handed += length;
        Ok(length)
    }
}

impl Fields {
    fn keep(&mut self, place: u64, text: &[u8]) {
        let is_common = FIELDS.iter().take(COMMON).any(|name| text.starts_with(name));
        if is_common && self.common.len() < MOST_COMMON && text.len() < 256 {
            self.common.push((place, text.to_vec()));
            return;
        }
        if self.bytes.len() + text.len() > MOST_KEPT {
            let half = self.places.len() / 2;
            let from = self.places.get(half).map_or(0, |(_, from)| *from);
            self.bytes.drain(..from);
            self.places.drain(..half);
            self.places.iter_mut().for_each(|(_, at)| *at -= from);
        }
        self.places.push((place, self.bytes.len()));
        self.bytes.extend_from_slice(text);
    }

    /// The field that stands at a place in the file.
    fn at(&self, place: u64) -> Option<&[u8]> {
        if let Ok(found) = self.common.binary_search_by_key(&place, |(place, _)| *place) {
            return self.common.get(found).map(|(_, text)| text.as_slice());
        }
        let found = self.places.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        let (_, from) = self.places.get(found)?;
        let until = self.places.get(found + 1).map_or(self.bytes.len(), |(_, next)| *next);
        self.bytes.get(*from..until)
    }
}

fn is_of_interest(text: &[u8]) -> bool {
    FIELDS.iter().any(|name| text.starts_with(name))
}

/// A field in the form that holds any bytes.
fn add(entry: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    entry.extend_from_slice(name);
    entry.push(b'\n');
    entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    entry.extend_from_slice(value);
    entry.push(b'\n');
}

/// What is packed in an object: by xz, by lz4 behind the length of what is packed, by zstd (`OBJECT_COMPRESSED_*`).
fn unpacked(flags: u8, packed: &[u8]) -> Option<Vec<u8>> {
    if flags & 2 != 0 {
        let (length, block) = packed.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok().filter(|length| *length as u64 <= LONGEST)?;
        return lz4::block(block, length).filter(|text| text.len() == length);
    }
    let mut text = Vec::new();
    Unpacked::new(packed).ok()?.take(LONGEST + 1).read_to_end(&mut text).ok()?;
    (text.len() as u64 <= LONGEST).then_some(text)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; N])
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A journal file that is being written.
    struct Writer {
        bytes: Vec<u8>,
        compact: bool,
    }

    impl Writer {
        fn new(compact: bool) -> Self {
            let mut bytes = vec![0; 256];
            bytes[..8].copy_from_slice(MAGIC);
            bytes[12] = if compact { 0b1_1110 } else { 0b0_0110 };
            bytes[88..96].copy_from_slice(&256_u64.to_le_bytes());
            Self { bytes, compact }
        }

        fn object(&mut self, kind: u8, flags: u8, rest: &[u8]) -> u64 {
            self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
            let place = self.bytes.len() as u64;
            self.bytes.extend_from_slice(&[kind, flags, 0, 0, 0, 0, 0, 0]);
            self.bytes.extend_from_slice(&(OBJECT + rest.len() as u64).to_le_bytes());
            self.bytes.extend_from_slice(rest);
            self.bytes[136..144].copy_from_slice(&place.to_le_bytes());
            place
        }

        fn data(&mut self, flags: u8, payload: &[u8]) -> u64 {
            let front = FRONT + if self.compact { 8 } else { 0 };
            self.object(DATA, flags, &[&vec![7; front], payload].concat())
        }

        fn entry(&mut self, items: &[u64]) -> u64 {
            let mut rest = vec![0; FRONT];
            rest[8..16].copy_from_slice(&1_795_331_153_830_344_u64.to_le_bytes());
            rest[16..24].copy_from_slice(&24_865_535_u64.to_le_bytes());
            rest[24..40].copy_from_slice(&[0xab; 16]);
            for item in items {
                if self.compact {
                    rest.extend_from_slice(&u32::try_from(*item).unwrap().to_le_bytes());
                } else {
                    rest.extend_from_slice(&item.to_le_bytes());
                    rest.extend_from_slice(&[9; 8]);
                }
            }
            self.object(ENTRY, 0, &rest)
        }
    }

    fn read(bytes: &[u8]) -> (String, Option<String>) {
        let mut text = Vec::new();
        let read =
            JournalFile::new(bytes).and_then(|mut file| file.read_to_end(&mut text).map_err(|error| error.to_string()));
        (String::from_utf8_lossy(&text).into_owned(), read.err())
    }

    /// Two entries of the kernel, of which the second has a packed text, and one of user space.
    fn file(compact: bool) -> Vec<u8> {
        let mut writer = Writer::new(compact);
        writer.object(4, 0, &[0; 64]);
        let kernel = writer.data(0, b"_TRANSPORT=kernel");
        let first = writer.data(0, b"MESSAGE=backend is vpci");
        let other = writer.data(0, b"CODE_FILE=/nowhere");
        writer.entry(&[kernel, first, other]);
        let syslog = writer.data(0, b"_TRANSPORT=syslog");
        writer.entry(&[syslog, first]);
        // 20 literals, and 9 bytes from 9 bytes before.
        let packed = b"\xf5\x05MESSAGE=Command line\x09\x00\x10!";
        let second = writer.data(2, &[&30_u64.to_le_bytes()[..], packed].concat());
        writer.entry(&[kernel, second]);
        writer.bytes.resize(writer.bytes.len() + 4096, 0);
        writer.bytes
    }

    #[test]
    fn the_kernels_entries_are_read_from_either_form() {
        for compact in [false, true] {
            let (text, error) = read(&file(compact));
            assert_eq!(error, None);
            assert_eq!(text.matches("__REALTIME_TIMESTAMP\n").count(), 2, "{text}");
            assert!(text.contains("backend is vpci\n") && text.contains(&"ab".repeat(16)), "{text}");
            assert!(text.contains("Command line"), "{text}");
            assert!(!text.contains("syslog") && !text.contains("nowhere"), "{text}");
        }
    }

    #[test]
    fn an_entry_without_its_text_is_damaged_and_not_silent() {
        let mut writer = Writer::new(false);
        let kernel = writer.data(0, b"_TRANSPORT=kernel");
        let long = writer.data(0, &[b"MESSAGE=", &vec![b'x'; 100_000][..]].concat());
        let fine = writer.data(0, b"MESSAGE=fine");
        writer.entry(&[kernel, long]);
        writer.entry(&[kernel, fine]);
        let (text, error) = read(&writer.bytes);
        assert_eq!(error, None);
        let (mut records, mut unparsed) = (0, 0);
        let mut decoder = crate::record::Decoder::new(0);
        let mut sink = |input: crate::record::Input<'_>| match input {
            crate::record::Input::Record(record) => records += u32::from(&*record.message == b"fine"),
            crate::record::Input::Unparsed(_) => unparsed += 1,
            crate::record::Input::Gap(_) | crate::record::Input::Boot(..) => {}
        };
        decoder.feed(text.as_bytes(), &mut sink);
        decoder.finish(&mut sink);
        assert!(records == 1 && unparsed >= 1, "{records} records, {unparsed} pieces of {text}");
    }

    #[test]
    fn a_file_that_is_cut_says_so_and_one_that_is_being_written_is_read_as_far_as_it_goes() {
        let whole = file(true);
        let end = whole.len() - 4096;
        for length in (0..end).step_by(7) {
            assert!(read(&whole[..length]).1.is_some(), "{length}");
        }
        // Behind the last object that was finished stands half of the next one.
        let mut writing = whole;
        writing[end.next_multiple_of(8)] = ENTRY;
        writing[end.next_multiple_of(8) + 8] = 200;
        assert_eq!(read(&writing).1, None);
    }

    #[test]
    fn no_damage_makes_it_fail_otherwise() {
        let whole = file(false);
        for at in 0..whole.len() - 4096 {
            for change in [0x01, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] ^= change;
                assert!(read(&damaged).0.len() < 4096, "{at}");
            }
        }
    }
}
