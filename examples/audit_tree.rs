//! Audits the copy of a machine's files, with the logs in it: `cargo run --example audit_tree -- sosreport-dom0/`.

use std::io::Write as _;
use std::path::Path;

use pciback_audit::source::keep_archive;
use pciback_audit::{Case, Logs, conclude};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::env::args().nth(1).ok_or("name a directory")?;
    let root = Path::new(&root);

    // Links are followed inside the directory only, and no file is read that is not known to be harmless.
    let tree = keep_archive(root)?;
    let mut logs = Logs::default();
    logs.below(root);
    let report = conclude(&Case { tree: Some(tree), logs: logs.into_inner(), ..Case::default() });

    let mut out = std::io::stdout().lock();
    for finding in &report.findings {
        writeln!(out, "{} {}: {}", finding.severity.name(), finding.code, finding.message)?;
    }
    writeln!(out, "{}", report.verdict.name())?;
    Ok(())
}
