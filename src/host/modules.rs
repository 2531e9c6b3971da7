//! Where a driver's code is: in a module, or built into the kernel, where nothing that is a module can come before it.

use std::collections::BTreeSet;

use super::PCIBACK;
use crate::tree::{Known, Obstacle, Tree};

const DRIVERS: &str = "sys/bus/pci/drivers";

/// Where the code of a driver is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Linkage {
    /// In a module of this name.
    Module(String),
    /// In the kernel itself.
    BuiltIn,
}

/// The modules of a kernel, as far as its files tell.
#[derive(Clone, Debug)]
pub struct Modules {
    /// Those built in, with `_` for `-`: `modules.builtin` (Documentation/kbuild/kbuild.rst, 2.6.33 and later).
    built_in: Known<BTreeSet<String>>,
    /// Those loaded: `proc/modules`.
    loaded: BTreeSet<String>,
    /// Whether any driver links to its module, so that links were not lost on the way.
    has_links: bool,
    /// pciback's own name.
    pciback: &'static str,
}

impl Modules {
    pub(super) fn read(tree: &Tree, release: Option<&str>) -> Self {
        let drivers = tree.list(DRIVERS).is().cloned().unwrap_or_default();
        let has_link = |driver: &&str| tree.link(&format!("{DRIVERS}/{driver}/module")).is().is_some();
        let loaded = tree.read_text("proc/modules").is().cloned().unwrap_or_default();
        Self {
            built_in: release.map_or(Known::Absent, |release| built_in(tree, release)),
            loaded: loaded.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect(),
            has_links: drivers.iter().any(has_link),
            pciback: name_of_pciback(tree, release),
        }
    }

    /// pciback's module as modprobe and its `options` lines name it.
    pub const fn pciback(&self) -> &'static str {
        self.pciback
    }

    /// Whether pciback is known to be built into this kernel.
    pub fn has_pciback_built_in(&self) -> bool {
        self.lists("xen_pciback") || self.lists(PCIBACK)
    }

    /// Whether pciback is known to be a module that is loaded.
    pub fn has_pciback_loaded(&self) -> bool {
        self.loaded.contains("xen_pciback") || self.loaded.contains(PCIBACK)
    }

    fn lists(&self, name: &str) -> bool {
        self.built_in.is().is_some_and(|names| names.contains(&name.replace('-', "_")))
    }

    /// Where the code of a PCI driver is.
    ///
    /// The kernel links a driver to its module, and one that is built in to a module of that name where there is one
    /// (kernel/module/sysfs.c, `module_add_driver`): so the link alone does not prove a module, but a driver without one,
    /// beside others that have theirs, is built in.
    pub(super) fn of_driver(&self, tree: &Tree, driver: &str) -> Known<Linkage> {
        let link = tree.link(&format!("{DRIVERS}/{driver}/module"));
        let linked = link.is().and_then(|target| target.rsplit('/').find(|part| !part.is_empty()));
        let name = linked.unwrap_or(driver);
        if self.lists(name) {
            return Known::Is(Linkage::BuiltIn);
        }
        if let Some(module) = linked {
            return Known::Is(Linkage::Module(module.to_owned()));
        }
        let underscored = driver.replace('-', "_");
        if self.loaded.contains(&underscored) {
            return Known::Is(Linkage::Module(underscored));
        }
        let is_seen = tree.list(&format!("{DRIVERS}/{driver}")).is().is_some();
        match link {
            Known::Absent if is_seen && (self.has_links || self.built_in.is().is_some()) => Known::Is(Linkage::BuiltIn),
            Known::Unreadable(obstacle) => Known::Unreadable(obstacle),
            Known::Absent | Known::Is(_) => {
                let why = "nothing shows whether it is a module's".to_owned();
                Known::Unreadable(Obstacle { path: format!("{DRIVERS}/{driver}/module"), why })
            }
        }
    }
}

fn built_in(tree: &Tree, release: &str) -> Known<BTreeSet<String>> {
    let read = |above: &str| tree.read(&format!("{above}/modules/{release}/modules.builtin"));
    let text = match read("lib") {
        Known::Is(text) => Known::Is(text),
        Known::Absent | Known::Unreadable(_) => read("usr/lib"),
    };
    text.map(|text| {
        let text = String::from_utf8_lossy(text);
        let name = |line: &str| {
            let file = line.trim().rsplit('/').next().unwrap_or_default();
            file.split(".ko").next().unwrap_or_default().replace('-', "_")
        };
        text.lines().map(name).filter(|name| !name.is_empty()).collect()
    })
}

/// `pciback` in 2.6.18-xen and in SUSE's and others' kernels of that kind (xenlinux), `xen-pciback` from 2.6.32 on in
/// those with paravirtualised operations.
fn name_of_pciback(tree: &Tree, release: Option<&str>) -> &'static str {
    let there = |name: &str| tree.list(&format!("sys/module/{name}")).is().is_some();
    let classic = !there("xen_pciback") && (there(PCIBACK) || release.is_some_and(is_xenlinux));
    if classic { PCIBACK } else { "xen-pciback" }
}

/// Whether a kernel of this release is one of the ported kind: 2.6.18 to 2.6.31 with a dom0 at all, or a flavour named
/// `xen` at its end (`2.6.32-5-xen-amd64` of Debian is none).
fn is_xenlinux(release: &str) -> bool {
    let third = release.strip_prefix("2.6.").and_then(|rest| {
        let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
        digits.parse::<u32>().ok()
    });
    third.is_some_and(|third| third < 32) || release.ends_with("-xen") || release.contains("xenlinux")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(manifest: &str, driver: &str) -> Known<Linkage> {
        let tree = Tree::from_manifest(manifest).unwrap();
        Modules::read(&tree, Some("3.13.0-37-generic")).of_driver(&tree, driver)
    }

    fn module(name: &str) -> Known<Linkage> {
        Known::Is(Linkage::Module(name.to_owned()))
    }

    const BUILT_IN: &str = "lib/modules/3.13.0-37-generic/modules.builtin = kernel/drivers/usb/host/xhci-hcd.ko\\n\
                            kernel/drivers/nvme/host/nvme.ko.xz\\n\n\
                            sys/bus/pci/drivers/xhci_hcd/\nsys/bus/pci/drivers/ahci/module -> ../../../../module/ahci\n\
                            sys/bus/pci/drivers/nvme/module -> ../../../../module/nvme\n";

    #[test]
    fn a_driver_that_the_list_names_is_built_in_whatever_it_links_to() {
        assert_eq!(of(BUILT_IN, "xhci_hcd"), Known::Is(Linkage::BuiltIn));
        assert_eq!(of(BUILT_IN, "nvme"), Known::Is(Linkage::BuiltIn));
        assert_eq!(of(BUILT_IN, "ahci"), module("ahci"));
    }

    #[test]
    fn a_driver_without_a_link_is_built_in_only_where_links_are_kept() {
        let others = "sys/bus/pci/drivers/uhci_hcd/\nsys/bus/pci/drivers/ahci/module -> ../../../../module/ahci\n";
        assert_eq!(of(others, "uhci_hcd"), Known::Is(Linkage::BuiltIn));
        assert!(of("sys/bus/pci/drivers/uhci_hcd/\n", "uhci_hcd").obstacle().is_some());
        let loaded = "sys/bus/pci/drivers/snd-x/\nproc/modules = snd_x 1 0 - Live 0x0\\n\n";
        assert_eq!(of(loaded, "snd-x"), module("snd_x"));
    }

    #[test]
    fn pciback_has_another_name_in_ported_kernels() {
        for (release, name) in [
            ("2.6.18-92.el5xen", "pciback"),
            ("3.0.101-63-xen", "pciback"),
            ("3.0.4-1.xenlinux.qubes.x86_64", "pciback"),
            ("2.6.32-5-xen-amd64", "xen-pciback"),
            ("2.6.32.27", "xen-pciback"),
            ("6.1.0-56-amd64", "xen-pciback"),
        ] {
            assert_eq!(name_of_pciback(&Tree::default(), Some(release)), name, "{release}");
        }
        let loaded = Tree::from_manifest("sys/module/pciback/\n").unwrap();
        assert_eq!(name_of_pciback(&loaded, Some("6.1.0")), "pciback");
    }
}
