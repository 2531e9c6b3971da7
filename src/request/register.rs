//! The register of places: every kind of file in which a list for pciback, or a driver for a device, can be written; a row
//! each. The list of files that may be opened (`source::keep`) and `docs/places.md` are made from these rows.

use std::fmt::Write as _;

use super::Source;
use crate::tree::Tree;

/// One kind of place.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its kind, which has the name in reports and for `--hide-from`.
    pub source: Source,
    /// Its files, from the root; `*` stands for any name.
    pub files: &'static [&'static str],
    /// How the list is written there.
    pub form: &'static str,
    /// The program that reads it.
    pub reader: &'static str,
    /// When it is read.
    pub when: When,
}

/// When the list in a place is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// It is what the driver has now.
    InForce,
    /// At the next load of the module, whoever loads it.
    AtLoad,
    /// By the next boot.
    AtBoot,
    /// Once a program has made another file of it.
    WhenMade(&'static str),
    /// Behind the boot, by a service.
    Later,
    /// Never: only the name of the module is read, or not even that.
    Never,
}

impl When {
    /// In words, for the documentation.
    pub fn in_words(self) -> String {
        match self {
            Self::InForce => "in force now".to_owned(),
            Self::AtLoad => "at the next load of the module".to_owned(),
            Self::AtBoot => "at the next boot".to_owned(),
            Self::WhenMade(program) => format!("at the next boot behind `{program}`"),
            Self::Later => "by a service, once the system is up".to_owned(),
            Self::Never => "never: a list is not read there".to_owned(),
        }
    }
}

/// Every place, in the order in which they are documented.
pub const PLACES: &[Place] = &[
    Place {
        source: Source::Module,
        files: &["sys/module/xen_pciback/parameters/hide", "sys/module/pciback/parameters/hide"],
        form: "the list; `(null)` is none",
        reader: "nobody: it shows the list that the driver was given",
        when: When::InForce,
    },
    Place {
        source: Source::CommandLine,
        files: &["proc/cmdline"],
        form: "`xen-pciback.hide=LIST` (`pciback.hide=` up to 2.6.31)",
        reader: "the kernel for a driver that is built in, modprobe for a module; insmod does not",
        when: When::InForce,
    },
    Place {
        source: Source::Modprobe,
        files: &[
            "etc/modprobe.d/*.conf",
            "run/modprobe.d/*.conf",
            "usr/local/lib/modprobe.d/*.conf",
            "usr/lib/modprobe.d/*.conf",
            "lib/modprobe.d/*.conf",
        ],
        form: "`options xen-pciback hide=LIST`",
        reader: "modprobe; nobody where pciback is built in",
        when: When::AtLoad,
    },
    Place {
        source: Source::Modprobe,
        files: &["etc/modprobe.conf", "etc/modprobe.conf.local", "etc/modprobe.d/*"],
        form: "`options pciback hide=LIST`",
        reader: "modprobe of module-init-tools (before 2012); kmod passes over them",
        when: When::AtLoad,
    },
    Place {
        source: Source::Modprobe,
        files: &["etc/modprobe.d/*.conf", "etc/modprobe.conf"],
        form: "`install DRIVER /sbin/modprobe pciback hide=LIST; /sbin/modprobe --ignore-install DRIVER`",
        reader: "modprobe, in place of loading that driver",
        when: When::AtLoad,
    },
    Place {
        source: Source::Modules,
        files: &["etc/modules", "etc/initramfs-tools/modules"],
        form: "`xen-pciback hide=LIST`",
        reader: "the init script, the boot image of initramfs-tools; not systemd-modules-load",
        when: When::AtBoot,
    },
    Place {
        source: Source::Modules,
        files: &["etc/modules-load.d/*.conf", "usr/lib/modules-load.d/*.conf"],
        form: "`xen-pciback`, a name and nothing else",
        reader: "systemd-modules-load, which takes no arguments",
        when: When::Never,
    },
    Place {
        source: Source::Modules,
        files: &["etc/mkinitfs/features.d/*.modules", "etc/mkinitfs/mkinitfs.conf"],
        form: "the path of the module",
        reader: "mkinitfs (Alpine)",
        when: When::Never,
    },
    Place {
        source: Source::Modules,
        files: &["etc/mkinitcpio.conf", "etc/mkinitcpio.conf.d/*.conf"],
        form: "`MODULES=(xen-pciback)`",
        reader: "mkinitcpio (Arch)",
        when: When::Never,
    },
    Place {
        source: Source::Modules,
        files: &["etc/dracut.conf", "etc/dracut.conf.d/*.conf", "usr/lib/dracut/dracut.conf.d/*.conf"],
        form: "`force_drivers+=\" xen-pciback \"`",
        reader: "dracut",
        when: When::Never,
    },
    Place {
        source: Source::Modules,
        files: &["etc/genkernel.conf"],
        form: "`AMODULES_PCIBACK=xen-pciback`, and `firstmods=xen-pciback` on the kernel's line",
        reader: "genkernel (Gentoo)",
        when: When::Never,
    },
    Place {
        source: Source::Modules,
        files: &["etc/initramfs-tools/scripts/init-top/*"],
        form: "`modprobe xen-pciback` in a script before that of udev",
        reader: "the boot image of initramfs-tools",
        when: When::Never,
    },
    Place {
        source: Source::Modules,
        files: &["etc/sysconfig/kernel"],
        form: "`INITRD_MODULES=\"pciback ...\"`",
        reader: "mkinitrd (SLES up to 11)",
        when: When::Never,
    },
    Place {
        source: Source::BootLoader,
        files: &["etc/default/grub", "etc/default/grub.d/*.cfg"],
        form: "`GRUB_CMDLINE_LINUX=\"xen-pciback.hide=LIST\"`; in `GRUB_CMDLINE_XEN` nobody reads it",
        reader: "grub-mkconfig",
        when: When::WhenMade("update-grub"),
    },
    Place {
        source: Source::BootLoader,
        files: &[
            "boot/grub/grub.cfg",
            "boot/grub2/grub.cfg",
            "boot/efi/EFI/*/grub.cfg",
            "boot/grub/grubenv",
            "boot/grub2/grubenv",
        ],
        form: "`module2 /vmlinuz xen-pciback.hide=LIST`; behind `multiboot2` it is the hypervisor's",
        reader: "GRUB",
        when: When::AtBoot,
    },
    Place {
        source: Source::BootLoader,
        files: &["boot/extlinux.conf", "boot/extlinux/extlinux.conf", "boot/syslinux/syslinux.cfg"],
        form: "`append xen.gz --- vmlinuz xen-pciback.hide=LIST --- initrd`",
        reader: "extlinux, syslinux",
        when: When::AtBoot,
    },
    Place {
        source: Source::BootLoader,
        files: &["boot/xen.cfg", "boot/efi/EFI/*/xen.cfg"],
        form: "`kernel=vmlinuz xen-pciback.hide=LIST`; in `options=` it is the hypervisor's",
        reader: "xen.efi",
        when: When::AtBoot,
    },
    Place {
        source: Source::BootLoader,
        files: &["boot/loader/entries/*.conf", "boot/efi/loader/entries/*.conf"],
        form: "`options xen-pciback.hide=LIST`",
        reader: "systemd-boot, GRUB's blscfg; these entries start a kernel without Xen",
        when: When::AtBoot,
    },
    Place {
        source: Source::Qubes,
        files: &["proc/cmdline"],
        form: "`rd.qubes.hide_pci=bb:dd.f,...`, paths of bridges too; `rd.qubes.hide_all_usb`; network controllers unasked",
        reader: "the dracut module of Qubes",
        when: When::InForce,
    },
    Place {
        source: Source::Sysconfig,
        files: &["etc/sysconfig/pciback"],
        form: "`XEN_PCI_HIDE_LIST=\"driver,dddd:bb:dd.f ...\"`",
        reader: "the xen package of SUSE",
        when: When::Later,
    },
    Place {
        source: Source::Xapi,
        files: &["boot/grub/grub.cfg", "boot/efi/EFI/xenserver/grub.cfg", "boot/extlinux.conf"],
        form: "as `xen-cmdline --set-dom0 xen-pciback.hide=LIST` writes it, full addresses only",
        reader: "the kernel at the next boot; XAPI reads it back",
        when: When::AtBoot,
    },
    Place {
        source: Source::Override,
        files: &["etc/driverctl.d/*", "etc/udev/rules.d/*.rules"],
        form: "a file named `pci-dddd:bb:dd.f` with a driver's name; `ATTR{driver_override}=\"...\"`",
        reader: "udev",
        when: When::Later,
    },
    Place {
        source: Source::Override,
        files: &[
            "etc/systemd/system/pciback-late.service",
            "etc/systemd/system/multi-user.target.wants/pciback-late.service",
            "etc/systemd/system/systemd-udev-trigger.service.d/xen-pciback.conf",
        ],
        form: "units as the plan of this program writes them: `xl pci-assignable-add dddd:bb:dd.f`",
        reader: "systemd",
        when: When::Later,
    },
    Place {
        source: Source::NixOs,
        files: &["etc/nixos/*.nix"],
        form: "`xen-pciback.hide=LIST` in `boot.kernelParams`, an `options` line in `boot.extraModprobeConfig`",
        reader: "nixos-rebuild",
        when: When::WhenMade("nixos-rebuild boot"),
    },
    Place {
        source: Source::Slots,
        files: &["sys/bus/pci/drivers/pciback/slots"],
        form: "an address a line",
        reader: "nobody: it shows the devices that the driver was asked to take",
        when: When::InForce,
    },
    Place {
        source: Source::Log,
        files: &[],
        form: "the \"Command line:\" record of the kernel",
        reader: "as the command line",
        when: When::InForce,
    },
];

/// The table of places, for the documentation.
pub fn table() -> String {
    let mut text = String::from("| file | form | read by | when | name |\n|---|---|---|---|---|\n");
    for place in PLACES {
        let files: Vec<String> = place.files.iter().map(|file| format!("`/{file}`")).collect();
        let files = if files.is_empty() { "the log".to_owned() } else { files.join(", ") };
        let (form, reader, when) = (place.form, place.reader, place.when.in_words());
        // A write to a string cannot fail.
        writeln!(text, "| {files} | {form} | {reader} | {when} | `{}` |", place.source.name()).unwrap_or_default();
    }
    text
}

/// The files of `tree` that a pattern stands for.
pub(super) fn expand(tree: &Tree, pattern: &str) -> Vec<String> {
    let Some((before, behind)) = pattern.split_once('*') else { return vec![pattern.to_owned()] };
    let (above, start) = before.rsplit_once('/').unwrap_or(("", before));
    let (end, rest) = behind.split_once('/').map_or((behind, None), |(end, rest)| (end, Some(rest)));
    let names = tree.list(above).is().cloned().unwrap_or_default();
    let stands = |name: &&str| name.strip_prefix(start).is_some_and(|tail| tail.ends_with(end));
    let path = |name: &str| match rest {
        Some(rest) => format!("{above}/{name}/{rest}"),
        None => format!("{above}/{name}"),
    };
    names.into_iter().filter(stands).map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_the_files_that_are_there() {
        let tree =
            Tree::from_manifest("boot/efi/EFI/a/xen.cfg = x\nboot/efi/EFI/b/\netc/x.d/a.conf = x\netc/x.d/b = x\n")
                .unwrap();
        assert_eq!(expand(&tree, "boot/efi/EFI/*/xen.cfg"), ["boot/efi/EFI/a/xen.cfg", "boot/efi/EFI/b/xen.cfg"]);
        assert_eq!(expand(&tree, "etc/x.d/*.conf"), ["etc/x.d/a.conf"]);
        assert_eq!(expand(&tree, "proc/cmdline"), ["proc/cmdline"]);
    }

    #[test]
    fn every_boot_loader_s_file_is_in_the_register() {
        let registered: Vec<&str> = PLACES.iter().flat_map(|place| place.files).copied().collect();
        for (pattern, _) in super::super::boot_loader::FILES {
            assert!(registered.contains(pattern), "{pattern}");
        }
    }
}
