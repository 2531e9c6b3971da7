//! The host: who owns each PCI device now, by sysfs and procfs.
//!
//! Made from a [`Tree`]; nothing here opens a file. Facts about the files: drivers/xen/xen-pciback/pci_stub.c (`slots`,
//! `irq_handlers`), drivers/pci/pci-sysfs.c, drivers/xen/sys-hypervisor.c.

mod device;
mod distribution;
mod lspci;
mod modules;
mod names;
mod page;
mod platform;
mod uses;

pub use device::{Device, Devices, Reset};
pub use distribution::{Distribution, id, version};
pub use modules::{Linkage, Modules};
pub use names::PciIds;
pub use page::Page;
pub use platform::own_list;
pub use uses::Use;

use crate::pci::KernelVersion;
use crate::record::BootId;
use crate::tree::{Known, Obstacle, Tree};

/// Name of pciback's PCI driver in sysfs and in `driver_override`, in every kernel.
pub const PCIBACK: &str = "pciback";

const DRIVERS: &str = "sys/bus/pci/drivers";
const DRIVER: &str = "sys/bus/pci/drivers/pciback";

/// Where the text of `lspci` is put that the user named.
pub const LSPCI: &str = lspci::NAMED;

/// What sysfs and procfs say about a machine.
#[derive(Clone, Debug)]
pub struct Host {
    /// Kernel release, such as `6.1.0-56-amd64`.
    pub release: Known<String>,
    /// Its name.
    pub hostname: Known<String>,
    /// This boot's id.
    pub boot_id: Known<BootId>,
    /// Microseconds since boot when the files were read.
    pub uptime: Known<u64>,
    /// Whether it is a dom0. [`Known::Absent`]: nothing is there that could tell.
    pub dom0: Known<bool>,
    /// Every PCI device.
    pub devices: Known<Devices>,
    /// The file with the text of `lspci` that says it, where sysfs is not there. It says nothing of devices that it does not
    /// name: `lspci` may have been asked for some only.
    pub lspci: Option<String>,
    /// pciback's driver directory.
    pub pciback: Known<Pciback>,
    /// The family of the distribution.
    pub distribution: Distribution,
    /// Which modules are built into its kernel, and which are loaded.
    pub modules: Modules,
    /// Its network interfaces of hardware that are up.
    pub links: Known<Vec<String>>,
    /// Its kernel's consoles.
    pub consoles: Known<Vec<String>>,
}

/// What pciback's driver directory says.
#[derive(Clone, Debug)]
pub struct Pciback {
    /// The devices it was asked to take, present or not.
    pub slots: Known<Page>,
    /// The devices it holds *and* set up: the best proof there is.
    pub irq_handlers: Known<Page>,
}

impl Host {
    /// What the files of `tree` say.
    pub fn read(tree: &Tree) -> Self {
        let release = release(tree);
        let modules = Modules::read(tree, release.is().map(String::as_str));
        let using = uses::Machine::read(tree);
        let (devices, lspci) = match device::read(tree, &modules, &using) {
            Known::Absent => {
                let told = lspci::read(tree);
                let path = told.is().map(|(_, path)| path.clone());
                (told.map(|(devices, _)| devices), path)
            }
            seen @ (Known::Is(_) | Known::Unreadable(_)) => (seen, None),
        };
        let pciback = pciback(tree);
        Self {
            release,
            hostname: hostname(tree),
            boot_id: tree
                .read("proc/sys/kernel/random/boot_id")
                .and_then(|bytes| BootId::parse(bytes.trim_ascii()).map_or(Known::Absent, Known::Is)),
            uptime: uptime(tree),
            dom0: dom0(tree, &pciback),
            devices,
            lspci,
            pciback,
            distribution: Distribution::read(tree),
            modules,
            links: using.links(),
            consoles: using.consoles(),
        }
    }

    /// The kernel's version, where it is known.
    pub fn kernel(&self) -> Option<KernelVersion> {
        KernelVersion::of_release(self.release.is()?)
    }
}

/// A machine that was not given a name calls itself `(none)` (init/version.c, `UTS_NODENAME`).
fn hostname(tree: &Tree) -> Known<String> {
    tree.read_text("proc/sys/kernel/hostname").and_then(|name| match name.as_str() {
        "" | "(none)" => Known::Absent,
        _ => Known::Is(name),
    })
}

fn release(tree: &Tree) -> Known<String> {
    match tree.read_text("proc/sys/kernel/osrelease") {
        Known::Is(release) => Known::Is(release),
        Known::Absent | Known::Unreadable(_) => tree.read_text("proc/version").and_then(|version| {
            let release = version.strip_prefix("Linux version ").and_then(|rest| rest.split_whitespace().next());
            release.map_or(Known::Absent, |release| Known::Is(release.to_owned()))
        }),
    }
}

fn uptime(tree: &Tree) -> Known<u64> {
    tree.read_text("proc/uptime").and_then(|text| {
        let seconds = text.split(['.', ' ']).next().and_then(|digits| digits.parse::<u64>().ok());
        seconds.and_then(|s| s.checked_mul(1_000_000)).map_or(Known::Absent, Known::Is)
    })
}

/// Whether this is a dom0: `control_d` in xenfs (drivers/xen/xenfs/super.c), else `XENFEAT_dom0` (bit 11,
/// include/xen/interface/features.h) among the hypervisor's features, which needs no xenfs.
///
/// Where neither can be seen, a device that pciback has *set up* proves it as well: pciback sets devices up only after
/// `xen_initial_domain()` (`pci_stub.c` `xen_pcibk_init`). Its mere directory proves nothing.
fn dom0(tree: &Tree, pciback: &Known<Pciback>) -> Known<bool> {
    let by_xenfs = capabilities(tree).map(|text| text.contains("control_d"));
    let by_features = tree.read_text("sys/hypervisor/properties/features").and_then(|text| {
        let low = text.get(text.len().saturating_sub(8)..).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        low.map_or(Known::Absent, |features| Known::Is(features & (1 << 11) != 0))
    });
    let set_up =
        pciback.is().and_then(|pciback| pciback.irq_handlers.is()).is_some_and(|page| !page.addresses.is_empty());
    match (by_xenfs, by_features) {
        (Known::Is(true), _) | (_, Known::Is(true)) => Known::Is(true),
        (Known::Is(false), _) | (_, Known::Is(false)) => Known::Is(false),
        _ if set_up => Known::Is(true),
        (Known::Unreadable(obstacle), _) | (_, Known::Unreadable(obstacle)) => Known::Unreadable(obstacle),
        (Known::Absent, Known::Absent) => Known::Absent,
    }
}

/// What xenfs says. In a guest it is empty, and so is every file of procfs in a copy by `tar`, which believes their size: where
/// another file of procfs is empty, too, nothing is known.
fn capabilities(tree: &Tree) -> Known<String> {
    const PATH: &str = "proc/xen/capabilities";
    let is_empty = |path: &str| tree.read(path) == Known::Is(&[]);
    if is_empty(PATH) && (is_empty("proc/cmdline") || is_empty("proc/version")) {
        let why = "is empty, as all that was copied of procfs".to_owned();
        return Known::Unreadable(Obstacle { path: PATH.to_owned(), why });
    }
    tree.read_text(PATH)
}

/// pciback's directory. That it is not there is known only where those of other drivers are.
fn pciback(tree: &Tree) -> Known<Pciback> {
    let pciback = tree.list(DRIVER).map(|_| Pciback {
        slots: tree.read(&format!("{DRIVER}/slots")).map(Page::slots),
        irq_handlers: tree.read(&format!("{DRIVER}/irq_handlers")).map(Page::irq_handlers),
    });
    if matches!(pciback, Known::Absent) && tree.list(DRIVERS).is().is_none_or(Vec::is_empty) {
        let why = "no driver's directory is there".to_owned();
        return Known::Unreadable(Obstacle { path: DRIVERS.to_owned(), why });
    }
    pciback
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(manifest: &str) -> Host {
        Host::read(&Tree::from_manifest(manifest).unwrap())
    }

    #[test]
    fn dom0_is_proved_by_xenfs_or_by_the_features() {
        assert_eq!(host("proc/xen/capabilities = control_d\\n\n").dom0, Known::Is(true));
        assert_eq!(host("proc/xen/capabilities =\n").dom0, Known::Is(false));
        assert_eq!(host("sys/hypervisor/properties/features = 000228f0\\n\n").dom0, Known::Is(true));
        assert_eq!(host("sys/hypervisor/properties/features = 00022070\\n\n").dom0, Known::Is(false));
        assert_eq!(host("sys/bus/pci/drivers/pciback/slots = 0000:00:1d.0\\n\n").dom0, Known::Absent);
        assert!(host("proc/xen/capabilities ! permission denied\n").dom0.obstacle().is_some());
        assert_eq!(
            host("sys/bus/pci/drivers/pciback/irq_handlers = 0000:00:1d.0:off:not acking:0\\n\n").dom0,
            Known::Is(true)
        );
    }

    #[test]
    fn absence_is_known_only_where_other_things_are_seen() {
        let empty = "proc/xen/capabilities =\nproc/cmdline =\n";
        assert!(host(empty).dom0.obstacle().is_some());
        assert_eq!(host("proc/xen/capabilities =\nproc/cmdline = ro\\n\n").dom0, Known::Is(false));
        assert!(host("sys/bus/pci/devices/0000:00:1d.0/driver -> ../pciback\n").pciback.obstacle().is_some());
        assert!(matches!(host("sys/bus/pci/drivers/ahci/\n").pciback, Known::Absent));
    }

    #[test]
    fn the_kernel_is_read_from_either_file() {
        assert_eq!(host("proc/version = Linux version 6.1.0-56-amd64 (x)\\n\n").kernel().unwrap().to_string(), "6.1");
        assert_eq!(host("proc/sys/kernel/osrelease = 5.10.0-32-amd64\\n\n").kernel().unwrap().to_string(), "5.10");
    }
}
