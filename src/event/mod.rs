//! What a record says: the messages of pciback, the driver core and the stubs as [`Event`]s.
//!
//! One file per message family; a message is a row of data ([`Message`]) and a short reader, and adding one is adding a row
//! (`probe.rs` is small). A message must fill its record: a line that quotes the driver is no event. Several messages run together in
//! one line are all found. Records that name pciback and are no known message are judged in `unknown.rs`.

mod boot;
mod debug;
mod device_core;
mod frontend;
mod guests;
mod holders;
mod incident;
mod marks;
mod opening;
mod pciback;
mod probe;
mod recogniser;
mod template;
mod unknown;
mod user_space;
mod wrapped;

pub(crate) use boot::WRAPPED;
pub use frontend::{Frontend, GuestKind};
pub use incident::{Hold, Incident, Refusal};
pub use marks::Mark;
pub use probe::Stage;
pub use recogniser::Recogniser;
pub use wrapped::Joiner;

use std::sync::Arc;

use crate::pci::{Address, Errno};
use crate::record::{Author, BootId, Place, Record, Stamp};

/// What happened, as far as one message tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The kernel's banner: a boot begins.
    Booted {
        /// Kernel release, such as `6.1.0-56-amd64`.
        release: String,
    },
    /// The kernel's command line, with any list that stands there.
    CommandLine {
        /// As printed.
        text: Vec<u8>,
    },
    /// The PCI core found a device (at boot or by hotplug).
    Found {
        /// Where.
        address: Address,
    },
    /// The PCI core set up a bridge.
    Bridge {
        /// The bridge itself.
        address: Address,
        /// First and last bus number behind it.
        buses: (u8, u8),
    },
    /// pciback's probe accepted the device. Printed before the attempt: necessary, never sufficient.
    Seizing {
        /// The device.
        address: Address,
    },
    /// Setting the device up failed.
    Failed {
        /// The device.
        address: Address,
        /// Why.
        errno: Errno,
        /// Whether it stays bound to pciback all the same.
        stage: Stage,
    },
    /// pciback refuses devices of this kind (CardBus bridges).
    Refused {
        /// The device.
        address: Address,
    },
    /// The PCI core enables a device for pciback: its set-up is running.
    SettingUp {
        /// The device.
        address: Address,
    },
    /// The hide list could not be parsed: the module is not loaded, nothing is seized.
    ListRefused {
        /// The list from its first bad entry on, as quoted.
        rest: Vec<u8>,
    },
    /// The kernel refused a module parameter before pciback saw it.
    ParameterRefused {
        /// The message.
        text: Vec<u8>,
        /// Whether it is about a `hide` list that is too long.
        too_long: bool,
    },
    /// The module (or initcall) reached its end: closes the batch of seizing lines of its list.
    BackendReady,
    /// Handed to a guest.
    Assigned {
        /// The device.
        address: Address,
        /// The guest, from 3.19 on.
        domid: Option<u32>,
    },
    /// A guest could not have the device.
    AssignFailed {
        /// The device, where the message names it.
        address: Option<Address>,
        /// The guest.
        domid: u32,
    },
    /// A guest's interrupts could not be set up, of a device that the message does not name.
    GuestMsiFailed {
        /// The guest.
        domid: u32,
    },
    /// Something that changes no state but is worth knowing (see the row's `meaning`).
    Noted {
        /// The device.
        address: Address,
    },
    /// Something that changes no state, and that a finding is about.
    Incident {
        /// The device.
        address: Address,
        /// The kind.
        kind: Incident,
        /// What the record shows of pciback and the device.
        hold: Hold,
    },
    /// pciback was unbound from a device that a guest still had.
    RemovedInUse {
        /// The device.
        address: Address,
        /// The guest, from 3.19 on.
        domid: Option<u32>,
    },
    /// A driver other than pciback speaks about the device: at that moment it is bound to it.
    HeldBy {
        /// The device.
        address: Address,
        /// The driver.
        driver: String,
    },
    /// A driver other than pciback tried to take the device and failed. The driver core asks drivers only of a device that none has
    /// (drivers/base/dd.c, `__driver_attach`).
    Probed {
        /// The device.
        address: Address,
    },
    /// A message that the driver core prefixes with `pciback` and the address: the device is bound to pciback at that moment,
    /// whatever the text says (drivers/base/core.c, `dev_driver_string`).
    Bound {
        /// The device.
        address: Address,
    },
    /// A message that pciback prints only while it lets the device go (`pcistub_device_release`).
    Released {
        /// The device.
        address: Address,
    },
    /// A message that is printed both when pciback lets the device go and when a guest gives it back.
    MaybeReleased {
        /// The device.
        address: Address,
    },
    /// The hypervisor did not register the device (drivers/xen/pci.c, `xen_add_device`).
    XenRefused {
        /// The device.
        address: Address,
    },
    /// The kernel does not run as dom0: its log says nothing about pciback in dom0.
    NotDom0 {
        /// What shows it.
        mark: Mark,
    },
    /// A guest speaks of the devices that it was given, or of its own kind.
    Frontend {
        /// What it says.
        said: Frontend,
    },
    /// The boot ends: `reboot: Restarting system`, `reboot: Power down`, kexec.
    BootEnds,
    /// User space says that the system is up.
    UserSpaceUp,
    /// A record that names pciback and cannot be read: cut, wrapped or merged with another.
    Damaged {
        /// The device, where that much is left of the record.
        address: Option<Address>,
    },
    /// A record that has a seizing line somewhere inside it, and is none.
    Quoted {
        /// The device in the quotation.
        address: Option<Address>,
    },
    /// A message of pciback that is known and says nothing about any one device.
    Remark,
    /// A message of pciback that this program does not know: perhaps a new kernel's wording.
    Unrecognised {
        /// The device, where the message names it in front.
        address: Option<Address>,
        /// Whether it is pciback's own text (it has the second prefix) and reads like a failure.
        failing: bool,
    },
}

impl Event {
    /// The device it is about.
    pub const fn address(&self) -> Option<Address> {
        match self {
            Self::Found { address }
            | Self::Bridge { address, .. }
            | Self::Seizing { address }
            | Self::Failed { address, .. }
            | Self::Refused { address }
            | Self::SettingUp { address }
            | Self::Assigned { address, .. }
            | Self::Noted { address }
            | Self::RemovedInUse { address, .. }
            | Self::Incident { address, .. }
            | Self::Bound { address }
            | Self::Released { address }
            | Self::MaybeReleased { address }
            | Self::XenRefused { address }
            | Self::Probed { address }
            | Self::HeldBy { address, .. } => Some(*address),
            Self::AssignFailed { address, .. }
            | Self::Quoted { address }
            | Self::Damaged { address }
            | Self::Unrecognised { address, .. } => *address,
            Self::Booted { .. }
            | Self::CommandLine { .. }
            | Self::ListRefused { .. }
            | Self::ParameterRefused { .. }
            | Self::BackendReady
            | Self::GuestMsiFailed { .. }
            | Self::NotDom0 { .. }
            | Self::Frontend { .. }
            | Self::BootEnds
            | Self::UserSpaceUp
            | Self::Remark => None,
        }
    }

    /// Whether the message is pciback's own (or the driver core's about pciback).
    pub const fn is_pciback(&self) -> bool {
        !matches!(
            self,
            Self::Booted { .. }
                | Self::CommandLine { .. }
                | Self::Found { .. }
                | Self::Bridge { .. }
                | Self::HeldBy { .. }
                | Self::Probed { .. }
                | Self::XenRefused { .. }
                | Self::Incident { hold: Hold::Unsaid, .. }
                | Self::NotDom0 { .. }
                | Self::Frontend { .. }
                | Self::BootEnds
                | Self::UserSpaceUp
                | Self::Quoted { .. }
        )
    }
}

/// What a record says: the event, and whose word it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What it says.
    pub event: Event,
    /// Who wrote it. A record that only looks like the driver's (wrong level) counts as [`Author::User`].
    pub author: Author,
}

/// An event with the record it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Where the record stood.
    pub place: Place,
    /// When it was made.
    pub stamp: Stamp,
    /// Who wrote it. A record that only looks like the driver's (wrong level) counts as [`Author::User`].
    pub author: Author,
    /// The program that wrote it, where the format says and it is not the kernel.
    pub program: Option<Arc<str>>,
    /// The boot it belongs to, where the format says.
    pub boot_id: Option<BootId>,
    /// What it says.
    pub event: Event,
    /// The message itself, for evidence. Shared, since what is known of a device is often told again.
    pub text: Arc<[u8]>,
}

impl Fact {
    /// What `record` was heard to say.
    pub fn of(record: &Record<'_>, said: Said) -> Self {
        Self::with_text(record, said, record.message.as_ref().into())
    }

    /// About so many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        let own = if let Event::CommandLine { text: own } | Event::ListRefused { rest: own } = &self.event {
            own.len()
        } else {
            0
        };
        // Both are shared: each has two counters.
        size_of::<Self>() + self.text.len() + own + 4 * size_of::<usize>()
    }

    /// The same, with the record's text where that is shared with other facts of it.
    pub fn with_text(record: &Record<'_>, said: Said, text: Arc<[u8]>) -> Self {
        Self {
            place: record.place,
            stamp: record.stamp,
            author: said.author,
            program: record.program().map(|name| String::from_utf8_lossy(name).into()),
            boot_id: record.boot_id,
            event: said.event,
            text,
        }
    }
}

/// One message of the kernel: how to know it, and what it says.
pub struct Message {
    /// The whole message, one text for each of its wordings. In front may stand `{p}`: pciback's name and a device, in every
    /// era; `{k}`: the same without the module's name behind it, as the core's texts are printed; `{m}`: the module's name,
    /// and perhaps a device; `{b}`: the backend of a guest; `{c}`: the PCI core and a device. Behind it are holes: `{a}` is
    /// an address, `{n}` a number, `{x}` hexadecimal digits, `{w}` a word, `{*}` anything, `{+}` nothing or a blank and anything.
    pub texts: &'static [&'static str],
    /// Makes the event. `None` when a number is out of its range: then it was not this message.
    pub read: fn(&Found<'_>) -> Option<Event>,
    /// The only levels it is printed at, where a wrong level proves that another hand wrote it; empty: any. Messages that
    /// tell of a failure have none: a level that a tool distorted must not hide them.
    pub levels: &'static [u8],
    /// Kernel versions that print it, and the file.
    pub source: &'static str,
    /// Rows that must be read: real lines, or lines rendered from the source.
    pub examples: &'static [&'static str],
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("texts", &self.texts).finish_non_exhaustive()
    }
}

/// The families of pciback's own messages, and of those that decide about its devices. A record that ends inside one of these
/// may have said something that matters.
const DECISIVE: [&[Message]; 4] = [pciback::MESSAGES, probe::MESSAGES, guests::MESSAGES, debug::MESSAGES];

/// The families of all others.
const OTHERS: [&[Message]; 5] =
    [boot::MESSAGES, marks::MESSAGES, frontend::MESSAGES, device_core::MESSAGES, holders::MESSAGES];

/// Every message known, family by family.
pub fn messages() -> impl Iterator<Item = &'static Message> {
    DECISIVE.into_iter().chain(OTHERS).flatten()
}

/// How many holes of a message are kept.
const PARTS: usize = 4;

/// What a message is read from.
#[derive(Debug, Default)]
pub struct Found<'a> {
    /// The device in front of the text.
    device: Option<Address>,
    /// The device in the text.
    named: Option<Address>,
    /// What stands in the other holes, in their order.
    parts: [Option<&'a [u8]>; PARTS],
    /// The whole message.
    whole: &'a [u8],
}

impl<'a> Found<'a> {
    fn part(&self, at: usize) -> Option<&'a [u8]> {
        *self.parts.get(at)?
    }

    fn number<N: std::str::FromStr>(&self, at: usize) -> Option<N> {
        std::str::from_utf8(self.part(at)?).ok()?.parse().ok()
    }

    /// The device: the one in the text, where there is one.
    fn address(&self) -> Option<Address> {
        self.named.or(self.device)
    }
}

fn noted(found: &Found<'_>) -> Option<Event> {
    Some(Event::Noted { address: found.address()? })
}
