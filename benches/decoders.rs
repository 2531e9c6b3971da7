//! Bytes to records: how many records of each log format are decoded in a second.

mod logs;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pciback_audit::record::{Decoder, Input};

/// One log of each format, all of them of one real boot, or of boots of the same machine.
const FORMATS: &[(&str, &str)] = &[
    ("kmsg", "silently-ignored/kmsg.raw"),
    ("dmesg", "silently-ignored/dmesg-ul.txt"),
    ("dmesg -r", "silently-ignored/dmesg-ul-r.txt"),
    ("dmesg -x", "silently-ignored/dmesg-ul-x.txt"),
    ("dmesg -t", "silently-ignored/dmesg-ul-t.txt"),
    ("dmesg -T", "silently-ignored/dmesg-ul-T.txt"),
    ("dmesg iso", "silently-ignored/dmesg-ul-iso.txt"),
    ("dmesg -J", "silently-ignored/dmesg-ul.json"),
    ("syslog", "journal-formats/journalctl-k-short.txt"),
    ("journal short-iso", "journal-formats/journalctl-k-short-iso.txt"),
    ("journal short-full", "journal-formats/journalctl-k-short-full.txt"),
    ("journal short-monotonic", "journal-formats/journalctl-k-short-monotonic.txt"),
    ("journal json", "journal-formats/journalctl-k-json.txt"),
    ("journal export", "journal-formats/journalctl-k-export.txt"),
    ("journal verbose", "journal-formats/journalctl-k-verbose.txt"),
];

/// Every format, a record at a time through one decoder, fed with reads of 64 KiB as a file is.
fn records_decoded(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("records decoded");
    for &(format, file) in FORMATS {
        let once = logs::capture(file);
        let log = once.repeat((1 << 20) / once.len());
        group.throughput(Throughput::Elements(logs::records(&log).len() as u64));
        group.bench_function(format, |bencher| bencher.iter(|| decode(black_box(&log))));
    }
    group.finish();
}

fn decode(log: &[u8]) {
    let mut sink = |input: Input<'_>| drop(black_box(input));
    let mut decoder = Decoder::new(0);
    for read in log.chunks(64 * 1024) {
        decoder.feed(read, &mut sink);
    }
    decoder.finish(&mut sink);
}

criterion_group!(benches, records_decoded);
criterion_main!(benches);
