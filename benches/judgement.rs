//! A case to its report: how long the judge takes for one host, and for a long list.

#![expect(clippy::unwrap_used, reason = "a bench may panic, and its helpers are part of it")]

mod logs;

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pciback_audit::audit::{Asked, Case, Options, conclude};
use pciback_audit::record::Decoder;
use pciback_audit::timeline::{Log, LogKind};
use pciback_audit::tree::Tree;

/// A log of these bytes, with its facts laid out in boots.
fn told(bytes: &[u8]) -> Log {
    let mut log = Log::new(0, "kmsg.raw".to_owned(), LogKind::File);
    let mut decoder = Decoder::new(0);
    decoder.feed(bytes, &mut |input| log.take(input));
    decoder.finish(&mut |input| log.take(input));
    log.end();
    log
}

/// A capture with its host.
fn case(capture: &str) -> Case {
    let manifest = String::from_utf8(logs::capture(&format!("{capture}/root.txt"))).unwrap();
    Case {
        tree: Some(Tree::from_manifest(&manifest).unwrap()),
        logs: vec![told(&logs::capture(&format!("{capture}/kmsg.raw")))],
        ..Case::default()
    }
}

fn captures_judged(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("captures judged");
    for capture in ["all-seized", "silently-ignored", "stale-seizing-lines", "list-refused"] {
        let case = case(capture);
        group.throughput(Throughput::Elements(1));
        group.bench_function(capture, |bencher| bencher.iter(|| conclude(black_box(&case))));
    }
    group.finish();
}

/// From the bytes of a log to the report: everything that `check` does but reading and writing.
fn records_audited(criterion: &mut Criterion) {
    let bytes = logs::capture("silently-ignored/kmsg.raw");
    let case = case("silently-ignored");
    let mut group = criterion.benchmark_group("records audited");
    group.throughput(Throughput::Elements(logs::records(&bytes).len() as u64));
    group.bench_function("silently-ignored", |bencher| {
        bencher.iter(|| conclude(&Case { logs: vec![told(black_box(&bytes))], ..case.clone() }));
    });
    group.finish();
}

/// Devices by the log alone: 315 addresses fill the kernel's own page of `slots`.
fn devices_judged(criterion: &mut Criterion) {
    let (mut list, mut log) = (String::new(), String::from("6,0,0,-;Linux version 6.1.0-56-amd64\n"));
    for number in 0..315_u32 {
        let address = format!("0000:{:02x}:{:02x}.{}", number / 256, number / 8 % 32, number % 8);
        let _ = write!(list, "({address})");
        let _ = writeln!(log, "6,{},9000000,-;pciback {address}: xen_pciback: seizing device", number + 1);
    }
    log.push_str("6,316,9000001,-;xen_pciback: backend is vpci\n");
    let case = Case {
        asked: Asked::List(list.into_bytes()),
        logs: vec![told(log.as_bytes())],
        options: Options::default(),
        ..Case::default()
    };
    let mut group = criterion.benchmark_group("devices judged");
    group.throughput(Throughput::Elements(315));
    group.bench_function("315 seized, by the log alone", |bencher| bencher.iter(|| conclude(black_box(&case))));
    group.finish();
}

/// A log of so many parts that could each be compared with all others.
type Grown = fn(u32) -> String;

const GROWN: [(&str, Grown); 4] = [
    ("boots", |parts| {
        let boot = |n| {
            format!(
                "Nov 22 06:00:00 a kernel: [    0.000000] Linux version 6.1.{n} (b@b) #1 SMP\n\
                 Nov 22 06:00:05 a kernel: [    5.000001] pciback 0000:00:1d.0: xen_pciback: seizing device\n"
            )
        };
        (0..parts).map(boot).collect()
    }),
    ("hosts", |parts| {
        let host = |n| {
            format!(
                "Nov 22 06:00:05 host{n} kernel: [    5.000001] pciback 0000:00:1d.0: xen_pciback: seizing device\n"
            )
        };
        (0..parts).map(host).collect()
    }),
    ("gaps", |parts| {
        let record = |n| format!("6,{},{n}000,-;usb 1-1: device number {n}\n", 3 * n);
        (0..parts).map(record).collect()
    }),
    ("devices", |parts| {
        let seized = |n: u32| {
            let address = format!("{:04x}:{:02x}:{:02x}.{}", n >> 16, n >> 8 & 255, n >> 3 & 31, n & 7);
            format!("6,{n},9000000,-;pciback {address}: xen_pciback: seizing device\n")
        };
        (0..parts).map(seized).collect()
    }),
];

/// Nothing takes time by the square: as many parts a second in a log sixteen times as long.
fn logs_grown(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("logs grown");
    group.sample_size(10);
    for (what, text) in GROWN {
        for parts in [3_750, 15_000, 60_000] {
            let bytes = text(parts).into_bytes();
            let asked = Asked::List(b"(0000:00:1d.0)".to_vec());
            group.throughput(Throughput::Elements(u64::from(parts)));
            group.bench_function(format!("{parts} {what}"), |bencher| {
                bencher.iter(|| {
                    conclude(&Case { asked: asked.clone(), logs: vec![told(black_box(&bytes))], ..Case::default() })
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, captures_judged, records_audited, devices_judged, logs_grown);
criterion_main!(benches);
