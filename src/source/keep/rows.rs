//! Every file of a machine that may be opened: the allow list of [`keep`](super::keep).

/// sysfs hands out one page; the files of procfs on this list are short.
const SMALL: u64 = 64 << 10;

/// Tables of procfs that grow with the machine, and configuration files.
pub(super) const LONG: u64 = 1 << 20;

/// `pci.ids` has 1.5 MB.
const IDS: u64 = 4 << 20;

/// XAPI's database grows with its pool; some hundred machines are in 4 MB.
const DATABASE: u64 = 8 << 20;

/// What is taken of a file.
#[derive(Clone, Copy)]
pub(super) enum Take {
    /// What is in it, when it is not longer than this.
    Contents(u64),
    /// The same of files only: a folder beside them is passed over.
    Files(u64),
    /// What XAPI's database says of guests' devices.
    Database(u64),
    /// Where it points, when it is a link; else that it is there.
    Link,
}

use Take::{Contents, Database, Files, Link};

/// Files below a path, and what is taken of them.
pub(super) type Row = (&'static str, &'static [&'static str], Take);

/// Every path that may be opened or read as a link, beside the files of the register of places. `*` stands for any name, `{address}` for the name of a PCI device,
/// `{console}` for a name in `proc/consoles`, `{release}` for the running kernel's; a directory with such a part in it is listed. Nothing else is touched.
pub(super) const ALLOWED: &[Row] = &[
    ("proc", &["version", "cmdline", "consoles", "uptime", "xen/capabilities"], Contents(SMALL)),
    ("proc", &["swaps", "mounts", "self/mountinfo", "modules", "bus/input/devices"], Contents(LONG)),
    ("proc/sys/kernel", &["osrelease", "hostname", "random/boot_id"], Contents(SMALL)),
    (
        "sys/hypervisor",
        &["type", "properties/features", "version/major", "version/minor", "version/extra"],
        Contents(SMALL),
    ),
    // That something is not below a directory says nothing unless the directory was there.
    ("sys/module", &[".", "xen_pciback", "pciback"], Link),
    ("sys/module/xen_pciback/parameters", &["hide", "permissive", "passthrough"], Contents(SMALL)),
    ("sys/module/pciback/parameters", &["hide", "permissive", "passthrough"], Contents(SMALL)),
    ("sys/bus/pci", &["drivers_autoprobe"], Contents(SMALL)),
    ("sys/bus/pci/devices", &["{address}"], Link),
    // That `reset` is there says enough: it is never opened.
    ("sys/bus/pci/devices/{address}", &[".", "driver", "physfn", "reset"], Link),
    ("sys/bus/pci/devices/{address}", DEVICE, Contents(SMALL)),
    ("sys/bus/pci/drivers", &["*", "*/module", "*/{address}"], Link),
    ("sys/bus/pci/drivers/pciback", &["slots", "irq_handlers", "permissive"], Contents(SMALL)),
    ("sys/class/block", &["*", "*/holders/*"], Link),
    ("sys/class/block", &["*/dev"], Contents(SMALL)),
    ("sys/bus/xen-backend/devices", &["vbd-*/physical_device"], Contents(SMALL)),
    ("sys/bus/xen-backend/devices", &["pci-*"], Link),
    ("sys/class/net", &["*"], Link),
    ("sys/class/net", &["*/flags"], Contents(SMALL)),
    ("sys/class/tty", &["{console}"], Link),
    ("etc", &["."], Link),
    ("usr/lib", &["."], Link),
    ("lib", &["."], Link),
    ("etc", &["os-release"], Contents(LONG)),
    ("etc", RELEASES, Contents(SMALL)),
    // Whether modprobe is kmod's; the files themselves are not opened.
    ("", &["bin/kmod", "sbin/kmod", "usr/bin/kmod", "usr/sbin/kmod"], Link),
    // The program that makes boot images.
    ("", &["usr/sbin/mkinitramfs", "usr/bin/dracut", "usr/sbin/dracut"], Link),
    // Whether init is systemd.
    ("", &["sbin/init", "usr/sbin/init"], Link),
    ("lib/modules/{release}", &["modules.builtin"], Contents(LONG)),
    ("usr/lib/modules/{release}", &["modules.builtin"], Contents(LONG)),
    ("lib/modules/{release}/kernel/drivers/usb/host", USB_DRIVERS, Link),
    ("usr/lib/modules/{release}/kernel/drivers/usb/host", USB_DRIVERS, Link),
    ("usr/lib", &["os-release"], Contents(LONG)),
    // Guests' configurations.
    ("etc/xen", &["auto/*", "*"], Files(SMALL)),
    ("etc/libvirt/libxl", &["autostart/*.xml", "*.xml"], Files(LONG)),
    ("var/lib/xen", &["userdata-d.*"], Files(SMALL)),
    ("var/lib/qubes", &["qubes.xml"], Files(LONG)),
    ("run/libvirt/libxl", &["*.xml"], Files(LONG)),
];

/// What changes nothing that is watched for: the names of devices and XAPI's database, longer than all the rest together.
pub(super) const SELDOM: &[Row] = &[
    ("usr/share", &["hwdata/pci.ids", "misc/pci.ids"], Contents(IDS)),
    ("var/xapi", &["state.db"], Database(DATABASE)),
    ("var/lib/xcp", &["state.db"], Database(DATABASE)),
];

/// Files that name the distribution where there is no `os-release`.
const RELEASES: &[&str] = &[
    "redhat-release",
    "SuSE-release",
    "debian_version",
    "xensource-inventory",
    "qubes-release",
    "alpine-release",
    "arch-release",
    "gentoo-release",
    "NIXOS",
];

/// What a support archive holds in place of sysfs: the text of `lspci` (sos, xen-bugtool, supportconfig).
pub(super) const ARCHIVE: &[Row] = &[
    ("sos_commands/pci", &["lspci*"], Contents(IDS)),
    ("", &["lspci*", "pci.txt", "hardware.txt"], Contents(IDS)),
    ("", &["xapi-db.xml"], Database(DATABASE)),
];

/// What a guest shows of its end: the virtual PCI bus, and whether its kernel has a driver for that.
pub(super) const GUEST: &[Row] = &[
    ("sys/hypervisor", &["guest_type"], Contents(SMALL)),
    ("sys/bus/xen/devices", &["pci-*", "pci-*/driver"], Link),
    ("sys/bus/xen/devices", &["pci-*/state"], Contents(SMALL)),
    ("lib/modules/{release}/kernel/drivers/pci", &["xen-pcifront.ko*"], Link),
    ("usr/lib/modules/{release}/kernel/drivers/pci", &["xen-pcifront.ko*"], Link),
    ("proc", &["config.gz"], Contents(LONG)),
];

/// Drivers of USB controllers that share a slot: whether one can still be loaded.
const USB_DRIVERS: &[&str] = &["uhci-hcd.ko*", "ohci-*.ko*", "ehci-*.ko*"];

const DEVICE: &[&str] = &[
    "vendor",
    "device",
    "subsystem_vendor",
    "subsystem_device",
    "class",
    "driver_override",
    "boot_vga",
    "reset_method",
];
