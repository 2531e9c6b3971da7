//! The edges that read: files, the kernel's ring buffer, the journal. They may block and they may fail; what they hand
//! on is plain values.
//!
//! Nothing is opened that is not known to be harmless ([`keep()`]), no link is followed out of a `--root`
//! ([`Inside`]), and what could not be read is said, never left out.

mod archive;
mod baseline;
mod boot_image;
mod contents;
mod destination;
mod error;
mod hypervisor;
mod inside;
mod journal;
mod journal_file;
mod keep;
mod klogctl;
mod kmsg;
mod live;
mod log;
mod lz4;
mod made_up;
mod memory;
mod output;
mod regular;
mod sandbox;
pub(crate) mod saved;
mod sections;
mod tar;
mod uevent;
mod unpack;

pub(crate) use archive::{Role, role};
pub use baseline::baseline;
pub use boot_image::keep_boot_image;
pub(crate) use contents::{Bounded, Contents, Failing};
pub use destination::WriteError;
pub use error::{FileError, InsideError, KmsgError, UeventsError};
pub use hypervisor::{hypervisor, hypervisor_below};
pub(crate) use inside::words;
pub use inside::{FileEntry, FileKind, Inside, PathEnd};
pub use journal::start_journal;
pub use keep::{keep, keep_archive, keep_guest, keep_nameless, places};
pub use kmsg::{Drained, Kmsg, Reader, Ring};
pub use live::{Live, Wakeup, wait, write_some};
pub use log::{Logs, is_ring, whole};
pub(crate) use made_up::{MADE_UP, is_made_up};
pub use memory::Memory;
pub use output::{Access, append, refusal, replace};
pub use regular::open_regular;
pub use sandbox::{Restrictions, Rights};
pub(crate) use tar::Tar;
pub use uevent::{Noticed, Uevents};
pub(crate) use unpack::Allowance;

/// Leaves nothing behind of a process that ends in the middle of its work: no scratch file, no child.
pub fn abandon() {
    output::discard_unfinished();
    journal::stop();
}
