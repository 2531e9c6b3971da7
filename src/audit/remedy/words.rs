//! What makes pciback come first, in words: for families whose files cannot be written by a command that is right everywhere.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::for_good::{Aim, List};
use crate::host::Distribution;

/// For a family whose commands are not known, and for NixOS, which has one configuration for everything.
pub(super) fn steps(aim: &Aim<'_>, draft: &mut Draft, list: &List, modules: &BTreeSet<String>) {
    let pciback = aim.host.modules.pciback();
    let order = modules.iter().map(|module| format!("softdep {module} pre: {pciback}"));
    let options: Vec<String> = list.options.iter().cloned().chain(order).collect();
    if aim.host.distribution == Distribution::NixOs {
        draft.by_hand("# in the configuration of the system, then nixos-rebuild boot:");
        draft.line(&format!("# boot.initrd.kernelModules = [ \"{pciback}\" ];"));
        for text in &options {
            draft.line(&format!("# a line of boot.extraModprobeConfig: {text}"));
        }
        return;
    }
    let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
    let before = if modules.is_empty() { "the driver that has it".to_owned() } else { modules.join(", ") };
    draft.by_hand(&format!("# load {pciback} before {before}, in a boot image made anew"));
    if identity(aim).any(|word| word == "gentoo") {
        draft.line("# (dracut: force_drivers and install_items; genkernel: an own initramfs; or pciback built in)");
    }
    if !options.is_empty() {
        draft.line("# in a file of modprobe.d, which goes into that image as well:");
        for text in &options {
            draft.line(&format!("#   {text}"));
        }
    }
}

/// Whether this distribution starts services by systemd, as far as its family tells.
pub(super) fn has_systemd(aim: &Aim<'_>) -> bool {
    let family = matches!(aim.host.distribution, Distribution::Debian | Distribution::Dracut | Distribution::Arch);
    family && !identity(aim).any(|word| matches!(word.as_str(), "void" | "devuan" | "artix"))
}

/// The words of `ID` of os-release(5).
fn identity(aim: &Aim<'_>) -> impl Iterator<Item = String> {
    let text = ["etc/os-release", "usr/lib/os-release"].iter().find_map(|file| aim.tree.read_text(file).is().cloned());
    let text = text.unwrap_or_default();
    let words = text.lines().find_map(|line| line.strip_prefix("ID=")).unwrap_or_default();
    words.split(['"', '\'', ' ']).map(str::to_owned).collect::<Vec<_>>().into_iter()
}
