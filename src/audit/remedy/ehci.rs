//! EHCI controllers: their driver must not let go while pciback has a companion.
//!
//! When the driver lets go of an EHCI function, the core of USB writes into the driver data of the UHCI and OHCI functions of the
//! slot, whoever put it there (drivers/usb/core/hcd-pci.c, `usb_hcd_pci_remove` and `for_each_companion`, 2.6.28 to 7.2). pciback
//! keeps its own there (drivers/xen/xen-pciback/pci_stub.c, `pcistub_init_device`). Seen on 6.1: a list of the kernel was destroyed,
//! and the process that asked for it died in the kernel. While the companions have their own drivers, or none, it is safe.

use std::collections::BTreeMap;

use super::super::Context;
use super::super::siblings::{EHCI, OHCI, UHCI, drivers_of, is_pcibacks};
use super::draft::Draft;
use super::for_good::Aim;
use crate::host::Device;
use crate::pci::Address;

/// Whether it is an EHCI controller.
fn is_ehci(device: &Device) -> bool {
    is_one_of(device, &[EHCI])
}

/// Whether it may be one of its companions.
fn is_companion(device: &Device) -> bool {
    is_one_of(device, &[UHCI, OHCI]) || (device.class.is().is_none() && is_pcibacks(device))
}

/// By the class; where that cannot be read, by the driver.
fn is_one_of(device: &Device, classes: &[u32]) -> bool {
    let driver = device.driver.is().map_or("", String::as_str);
    let by_driver = || classes.iter().filter_map(|class| drivers_of(*class)).any(|names| names.contains(&driver));
    device.class.is().map_or_else(by_driver, |class| classes.contains(class))
}

/// Orders devices that are taken one after the other: EHCI before its companions.
pub(super) fn rank(context: &Context<'_>, address: Address) -> bool {
    let devices = context.host.as_ref().and_then(|host| host.devices.is());
    !devices.and_then(|devices| devices.get(&address)).is_some_and(is_ehci)
}

/// The devices that are taken at each boot when pciback has others already, in an order in which the kernel survives it. Those that no
/// order makes safe stay with their drivers.
pub(super) fn in_safe_order<'a>(
    aim: &Aim<'_>,
    draft: &mut Draft,
    held: impl Iterator<Item = &'a (Address, &'a Device)>,
) -> Vec<Address> {
    let held: Vec<&(Address, &Device)> = held.collect();
    let mut late: Vec<Address> = held.iter().map(|(address, _)| *address).collect();
    for (address, device) in held {
        if let Some(companion) = earlier_companion(aim.context, *address, device, &late) {
            draft.by_hand(&format!(
                "# {address} stays with its driver: pciback has {companion} of the same USB slot by then, and the kernel may crash"
            ));
            late.retain(|one| one != address);
        }
    }
    late.sort_by_key(|address| rank(aim.context, *address));
    late
}

/// The companion of the EHCI controller at `address` that pciback has, if there is one.
pub(super) fn seized_companion(context: &Context<'_>, address: Address, device: &Device) -> Option<Address> {
    companion(context, address, device, |_, companion| is_pcibacks(companion))
}

/// The companion of the EHCI controller at `address` that is asked for, and that is not one of `late`: pciback has it before them.
fn earlier_companion(context: &Context<'_>, address: Address, device: &Device, late: &[Address]) -> Option<Address> {
    companion(context, address, device, |other, _| context.demand.wanted.contains_key(&other) && !late.contains(&other))
}

fn companion(
    context: &Context<'_>,
    address: Address,
    device: &Device,
    is_meant: impl Fn(Address, &Device) -> bool,
) -> Option<Address> {
    if !is_ehci(device) {
        return None;
    }
    let devices: &BTreeMap<Address, Device> = context.host.as_ref()?.devices.is()?;
    let functions =
        (0..8).filter_map(|function| Address::new(address.domain(), address.bus(), address.slot(), function));
    functions
        .filter_map(|other| devices.get(&other).map(|device| (other, device)))
        .find(|(other, device)| is_companion(device) && is_meant(*other, device))
        .map(|(other, _)| other)
}
