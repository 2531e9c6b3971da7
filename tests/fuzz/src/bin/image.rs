//! Any bytes as the boot image of a kernel: nothing panics, and what of it is kept can be judged.

#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use pciback_audit::audit::next_boot;
use pciback_audit::pci::KernelVersion;
use pciback_audit::request::hide::Grammar;
use pciback_audit::source::{keep, keep_boot_image};

fuzz_target!(|bytes: &[u8]| {
    let root = tempfile::tempdir().expect("a directory can be made in the one for temporary files");
    for directory in ["boot", "proc/sys/kernel"] {
        fs::create_dir_all(root.path().join(directory)).expect("a directory can be made in it");
    }
    fs::write(root.path().join("proc/sys/kernel/osrelease"), "6.1.0-56-amd64\n").expect("a file can be written");
    fs::write(root.path().join("boot/initrd.img-6.1.0-56-amd64"), bytes).expect("a file can be written");
    let mut tree = keep(root.path()).expect("the root can be opened");
    keep_boot_image(root.path(), &mut tree);
    let Some(version) = KernelVersion::of_release("6.1") else { return };
    let forecast = next_boot(&tree, Some(b"(0000:00:1d.0)"), Grammar::from(version));
    let _ = format!("{forecast:?}");
});
