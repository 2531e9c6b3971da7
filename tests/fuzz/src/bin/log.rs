//! Any bytes as a log: nothing panics, it is the same report however they are cut into reads and, of one boot, whether facts
//! are kept or not, and ok needs a record of every device.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pciback_audit::audit::{Asked, Case, conclude};
use pciback_audit::record::{Decoder, Input, Stamp, between};
use pciback_audit::report::{Report, Verdict};
use pciback_audit::timeline::{Keeps, Log, LogKind};

/// The report, and whether the log is one boot whose records stand in the order of their times.
fn report(reads: &[&[u8]], endless: bool) -> (Report, bool) {
    let mut log = Log::new(0, "log".to_owned(), LogKind::File);
    log.keeps = if endless { Keeps::Past } else { Keeps::Facts };
    let mut decoder = Decoder::new(0);
    let (mut last, mut in_order) = (Stamp::default(), true);
    let mut take = |input: Input<'_>| {
        if let Input::Record(record) = &input {
            let now = record.stamp;
            in_order &= now.uptime.is_none() || now.uptime >= last.uptime;
            in_order &= between(&last, &now).is_none_or(|step| step >= 0);
            last = Stamp { uptime: now.uptime.or(last.uptime), wall: now.wall.or(last.wall) };
        }
        log.take(input);
    };
    for bytes in reads {
        decoder.feed(bytes, &mut take);
    }
    decoder.finish(&mut take);
    log.end();
    let asked = Asked::List(b"(0000:00:1d.0)(0000:00:1d.7)".to_vec());
    in_order &= log.boots.len() < 2;
    (conclude(&Case { asked, logs: vec![log], ..Case::default() }), in_order)
}

fn holds(bytes: &[u8], address: &str) -> bool {
    bytes.windows(address.len()).any(|window| window == address.as_bytes())
}

fuzz_target!(|bytes: &[u8]| {
    let (whole, in_order) = report(&[bytes], false);
    let told = format!("{whole:?}");
    let (endless, _) = report(&[bytes], true);
    // The parts of a boot that stand apart in one log can only be put together, and in order, where facts are kept.
    if in_order {
        assert!(endless.verdict != Verdict::Ok || whole.verdict < Verdict::Critical, "not kept, and ok: {told}");
    }
    let cut = bytes.first().map_or(0, |byte| usize::from(*byte) * bytes.len() / 256);
    let (first, second) = bytes.split_at(cut);
    assert_eq!(format!("{:?}", report(&[first, second], false).0), told, "cut at {cut}");
    if whole.verdict == Verdict::Ok {
        assert!(["00:1d.0", "00:1d.7"].into_iter().all(|address| holds(bytes, address)), "ok without a record");
    }
});
