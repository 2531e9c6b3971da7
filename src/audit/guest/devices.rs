//! The devices of a guest, one by one.

use std::collections::BTreeSet;

use super::End;
use crate::audit::facts::{about, device_file, file};
use crate::event::GuestKind;
use crate::host::Device as HostDevice;
use crate::pci::Address;
use crate::report::{Code, Finding, Frontend, GuestDevice, GuestState, Severity};
use crate::tree::Known;

/// Every device that the guest has or is to have.
pub(super) fn judge(end: &End<'_>, frontend: Frontend, findings: &mut Vec<Finding>) -> Vec<GuestDevice> {
    let mut all: BTreeSet<Address> = end.expected.keys().copied().collect();
    // An HVM guest has other PCI devices, which nobody gave it.
    if end.kind != Some(GuestKind::Hvm) {
        all.extend(end.logged.devices.keys());
        all.extend(end.context.host.iter().filter_map(|host| host.devices.is()).flat_map(|devices| devices.keys()));
    }
    all.into_iter().map(|address| device(end, frontend, address, findings)).collect()
}

fn device(end: &End<'_>, frontend: Frontend, address: Address, findings: &mut Vec<Finding>) -> GuestDevice {
    let expected = end.expected.contains_key(&address);
    let real = end.expected.get(&address).copied().flatten();
    let (state, driver) = state(end, frontend, address);
    let id = by_host(end, address).and_then(|device| device.ids.is().copied());
    findings.extend(finding(end, address, state, expected).map(|mut found| {
        found.message.extend(real.map(|real| format!(" (in dom0 it is {real})")));
        found
    }));
    let logged = end.logged.devices.get(&address);
    if let Some(fact) = logged.and_then(|device| device.no_interrupts.as_ref()) {
        let message = "its interrupts (MSI) could not be set up: its driver works without them, or not at all";
        let mut found = about(address, Code::FrontendFailed, Severity::Warning, message);
        found.evidence.push(end.context.shown(fact));
        found.remedy = vec![
            "# in dom0: dmesg | grep -i -e msi -e pirq; xl dmesg | grep -i irq".to_owned(),
            "# `extra_guest_irqs` on Xen's command line, or `pci=nomsi` on the guest's".to_owned(),
        ];
        findings.push(found);
    }
    GuestDevice { address, real, expected, state, driver, id }
}

fn by_host<'a>(end: &'a End<'_>, address: Address) -> Option<&'a HostDevice> {
    end.context.host.as_ref()?.devices.is()?.get(&address)
}

/// The guest's files decide; else its log.
fn state(end: &End<'_>, frontend: Frontend, address: Address) -> (GuestState, Option<String>) {
    let bus_seen = matches!(end.bus, Some(Known::Is(_) | Known::Absent)) && end.context.host.is_some();
    if bus_seen && let Some(device) = by_host(end, address) {
        return match &device.driver {
            Known::Is(driver) => (GuestState::Bound, Some(driver.clone())),
            Known::Absent => (GuestState::Unbound, None),
            Known::Unreadable(_) => (GuestState::Unknown, None),
        };
    }
    // An empty list of devices is what a guest without any has.
    let tree = end.context.case.tree.as_ref().filter(|_| bus_seen);
    if tree.is_some_and(|tree| tree.list("sys/bus/pci/devices").is().is_some()) {
        return (GuestState::Absent, None);
    }
    // A PV guest that needs no frontend was given no bus.
    let without_bus = frontend == Frontend::NotNeeded && end.kind == Some(GuestKind::Pv);
    let gone = without_bus || frontend == Frontend::Working && !end.logged.lossy && end.context.story.is_long();
    match end.logged.devices.get(&address) {
        Some(device) if device.unclaimed.is_some() => (GuestState::Offline, None),
        Some(device) => match &device.driver {
            Some((driver, _)) => (GuestState::Bound, Some(driver.clone())),
            None => (GuestState::Found, None),
        },
        None if gone => (GuestState::Absent, None),
        None => (GuestState::Unknown, None),
    }
}

fn finding(end: &End<'_>, address: Address, state: GuestState, expected: bool) -> Option<Finding> {
    let logged = end.logged.devices.get(&address);
    let unclaimed = logged.and_then(|device| device.unclaimed.as_ref());
    let mut found = match state {
        GuestState::Unbound | GuestState::Offline if unclaimed.is_some() => {
            let message = "a resource of it could not be had, and the device is offline: the guest's memory lies where the device's is";
            let mut found = about(address, Code::FrontendFailed, Severity::Critical, message);
            found.remedy = vec!["# in the guest's configuration: e820_host = 1".to_owned()];
            found
        }
        GuestState::Unbound | GuestState::Offline => {
            let message = "the guest has it, and no driver of the guest took it";
            let mut found = about(address, Code::Unbound, Severity::Warning, message);
            found.evidence.push(file(device_file(address, "driver"), None));
            found.remedy = vec![
                format!("modprobe -a \"$(cat /sys/bus/pci/devices/{address}/modalias)\""),
                "# without such a module: a guest kernel that has the device's driver".to_owned(),
            ];
            found
        }
        GuestState::Absent => {
            let message = "the guest has no such device: dom0 did not give it, or gave it another address";
            let mut found = about(address, Code::Absent, Severity::Critical, message);
            found.remedy = vec![
                "# in dom0: xl pci-list GUEST shows the devices and their virtual slots; pciback-audit check"
                    .to_owned(),
            ];
            found
        }
        GuestState::Unknown if expected && end.kind != Some(GuestKind::Pvh) => {
            let message = "nothing says whether the guest has it";
            about(address, Code::Unsettled, Severity::Unknown, message)
        }
        GuestState::Bound | GuestState::Found | GuestState::Unknown => return None,
    };
    found.evidence.extend(unclaimed.map(|fact| end.context.shown(fact)));
    Some(found)
}
