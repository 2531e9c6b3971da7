//! Lists in files of which a program makes those that the boot loader reads: GRUB's `/etc/default/grub` and
//! `/etc/default/grub.d` (`grub-mkconfig`), the configuration of NixOS (`nixos-rebuild`).

use std::collections::BTreeSet;

use super::boot_loader::{Line, Menu};
use super::cmdline::in_line;
use super::register::expand;
use super::{Location, Source, Written};
use crate::tree::Tree;

const DEFAULTS: [&str; 2] = ["etc/default/grub", "etc/default/grub.d/*.cfg"];

/// What goes on the line of dom0's kernel (`util/grub.d/20_linux_xen.in`: the `..._XEN_REPLACE` ones take the place of the
/// others, where they are set).
const KERNEL: [&str; 4] = [
    "GRUB_CMDLINE_LINUX",
    "GRUB_CMDLINE_LINUX_DEFAULT",
    "GRUB_CMDLINE_LINUX_XEN_REPLACE",
    "GRUB_CMDLINE_LINUX_XEN_REPLACE_DEFAULT",
];

const HYPERVISOR: [&str; 2] = ["GRUB_CMDLINE_XEN", "GRUB_CMDLINE_XEN_DEFAULT"];

/// The lists that are written there and in no menu that was made of them, where there is one.
pub(super) fn find(tree: &Tree, menus: &[Menu]) -> Vec<Written> {
    let lines: Vec<Written> = menus
        .iter()
        .flat_map(|menu| &menu.entries)
        .filter(|entry| entry.xen)
        .filter_map(|entry| entry.kernel.as_ref())
        .flat_map(Line::lists)
        .collect();
    let has_menu =
        menus.iter().any(|menu| menu.path.ends_with("grub.cfg") && menu.entries.iter().any(|entry| entry.xen));
    let in_force =
        tree.read("proc/cmdline").is().map(|line| in_line(line, Source::CommandLine, None)).unwrap_or_default();
    let made: BTreeSet<&[u8]> = lines.iter().chain(&in_force).map(|made| made.text.as_slice()).collect();
    in_defaults(tree, &KERNEL).into_iter().filter(|list| has_menu && !made.contains(list.text.as_slice())).collect()
}

/// The lists that go on the hypervisor's line.
pub(super) fn hypervisor(tree: &Tree) -> Vec<Written> {
    in_defaults(tree, &HYPERVISOR)
}

/// The lists in the configuration of NixOS, as far as its text shows them.
pub fn in_nix(tree: &Tree) -> Vec<Written> {
    let mut found = Vec::new();
    for path in expand(tree, "etc/nixos/*.nix") {
        let text = tree.read(&path).is().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with('#')) {
            for key in
                ["xen-pciback.hide=", "xen_pciback.hide=", "options xen-pciback hide=", "options xen_pciback hide="]
            {
                let Some((before, value)) = line.split_once(key) else { continue };
                let list = value.split(['"', '\'', ';']).next().unwrap_or_default().trim();
                let location = Some(Location::at(&path, number, before.len() + 1));
                let key = key.trim_end_matches('=').to_owned();
                let text = list.as_bytes().to_vec();
                found.push(Written { text, source: Source::NixOs, location, key, effective: true });
            }
        }
    }
    found
}

fn in_defaults(tree: &Tree, names: &[&str]) -> Vec<Written> {
    let mut found = Vec::new();
    for path in DEFAULTS.iter().flat_map(|pattern| expand(tree, pattern)) {
        let text = tree.read(&path).is().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default();
        for (number, line) in (1..).zip(text.lines()) {
            let assignment = line.trim();
            let Some((name, value)) = assignment.strip_prefix("export ").unwrap_or(assignment).split_once('=') else {
                continue;
            };
            if !names.contains(&name.trim_end_matches('+')) {
                continue;
            }
            let unquoted = unquoted(value.trim());
            let column = line.find(unquoted).map_or(1, |at| at + 1);
            let location = Location::at(&path, number, column);
            found.extend(in_line(unquoted.as_bytes(), Source::BootLoader, Some(&location)));
        }
    }
    found
}

/// A word of a shell without the quotes around it.
fn unquoted(value: &str) -> &str {
    let inner = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.split(*quote).next());
    inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::super::boot_loader::menus;
    use super::*;

    fn of(manifest: &str) -> Vec<String> {
        let tree = Tree::from_manifest(manifest).unwrap();
        let found = find(&tree, &menus(&tree)).into_iter().chain(in_nix(&tree));
        found.map(|w| format!("{} {}", w.location.as_ref().unwrap(), String::from_utf8_lossy(&w.text))).collect()
    }

    #[test]
    fn a_list_that_is_in_no_menu_was_not_made_yet() {
        let defaults = "etc/default/grub = GRUB_CMDLINE_LINUX=\"quiet xen-pciback.hide=(00:1d.0)\"\\n\n";
        let menu = |list: &str| {
            format!(
                "boot/grub/grub.cfg = menuentry 'x' {{\\nmultiboot2 /xen.gz\\nmodule2 /vmlinuz root=x{list}\\n}}\\n\n"
            )
        };
        assert_eq!(of(defaults), Vec::<String>::new());
        assert_eq!(of(&format!("{defaults}{}", menu(""))), ["/etc/default/grub:1:27 (00:1d.0)"]);
        assert_eq!(of(&format!("{defaults}{}", menu(" xen-pciback.hide=(00:1d.0)"))), Vec::<String>::new());
    }

    #[test]
    fn the_text_of_a_nix_configuration_shows_its_lists() {
        let text = "etc/nixos/configuration.nix = boot.kernelParams = [ \"quiet\" \"xen-pciback.hide=(00:1d.0)\" ];\\n\
                    # xen-pciback.hide=(1)\\nboot.extraModprobeConfig = \"options xen-pciback hide=(00:1d.1)\";\\n\n";
        let expected = ["/etc/nixos/configuration.nix:1:32 (00:1d.0)", "/etc/nixos/configuration.nix:3:29 (00:1d.1)"];
        assert_eq!(of(text), expected);
    }
}
