//! Any bytes as a policy: nothing panics, no address stands there twice, and a place is one of the file.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use pciback_audit::audit::{Asked, Case, conclude};
use pciback_audit::report::Verdict;
use pciback_audit::request::policy;

fuzz_target!(|bytes: &[u8]| {
    let policy = match policy::read("policy", bytes) {
        Ok(policy) => policy,
        Err(error) => {
            assert!(error.to_string().starts_with("policy:"));
            return;
        }
    };
    let lines = bytes.split(|byte| *byte == b'\n').count();
    let addresses: BTreeSet<_> = policy.devices.iter().map(|device| device.address).collect();
    assert!(!policy.devices.is_empty() && addresses.len() == policy.devices.len());
    assert!(policy.devices.iter().all(|device| (1..=lines).contains(&device.line)));
    // There is no evidence at all, whatever it says of severities.
    let report = conclude(&Case { asked: Asked::Policy(policy), ..Case::default() });
    assert_eq!(report.verdict, Verdict::Unknown);
});
