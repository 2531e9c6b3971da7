//! Real logs out of `testdata/captures`.

#![expect(unreachable_pub, reason = "shared by the benches, which are programs")]

use std::path::Path;

use pciback_audit::record::{Decoder, Input, Record};

/// A file of the captures.
pub fn capture(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/captures").join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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
