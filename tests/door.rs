//! What the root of the library promises, used as a program would that depends on it. What changes here is a change for users: it has
//! its line in CHANGELOG.md, and a new version as `SemVer` says.

use pciback_audit::{
    Address, Asked, Case, Code, Decoder, Device, Finding, KernelVersion, Log, LogKind, Options, Report, Severity,
    Status, Tree, Verdict, conclude,
};

/// The lines of `src/lib.rs` that hand on what is promised.
const PROMISED: [&str; 7] = [
    "pub use audit::{Asked, Case, Options, conclude};",
    "pub use pci::{Address, KernelVersion};",
    "pub use record::Decoder;",
    "pub use report::{Code, Device, Finding, Report, Severity, Status, Verdict};",
    "pub use source::{Live, Logs, keep};",
    "pub use timeline::{Log, LogKind};",
    "pub use tree::Tree;",
];

#[test]
fn no_other_type_is_promised() {
    let lines: Vec<&str> = include_str!("../src/lib.rs").lines().filter(|line| line.starts_with("pub use ")).collect();
    assert_eq!(lines, PROMISED);
}

fn log(bytes: &[u8]) -> Log {
    let mut log = Log::new(0, "kmsg.raw".to_owned(), LogKind::File);
    let mut decoder = Decoder::new(0);
    decoder.feed(bytes, &mut |input| log.take(input));
    decoder.finish(&mut |input| log.take(input));
    log.end();
    log
}

#[test]
fn a_log_is_audited_without_any_file() {
    let judge: fn(&Case) -> Report = conclude;
    let address: Address = "00:1d.7".parse().unwrap();
    let options = Options { kernel: "6.1.0".parse::<KernelVersion>().ok(), verbose: true, ..Options::default() };
    let asked = Asked::Devices(vec![address]);
    let report = judge(&Case { asked, logs: vec![log(b"6,1,0,-;usb 1-1: new device\n")], options, ..Case::default() });
    let device: &Device = report.devices.first().unwrap();
    assert_eq!((device.address, &device.status, report.verdict), (address, &Status::Unconfirmed, Verdict::Unknown));
    assert_eq!((report.verdict.exit_status(), device.status.name()), (3, "unconfirmed"));
    let finding: &Finding = report.findings.first().unwrap();
    let (code, severity): (Code, Severity) = (finding.code, finding.severity);
    assert!(severity < Severity::Info && !code.to_string().is_empty() && !finding.message.is_empty());
}

#[test]
fn the_files_of_a_machine_may_be_a_text() {
    let tree: Tree = Tree::from_manifest("proc/version = Linux version 6.1.0\n").unwrap();
    let report = conclude(&Case { tree: Some(tree), asked: Asked::List(b"(00:1d.7)".to_vec()), ..Case::default() });
    assert_ne!(report.verdict, Verdict::Ok);
}

#[cfg(feature = "source")]
mod reading {
    use std::path::Path;

    use pciback_audit::source::UeventsError;
    use pciback_audit::{Asked, Case, Live, Log, LogKind, Logs, Tree, conclude, keep};

    #[test]
    fn a_file_that_cannot_be_read_is_evidence_and_the_reason_is_handed_back() {
        let mut logs = Logs::default();
        assert!(logs.file(Path::new("/nowhere")).is_some());
        let logs: Vec<Log> = logs.into_inner();
        let report = conclude(&Case { asked: Asked::List(b"(00:1d.7)".to_vec()), logs, ..Case::default() });
        assert_eq!(report.exit_status, 3);
    }

    #[test]
    fn the_running_machine_is_kept_or_the_error_says_why_not() {
        let kept: std::io::Result<Tree> = keep(Path::new("/nowhere"));
        assert!(kept.is_err());
    }

    #[test]
    fn the_running_kernel_is_listened_to_where_it_may_be() {
        let live = Live::begin(Err(UeventsError::Untold));
        let log: Log = live.log();
        assert_eq!((log.index, log.kind), (0, LogKind::Ring));
    }
}
