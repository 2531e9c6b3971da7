//! Says which PCI devices Xen's pciback really took from dom0, which it silently ignored, and why.

pub mod audit;
pub mod event;
pub mod history;
pub mod host;
pub mod pci;
pub mod record;
#[cfg(feature = "cli")]
pub mod render;
pub mod report;
pub mod request;
#[cfg(feature = "cli")]
pub mod scan;
#[cfg(feature = "cli")]
pub mod source;
pub mod timeline;
pub mod tree;
pub mod xen;

// The README's example is compiled and run with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
