//! What an audit of a guest adds to a report: its end of pciback, and the devices that it sees there.

use crate::pci::{Address, Ids};

/// A guest's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// `PV`, `HVM` or `PVH`, where that is known.
    pub kind: Option<&'static str>,
    /// How far its virtual bus came.
    pub frontend: Frontend,
    /// Every device that the guest was given or is to have, by address.
    pub devices: Vec<GuestDevice>,
}

/// How far a guest's virtual PCI bus came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Frontend {
    /// Nothing tells.
    #[default]
    Unknown,
    /// A guest of this kind needs none, or it was given no device.
    NotNeeded,
    /// It was given one, and no driver took it.
    NoDriver,
    /// pcifront took it, and something failed.
    Failed,
    /// It was taken away.
    Released,
    /// pcifront took it, and no bus of it is there.
    Installed,
    /// It works.
    Working,
}

impl Frontend {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::NotNeeded => "not-needed",
            Self::NoDriver => "no-driver",
            Self::Failed => "failed",
            Self::Released => "released",
            Self::Installed => "installed",
            Self::Working => "working",
        }
    }
}

/// A device as its guest sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestDevice {
    /// Where the guest sees it.
    pub address: Address,
    /// Where dom0 has it, by the guest's configuration.
    pub real: Option<Address>,
    /// Whether it was asked for.
    pub expected: bool,
    /// What became of it.
    pub state: GuestState,
    /// The driver that has it, where that is known.
    pub driver: Option<String>,
    /// Its ids, where they are known.
    pub id: Option<Ids>,
}

/// What became of a guest's device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestState {
    /// A driver of the guest has it.
    Bound,
    /// It is there; the log does not say whether a driver has it.
    Found,
    /// It is there, and no driver has it.
    Unbound,
    /// A resource of it could not be had.
    Offline,
    /// It is not there.
    Absent,
    /// Nothing tells.
    Unknown,
}

impl GuestState {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Found => "found",
            Self::Unbound => "unbound",
            Self::Offline => "offline",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
        }
    }
}
