//! Lists in files of which a program makes those that the boot loader reads: GRUB's `/etc/default/grub` and
//! `/etc/default/grub.d` (`grub-mkconfig`), the configuration of NixOS (`nixos-rebuild`).

use std::collections::BTreeSet;

use super::arguments::arguments;
use super::boot_loader::{Line, Menu};
use super::cmdline::in_line;
use super::register::expand;
use super::{Location, Source, Written};
use crate::tree::{Known, Tree};

/// Qubes' own key for devices that pciback shall have.
const QUBES: &str = "rd.qubes.hide_pci";

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
    let in_force =
        tree.read("proc/cmdline").is().map(|line| in_line(line, Source::CommandLine, None)).unwrap_or_default();
    let made: BTreeSet<&[u8]> = lines.iter().chain(&in_force).map(|made| made.text.as_slice()).collect();
    let lists = in_defaults(tree, &KERNEL, in_line);
    lists.into_iter().filter(|list| has_menu(menus) && !made.contains(list.text.as_slice())).collect()
}

/// Whether GRUB's own file was read, with an entry that starts Xen.
fn has_menu(menus: &[Menu]) -> bool {
    menus.iter().any(|menu| menu.path.ends_with("grub.cfg") && menu.entries.iter().any(|entry| entry.xen))
}

/// The lists that dom0's kernel gets by the boot loader's files, or by those that they are made of, where the running kernel was
/// started without any list under the same kind of key.
pub(super) fn not_booted(tree: &Tree, menus: &[Menu]) -> Vec<Written> {
    let Known::Is(line) = tree.read("proc/cmdline") else { return Vec::new() };
    if line.is_empty() {
        return Vec::new();
    }
    let booted: BTreeSet<bool> =
        with_qubes(line, Source::CommandLine, None).iter().map(|list| list.key == QUBES).collect();
    let mut found = if has_menu(menus) { Vec::new() } else { in_defaults(tree, &KERNEL, with_qubes) };
    let lines =
        menus.iter().flat_map(|menu| &menu.entries).filter(|entry| entry.xen).filter_map(|entry| entry.kernel.as_ref());
    found.extend(lines.flat_map(|line| with_qubes(line.text.as_bytes(), Source::BootLoader, Some(&line.location))));
    // Every entry of a menu repeats what one file says.
    let mut texts: BTreeSet<Vec<u8>> = BTreeSet::new();
    found.retain(|list| !booted.contains(&(list.key == QUBES)) && texts.insert(list.text.clone()));
    found
}

/// The lists on a line of dom0's kernel, those of Qubes included.
fn with_qubes(line: &[u8], source: Source, location: Option<&Location>) -> Vec<Written> {
    let mut found = in_line(line, source, location);
    let of_qubes = arguments(line).into_iter().filter(|argument| argument.key == QUBES.as_bytes());
    found.extend(of_qubes.filter_map(|argument| {
        let key = QUBES.to_owned();
        Some(Written { text: argument.value?, source, location: location.cloned(), key, effective: true })
    }));
    found
}

/// The lists that go on the hypervisor's line.
pub(super) fn hypervisor(tree: &Tree) -> Vec<Written> {
    in_defaults(tree, &HYPERVISOR, in_line)
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

/// The lists in the values of the variables of these names, by a reader of lines.
fn in_defaults(
    tree: &Tree,
    names: &[&str],
    lists: fn(&[u8], Source, Option<&Location>) -> Vec<Written>,
) -> Vec<Written> {
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
            found.extend(lists(unquoted.as_bytes(), Source::BootLoader, Some(&location)));
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
    fn a_list_that_the_kernel_was_started_without_is_named() {
        let grub = "etc/default/grub = GRUB_CMDLINE_LINUX=\"quiet KEY\"\\n\n";
        let menu = "boot/grub/grub.cfg = menuentry 'x' {\\nmultiboot2 /xen.gz\\nmodule2 /vmlinuz root=x KEY\\n}\\n\n";
        let found = |files: &str, key: &str, line: &str| {
            let tree = Tree::from_manifest(&format!("{}proc/cmdline = {line}\n", files.replace("KEY", key))).unwrap();
            let lists = not_booted(&tree, &menus(&tree));
            lists.into_iter().map(|list| String::from_utf8_lossy(&list.text).into_owned()).collect::<Vec<_>>()
        };
        for key in ["xen-pciback.hide=(00:1d.0)", "rd.qubes.hide_pci=00:1d.0"] {
            let (_, list) = key.split_once('=').unwrap();
            for files in [grub, menu, &format!("{grub}{menu}")] {
                assert_eq!(found(files, key, "root=x\\n"), [list], "{key} {files}");
                assert!(found(files, key, &format!("root=x {key}\\n")).is_empty(), "{key} {files}");
            }
            assert!(found(grub, key, "").is_empty(), "{key}");
        }
    }

    #[test]
    fn the_text_of_a_nix_configuration_shows_its_lists() {
        let text = "etc/nixos/configuration.nix = boot.kernelParams = [ \"quiet\" \"xen-pciback.hide=(00:1d.0)\" ];\\n\
                    # xen-pciback.hide=(1)\\nboot.extraModprobeConfig = \"options xen-pciback hide=(00:1d.1)\";\\n\n";
        let expected = ["/etc/nixos/configuration.nix:1:32 (00:1d.0)", "/etc/nixos/configuration.nix:3:29 (00:1d.1)"];
        assert_eq!(of(text), expected);
    }
}
