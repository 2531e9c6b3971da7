//! What pcifront's failures mean, by their texts (drivers/pci/xen-pcifront.c, 2.6.18 to 7.1).

use crate::event::{Event, Fact, Frontend};

/// A text of pcifront, what it means, and what to do.
type Cause = (&'static str, &'static str, &'static [&'static str]);

const ROWS: &[Cause] = &[
    (
        "Could not setup SWIOTLB",
        "the guest has no memory in one piece for its devices' transfers",
        &["# boot the guest's kernel with iommu=soft swiotlb=65536, or give it more memory"],
    ),
    (
        "already installed",
        "the guest was given two virtual PCI buses, and its kernel can have one",
        &["# give all its devices in one `pci=` list"],
    ),
    (
        "non-zero PCI Domain",
        "the device keeps the number of a PCI domain that the guest's kernel cannot have",
        &["# a guest kernel with CONFIG_PCI_DOMAINS; or dom0's xen-pciback with passthrough=0"],
    ),
    (
        "CONFIG_PCI_DOMAINS",
        "the guest's kernel has no PCI domains",
        &["# a guest kernel with CONFIG_PCI_DOMAINS; or dom0's xen-pciback with passthrough=0"],
    ),
    (
        "Error creating PCI Frontend Bus",
        "the guest's kernel could not make the bus",
        &["# the records just before it say why"],
    ),
    (
        "not responding",
        "dom0's pciback did not answer within two seconds",
        &["# in dom0: dmesg | grep -i pciback, and `xl list` for a dom0 that is overloaded"],
    ),
    (
        "aer recovery",
        "an error of the device could not be handled by the guest's driver",
        &["# in dom0: dmesg | grep -i -e AER -e pciback"],
    ),
    (
        "msi",
        "interrupts of a device could not be set up",
        &["# in dom0: dmesg | grep -i msi; in the guest `pci=nomsi` on the kernel's command line avoids them"],
    ),
    (
        "vectors",
        "the device's driver asks for more interrupts than pcifront can pass on",
        &["# have the driver use fewer queues; see its module's parameters"],
    ),
    (
        "vector for",
        "the device's driver asks for more interrupts than pcifront can pass on",
        &["# have the driver use fewer queues; see its module's parameters"],
    ),
    ("No PCI Roots", "dom0 offers no bus: its pciback is not ready, or has none of the devices", IN_DOM0),
];

const IN_DOM0: &[&str] = &[
    "# in dom0: pciback-audit check",
    "# in dom0: xenstore-ls /local/domain/0/backend/pci shows the state of its end",
];

/// What to look at where dom0's end is why.
pub(super) fn in_dom0() -> Vec<String> {
    IN_DOM0.iter().map(|line| (*line).to_owned()).collect()
}

/// What a failure means, and what to do.
pub(super) fn of(fact: &Fact) -> (String, Vec<String>) {
    if let Event::Frontend { said: Frontend::Stuck { local, remote } } = fact.event {
        let message = format!(
            "the virtual bus did not connect: it stays in state {local} ({}) here and in {remote} ({}) in dom0",
            state(local),
            state(remote)
        );
        return (message, in_dom0());
    }
    let text = String::from_utf8_lossy(&fact.text);
    let said = text.split_once(": ").map_or(&*text, |(_, said)| said).trim();
    let row = ROWS.iter().find(|(part, ..)| said.contains(part));
    let (meaning, remedy) = row
        .map_or(("the exchange with dom0 through xenstore failed", IN_DOM0), |(_, meaning, remedy)| {
            (*meaning, *remedy)
        });
    (format!("{meaning} (`{said}`)"), remedy.iter().map(|line| (*line).to_owned()).collect())
}

/// The names of include/xen/interface/io/xenbus.h, `enum xenbus_state`.
const fn state(number: u8) -> &'static str {
    match number {
        1 => "Initialising",
        2 => "InitWait",
        3 => "Initialised",
        4 => "Connected",
        5 => "Closing",
        6 => "Closed",
        7 => "Reconfiguring",
        8 => "Reconfigured",
        _ => "Unknown",
    }
}
