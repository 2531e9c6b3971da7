//! What makes pciback come first, in words: for families whose files cannot be written by a command that is right everywhere.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::for_good::{Aim, List};
use crate::host::{Distribution, id, version};
use crate::request::loading::{self, Maker};
use crate::request::{install_lines, modprobe, unmade};
use crate::tree::Known;

/// For a family whose commands are not known, and for NixOS, which has one configuration for everything.
pub(super) fn steps(aim: &Aim<'_>, draft: &mut Draft, list: &List, modules: &BTreeSet<String>) {
    let pciback = aim.host.modules.pciback();
    let has_softdeps = modprobe::has_softdeps(aim.tree);
    let order = modules.iter().map(|module| {
        if has_softdeps { format!("softdep {module} pre: {pciback}") } else { install_lines::line_for(module, pciback) }
    });
    let options: Vec<String> = list.options.iter().cloned().chain(order).collect();
    if aim.host.distribution == Distribution::NixOs {
        return nixos(aim, draft, &options);
    }
    let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
    let before = if modules.is_empty() { "the driver that has it".to_owned() } else { modules.join(", ") };
    draft.by_hand(&format!("# load {pciback} before {before}, in a boot image made anew"));
    if id(aim.tree).as_deref() == Some("gentoo") {
        draft.line("# (dracut: force_drivers and install_items; genkernel: AMODULES_PCIBACK, and firstmods= on the kernel's line)");
    } else if loading::maker(aim.tree, Maker::Unknown) == Maker::Dracut {
        draft.line("# (dracut: force_drivers and install_items in a file of /etc/dracut.conf.d)");
    }
    if !options.is_empty() {
        draft.line("# in a file of modprobe.d, which goes into that image as well:");
        for text in &options {
            draft.line(&format!("#   {text}"));
        }
    }
}

/// The text for the configuration of NixOS, of which `/etc/modprobe.d` is made. The modules of `boot.initrd.kernelModules` are loaded
/// before udev begins, with the options of `boot.extraModprobeConfig` (nixpkgs 23.11, nixos/modules/system/boot/stage-1-init.sh and
/// stage-1.nix).
fn nixos(aim: &Aim<'_>, draft: &mut Draft, options: &[String]) {
    let lists = unmade::in_nix(aim.tree);
    let file = lists.iter().find_map(|list| list.location.as_ref()).map_or(CONFIGURATION, |at| at.path.as_str());
    draft.by_hand(&format!("# in {file}, then nixos-rebuild boot:"));
    draft.line(&format!("#   boot.initrd.kernelModules = [ \"{}\" ];", aim.host.modules.pciback()));
    if !options.is_empty() {
        draft.line("#   boot.extraModprobeConfig = ''");
        for text in options {
            draft.line(&format!("#     {text}"));
        }
        draft.line("#   '';");
    }
    let replaced = options.iter().any(|line| line.starts_with("options "));
    for at in lists.iter().filter(|_| replaced).filter_map(|list| list.location.as_ref()) {
        draft.line(&format!("# in place of the list that stands in {at}"));
    }
}

/// Where a new installation of NixOS has its configuration.
const CONFIGURATION: &str = "/etc/nixos/configuration.nix";

/// Whether this distribution starts services by systemd: by what init is, else by its family and release. Debian does from 8 on, Ubuntu
/// from 15.04, RHEL from 7 on; none without an os-release(5).
pub(super) fn has_systemd(aim: &Aim<'_>) -> bool {
    let init = ["sbin/init", "usr/sbin/init"].map(|path| aim.tree.link(path));
    if init.iter().any(|link| *link != Known::Absent) {
        return init.iter().filter_map(Known::is).any(|target| target.contains("systemd"));
    }
    let family = matches!(aim.host.distribution, Distribution::Debian | Distribution::Dracut | Distribution::Arch);
    let first = match id(aim.tree).as_deref() {
        None | Some("void" | "devuan" | "artix" | "mx" | "antix") => return false,
        Some("debian") => 8,
        Some("ubuntu") => 15,
        Some(_) => 0,
    };
    family && version(aim.tree).is_none_or(|version| version >= first)
}
