//! Any bytes as the log of a guest, and of the hypervisor: nothing panics, the latter alone is never ok, and a page holds no
//! control character.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pciback_audit::audit::{Asked, Case, conclude, conclude_guest};
use pciback_audit::record::{Decoder, Input};
use pciback_audit::render::{Style, table};
use pciback_audit::report::Verdict;
use pciback_audit::source::Logs;
use pciback_audit::timeline::LogKind;
use pciback_audit::xen;

fuzz_target!(|bytes: &[u8]| {
    let mut logs = Logs::default();
    let _ = logs.bytes("log", LogKind::File, bytes);
    let guest = conclude_guest(&Case { logs: logs.into_inner(), ..Case::default() });
    let style = Style { width: 80, colour: false, verbose: true, ascii: true };
    assert!(table(&guest, &style).chars().all(|letter| letter == '\n' || !letter.is_control()));

    let mut hypervisor = xen::Hypervisor::default();
    let mut decoder = Decoder::new(0);
    let mut take = |input: Input<'_>| {
        if let Input::Record(record) = input {
            hypervisor.take(&record);
        }
    };
    decoder.feed(bytes, &mut take);
    decoder.finish(&mut take);
    let log = xen::XenLog { name: "xen".to_owned(), origin: xen::XenOrigin::Named, failure: None, hypervisor };
    let asked = Asked::List(b"(0000:00:1d.0)(0000:03:00.0)".to_vec());
    let report = conclude(&Case { asked, xen_logs: vec![log], ..Case::default() });
    assert_ne!(report.verdict, Verdict::Ok, "ok by the hypervisor's log alone");
    assert!(table(&report, &style).chars().all(|letter| letter == '\n' || !letter.is_control()));
});
