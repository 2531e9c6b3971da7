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

criterion_group!(benches, captures_judged, records_audited, devices_judged);
criterion_main!(benches);
