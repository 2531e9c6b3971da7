//! Says which PCI devices Xen's pciback really took from dom0, which it silently ignored, and why.

pub mod event;
pub mod host;
pub mod pci;
pub mod record;
pub mod tree;
