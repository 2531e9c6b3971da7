//! Incidents: what happens to a device without changing who has it.

use super::{Event, Found};
use crate::pci::Address;

/// The kind of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Incident {
    /// Configuration space was opened for writing (`conf_space.c`, `permissive`).
    Permissive,
    /// A guest's write to configuration space was dropped. pciback says so once for each seizing of the device.
    WriteBlocked {
        /// Offset in configuration space.
        offset: u16,
        /// Bytes written.
        size: u8,
    },
    /// MSI or MSI-X could not be set up.
    MsiFailed,
    /// The device was given to a guest while another one was noted as its owner.
    OwnershipStolen,
    /// The device did not come back from a reset, or did not finish its transactions before it.
    ResetStalled,
    /// The device did not change its power state.
    PowerStuck,
    /// An error that PCI Express reported of the device, or a recovery from one that failed.
    Aer,
    /// pciback was unbound while a guest had the device.
    RemovedInUse,
    /// A guest could not have the device.
    AssignFailed(Refusal),
}

/// What the record of an incident shows of pciback and the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Nothing: somebody else speaks of it.
    Unsaid,
    /// The driver core names pciback in front, so that the device is bound to it.
    Bound,
    /// It is printed only while a guest has the device, which is set up then.
    Given {
        /// The guest, where the record names it.
        domid: Option<u32>,
    },
}

/// Why a guest could not have a device, as far as the records before show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// pciback is not known to have it.
    NotHeld,
    /// It was given to a guest before, which may still have it.
    InUse,
    /// The same set-up had been given it a moment before.
    NamedTwice,
}

impl Incident {
    /// The first in their order, where a search for those of a device begins.
    pub const FIRST: Self = Self::Permissive;
}

/// The event of an incident: pciback's name stands in front.
fn of_pciback(found: &Found<'_>, kind: Incident) -> Option<Event> {
    Some(Event::Incident { address: found.address()?, kind, hold: Hold::Bound })
}

/// The same of a device that a guest has.
fn of_guest(found: &Found<'_>, kind: Incident, domid: Option<u32>) -> Option<Event> {
    Some(Event::Incident { address: found.address()?, kind, hold: Hold::Given { domid } })
}

pub(super) fn permissive(found: &Found<'_>) -> Option<Event> {
    of_pciback(found, Incident::Permissive)
}

pub(super) fn msi_unprepared(found: &Found<'_>) -> Option<Event> {
    of_pciback(found, Incident::MsiFailed)
}

/// A guest asked for the interrupt (`pciback_ops.c`, `xen_pcibk_enable_msi`). Its number is the first in the text.
pub(super) fn msi_failed(found: &Found<'_>) -> Option<Event> {
    found.address().map_or(Some(Event::Remark), |_| of_guest(found, Incident::MsiFailed, found.number(0)))
}

/// The same, where the guest is not named.
pub(super) fn msi_failed_for_some(found: &Found<'_>) -> Option<Event> {
    found.address().map_or(Some(Event::Remark), |_| of_guest(found, Incident::MsiFailed, None))
}

/// `xen map irq failed -19 for 1 domain`: who is noted as the owner, else `DOMID_SELF` (`xen_initdom_setup_msi_irqs`).
pub(super) fn irq_unmapped(found: &Found<'_>) -> Option<Event> {
    const DOMID_SELF: u32 = 0x7ff0;
    match found.number(1).filter(|domid| (1..DOMID_SELF).contains(domid)) {
        Some(domid) => of_guest(found, Incident::MsiFailed, Some(domid)),
        None => of_pciback(found, Incident::MsiFailed),
    }
}

/// Printed between finding the device among those that are set up and giving it to the guest.
pub(super) fn ownership_stolen(found: &Found<'_>) -> Option<Event> {
    of_guest(found, Incident::OwnershipStolen, None)
}

pub(super) fn reset_stalled(found: &Found<'_>) -> Option<Event> {
    of_pciback(found, Incident::ResetStalled)
}

pub(super) fn power_stuck(found: &Found<'_>) -> Option<Event> {
    of_pciback(found, Incident::PowerStuck)
}

pub(super) fn aer(found: &Found<'_>) -> Option<Event> {
    of_pciback(found, Incident::Aer)
}

/// `0x4, size 2. This may be harmless ...`, behind "at offset ".
pub(super) fn write_blocked(found: &Found<'_>) -> Option<Event> {
    let told = std::str::from_utf8(found.part(0)?.get(..32).or_else(|| found.part(0))?).ok();
    let numbers = told.and_then(|told| {
        let (offset, rest) = told.strip_prefix("0x")?.split_once(", size ")?;
        let size: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some((u16::from_str_radix(offset, 16).ok()?, size.parse().ok()?))
    });
    match numbers {
        Some((offset, size)) => of_guest(found, Incident::WriteBlocked { offset, size }, None),
        None => super::noted(found),
    }
}

/// The device that a port reports an error of: `AER: Uncorrected (Fatal) error received: 0000:05:00.0` (4.19 and later,
/// drivers/pci/pcie/aer.c `aer_print_port_info`; `error message received from` from 5.4 on; "Correctable" and "Uncorrectable" from
/// 6.9 on), `id=0500` before, with the bus and the function's number in 16 bits. Or the device whose message made a port cut its
/// link.
pub(super) fn reported(port: Address, text: &[u8]) -> Option<Event> {
    let agent = match text.strip_prefix(b"DPC: containment event, status:0x") {
        Some(rest) => contained(port, rest),
        None => announced(port, text.strip_prefix(b"AER: ")?),
    }?;
    (agent != port).then_some(Event::Incident { address: agent, kind: Incident::Aer, hold: Hold::Unsaid })
}

fn announced(port: Address, text: &[u8]) -> Option<Address> {
    const SEVERITIES: [&[u8]; 6] = [
        b"Corrected ",
        b"Uncorrected (Non-Fatal) ",
        b"Uncorrected (Fatal) ",
        b"Correctable ",
        b"Uncorrectable (Non-Fatal) ",
        b"Uncorrectable (Fatal) ",
    ];
    let rest = text.strip_prefix(b"Multiple ").unwrap_or(text);
    let rest = SEVERITIES.iter().find_map(|severity| rest.strip_prefix(*severity))?;
    if let Some(id) = rest.strip_prefix(b"error received: id=") {
        return requester(port, id);
    }
    let named = rest.strip_prefix(b"error received: ");
    Some(Address::peel(named.or_else(|| rest.strip_prefix(b"error message received from "))?)?.0)
}

/// `1f05 source:0x0500` (drivers/pci/pcie/dpc.c `dpc_process_error`, 5.4 to 6.15), `1f05, ERR_FATAL received from 0000:05:00.0` (newer).
/// The source means something where a message was the trigger: 1 and 2 in the bits 2:1 of the status.
fn contained(port: Address, text: &[u8]) -> Option<Address> {
    let (status, rest) = text.split_at_checked(4)?;
    let status = u16::from_str_radix(std::str::from_utf8(status).ok()?, 16).ok()?;
    if let Some(source) = rest.strip_prefix(b" source:0x") {
        return requester(port, source).filter(|_| matches!(status >> 1 & 3, 1 | 2));
    }
    let at = memchr::memmem::find(rest, b" received from ")?;
    Some(Address::peel(rest.get(at + b" received from ".len()..)?)?.0)
}

/// A requester's number: `0500` is function 0 of slot 0 on bus 5.
fn requester(port: Address, id: &[u8]) -> Option<Address> {
    let id = u16::from_str_radix(std::str::from_utf8(id.get(..4)?).ok()?, 16).ok()?;
    let [bus, devfn] = id.to_be_bytes();
    Address::new(port.domain(), bus, devfn >> 3, devfn & 7)
}

/// What the PCI core says of a device that no driver has.
pub(super) fn of_core(found: &Found<'_>) -> Option<Event> {
    let (_, text) = Address::peel(found.whole.strip_prefix(b"pci ")?)?;
    stuck(found.device?, text.strip_prefix(b": ")?)
}

/// What the PCI core says, under the name of the driver that has it, of a device that does not come back.
pub(super) fn stuck(address: Address, text: &[u8]) -> Option<Event> {
    const STALLED: [&[u8]; 3] =
        [b"timed out waiting for pending transaction", b"transaction is not cleared", b"Failed to return from FLR"];
    const STUCK: [&[u8]; 5] = [
        b"Refused to change power state",
        b"refused to change power state",
        b"can't change power state",
        b"Unable to change power state",
        b"invalid power transition",
    ];
    let begins = |texts: &[&[u8]]| texts.iter().any(|begin| text.starts_with(begin));
    let gave_up = text.starts_with(b"not ready ") && text.trim_ascii_end().ends_with(b"; giving up");
    let kind = match () {
        () if gave_up || begins(&STALLED) => Incident::ResetStalled,
        () if begins(&STUCK) => Incident::PowerStuck,
        () => return None,
    };
    Some(Event::Incident { address, kind, hold: Hold::Unsaid })
}
