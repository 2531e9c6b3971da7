//! Audits a saved log: `cargo run --example audit_log -- dmesg.txt 0000:03:00.0`.

use std::io::Write as _;
use std::path::Path;

use pciback_audit::{Address, Asked, Case, Logs, conclude};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name a log and the devices")?;
    let devices: Vec<Address> = arguments.map(|text| text.parse()).collect::<Result<_, _>>()?;

    // What cannot be read is a part of the evidence: the report says so.
    let mut logs = Logs::default();
    logs.file(Path::new(&path));
    let report = conclude(&Case { asked: Asked::Devices(devices), logs: logs.into_inner(), ..Case::default() });

    let mut out = std::io::stdout().lock();
    for device in &report.devices {
        writeln!(out, "{} {}", device.address, device.status.name())?;
    }
    writeln!(out, "{}", report.verdict.name())?;
    Ok(())
}
