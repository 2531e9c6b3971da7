//! Any bytes as a file that may be packed, an archive or a journal: nothing panics, and `check` and `scan` both end.

#![no_main]

use std::io::Write as _;

use libfuzzer_sys::fuzz_target;
use pciback_audit::audit::{Asked, Case, conclude};
use pciback_audit::scan::{Progress, Scan};
use pciback_audit::source::Logs;
use tempfile::NamedTempFile;

fuzz_target!(|bytes: &[u8]| {
    let mut file = NamedTempFile::new().expect("a file can be made in the directory for temporary files");
    file.write_all(bytes).expect("the file can be written");
    let asked = Asked::List(b"(0000:00:1d.0)".to_vec());
    let mut logs = Logs::default();
    let _ = logs.file(file.path());
    let _ = format!("{:?}", conclude(&Case { asked: asked.clone(), logs: logs.into_inner(), ..Case::default() }));
    let scan = Scan { paths: vec![file.path().to_owned()], asked, threads: 1, ..Scan::default() };
    let _ = format!("{:?}", scan.run(&Progress::default(), &mut |_, _| true));
});
