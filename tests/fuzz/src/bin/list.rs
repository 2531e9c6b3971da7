//! Any bytes as a hide list, by every grammar: nothing panics, what is accepted names devices, and advice is valid.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pciback_audit::pci::KernelVersion;
use pciback_audit::request::hide::{self, Grammar};

fuzz_target!(|bytes: &[u8]| {
    for release in ["3.6", "3.8", "6.1", "7.2"] {
        let Some(version) = KernelVersion::of_release(release) else { return };
        let grammar = Grammar::from(version);
        let list = hide::read(bytes, grammar);
        for entry in &list.entries {
            assert!(entry.pattern.addresses().next().is_some(), "{release}: an entry that names nothing");
        }
        if let Some(better) = hide::nearest(bytes, grammar) {
            assert!(hide::read(better.as_bytes(), grammar).accepted(), "{release}: advised {better}");
        }
        // What it says goes to a terminal and into commands.
        let _ = format!("{:?} {}", hide::advise(bytes, grammar), list.quote(&(0..bytes.len())));
    }
});
