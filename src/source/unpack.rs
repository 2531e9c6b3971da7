//! Packed logs, known by their first bytes.

use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use super::inside::words;

const CHUNK: usize = 64 << 10;

/// Bytes by which a packing is known, and by which an xz file says how large its dictionary is.
const HEAD: usize = 64;

/// Packings that this program knows and does not undo, with the command that does.
const FOREIGN: &[(&[u8], &str, &str)] = &[
    (b"\x04\x22\x4d\x18", "lz4-compressed", "lz4 -dc"),
    #[cfg(not(feature = "archives"))]
    (BZIP2, "bzip2-compressed", "bzip2 -dc"),
    #[cfg(not(feature = "archives"))]
    (XZ, "xz-compressed", "xz -dc"),
    #[cfg(not(feature = "archives"))]
    (ZSTD, "zstd-compressed", "zstd -dc"),
];

const GZIP: &[u8] = b"\x1f\x8b";
const XZ: &[u8] = b"\xfd7zXZ\0";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
const BZIP2: &[u8] = b"BZh";

/// The largest dictionary of a packed log of any length, as a power of two: what `xz -8` makes. A check is to take 64 MiB at most.
#[cfg(feature = "archives")]
const LARGE: u32 = 25;

/// Most memory that an xz file may ask for: what `xz -9` does, and a little for the decoder itself. Of a dictionary beyond
/// [`LARGE`] only as much is used as is unpacked.
#[cfg(feature = "archives")]
const MOST_MEMORY: u64 = 66 << 20;

/// So many bytes are unpacked of a log with such a dictionary.
#[cfg(feature = "archives")]
const MOST_OF_LARGE: u64 = 24 << 20;

/// So many bytes are unpacked of any file: some seconds' work at worst (empty lines).
const FREE: u64 = 256 << 20;

/// Beyond [`FREE`], so many bytes are unpacked for each packed one. A log is packed 10 to 100 to 1; gzip makes at most 1,032 bytes of
/// one (RFC 1951: 258 for two bits and a share of the block's header), zstd 32,768.
const RATIO: u64 = 250;

/// How much may be unpacked of one file, together with what is packed within it: time is bounded by the bytes on the disk.
#[derive(Clone, Default)]
pub(crate) struct Allowance(Rc<Amounts>);

#[derive(Default)]
struct Amounts {
    packed: Cell<u64>,
    unpacked: Cell<u64>,
}

impl Allowance {
    /// Takes so many unpacked bytes. The error names how to read the rest.
    fn take(&self, bytes: usize, packing: &str) -> io::Result<()> {
        let Amounts { packed, unpacked } = &*self.0;
        let before = unpacked.replace(unpacked.get().saturating_add(bytes as u64));
        if unpacked.get() <= packed.get().saturating_mul(RATIO).max(FREE) {
            return Ok(());
        }
        let why = format!(
            "only the first {before} bytes are unpacked, for it is packed more than {RATIO} to 1: \
             {packing} -dc FILE | pciback-audit check - reads all"
        );
        Err(io::Error::new(io::ErrorKind::QuotaExceeded, why))
    }
}

/// Counts the bytes that are read.
pub(crate) struct Measured<R> {
    reader: R,
    /// None within a packed file: what counts are the bytes of the file itself.
    allowance: Option<Allowance>,
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        if let Some(Allowance(amounts)) = &self.allowance {
            amounts.packed.set(amounts.packed.get().saturating_add(read as u64));
        }
        Ok(read)
    }
}

type Whole<R> = BufReader<io::Chain<Cursor<Vec<u8>>, Measured<R>>>;

/// The bytes of a log, unpacked where they are packed. Several packed files one behind the other are read as one.
pub(crate) struct Unpacked<R: Read> {
    packing: Packing<R>,
    allowance: Allowance,
}

enum Packing<R: Read> {
    Plain(Whole<R>),
    Gzip(Box<MultiGzDecoder<Whole<R>>>),
    #[cfg(feature = "archives")]
    Xz(Box<Xz<Whole<R>>>),
    #[cfg(feature = "archives")]
    Zstd(Box<zstd::Decoder<'static, Whole<R>>>),
    #[cfg(feature = "archives")]
    Bzip2(Box<bzip2::bufread::MultiBzDecoder<Whole<R>>>),
}

impl<R: Read> Unpacked<R> {
    /// Tells by its first bytes what `reader` yields. A packing that this program does not undo is an error that names the
    /// command which does.
    pub(crate) fn new(reader: R) -> Result<Self, String> {
        let allowance = Allowance::default();
        let counted = Measured { reader, allowance: Some(allowance.clone()) };
        Ok(Self { packing: Packing::of(counted)?, allowance })
    }

    /// The same of a file in an archive, by what may still be unpacked of that one.
    pub(crate) fn within(reader: R, archive: &Allowance) -> Result<Self, String> {
        Ok(Self { packing: Packing::of(Measured { reader, allowance: None })?, allowance: archive.clone() })
    }

    /// What may still be unpacked of it.
    pub(crate) fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }

    /// Whether a log that begins like this is packed, by this program's packings or others.
    pub(crate) fn is_packed(head: &[u8]) -> bool {
        [GZIP, XZ, ZSTD, BZIP2]
            .iter()
            .chain(FOREIGN.iter().map(|(magic, ..)| magic))
            .any(|magic| head.starts_with(magic))
    }
}

impl<R: Read> Packing<R> {
    fn of(mut reader: Measured<R>) -> Result<Self, String> {
        let mut first = Vec::with_capacity(HEAD);
        reader.by_ref().take(HEAD as u64).read_to_end(&mut first).map_err(|error| words(&error))?;
        if let Some((_, what, command)) = FOREIGN.iter().find(|(magic, ..)| first.starts_with(magic)) {
            return Err(format!(
                "is {what}, which this program does not unpack: {command} FILE | pciback-audit check -"
            ));
        }
        let is = |magic| first.starts_with(magic);
        let packing = [GZIP, XZ, ZSTD, BZIP2].into_iter().find(|magic| is(magic)).unwrap_or_default();
        #[cfg(feature = "archives")]
        let is_small = dictionary(&first).is_some_and(|size| size <= 1 << LARGE);
        let whole = BufReader::with_capacity(CHUNK, Cursor::new(first).chain(reader));
        Ok(match packing {
            GZIP => Self::Gzip(Box::new(MultiGzDecoder::new(whole))),
            #[cfg(feature = "archives")]
            XZ => Self::Xz(Box::new(Xz::new(whole, is_small)?)),
            #[cfg(feature = "archives")]
            ZSTD => {
                let cannot = |error| format!("zstd data cannot be unpacked: {error}");
                let mut decoder = zstd::Decoder::with_buffer(whole).map_err(cannot)?;
                decoder.window_log_max(LARGE).map_err(cannot)?;
                Self::Zstd(Box::new(decoder))
            }
            #[cfg(feature = "archives")]
            BZIP2 => Self::Bzip2(Box::new(bzip2::bufread::MultiBzDecoder::new(whole))),
            _ => Self::Plain(whole),
        })
    }

    const fn name(&self) -> Option<&'static str> {
        match self {
            Self::Plain(_) => None,
            Self::Gzip(_) => Some("gzip"),
            #[cfg(feature = "archives")]
            Self::Xz(_) => Some("xz"),
            #[cfg(feature = "archives")]
            Self::Zstd(_) => Some("zstd"),
            #[cfg(feature = "archives")]
            Self::Bzip2(_) => Some("bzip2"),
        }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.packing.read(buffer);
        let Some(name) = self.packing.name() else { return read };
        let read = read.map_err(|error| {
            let kind = error.kind();
            if matches!(kind, io::ErrorKind::Interrupted | io::ErrorKind::OutOfMemory | io::ErrorKind::QuotaExceeded) {
                return error;
            }
            io::Error::new(kind, format!("damaged or cut {name} data: {}", words(&error)))
        })?;
        self.allowance.take(read, name)?;
        Ok(read)
    }
}

impl<R: Read> Read for Packing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(reader) => reader.read(buffer),
            #[cfg(feature = "archives")]
            Self::Xz(reader) => reader.read(buffer),
            #[cfg(feature = "archives")]
            Self::Zstd(reader) => reader.read(buffer),
            #[cfg(feature = "archives")]
            Self::Bzip2(reader) => reader.read(buffer),
        }
    }
}

/// Unpacks xz, of what needs much memory a part only.
#[cfg(feature = "archives")]
pub(crate) struct Xz<R> {
    decoder: liblzma::bufread::XzDecoder<R>,
    left: u64,
}

#[cfg(feature = "archives")]
impl<R: io::BufRead> Xz<R> {
    fn new(packed: R, is_small: bool) -> Result<Self, String> {
        let (memory, left) = if is_small { ((1 << LARGE) + (2 << 20), u64::MAX) } else { (MOST_MEMORY, MOST_OF_LARGE) };
        let stream = liblzma::stream::Stream::new_stream_decoder(memory, liblzma::stream::CONCATENATED);
        let stream = stream.map_err(|error| format!("xz data cannot be unpacked: {error}"))?;
        Ok(Self { decoder: liblzma::bufread::XzDecoder::new_stream(packed, stream), left })
    }
}

#[cfg(feature = "archives")]
impl<R: io::BufRead> Read for Xz<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            let why = "takes too much memory to be unpacked here: xz -dc FILE | pciback-audit check -";
            io::Error::new(io::ErrorKind::OutOfMemory, why)
        })?;
        Ok(read)
    }
}

/// The size of the dictionary of the first block of an xz file (The .xz File Format 1.2.1, sections 3.1 and 5.3.1). None where LZMA2
/// is not its only filter.
#[cfg(feature = "archives")]
fn dictionary(file: &[u8]) -> Option<u64> {
    // The header of the stream has 12 bytes; the block's begins with its size and its flags. Two bits 0 of these mean one filter.
    let (flags, mut rest) = file.get(13..)?.split_first()?;
    for size in [0x40, 0x80] {
        if flags & size != 0 {
            let length = rest.iter().position(|byte| byte & 0x80 == 0)?;
            rest = rest.get(length + 1..)?;
        }
    }
    match rest {
        [0x21, 1, bits @ 0..=39, ..] if flags.trailing_zeros() >= 2 => {
            Some((2 | u64::from(bits & 1)) << (bits / 2 + 11))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut text = Vec::new();
        Unpacked::new(bytes)?.read_to_end(&mut text).map_err(|error| error.to_string())?;
        Ok(text)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[cfg(feature = "archives")]
    fn xz(text: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[cfg(feature = "archives")]
    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 3).unwrap()
    }

    #[cfg(feature = "archives")]
    fn bzip2(text: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    type Pack = fn(&[u8]) -> Vec<u8>;

    fn packings() -> Vec<(&'static str, Pack)> {
        vec![
            ("gzip", gzip as Pack),
            #[cfg(feature = "archives")]
            ("xz", xz as Pack),
            #[cfg(feature = "archives")]
            ("zstd", zstd as Pack),
            #[cfg(feature = "archives")]
            ("bzip2", bzip2 as Pack),
        ]
    }

    fn text() -> Vec<u8> {
        (0..4_000).flat_map(|number| format!("6,{number},{number},-;record {number}\n").into_bytes()).collect()
    }

    #[test]
    fn every_packing_gives_what_was_packed_also_in_several_pieces() {
        let text = text();
        let (first, second) = text.split_at(text.len() / 3);
        for (name, pack) in packings() {
            assert_eq!(unpacked(&pack(&text)).unwrap(), text, "{name}");
            assert_eq!(unpacked(&[pack(first), pack(second)].concat()).unwrap(), text, "{name}");
        }
        assert_eq!(unpacked(&text).unwrap(), text);
        assert_eq!(unpacked(b"").unwrap(), b"");
    }

    #[test]
    fn a_packed_log_that_was_cut_anywhere_or_damaged_is_an_error_that_says_so() {
        for (name, pack) in packings() {
            let packed = pack(&text());
            for length in (8..packed.len()).step_by(97).chain([packed.len() - 1]) {
                let why = unpacked(&packed[..length]).unwrap_err();
                assert!(why.contains(&format!("damaged or cut {name} data")), "{name} cut at {length}: {why}");
            }
            let mut damaged = packed.clone();
            let middle = packed.len() / 2;
            damaged[middle] ^= 0xff;
            assert!(unpacked(&damaged).is_err() || name == "zstd", "{name}: a changed byte");
        }
    }

    #[cfg(feature = "archives")]
    #[test]
    fn what_takes_much_memory_to_unpack_is_read_as_far_as_it_takes_little() {
        use liblzma::stream::{Check, Filters, LzmaOptions, Stream};
        let packed = |dictionary: u32, length: usize| {
            let mut options = LzmaOptions::new_preset(0).unwrap();
            options.dict_size(dictionary);
            let stream = Stream::new_stream_encoder(Filters::new().lzma2(&options), Check::Crc32).unwrap();
            let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
            encoder.write_all(&vec![b'a'; length]).unwrap();
            encoder.finish().unwrap()
        };
        let (small, large) = (packed(1 << 20, 26 << 20), packed(64 << 20, 26 << 20));
        assert_eq!((dictionary(&small), dictionary(&large)), (Some(1 << 20), Some(64 << 20)));
        assert_eq!(unpacked(&small).unwrap().len(), 26 << 20);
        assert!(unpacked(&large).unwrap_err().starts_with("takes too much memory"));
        assert_eq!(unpacked(&packed(64 << 20, 1 << 20)).unwrap().len(), 1 << 20);
        assert!(unpacked(&packed(256 << 20, 10)).unwrap_err().contains("memory limit"));
    }

    /// 1 MiB of zeros is packed a thousand to one; of a file in an archive the archive's bytes count.
    #[test]
    fn what_is_packed_as_no_log_is_read_in_part_and_that_is_said() {
        let bomb = gzip(&vec![0; 1 << 20]).repeat(4);
        let left =
            |packed, unpacked| Allowance(Rc::new(Amounts { packed: Cell::new(packed), unpacked: Cell::new(unpacked) }));
        let read = |allowance: &Allowance| {
            let mut text = Vec::new();
            let ended = Unpacked::within(&bomb[..], allowance).unwrap().read_to_end(&mut text);
            (text.len(), ended.map_err(|error| error.to_string()))
        };
        assert_eq!(read(&left(0, FREE - (4 << 20))), (4 << 20, Ok(4 << 20)));
        assert_eq!(read(&left(FREE, FREE)).1, Ok(4 << 20));
        let (length, ended) = read(&left(0, FREE - (2 << 20)));
        assert!(length <= 2 << 20, "{length}");
        let why = ended.unwrap_err();
        assert!(why.contains("packed more than 250 to 1: gzip -dc FILE") && !why.contains("damaged"), "{why}");
        let mut whole = Unpacked::new(&bomb[..]).unwrap();
        io::copy(&mut whole, &mut io::sink()).unwrap();
        assert_eq!((whole.allowance.0.packed.get(), whole.allowance.0.unpacked.get()), (bomb.len() as u64, 4 << 20));
    }

    #[test]
    fn what_is_not_unpacked_names_the_command_that_does() {
        for (magic, _, command) in FOREIGN {
            let why = unpacked(magic).unwrap_err();
            assert!(why.contains(command), "{why}");
        }
    }
}
