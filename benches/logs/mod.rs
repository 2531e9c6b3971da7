//! Real logs out of `testdata/captures`, as large as a bench wants them.

#![expect(clippy::allow_attributes, reason = "which of these is needed differs from bench to bench")]
#![allow(dead_code, unreachable_pub, reason = "each bench uses a part of it")]

use std::path::Path;

use pciback_audit::record::{Decoder, Input, Record};
use pciback_audit::timeline::{Log, LogKind};

/// A file of the captures.
pub fn capture(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/captures").join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The same file again and again, up to at least `size` bytes.
pub fn repeated(file: &str, size: usize) -> Vec<u8> {
    let once = capture(file);
    once.repeat(size.div_ceil(once.len()))
}

/// The records of a log.
pub fn records(log: &[u8]) -> Vec<Record<'static>> {
    let mut records = Vec::new();
    let mut sink = |input: Input<'_>| {
        if let Input::Record(record) = input {
            records.push(record.into_owned());
        }
    };
    let mut decoder = Decoder::new(0);
    decoder.feed(log, &mut sink);
    decoder.finish(&mut sink);
    records
}

/// A log of these bytes, with its facts laid out in boots.
pub fn told(bytes: &[u8]) -> Log {
    let mut log = Log::new(0, "kmsg.raw".to_owned(), LogKind::File);
    let mut decoder = Decoder::new(0);
    decoder.feed(bytes, &mut |input| log.take(input));
    decoder.finish(&mut |input| log.take(input));
    log.end();
    log
}
