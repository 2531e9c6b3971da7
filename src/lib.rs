//! Says which PCI devices Xen's pciback really took from dom0, which it silently ignored, and why.
//!
//! ```
//! use pciback_audit::{Asked, Case, Decoder, Log, LogKind, Verdict, conclude};
//!
//! let records = b"5,0,0,-;Linux version 6.1.0-56-amd64\n\
//!     6,1,0,-;Command line: placeholder console=hvc0\n\
//!     6,2,36154317,-;pciback 0000:00:1d.7: xen_pciback: seizing device\n\
//!     6,3,36154900,-;xen_pciback: backend is vpci\n";
//! let mut log = Log::new(0, "kmsg.raw".to_owned(), LogKind::File);
//! let mut decoder = Decoder::new(0);
//! decoder.feed(records, &mut |input| log.take(input));
//! decoder.finish(&mut |input| log.take(input));
//! log.end();
//!
//! let asked = Asked::List(b"(0000:00:1d.7)".to_vec());
//! let report = conclude(&Case { asked, logs: vec![log], ..Case::default() });
//! assert_eq!(report.verdict, Verdict::Ok);
//! ```
//!
//! The types at the root of the crate are the ones that its versions speak about; the modules hold what they are made of, and may
//! change. Three features say how much there is: none for parsers and the judge, which touch nothing; `source` to read files,
//! archives and the running kernel; `cli` for the command and what it writes.
//!
//! `examples/audit_log.rs` audits a file, `examples/audit_tree.rs` the copy of a machine's files, `examples/follow.rs` follows the
//! kernel's ring buffer.

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
#[cfg(feature = "source")]
pub mod scan;
#[cfg(feature = "source")]
pub mod source;
pub mod timeline;
pub mod tree;
pub mod xen;

pub use audit::{Asked, Case, Options, conclude};
pub use pci::{Address, KernelVersion};
pub use record::Decoder;
pub use report::{Code, Device, Finding, Report, Severity, Status, Verdict};
#[cfg(feature = "source")]
pub use source::{Live, Logs, keep};
pub use timeline::{Log, LogKind};
pub use tree::Tree;

// The README's example is compiled and run with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
