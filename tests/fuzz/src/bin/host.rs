//! Any files of a host, with any log, in every form of output: nothing panics, and no form can be broken out of.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pciback_audit::audit::{Case, conclude};
use pciback_audit::render::{Style, event_json, json, nagios, prometheus, table};
use pciback_audit::report::{Snapshot, changes, state};
use pciback_audit::tree::Tree;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(tree) = Tree::from_manifest(text) else { return };
    let report = conclude(&Case { tree: Some(tree), ..Case::default() });
    assert!(serde_json::from_str::<serde_json::Value>(&json(&report, "0")).is_ok());
    assert_eq!(nagios(&report, &[], true).matches('|').count(), 1);
    let style = Style { width: 80, colour: false, verbose: true, ascii: true };
    assert!(table(&report, &style).chars().all(|letter| letter == '\n' || !letter.is_control()));
    let metrics = prometheus(&report, "0", Duration::ZERO);
    assert!(metrics.lines().all(|line| line.starts_with("# ") || line.starts_with("pciback_audit_")));
    assert_eq!(changes(&Snapshot::of(&report), &report), []);
    for change in state(&report) {
        let line = event_json(&change, report.verdict, std::time::UNIX_EPOCH.into());
        assert!(line.ends_with('\n') && serde_json::from_str::<serde_json::Value>(&line).is_ok());
    }
});
