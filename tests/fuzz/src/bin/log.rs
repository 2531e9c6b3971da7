//! Any bytes as a log: nothing panics, it is the same report however they are cut into reads and, of one boot, whether facts
//! are kept or not, and ok needs a record of every device.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pciback_audit::audit::{Asked, Case, conclude};
use pciback_audit::record::Decoder;
use pciback_audit::report::{Report, Verdict};
use pciback_audit::timeline::{Keeps, Log, LogKind};

fn report(reads: &[&[u8]], endless: bool) -> (Report, usize) {
    let mut log = Log::new(0, "log".to_owned(), LogKind::File);
    log.keeps = if endless { Keeps::Past } else { Keeps::Facts };
    let mut decoder = Decoder::new(0);
    for bytes in reads {
        decoder.feed(bytes, &mut |input| log.take(input));
    }
    decoder.finish(&mut |input| log.take(input));
    log.end();
    let asked = Asked::List(b"(0000:00:1d.0)(0000:00:1d.7)".to_vec());
    let boots = log.boots.len();
    (conclude(&Case { asked, logs: vec![log], ..Case::default() }), boots)
}

fn holds(bytes: &[u8], address: &str) -> bool {
    bytes.windows(address.len()).any(|window| window == address.as_bytes())
}

fuzz_target!(|bytes: &[u8]| {
    let (whole, boots) = report(&[bytes], false);
    let told = format!("{whole:?}");
    let (endless, _) = report(&[bytes], true);
    // The parts of a boot that stand apart in one log can only be put together where facts are kept.
    if boots < 2 {
        assert_eq!(format!("{endless:?}"), told, "not kept");
    }
    assert!(endless.verdict != Verdict::Ok || whole.verdict == Verdict::Ok, "not kept, and ok: {told}");
    let cut = bytes.first().map_or(0, |byte| usize::from(*byte) * bytes.len() / 256);
    let (first, second) = bytes.split_at(cut);
    assert_eq!(format!("{:?}", report(&[first, second], false).0), told, "cut at {cut}");
    if whole.verdict == Verdict::Ok {
        assert!(["00:1d.0", "00:1d.7"].into_iter().all(|address| holds(bytes, address)), "ok without a record");
    }
});
