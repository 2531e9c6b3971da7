//! How pciback comes first at the next boot, with its list: a row for each family of distributions.

use std::collections::BTreeSet;

use super::super::Scene;
use super::lasting::{self, Lasting};
use crate::host::{Device, Distribution, Host, Linkage};
use crate::pci::Address;

/// The file that holds the options of modules, where no other is named below.
const OPTIONS: &str = "/etc/modprobe.d/xen-pciback.conf";

/// How a family makes a module part of its boot image, and one module come before another.
struct Family {
    /// The file that holds the options of modules.
    options: &'static str,
    /// Whether a soft dependency decides the order, in the image too.
    softdep: bool,
    /// What has to be done for the image to hold pciback and its list even without a soft dependency.
    early: &'static [&'static str],
    /// What has to be done for that with one. Lines of advice start with `#`.
    beside_softdep: &'static [&'static str],
    /// What makes the image anew.
    rebuild: &'static str,
}

/// `dracut.conf(5)`: an image that is not for this host alone leaves `/etc/modprobe.d` out (dracut 059,
/// `90kernel-modules`).
const DRACUT: &str = r#"printf 'force_drivers+=" xen-pciback "\ninstall_items+=" /etc/modprobe.d/xen-pciback.conf "\n' > /etc/dracut.conf.d/xen-pciback.conf"#;

const MKINITCPIO: &str = "# put xen-pciback first in MODULES of /etc/mkinitcpio.conf";

const MKINITFS: &str =
    "# name xen-pciback in a file of /etc/mkinitfs/features.d that /etc/mkinitfs/mkinitfs.conf lists";

/// The row of a family, for those that differ in commands only.
const fn family(distribution: Distribution) -> Option<Family> {
    Some(match distribution {
        // initramfs-tools follows soft dependencies, and puts /etc/modprobe.d into the image.
        Distribution::Debian => Family {
            options: OPTIONS,
            softdep: true,
            early: &["echo xen-pciback >> /etc/initramfs-tools/modules"],
            beside_softdep: &[],
            rebuild: "update-initramfs -u -k all",
        },
        Distribution::Dracut => Family {
            options: OPTIONS,
            softdep: true,
            early: &[DRACUT],
            beside_softdep: &[DRACUT],
            rebuild: "dracut --force --regenerate-all",
        },
        Distribution::Arch => Family {
            options: OPTIONS,
            softdep: true,
            early: &[MKINITCPIO],
            beside_softdep: &[MKINITCPIO],
            rebuild: "mkinitcpio -P",
        },
        Distribution::Alpine => Family {
            options: OPTIONS,
            softdep: true,
            early: &[MKINITFS],
            beside_softdep: &[MKINITFS],
            rebuild: "mkinitfs",
        },
        // mkinitrd(8) of RHEL 5: a module named by --preload is loaded before all others, with its options.
        Distribution::RedHat5 => Family {
            options: "/etc/modprobe.conf",
            softdep: false,
            early: &[],
            beside_softdep: &[],
            rebuild: "mkinitrd -f --preload=pciback /boot/initrd-$(uname -r).img $(uname -r)",
        },
        Distribution::Suse11 => Family {
            options: "/etc/modprobe.conf.local",
            softdep: false,
            early: &["# put pciback first in INITRD_MODULES of /etc/sysconfig/kernel"],
            beside_softdep: &[],
            rebuild: "mkinitrd",
        },
        Distribution::Qubes | Distribution::NixOs | Distribution::XenServer | Distribution::Other => return None,
    })
}

/// The file in which a family writes the options of modules, or the directory of such files.
pub(super) fn options_file(distribution: Distribution) -> &'static str {
    match family(distribution) {
        Some(family) if family.options != OPTIONS => family.options,
        Some(_) | None => "/etc/modprobe.d",
    }
}

/// How pciback comes before the drivers that have these devices; with `load`, also how it is loaded at all.
pub(super) fn come_first(scene: &Scene<'_>, host: &Host, held: &[(Address, &Device)], load: bool) -> Vec<String> {
    let addresses: Vec<&Address> = held.iter().map(|(address, _)| address).collect();
    if host.distribution == Distribution::XenServer {
        let add = |address| {
            format!(
                "# for good: add ({address}) to the list of /opt/xensource/libexec/xen-cmdline --get-dom0 xen-pciback.hide"
            )
        };
        return addresses.into_iter().map(add).collect();
    }
    if host.distribution == Distribution::Qubes {
        let add = |address| format!("# for good: add {address} to rd.qubes.hide_pci= on the line of dom0's kernel");
        return addresses.into_iter().map(add).collect();
    }
    let (built_in, others): (Vec<_>, Vec<_>) =
        held.iter().copied().partition(|(_, device)| device.linkage.is() == Some(&Linkage::BuiltIn));
    let mut lines = each_boot(&built_in);
    if !others.is_empty() || (load && built_in.is_empty()) {
        lines.extend(by_modules(scene, host, &others, load));
    }
    lines
}

/// For devices of drivers that are built in: they have their devices before any module is there.
fn each_boot(held: &[(Address, &Device)]) -> Vec<String> {
    let drivers: BTreeSet<&str> =
        held.iter().filter_map(|(_, device)| device.driver.is().map(String::as_str)).collect();
    if drivers.is_empty() {
        return Vec::new();
    }
    let drivers: Vec<&str> = drivers.into_iter().collect();
    let are = if drivers.len() == 1 { "is" } else { "are" };
    vec![
        format!("# {} {are} built in, and there before any module, also one of the initramfs", drivers.join(", ")),
        "# for good: a kernel with pciback built in, or the same at each boot, before the guests start".to_owned(),
    ]
}

fn by_modules(scene: &Scene<'_>, host: &Host, held: &[(Address, &Device)], load: bool) -> Vec<String> {
    let pciback = host.modules.pciback();
    if host.modules.has_pciback_built_in() {
        let list = lasting::asked(scene).unwrap_or_else(|| "...".to_owned());
        return vec![
            "# pciback is built in to this kernel: its list goes on the line of dom0's kernel, then reboot:".to_owned(),
            format!("# {pciback}.hide={list}"),
        ];
    }
    let asked: Vec<&Address> = if held.is_empty() {
        scene.demand.wanted.keys().collect()
    } else {
        held.iter().map(|(address, _)| address).collect()
    };
    let list = lasting::of(scene, asked.into_iter());
    let plain = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let module = |(_, device): &(Address, &Device)| match device.linkage.is() {
        Some(Linkage::Module(name)) => Some(name.clone()).filter(|name| plain(&name.as_str())),
        Some(Linkage::BuiltIn) | None => None,
    };
    let modules: Option<BTreeSet<String>> = held.iter().map(module).collect();
    match (family(host.distribution), modules) {
        (Some(family), Some(modules)) => in_commands(&family, pciback, &list, &modules, load),
        (_, modules) => in_words(host.distribution, pciback, &list, &modules.unwrap_or_default()),
    }
}

/// The options line that has to be written, or where the list has to be mended instead.
fn missing_list(list: &Lasting<'_>, pciback: &str) -> Option<Result<String, Vec<String>>> {
    match list {
        Lasting::Holds => None,
        Lasting::Nowhere(Some(list)) => Some(Ok(format!("options {pciback} hide={list}"))),
        Lasting::Nowhere(None) => Some(Err(vec!["# write the list down where it outlives a reboot".to_owned()])),
        Lasting::Elsewhere { place, merged } => {
            let at = place.location.as_ref().map_or(String::new(), |location| format!(" ({location})"));
            let list = merged.as_deref().map_or(String::new(), |list| format!(": {list}"));
            Some(Err(vec![format!("# the list in {}{at} must name it as well{list}", place.source.in_words())]))
        }
    }
}

fn in_commands(
    family: &Family,
    pciback: &str,
    list: &Lasting<'_>,
    modules: &BTreeSet<String>,
    load: bool,
) -> Vec<String> {
    let mut lines = vec!["# for good, let pciback load first:".to_owned()];
    match missing_list(list, pciback) {
        None => {}
        Some(Ok(options)) => lines.push(format!("echo '{options}' >> {}", family.options)),
        Some(Err(advice)) => lines.extend(advice),
    }
    if family.softdep {
        lines.extend(
            modules.iter().map(|module| format!("echo 'softdep {module} pre: {pciback}' >> {}", family.options)),
        );
    }
    let more = if family.softdep && !modules.is_empty() && !load { family.beside_softdep } else { family.early };
    lines.extend(more.iter().map(|line| (*line).to_owned()));
    lines.push(family.rebuild.to_owned());
    lines
}

/// For a family whose commands are not known, and where the driver's module is not.
fn in_words(distribution: Distribution, pciback: &str, list: &Lasting<'_>, modules: &BTreeSet<String>) -> Vec<String> {
    if distribution == Distribution::NixOs {
        return in_nix(pciback, list, modules);
    }
    let mut lines = vec![if modules.is_empty() {
        format!("# for good: load {pciback} with its list before that driver, from the initramfs, and rebuild that")
    } else {
        let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
        format!(
            "# for good: load {pciback} with its list before {}, from the initramfs, and rebuild that",
            modules.join(", ")
        )
    }];
    match missing_list(list, pciback) {
        None => {}
        Some(Ok(options)) => lines.push(format!("# the line for modprobe.d: {options}")),
        Some(Err(advice)) => lines.extend(advice),
    }
    lines.extend(modules.iter().map(|module| format!("# and for the order: softdep {module} pre: {pciback}")));
    lines
}

fn in_nix(pciback: &str, list: &Lasting<'_>, modules: &BTreeSet<String>) -> Vec<String> {
    let mut options = Vec::new();
    let mut lines = vec![
        "# for good, in the configuration of the system, then nixos-rebuild boot:".to_owned(),
        format!("# boot.initrd.kernelModules = [ \"{pciback}\" ];"),
    ];
    match missing_list(list, pciback) {
        None => {}
        Some(Ok(line)) => options.push(line),
        Some(Err(advice)) => lines.extend(advice),
    }
    options.extend(modules.iter().map(|module| format!("softdep {module} pre: {pciback}")));
    lines.extend(options.iter().map(|line| format!("# a line of boot.extraModprobeConfig: {line}")));
    lines
}
