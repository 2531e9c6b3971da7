//! What shows that a kernel does not run as dom0.

use super::{Event, Message};

/// What shows that a kernel does not run as dom0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Only an unprivileged guest prints it.
    Guest,
    /// pcifront is set up: a guest, unless the kernel found PCI devices of its own.
    Frontend,
    /// The kernel runs on bare hardware or on another hypervisor.
    NoXen,
}

pub(super) const MESSAGES: &[Message] = &[
    Message {
        texts: &["ACPI in unprivileged domain disabled"],
        read: |_| Some(Event::NotDom0 { mark: Mark::Guest }),
        levels: &[],
        source: "arch/x86/xen/setup.c xen_arch_setup, 2.6.32 to 7.1 (info): where the start info lacks SIF_INITDOMAIN",
        examples: &["ACPI in unprivileged domain disabled"],
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
];
