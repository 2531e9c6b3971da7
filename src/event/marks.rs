//! What shows that a kernel does not run as dom0.

use super::{Event, Found, Mark, Message};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        texts: &["ACPI in unprivileged domain disabled"],
        read: |_| Some(Event::NotDom0 { mark: Mark::Guest }),
        levels: &[],
        source: "arch/x86/xen/setup.c xen_arch_setup, 2.6.32 to 7.1 (info): where the start info lacks SIF_INITDOMAIN",
        examples: &["ACPI in unprivileged domain disabled"],
    },
    Message {
        texts: &["pcifront pci-{n}: {*}"],
        read: |_| Some(Event::NotDom0 { mark: Mark::Guest }),
        levels: &[],
        source: "drivers/pci/xen-pcifront.c, 2.6.18 to 7.1: it is registered in PV domains other than dom0 only",
        examples: &["pcifront pci-0: Installing PCI frontend", "pcifront pci-0: claiming resource 0000:83:00.0/0"],
    },
    Message {
        texts: &["Xen Platform PCI: I/O protocol version {n}"],
        read: |_| Some(Event::NotDom0 { mark: Mark::Guest }),
        levels: &[],
        source: "arch/x86/xen/platform-pci-unplug.c check_platform_magic, 2.6.36 to 7.1 (info): in HVM guests only, not in PVH",
        examples: &["Xen Platform PCI: I/O protocol version 1"],
    },
    Message {
        texts: &["PCI: setting up Xen PCI frontend stub", "setting up Xen PCI frontend stub"],
        read: |_| Some(Event::NotDom0 { mark: Mark::Frontend }),
        levels: &[],
        source: "arch/x86/pci/xen.c pci_xen_init, 2.6.32 to 7.1 (info)",
        examples: &["PCI: setting up Xen PCI frontend stub", "setting up Xen PCI frontend stub"],
    },
    Message {
        texts: &["Booting paravirtualized kernel on {*}"],
        read: not_on_xen,
        levels: &[],
        source: "arch/x86/kernel/paravirt.c default_banner, 2.6.20 to 7.1 (info): pv_info.name is `Xen`, `Xen HVM` or `Xen PVH` on Xen",
        examples: &["Booting paravirtualized kernel on bare hardware", "Booting paravirtualized kernel on KVM"],
    },
    Message {
        texts: &["Hypervisor detected: {*}"],
        read: not_on_xen,
        levels: &[],
        source: "arch/x86/kernel/cpu/hypervisor.c init_hypervisor_platform, 2.6.30 to 7.1 (info): `Xen`, `Xen PV` or `Xen HVM` on Xen",
        examples: &[
            "Hypervisor detected: KVM",
            "Hypervisor detected: Microsoft Hyper-V",
            "Hypervisor detected: VMware",
        ],
    },
];

fn not_on_xen(found: &Found<'_>) -> Option<Event> {
    let name = found.part(0).filter(|name| !name.is_empty() && !name.starts_with(b"Xen"))?;
    // What stands behind the name was run together with this message.
    (name.len() <= 32).then_some(Event::NotDom0 { mark: Mark::NoXen })
}
