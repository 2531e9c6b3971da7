//! Packed logs, known by their first bytes.

use std::io::{self, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::inside::words;

const CHUNK: usize = 64 << 10;

/// As long as the longest of the first bytes by which a packing is known.
const MAGIC: usize = 8;

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

/// Most memory that an xz file may ask for: four times what `xz -9` does.
#[cfg(feature = "archives")]
const MOST_MEMORY: u64 = 256 << 20;

type Whole<R> = BufReader<io::Chain<Cursor<Vec<u8>>, R>>;

/// The bytes of a log, unpacked where they are packed. Several packed files one behind the other are read as one.
pub(crate) enum Unpacked<R: Read> {
    Plain(Whole<R>),
    Gzip(Box<MultiGzDecoder<Whole<R>>>),
    #[cfg(feature = "archives")]
    Xz(Box<liblzma::bufread::XzDecoder<Whole<R>>>),
    #[cfg(feature = "archives")]
    Zstd(Box<zstd::Decoder<'static, Whole<R>>>),
    #[cfg(feature = "archives")]
    Bzip2(Box<bzip2::bufread::MultiBzDecoder<Whole<R>>>),
}

impl<R: Read> Unpacked<R> {
    /// Tells by its first bytes what `reader` yields. A packing that this program does not undo is an error that names the
    /// command which does.
    pub(crate) fn new(mut reader: R) -> Result<Self, String> {
        let mut first = Vec::with_capacity(MAGIC);
        reader.by_ref().take(MAGIC as u64).read_to_end(&mut first).map_err(|error| words(&error))?;
        if let Some((_, what, command)) = FOREIGN.iter().find(|(magic, ..)| first.starts_with(magic)) {
            return Err(format!(
                "is {what}, which this program does not unpack: {command} FILE | pciback-audit check -"
            ));
        }
        let is = |magic| first.starts_with(magic);
        let packing = [GZIP, XZ, ZSTD, BZIP2].into_iter().find(|magic| is(magic)).unwrap_or_default();
        let whole = BufReader::with_capacity(CHUNK, Cursor::new(first).chain(reader));
        Ok(match packing {
            GZIP => Self::Gzip(Box::new(MultiGzDecoder::new(whole))),
            #[cfg(feature = "archives")]
            XZ => {
                let stream = liblzma::stream::Stream::new_stream_decoder(MOST_MEMORY, liblzma::stream::CONCATENATED);
                let stream = stream.map_err(|error| format!("xz data cannot be unpacked: {error}"))?;
                Self::Xz(Box::new(liblzma::bufread::XzDecoder::new_stream(whole, stream)))
            }
            #[cfg(feature = "archives")]
            ZSTD => {
                let decoder = zstd::Decoder::with_buffer(whole);
                Self::Zstd(Box::new(decoder.map_err(|error| format!("zstd data cannot be unpacked: {error}"))?))
            }
            #[cfg(feature = "archives")]
            BZIP2 => Self::Bzip2(Box::new(bzip2::bufread::MultiBzDecoder::new(whole))),
            _ => Self::Plain(whole),
        })
    }

    /// Whether a log that begins like this is packed, by this program's packings or others.
    pub(crate) fn is_packed(head: &[u8]) -> bool {
        [GZIP, XZ, ZSTD, BZIP2]
            .iter()
            .chain(FOREIGN.iter().map(|(magic, ..)| magic))
            .any(|magic| head.starts_with(magic))
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
        let read = match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(reader) => reader.read(buffer),
            #[cfg(feature = "archives")]
            Self::Xz(reader) => reader.read(buffer),
            #[cfg(feature = "archives")]
            Self::Zstd(reader) => reader.read(buffer),
            #[cfg(feature = "archives")]
            Self::Bzip2(reader) => reader.read(buffer),
        };
        read.map_err(|error| match self.name() {
            Some(name) if error.kind() != io::ErrorKind::Interrupted => {
                io::Error::new(error.kind(), format!("damaged or cut {name} data: {}", words(&error)))
            }
            _ => error,
        })
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
            for length in (MAGIC..packed.len()).step_by(97).chain([packed.len() - 1]) {
                let why = unpacked(&packed[..length]).unwrap_err();
                assert!(why.contains(&format!("damaged or cut {name} data")), "{name} cut at {length}: {why}");
            }
            let mut damaged = packed.clone();
            let middle = packed.len() / 2;
            damaged[middle] ^= 0xff;
            assert!(unpacked(&damaged).is_err() || name == "zstd", "{name}: a changed byte");
        }
    }

    #[test]
    fn what_is_not_unpacked_names_the_command_that_does() {
        for (magic, _, command) in FOREIGN {
            let why = unpacked(magic).unwrap_err();
            assert!(why.contains(command), "{why}");
        }
    }
}
