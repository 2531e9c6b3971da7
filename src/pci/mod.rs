//! Words of the field: PCI addresses and patterns, kernel versions, error numbers. Nothing here knows logs or hosts.

mod address;
mod errno;
mod kernel;

pub use address::{Address, AddressError, Pattern};
pub use errno::Errno;
pub use kernel::{Era, KernelVersion};
