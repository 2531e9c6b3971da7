//! What the files of a guest say of its virtual PCI bus, and of its kernel's pcifront.

use crate::event::GuestKind;
use crate::host::Host;
use crate::tree::{Known, Tree};

/// Where the kernel's configuration is put, unpacked (kernel/configs.c makes it as `config.gz`).
pub const CONFIG: &str = "proc/config";

const BUS: &str = "sys/bus/xen/devices";

/// The end of pcifront's path among a kernel's modules.
pub(super) const MODULE: &str = "/xen-pcifront.ko";

/// Whether a kernel has pcifront.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Support {
    BuiltIn,
    Module,
    Missing,
    Unknown,
}

/// What sysfs shows of the virtual PCI bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bus {
    /// Its name on the bus of Xen: `pci-0`.
    pub name: String,
    /// The driver that has it.
    pub driver: Known<String>,
    /// Its state, where the kernel shows that (`drivers/xen/xenbus/xenbus_probe.c`, `state_show`, from 5.10 on).
    pub state: Option<String>,
}

/// The virtual PCI bus of the guest. Absent: Xen's own bus was listed, and there is none.
pub(super) fn bus(tree: &Tree) -> Known<Bus> {
    tree.list(BUS).and_then(|names| {
        let name = names.into_iter().find(|name| name.starts_with("pci-"));
        name.map_or(Known::Absent, |name| {
            let driver = tree.link(&format!("{BUS}/{name}/driver"));
            let driver = driver.map(|path| path.rsplit('/').next().unwrap_or_default().to_owned());
            let state = tree.read_text(&format!("{BUS}/{name}/state")).is().cloned();
            Known::Is(Bus { name: name.to_owned(), driver, state })
        })
    })
}

/// The kind of guest (drivers/xen/sys-hypervisor.c `guest_type_show`, from 4.13 on).
pub(super) fn kind(tree: &Tree) -> Option<GuestKind> {
    tree.read_text("sys/hypervisor/guest_type").is().and_then(|name| GuestKind::named(name))
}

/// Whether the running kernel has pcifront, and the file that says it.
pub(super) fn support(tree: &Tree, host: &Host) -> (Support, String) {
    const OPTION: &str = "CONFIG_XEN_PCIDEV_FRONTEND=";
    if let Some(config) = tree.read_text(CONFIG).is().filter(|text| text.contains("CONFIG_")) {
        let value = config.lines().find_map(|line| line.strip_prefix(OPTION));
        let support = match value {
            Some("y") => Support::BuiltIn,
            Some(_) => Support::Module,
            None => Support::Missing,
        };
        return (support, "proc/config.gz".to_owned());
    }
    let Some(release) = host.release.is() else { return (Support::Unknown, "proc/config.gz".to_owned()) };
    for above in ["lib/modules", "usr/lib/modules"] {
        let builtin = format!("{above}/{release}/modules.builtin");
        let Some(text) = tree.read_text(&builtin).is().cloned() else { continue };
        if text.lines().any(|line| line.ends_with(MODULE)) {
            return (Support::BuiltIn, builtin);
        }
        let folder = format!("{above}/{release}/kernel/drivers/pci");
        if let Some(names) = tree.list(&folder).is() {
            let file = names.iter().find(|name| name.starts_with("xen-pcifront.ko"));
            let found = file.map(|name| (Support::Module, format!("{folder}/{name}")));
            return found.unwrap_or((Support::Missing, format!("{folder}/xen-pcifront.ko")));
        }
    }
    (Support::Unknown, "proc/config.gz".to_owned())
}
