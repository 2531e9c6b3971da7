//! Reports for the tests of the forms, made by hand: a form is tested by what no log would make.

use crate::pci::Address;
use crate::record::Stamp;
use crate::report::{
    Basis, Code, Device, EvidenceTime, Finding, Log, Repair, Report, Request, Severity, Status, Verdict, Waiting,
};

/// A report with this exit status and one log.
pub(super) fn report(exit_status: u8, devices: Vec<Device>, findings: Vec<Finding>) -> Report {
    let verdict = [Verdict::Ok, Verdict::Warning, Verdict::Critical, Verdict::Unknown][usize::from(exit_status)];
    let log = Log {
        source: "kmsg".to_owned(),
        records: 8,
        recognised: 1,
        unrecognised: 0,
        first_sequence: None,
        lost: 7,
        unparsed: 0,
        complete: true,
        trusted: true,
    };
    Report {
        verdict,
        exit_status,
        silent: false,
        host: None,
        kernel: None,
        boot_id: None,
        time: None,
        window: crate::report::Window::default(),
        seen: EvidenceTime::Now,
        request: Request::default(),
        logs: vec![log],
        devices,
        findings,
        plan: Repair::default(),
        hierarchy: Vec::new(),
        guest: None,
        waiting: Waiting::default(),
    }
}

/// The requested device at `0000:00:SLOT.0`.
pub(super) fn device(slot: u8, status: Status, driver: Option<&str>) -> Device {
    Device {
        address: Address::new(0, 0, slot, 0).unwrap(),
        requested: true,
        covered_by: None,
        status,
        basis: Basis::Host,
        driver: driver.map(str::to_owned),
        before_load: None,
        kind: None,
        model: None,
        id: None,
        name: None,
        label: None,
        guests: Vec::new(),
        last_guest: None,
        seized_at: None,
        seizing: None,
        findings: Vec::new(),
    }
}

/// A finding about the device at that slot, or about none.
pub(super) fn finding(code: Code, severity: Severity, slot: Option<u8>, message: &str) -> Finding {
    Finding {
        code,
        severity,
        address: slot.and_then(|slot| Address::new(0, 0, slot, 0)),
        time: None,
        stamp: Stamp::default(),
        message: message.to_owned(),
        evidence: Vec::new(),
        remedy: Vec::new(),
    }
}
