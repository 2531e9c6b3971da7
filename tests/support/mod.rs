//! What the tests of the judge share: cases from text, and reports as text.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may end in a panic"
)]

pub mod paste;
pub mod scenario;
pub mod summary;

use std::path::{Path, PathBuf};

use pciback_audit::audit::{Asked, Case, Options};
use pciback_audit::record::Decoder;
use pciback_audit::timeline::{Keeps, Log, LogKind};
use pciback_audit::tree::Tree;

pub fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

#[track_caller]
pub fn read(name: &str) -> Vec<u8> {
    std::fs::read(testdata(name)).unwrap_or_else(|error| panic!("testdata/{name}: {error}"))
}

pub fn tree(manifest: &[u8]) -> Tree {
    Tree::from_manifest(std::str::from_utf8(manifest).unwrap()).unwrap()
}

/// A log of these bytes, as number `index` of its case.
pub fn log(index: usize, name: &str, bytes: &[u8]) -> Log {
    log_of_reads(index, name, &[bytes])
}

/// The same, read in these pieces.
pub fn log_of_reads(index: usize, name: &str, reads: &[&[u8]]) -> Log {
    read_into(Log::new(index, name.to_owned(), LogKind::File), reads)
}

/// The same, kept as a log that never ends is kept.
pub fn endless_log(bytes: &[u8]) -> Log {
    let mut log = Log::new(0, "log".to_owned(), LogKind::File);
    log.keeps = Keeps::Past;
    read_into(log, &[bytes])
}

fn read_into(mut log: Log, reads: &[&[u8]]) -> Log {
    let mut decoder = Decoder::new(log.index);
    for bytes in reads {
        decoder.feed(bytes, &mut |input| log.take(input));
    }
    decoder.finish(&mut |input| log.take(input));
    log.end();
    log
}

/// Judged by the log alone.
pub fn by_log(hide: &str, bytes: &[u8]) -> Case {
    let asked = Asked::List(hide.as_bytes().to_vec());
    Case {
        asked,
        logs: vec![log(0, "log", bytes)],
        options: Options { trust_log: true, ..Options::default() },
        ..Case::default()
    }
}

/// The folders of `testdata/captures`, by name.
pub fn captures() -> Vec<String> {
    let folders = std::fs::read_dir(testdata("captures")).unwrap().filter_map(Result::ok);
    let mut names: Vec<String> =
        folders.filter(|f| f.path().is_dir()).map(|f| f.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The log files of a capture, by name.
pub fn logs_of(capture: &str) -> Vec<String> {
    let files = std::fs::read_dir(testdata("captures").join(capture)).unwrap().filter_map(Result::ok);
    let mut names: Vec<String> =
        files.map(|f| f.file_name().into_string().unwrap()).filter(|name| name != "root.txt").collect();
    names.sort();
    names
}
