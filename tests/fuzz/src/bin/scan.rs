//! Any bytes as a saved log: nothing panics, `scan` says the same with threads or without, in parts or whole, searched or read line by
//! line; and ok needs a record of every device. That these say the same as each other is held on generated logs (`tests/scan.rs`,
//! `tests/evidence_scan.rs`): in a log of any bytes they count other places where something is missing.

#![no_main]

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use pciback_audit::audit::Asked;
use pciback_audit::report::Verdict;
use pciback_audit::scan::{Progress, Scan};

/// So much says nothing that a log is read in several parts.
const QUIET: usize = 300 << 10;

fn scan(path: &Path) -> Scan {
    let asked = Asked::List(b"(0000:00:1d.0)(0000:00:1d.7)".to_vec());
    Scan { paths: vec![path.to_owned()], asked, threads: 1, ..Scan::default() }
}

/// All that is said, and whether any of it is ok.
fn said(scan: &Scan) -> (String, bool) {
    let (mut reports, mut ok) = (Vec::new(), false);
    let scanned = scan.run(&Progress::default(), &mut |report, run| {
        reports.push(format!("{report:?} {run:?}"));
        ok |= report.verdict == Verdict::Ok;
        true
    });
    (format!("{reports:?} {scanned:?}"), ok)
}

/// A log on disk as long as it is scanned.
struct Saved(PathBuf);

impl Drop for Saved {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).expect("the log can be removed");
    }
}

fn save(bytes: &[u8]) -> Saved {
    let path = std::env::temp_dir().join(format!("pciback-audit-fuzz-{}", std::process::id()));
    let mut log = bytes.to_vec();
    if bytes.first().is_some_and(|byte| byte % 8 == 0) {
        log.extend_from_slice(b"\n");
        log.extend(b"Jul  2 00:36:54 gaia sshd[812]: Connection closed\n".iter().cycle().take(QUIET));
        log.extend_from_slice(bytes);
    }
    std::fs::write(&path, log).expect("a log can be written to the directory for temporary files");
    Saved(path)
}

fn holds(bytes: &[u8], address: &str) -> bool {
    bytes.windows(address.len()).any(|window| window == address.as_bytes())
}

fuzz_target!(|bytes: &[u8]| {
    let log = save(bytes);
    let mut ok = false;
    for (part, every_line) in [(None, false), (None, true), (NonZeroU64::new(128 << 10), false)] {
        let alone = Scan { part, every_line, ..scan(&log.0) };
        let (told, is_ok) = said(&alone);
        ok |= is_ok;
        assert_eq!(said(&Scan { threads: 2, ..alone }).0, told, "threads");
    }
    if ok {
        assert!(["00:1d.0", "00:1d.7"].into_iter().all(|address| holds(bytes, address)), "ok without a record");
    }
});
