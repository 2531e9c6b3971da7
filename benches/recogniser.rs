//! Records to facts: how many records the recogniser looks at in a second.

mod logs;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pciback_audit::event::Recogniser;
use pciback_audit::record::Record;

fn records_looked_at(criterion: &mut Criterion) {
    let boot = logs::records(&logs::capture("silently-ignored/kmsg.raw"));
    let (matching, rest): (Vec<_>, Vec<_>) = boot.iter().cloned().partition(|record| facts([record]) > 0);
    let seizing = logs::records(&b"6,496,9154317,-;pciback 0000:00:1d.7: xen_pciback: seizing device\n".repeat(1000));
    let together = b"pciback 0000:00:1d.0: seizing device pciback 0000:00:1d.1: seizing device\n".repeat(1000);
    let together = logs::records(&together);

    let core = b"6,497,9154317,-;pciback 0000:00:1d.7: vgaarb: VGA decodes changed: owns=none\n".repeat(1000);
    let core = logs::records(&core);

    let mut group = criterion.benchmark_group("records looked at");
    // Nearly every record of a kernel's log concerns no device of ours: this is the figure that counts.
    let cases = [
        ("none matches", &rest),
        ("a whole boot", &boot),
        ("every match of a boot", &matching),
        ("all seizing lines", &seizing),
        ("all seizing lines, two in a record", &together),
        ("all texts of the core in pciback's name", &core),
    ];
    for (case, records) in cases {
        group.throughput(Throughput::Elements(records.len() as u64));
        group.bench_function(case, |bencher| bencher.iter(|| facts(black_box(records))));
    }
    group.finish();
}

fn facts<'a>(records: impl IntoIterator<Item = &'a Record<'static>>) -> usize {
    let mut facts = 0;
    for record in records {
        Recogniser::get().hear(record, &mut |fact| {
            black_box(fact);
            facts += 1;
        });
    }
    facts
}

criterion_group!(benches, records_looked_at);
criterion_main!(benches);
