//! How pciback is loaded at boot, where it is a module, as far as files say it: by the boot image, by the system, or before
//! a driver that has it as a soft dependency. It has no aliases, so nothing else loads it by itself.

use std::collections::{BTreeMap, BTreeSet};

use super::arguments::arguments;
use super::register::expand;
use super::{Location, Written, install_lines, modprobe, modules};
use crate::tree::{Known, Tree};

/// What the files say.
#[derive(Clone, Debug, Default)]
pub struct Loading {
    /// The boot image loads it, before it looks for drivers of devices: dracut's `force_drivers`, mkinitcpio's `MODULES`.
    pub first: Option<Location>,
    /// The boot image has it, and loads it beside the drivers of devices.
    pub in_image: Option<Location>,
    /// The system loads it once the root file system is there.
    pub by_system: Option<Location>,
    /// The modules that have it as a soft dependency.
    pub before: BTreeMap<String, Location>,
    /// The modules for which modprobe runs a command that loads it first.
    pub by_command: BTreeMap<String, Location>,
    /// The program that makes the boot image.
    pub maker: Maker,
    /// Whether dracut's image has `/etc/modprobe.d`: it is one for this host only, or the file is named.
    pub has_options: bool,
    /// What puts it into an image of mkinitfs or genkernel, where the kernel's line says what is loaded first.
    in_feature: Option<Location>,
    /// The boot image itself, where it was read: it counts, and not the files that it should have been made of.
    pub image: Option<Image>,
    /// The files that are newer than the boot image, where there is one.
    pub newer: Vec<String>,
}

/// A program that makes boot images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Maker {
    /// Debian's and its kin's: follows soft dependencies and takes `/etc/modprobe.d` along.
    InitramfsTools,
    /// dracut.
    Dracut,
    /// Arch's.
    Mkinitcpio,
    /// Alpine's.
    Mkinitfs,
    /// Gentoo's own.
    Genkernel,
    /// That of RHEL up to 5 and of SLES up to 11: modules are loaded in the order of a list.
    Mkinitrd,
    /// Not known.
    #[default]
    Unknown,
}

const DRACUT: [&str; 3] = ["etc/dracut.conf", "etc/dracut.conf.d/*.conf", "usr/lib/dracut/dracut.conf.d/*.conf"];

/// genkernel's configuration.
const GENKERNEL: &str = "etc/genkernel.conf";

/// Where a tree keeps what was read of the boot image.
pub const IMAGE: &str = "boot-image";

/// Whether a module waits for pciback by a line of `modprobe.d`. Those that have a soft dependency of their own (`MODULE_SOFTDEP` of
/// drivers/usb/host/uhci-hcd.c, ohci-hcd.c and `drivers/net/ethernet/realtek/r8169_main.c`) may not: modprobe takes the first
/// `softdep` that it finds (libkmod/libkmod-module.c, `kmod_module_get_softdeps`). `uhci_hcd` was seen to come first in images of
/// initramfs-tools 0.142 and dracut 059.
pub fn heeds_softdep(module: &str) -> bool {
    !matches!(module.replace('-', "_").as_str(), "uhci_hcd" | "ohci_hcd" | "r8169")
}

/// Where a tree keeps the paths of files that are newer than the boot image which should be made of them, a line each.
pub const NEWER: &str = "newer-than-boot-image";

/// Whether a file of configuration goes into the boot image, or says how it is made.
pub fn is_of_image(path: &str) -> bool {
    let makers =
        ["initramfs-tools/", "dracut.conf", "mkinitcpio.conf", "mkinitfs/", "genkernel.conf", "sysconfig/kernel"];
    let name = path.strip_prefix("etc/").unwrap_or_default();
    name.starts_with("modprobe.") || makers.iter().any(|maker| name.starts_with(maker))
}

/// What the boot image of the running kernel holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The modules in it.
    pub modules: BTreeSet<String>,
    /// The modules that have pciback as a soft dependency, by its own files of options.
    pub before: BTreeSet<String>,
    /// The modules for which modprobe runs a command that loads it first, by the same files.
    pub by_command: BTreeSet<String>,
    /// The lists in its own files of options.
    pub lists: Vec<Written>,
}

impl Image {
    /// What was read of it; [`Known::Absent`]: there is none, or nobody looked.
    pub fn read(tree: &Tree) -> Known<Self> {
        tree.list(IMAGE).map(|_| {
            let inside = tree.subtree(IMAGE);
            let names = inside.list("modules").is().cloned().unwrap_or_default();
            let before = softdeps(&inside);
            Self {
                modules: names.iter().filter_map(|name| name.strip_suffix(".ko")).map(str::to_owned).collect(),
                before: before.into_keys().collect(),
                by_command: commands(&inside).into_keys().collect(),
                lists: modprobe::written(&inside).written,
            }
        })
    }

    /// Whether pciback is in it.
    pub fn has_pciback(&self) -> bool {
        self.modules.iter().any(|name| is_pciback(name))
    }
}

/// The modules that have pciback as a soft dependency, and where that is written.
fn softdeps(tree: &Tree) -> BTreeMap<String, Location> {
    let all = modprobe::softdeps(tree).into_iter();
    let of_pciback = all.filter(|(_, before, _)| before.iter().any(|name| is_pciback(name)));
    of_pciback.map(|(module, _, location)| (module, location)).collect()
}

/// The modules for which modprobe runs a command that loads pciback, and where that is written.
fn commands(tree: &Tree) -> BTreeMap<String, Location> {
    install_lines::find(tree).into_iter().map(|line| (line.module, line.location)).collect()
}

impl Loading {
    /// Reads the files of a machine. `usual`: the program that makes the boot images of its family, where the files do not show
    /// which one does.
    pub fn read(tree: &Tree, usual: Maker) -> Self {
        let (named, by_system) = modules::named(tree);
        let maker = maker(tree, usual);
        let mut loading = Self {
            in_image: named,
            by_system,
            before: softdeps(tree),
            by_command: commands(tree),
            maker,
            ..Self::default()
        };
        match loading.maker {
            Maker::Dracut => dracut(tree, &mut loading),
            Maker::Mkinitcpio => mkinitcpio(tree, &mut loading),
            Maker::Mkinitfs => {
                let features = expand(tree, "etc/mkinitfs/features.d/*.modules");
                loading.in_feature = features.iter().find_map(|path| assignment(tree, path, ""));
                loading.in_image.clone_from(&loading.in_feature);
            }
            Maker::Genkernel => {
                let named =
                    assignment(tree, GENKERNEL, "AMODULES_").or_else(|| assignment(tree, GENKERNEL, "MODULES_"));
                loading.in_feature = named;
                loading.in_image.clone_from(&loading.in_feature);
            }
            // The list of RHEL's image is an argument of mkinitrd (mkinitrd(8) of RHEL 5, `--preload`).
            Maker::Mkinitrd => {
                let begins = ["INITRD_MODULES=\"pciback", "INITRD_MODULES=\"xen-pciback"];
                let in_list = || begins.iter().find_map(|begins| assignment(tree, "etc/sysconfig/kernel", begins));
                loading.first = assignment(tree, PRELOADED, "").or_else(in_list);
            }
            // Scripts of init-top are run in the order of their names, and that of udev is one of them (initramfs-tools 0.142,
            // hook-functions, `get_prereq_pairs`).
            Maker::InitramfsTools => {
                let before_udev = |path: &&String| path.rsplit('/').next().is_some_and(|name| name < "udev");
                let scripts = expand(tree, "etc/initramfs-tools/scripts/init-top/*");
                loading.first = scripts.iter().filter(before_udev).find_map(|path| loaded_by(tree, path));
            }
            Maker::Unknown => {}
        }
        let image = Image::read(tree);
        if image != Known::Absent {
            let newer = tree.read_text(NEWER).is().cloned().unwrap_or_default();
            loading.newer = newer.lines().map(str::to_owned).collect();
        }
        // What was written behind the image is not in it.
        let first = loading.first.take();
        loading.first = first.filter(|at| !loading.newer.contains(&format!("/{}", at.path.trim_start_matches('/'))));
        if let Known::Is(image) = image {
            loading.correct(image);
        }
        loading
    }

    /// Images that load the modules which the kernel's line names before they look for devices, in that order: mkinitfs'
    /// (`modules=`; mkinitfs 3, initramfs-init) and genkernel's (`firstmods=`; genkernel 4.3, defaults/linuxrc). The latter passes
    /// over them where the root device is there already, unless `gk.hw.load-all` is set.
    pub fn by_line(&mut self, line: &[u8]) {
        let value = |key: &str| {
            let found = arguments(line).into_iter().rfind(|argument| argument.key == key.as_bytes())?.value?;
            Some(String::from_utf8_lossy(&found).into_owned())
        };
        let is_first = |key: &str| value(key).is_some_and(|names| names.split(',').next().is_some_and(is_pciback));
        let named = match self.maker {
            Maker::Mkinitfs => is_first("modules"),
            Maker::Genkernel => {
                is_first("firstmods")
                    && value("gk.hw.load-all").is_some_and(|text| matches!(text.as_str(), "yes" | "1" | "true"))
            }
            Maker::InitramfsTools | Maker::Dracut | Maker::Mkinitcpio | Maker::Mkinitrd | Maker::Unknown => false,
        };
        if named {
            self.first = self.in_feature.clone();
        }
    }

    /// Takes back whatever the boot image does not hold.
    fn correct(&mut self, image: Image) {
        if !image.has_pciback() {
            self.first = None;
            self.in_image = None;
        }
        let holds = |names: &BTreeSet<String>, module: &String| {
            !image.modules.contains(module) || (image.has_pciback() && names.contains(module))
        };
        self.before.retain(|module, _| holds(&image.before, module));
        self.by_command.retain(|module, _| holds(&image.by_command, module));
        self.image = Some(image);
    }

    /// Whether pciback is loaded by the boot image, so that the list in there counts.
    pub fn is_in_image(&self) -> bool {
        let by_driver = |image: &Image| {
            let mut names = image.before.iter().chain(&image.by_command);
            image.has_pciback() && names.any(|name| image.modules.contains(name))
        };
        self.first.is_some() || self.in_image.is_some() || self.image.as_ref().is_some_and(by_driver)
    }

    /// Whether a module is loaded behind the boot image, by the system.
    pub fn is_behind_image(&self, module: &str) -> bool {
        self.image.as_ref().is_some_and(|image| !image.modules.contains(module))
    }

    /// Whether something loads it at all.
    pub fn is_loaded(&self) -> bool {
        let by_drivers = self.before.len() + self.by_command.len();
        self.first.is_some() || self.in_image.is_some() || self.by_system.is_some() || by_drivers > 0
    }
}

/// The program that makes the boot images of a machine, by the program itself, else by its configuration, which outlives it
/// (Debian keeps that of a package that was removed).
pub fn maker(tree: &Tree, usual: Maker) -> Maker {
    let there = |path: &str| tree.read(path) != Known::Absent || tree.list(path) != Known::Absent;
    let has_dracut = || DRACUT.iter().flat_map(|pattern| expand(tree, pattern)).any(|path| there(&path));
    if there("usr/sbin/mkinitramfs") {
        Maker::InitramfsTools
    } else if there("etc/mkinitcpio.conf") {
        Maker::Mkinitcpio
    } else if there("etc/mkinitfs/mkinitfs.conf") {
        Maker::Mkinitfs
    } else if there("usr/bin/dracut") || there("usr/sbin/dracut") {
        Maker::Dracut
    } else if there("etc/initramfs-tools") {
        Maker::InitramfsTools
    } else if has_dracut() {
        Maker::Dracut
    } else if there(GENKERNEL) {
        Maker::Genkernel
    } else {
        usual
    }
}

/// The files of mkinitcpio, in the order in which they are read.
fn mkinitcpio_files(tree: &Tree) -> Vec<String> {
    let added = expand(tree, "etc/mkinitcpio.conf.d/*.conf");
    std::iter::once("etc/mkinitcpio.conf".to_owned()).chain(added).collect()
}

/// Whether an image of mkinitcpio asks udev for devices beside the loading of `MODULES`: that of its hook `systemd` does
/// (`install/systemd`), its own init asks behind it (`init`; both of mkinitcpio 39). Where the hooks are not known, either may be.
pub fn waits_for_nothing(tree: &Tree) -> bool {
    let text = |path: &String| tree.read_text(path).is().cloned().unwrap_or_default();
    let of_file = |path: &String| text(path).lines().rfind(|line| line.starts_with("HOOKS=")).map(str::to_owned);
    let hooks = mkinitcpio_files(tree).iter().rev().find_map(of_file);
    hooks.is_none_or(|line| line.split(['(', ')', ' ', '"', '\'', '=']).any(|hook| hook == "systemd"))
}

/// `mkinitcpio.conf(5)`.
fn mkinitcpio(tree: &Tree, loading: &mut Loading) {
    let paths = mkinitcpio_files(tree);
    let is_taken = |path: &String| tree.read_text(path).is().is_some_and(|text| text.contains(UDEV_WAITS));
    let waits = paths.iter().any(is_taken) && tree.read(UDEV_WAITS).is().is_some();
    let named = paths
        .iter()
        .find_map(|path| assignment(tree, path, "MODULES=").or_else(|| assignment(tree, path, "MODULES+=")));
    loading.in_image.clone_from(&named);
    loading.first = named.filter(|_| waits || !waits_for_nothing(tree));
}

/// Makes udev of an image of systemd wait for the modules that are named, where mkinitcpio takes it along.
pub const UDEV_WAITS: &str = "etc/systemd/system/systemd-udev-trigger.service.d/xen-pciback.conf";

/// Stands in a forecast for the modules that an image loads first because mkinitrd was called so.
pub const PRELOADED: &str = "boot-preload";

/// The line of a script that loads pciback.
fn loaded_by(tree: &Tree, path: &str) -> Option<Location> {
    let text = tree.read(path).is().map(|text| String::from_utf8_lossy(text).into_owned())?;
    let loads = |line: &str| line.contains("modprobe") && line.split_whitespace().any(is_pciback);
    let (number, _) = (1..).zip(text.lines()).find(|(_, line)| !line.trim_start().starts_with('#') && loads(line))?;
    Some(Location::at(path, number, 1))
}

/// `dracut.conf(5)`.
fn dracut(tree: &Tree, loading: &mut Loading) {
    for path in DRACUT.iter().flat_map(|pattern| expand(tree, pattern)) {
        loading.first = assignment(tree, &path, "force_drivers+=").or(loading.first.take());
        loading.in_image = assignment(tree, &path, "add_drivers+=").or(loading.in_image.take());
        let text = tree.read(&path).is().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default();
        for line in text.lines().map(str::trim) {
            if let Some(value) = line.strip_prefix("hostonly=") {
                loading.has_options = value.trim_matches(['"', '\'', ' ']) == "yes";
            }
            loading.has_options |= line.starts_with("install_items+=") && line.contains("/etc/modprobe.d/");
        }
    }
}

/// The line that begins so and names pciback's module among its words.
fn assignment(tree: &Tree, path: &str, begins: &str) -> Option<Location> {
    let text = tree.read(path).is().map(|text| String::from_utf8_lossy(text).into_owned())?;
    let names = |line: &&str| {
        let words = line.split([' ', '\t', '"', '\'', '(', ')', '=', '/', ',']);
        line.trim_start().starts_with(begins)
            && words.map(|word| word.split(".ko").next().unwrap_or_default()).any(is_pciback)
    };
    let (number, _) = (1..).zip(text.lines()).find(|(_, line)| names(line))?;
    Some(Location::at(path, number, 1))
}

fn is_pciback(name: &str) -> bool {
    matches!(name.replace('-', "_").as_str(), "xen_pciback" | "pciback")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(manifest: &str) -> Loading {
        Loading::read(&Tree::from_manifest(manifest).unwrap(), Maker::Unknown)
    }

    #[test]
    fn the_boot_image_counts_more_than_its_files() {
        let files = "etc/initramfs-tools/modules = xen-pciback\\n\n\
                     etc/modprobe.d/a.conf = softdep e1000e pre: xen-pciback\\nsoftdep igb pre: xen-pciback\\n\n\
                     boot-image/modules/e1000e.ko =\n";
        let without = of(files);
        assert_eq!((without.in_image.is_some(), without.is_in_image()), (false, false));
        assert_eq!(without.before.keys().collect::<Vec<_>>(), ["igb"]);
        let image = "boot-image/modules/xen_pciback.ko =\n\
                     boot-image/etc/modprobe.d/a.conf = softdep e1000e pre: xen-pciback\\n\n";
        let with = of(&format!("{files}{image}"));
        assert!(with.in_image.is_some() && with.is_in_image() && with.before.len() == 2);
        assert!(with.is_behind_image("igb") && !with.is_behind_image("e1000e"));
    }

    #[test]
    fn each_maker_s_own_files_are_read() {
        let dracut = of(
            "etc/dracut.conf.d/a.conf = force_drivers+=\" xen-pciback \"\\ninstall_items+=\" /etc/modprobe.d/x.conf \"\\n\n",
        );
        assert_eq!((dracut.maker, dracut.first.is_some(), dracut.has_options), (Maker::Dracut, true, true));
        let arch =
            of("etc/mkinitcpio.conf = # MODULES=(xen-pciback)\\nMODULES=(ext4 xen-pciback)\\nHOOKS=(base udev)\\n\n");
        assert_eq!(arch.first.unwrap().to_string(), "/etc/mkinitcpio.conf:2:1");
        let alpine = of(
            "etc/mkinitfs/mkinitfs.conf = features=\"base\"\\n\netc/mkinitfs/features.d/x.modules = kernel/drivers/xen/xen-pciback/xen-pciback.ko\\n\n",
        );
        assert!(alpine.in_image.is_some());
        let debian = of(
            "etc/initramfs-tools/modules = xen-pciback\\n\netc/modprobe.d/a.conf = softdep e1000e pre: ptp xen-pciback post: x\\n\n",
        );
        assert_eq!((debian.maker, debian.in_image.is_some()), (Maker::InitramfsTools, true));
        assert_eq!(debian.before.keys().collect::<Vec<_>>(), ["e1000e"]);
        assert!(!of("etc/modprobe.d/a.conf = softdep e1000e post: xen-pciback\\n\n").is_loaded());
    }

    #[test]
    fn modprobe_of_before_soft_dependencies_has_commands() {
        let line = "install e1000 /sbin/modprobe pciback; /sbin/modprobe --ignore-install e1000\\n";
        let files = format!(
            "proc/sys/kernel/osrelease = 2.6.18-6-xen-amd64\\n\n\
             etc/modprobe.d/a = {line}softdep igb pre: pciback\\n\nboot-image/modules/e1000.ko =\n"
        );
        let without = of(&files);
        assert!(without.before.is_empty() && without.by_command.is_empty());
        let image = format!("boot-image/modules/pciback.ko =\nboot-image/etc/modprobe.d/a.conf = {line}\n");
        let with = of(&format!("{files}{image}"));
        assert!(with.by_command.contains_key("e1000") && with.is_in_image());
    }
}
