//! A site's policy: which devices should be pciback's, and what is expected of each.
//!
//! Plain data, and (feature `policy`) the reader that makes it of a file's bytes:
//!
//! ```toml
//! [[device]]
//! address = "0000:03:00.0"   # or "03:00.0"
//! id = "8086:1521"           # the card that is expected there
//! label = "NIC of the firewall"
//! guest = "firewall"         # who gets it: named where somebody should stop that guest
//! severity = "warning"       # how bad it is when pciback does not have it; "critical" without this
//!
//! [[accept]]
//! code = "late-seize"        # a finding that is known: it becomes a note
//! address = "03:00.0"        # of this device only
//! until = 2027-03-31         # up to the end of that day (UTC)
//! reason = "new boot image in March"
//! ```

#[cfg(feature = "policy")]
mod read;
#[cfg(feature = "policy")]
#[cfg(test)]
mod tests;

#[cfg(feature = "policy")]
pub use read::{LONGEST, PolicyError, read};

use chrono::{DateTime, Utc};

use super::Location;
use crate::pci::{Address, Ids};

/// What a site wrote down about its devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The file, as it was given.
    pub path: String,
    /// The devices, as they are written one behind the other. Each address stands here once.
    pub devices: Vec<PolicyDevice>,
    /// The findings that are known, in the order written.
    pub accepts: Vec<Accept>,
}

/// A finding that is known, and becomes a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    /// Its code, as written.
    pub code: String,
    /// The line of the code, counted from 1.
    pub line: usize,
    /// The only device whose finding it is.
    pub address: Option<Address>,
    /// From when on it counts again.
    pub until: Option<DateTime<Utc>>,
    /// Why it is accepted.
    pub reason: String,
}

impl Accept {
    /// Whether the finding of this code about this device is accepted at that time. Without a clock nothing is that ends.
    pub fn covers(&self, code: &str, address: Option<Address>, now: Option<DateTime<Utc>>) -> bool {
        let in_time = self.until.is_none_or(|until| now.is_some_and(|now| now < until));
        self.code == code && (self.address.is_none() || self.address == address) && in_time
    }
}

/// What is written about one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDevice {
    /// Where it is.
    pub address: Address,
    /// The line of its address, counted from 1.
    pub line: usize,
    /// The card that is expected there, and the line that says so.
    pub id: Option<(Ids, usize)>,
    /// The site's own name for it.
    pub label: Option<String>,
    /// The guest that gets it. A note for people: nothing is judged by it.
    pub guest: Option<String>,
    /// How bad it is when pciback does not have it, where that is not left to the status.
    pub severity: Option<Severity>,
}

/// How bad it is when pciback does not have a device. Nothing here makes it good, or makes doubt less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It needs attention.
    Warning,
    /// It is missing.
    Critical,
}

impl Policy {
    /// What is written about the device at `address`.
    pub fn device(&self, address: Address) -> Option<&PolicyDevice> {
        self.devices.iter().find(|device| device.address == address)
    }

    /// A line of the file.
    pub fn at(&self, line: usize) -> Location {
        Location { path: self.path.clone(), line: Some(line), column: None }
    }
}
