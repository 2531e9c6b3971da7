//! Words of the field: PCI addresses, patterns and ids, kernel versions, error numbers. Nothing here knows logs or hosts.

mod address;
mod errno;
mod ids;
mod kernel;
pub mod register;

pub use address::{Address, AddressError, Pattern};
pub use errno::Errno;
pub use ids::{Ids, IdsError};
pub use kernel::{Era, KernelVersion};
