//! How a family of distributions makes pciback part of its boot image, and first in it: a row for each.

use crate::host::Distribution;
use crate::tree::{Known, Tree};

/// The file for options of pciback that is ours alone.
pub(super) const OPTIONS: &str = "/etc/modprobe.d/xen-pciback.conf";

/// A row. In its texts `{module}` is pciback's module, `{options}` the file with its list, and `{both}` what `grep` looks for.
pub(super) struct Family {
    /// The file that holds the options of modules.
    pub(super) options: &'static str,
    /// Whether that file belongs to others as well, and is added to.
    pub(super) shared: bool,
    /// Whether a soft dependency makes one module wait for another, in the image too (modprobe.d(5), kmod).
    pub(super) softdep: bool,
    /// Files that put pciback and its list into the image: path and content.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// Commands for the same, also where no soft dependency names pciback.
    pub(super) commands: &'static [&'static str],
    /// Whether these are needed beside a soft dependency.
    pub(super) always: bool,
    /// What makes the image anew.
    pub(super) rebuild: &'static str,
    /// What shows, before the reboot, that pciback and its list are in it.
    pub(super) look: &'static str,
    /// What is not sure all the same.
    pub(super) doubt: Option<&'static str>,
}

const PLAIN: Family = Family {
    options: OPTIONS,
    shared: false,
    softdep: true,
    files: &[],
    commands: &[],
    always: true,
    rebuild: "",
    look: "",
    doubt: None,
};

/// initramfs-tools follows soft dependencies, and puts /etc/modprobe.d into the image (hook-functions, `manual_add_modules`;
/// seen on Debian 12). Its list of modules is loaded in its order, though behind the start of udev.
const INITRAMFS_TOOLS: Family = Family {
    commands: &["grep -qx {module} /etc/initramfs-tools/modules || echo {module} >> /etc/initramfs-tools/modules"],
    always: false,
    rebuild: "update-initramfs -u -k all",
    look: "lsinitramfs /boot/initrd.img-$(uname -r) | grep {both}",
    ..PLAIN
};

/// `force_drivers` are loaded before udev begins (dracut.conf(5); modules.d/98dracut-systemd/dracut-pre-udev.sh), which a soft
/// dependency alone did not bring about (seen: dracut 059, `uhci_hcd`). A generic image leaves /etc/modprobe.d out
/// (dracut 059, `90kernel-modules`).
const DRACUT: Family = Family {
    files: &[(
        "/etc/dracut.conf.d/xen-pciback.conf",
        "force_drivers+=\" {module} \"\ninstall_items+=\" {options} \"\n",
    )],
    rebuild: "dracut --force --regenerate-all",
    look: "lsinitrd | grep {both}",
    ..PLAIN
};

/// mkinitcpio.conf(5): files of mkinitcpio.conf.d are read since version 38; the hook `modconf` takes /etc/modprobe.d.
const MKINITCPIO: Family = Family {
    commands: &["mkdir -p /etc/mkinitcpio.conf.d"],
    files: &[("/etc/mkinitcpio.conf.d/xen-pciback.conf", "MODULES=({module} \"${MODULES[@]}\")\n")],
    rebuild: "mkinitcpio -P",
    look: "for image in /boot/initramfs-*.img; do lsinitcpio \"$image\" | grep {both}; done",
    doubt: Some("# before mkinitcpio 38, put {module} first in MODULES of /etc/mkinitcpio.conf instead of that file"),
    ..PLAIN
};

/// mkinitfs(1): a feature is a list of modules. Its image loads modules by busybox, which knows no soft dependencies: the
/// order comes from `modules=` on the kernel's line (initramfs-init).
const MKINITFS: Family = Family {
    softdep: false,
    commands: &[
        "mkdir -p /etc/mkinitfs/features.d",
        "grep -q '[\" ]xen-pciback[\" ]' /etc/mkinitfs/mkinitfs.conf || sed -i 's/^features=\"/&xen-pciback /' /etc/mkinitfs/mkinitfs.conf",
    ],
    files: &[("/etc/mkinitfs/features.d/xen-pciback.modules", "kernel/drivers/xen/xen-pciback\n")],
    rebuild: "mkinitfs",
    look: "zcat /boot/initramfs-lts | cpio -t 2>/dev/null | grep {both}",
    doubt: Some(
        "# not sure: the order in this image cannot be forced by a file. Name {module} first in modules= on the line of dom0's kernel",
    ),
    ..PLAIN
};

/// mkinitrd(8) of RHEL 5: a module named by --preload is loaded before all others, with its options.
const MKINITRD_RED_HAT: Family = Family {
    options: "/etc/modprobe.conf",
    shared: true,
    softdep: false,
    rebuild: "mkinitrd -f --preload=pciback /boot/initrd-$(uname -r).img $(uname -r)",
    look: "zcat /boot/initrd-$(uname -r).img | cpio -t 2>/dev/null | grep pciback",
    ..PLAIN
};

/// mkinitrd(8) of SLES up to 11: `INITRD_MODULES` are loaded in their order.
const MKINITRD_SUSE: Family = Family {
    options: "/etc/modprobe.conf.local",
    shared: true,
    softdep: false,
    commands: &[
        "grep -q '^INITRD_MODULES=.*pciback' /etc/sysconfig/kernel || sed -i 's/^INITRD_MODULES=\"/&pciback /' /etc/sysconfig/kernel",
    ],
    rebuild: "mkinitrd",
    look: "zcat /boot/initrd-$(uname -r) | cpio -t 2>/dev/null | grep pciback",
    ..PLAIN
};

/// The row of a family whose commands are known and write files.
pub(super) fn row(distribution: Distribution, tree: &Tree) -> Option<&'static Family> {
    Some(match distribution {
        Distribution::Debian | Distribution::Other if uses_dracut(tree) => &DRACUT,
        Distribution::Debian => &INITRAMFS_TOOLS,
        Distribution::Dracut => &DRACUT,
        Distribution::Arch => &MKINITCPIO,
        Distribution::Alpine => &MKINITFS,
        Distribution::RedHat5 => &MKINITRD_RED_HAT,
        Distribution::Suse11 => &MKINITRD_SUSE,
        Distribution::Qubes | Distribution::NixOs | Distribution::XenServer | Distribution::Other => return None,
    })
}

/// Whether dracut's configuration is there, and that of initramfs-tools is not.
fn uses_dracut(tree: &Tree) -> bool {
    let there = |path: &str| !matches!(tree.read(path), Known::Absent) || !matches!(tree.list(path), Known::Absent);
    (there("etc/dracut.conf") || there("etc/dracut.conf.d")) && !there("etc/initramfs-tools")
}
