//! Lists in files of which a program makes those that the boot loader reads: GRUB's `/etc/default/grub` and
//! `/etc/default/grub.d` (`grub-mkconfig`), the configuration of NixOS (`nixos-rebuild`).

use std::collections::{BTreeMap, BTreeSet};

use super::arguments::{arguments, same_name};
use super::boot_loader::{self, Line, Menu, in_place, with_argument as with, words};
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
    found.extend(in_nix(tree).into_iter().filter(|list| !list.key.starts_with("options ")));
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
    let lists = |found: &Assignment| {
        let location = Location::at(&found.path, found.number, found.column);
        lists(found.value.as_bytes(), Source::BootLoader, Some(&location))
    };
    assignments(tree, names).iter().flat_map(lists).collect()
}

/// A variable of `/etc/default/grub`.
struct Assignment {
    path: String,
    /// The line, and the column of the value behind its quote, both from 1.
    number: usize,
    column: usize,
    name: String,
    value: String,
    /// Whether it adds to what the variable holds already.
    adds: bool,
}

fn assignments(tree: &Tree, names: &[&str]) -> Vec<Assignment> {
    let mut found = Vec::new();
    for path in DEFAULTS.iter().flat_map(|pattern| expand(tree, pattern)) {
        let text = tree.read(&path).is().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default();
        for (number, line) in (1..).zip(text.lines()) {
            let assignment = line.trim();
            let Some((name, value)) = assignment.strip_prefix("export ").unwrap_or(assignment).split_once('=') else {
                continue;
            };
            let (name, joins) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
            if !names.contains(&name) {
                continue;
            }
            let value = unquoted(value.trim());
            let column = line.split_once('=').map_or(1, |(before, rest)| {
                let blanks = rest.len() - rest.trim_start().len();
                before.len() + 2 + blanks + usize::from(rest.trim_start().starts_with(['"', '\'']))
            });
            let adds = joins || value.contains(&format!("${name}")) || value.contains(&format!("${{{name}}}"));
            let (name, value) = (name.to_owned(), value.to_owned());
            found.push(Assignment { path: path.clone(), number, column, name, value, adds });
        }
    }
    found
}

/// The variables that come to dom0's line, in the order in which they do: `..._XEN_REPLACE` ones that are set take the places of
/// the others.
fn in_use(tree: &Tree) -> Vec<Assignment> {
    let mut found = assignments(tree, &KERNEL);
    let is_set = |name: &str| found.iter().any(|one| one.name == name && !one.value.is_empty());
    let [plain, default, replacing, replacing_default] = KERNEL;
    let names = [
        if is_set(replacing) { replacing } else { plain },
        if is_set(replacing_default) { replacing_default } else { default },
    ];
    found.retain(|one| names.contains(&one.name.as_str()));
    let mut used: Vec<Assignment> = Vec::new();
    for one in found {
        if !one.adds {
            used.retain(|earlier| earlier.name != one.name);
        }
        used.push(one);
    }
    used.sort_by_key(|one| names.iter().position(|name| *name == one.name));
    used
}

/// The value that an argument of dom0's kernel has in these files.
pub fn argument(tree: &Tree, key: &str) -> Option<String> {
    let words = in_use(tree).into_iter().flat_map(|one| words(&one.value));
    let values = words.filter(|(name, _)| same_name(name.as_bytes(), key.as_bytes()));
    values.filter_map(|(_, text)| Some(text.split_once('=')?.1.trim_matches('"').to_owned())).next_back()
}

/// The files with an argument of dom0's kernel set, by path: wherever it stands, else behind the others. None where they are not
/// there, or written in a way that this program does not change.
pub fn with_argument(tree: &Tree, key: &str, value: &str) -> Option<BTreeMap<String, String>> {
    let used = in_use(tree);
    let has = |one: &&Assignment| words(&one.value).iter().any(|(name, _)| same_name(name.as_bytes(), key.as_bytes()));
    let mut changed: Vec<&Assignment> = used.iter().filter(has).collect();
    if changed.is_empty() {
        changed.extend(used.iter().find(|one| one.path == DEFAULTS[0]));
    }
    let text = |path: &str| tree.read(path).is().and_then(|text| std::str::from_utf8(text).ok()).map(str::to_owned);
    if changed.is_empty() {
        let [path, _] = DEFAULTS;
        let added = format!("{}\n{}=\"{key}={value}\"\n", text(path)?.trim_end(), KERNEL[0]);
        return Some(BTreeMap::from([(path.to_owned(), added)]));
    }
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for one in changed {
        let content = match files.remove(&one.path) {
            Some(content) => content,
            None => text(&one.path)?,
        };
        if one.value.contains(['\\', '`']) {
            return None;
        }
        let place = Location::at(&one.path, one.number, one.column);
        let line = Line { location: place, text: one.value.clone() };
        let new = with(&one.value, key, value);
        files.insert(one.path.clone(), quoted(&content, one, &line, &new)?);
    }
    Some(files)
}

/// The file with a value in quotes, as it stands or in new ones.
fn quoted(content: &str, one: &Assignment, line: &Line, new: &str) -> Option<String> {
    let old = content.lines().nth(one.number.checked_sub(1)?)?;
    let before = old.get(..one.column.checked_sub(1)?)?;
    let has_quotes = before.ends_with(['"', '\'']);
    in_place(content, line, &if has_quotes { new.to_owned() } else { format!("\"{new}\"") })
}

/// Makes GRUB's menus anew, as far as lists and names of modules go: `grub-mkconfig`.
pub fn make(tree: &mut Tree) {
    const KEYS: [&str; 6] =
        ["xen-pciback.hide", "pciback.hide", "rd.qubes.hide_pci", "modules", "firstmods", "gk.hw.load-all"];
    let is_made = |name: &str| KEYS.iter().any(|key| same_name(name.as_bytes(), key.as_bytes()));
    let made: Vec<String> = in_use(tree)
        .iter()
        .flat_map(|one| words(&one.value))
        .filter(|(name, _)| is_made(name))
        .map(|(_, text)| text)
        .collect();
    boot_loader::change(tree, &|line| {
        let kept = words(line).into_iter().filter(|(name, _)| !is_made(name)).map(|(_, text)| text);
        kept.chain(made.iter().cloned()).collect::<Vec<_>>().join(" ")
    });
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
    fn an_argument_is_changed_wherever_it_stands() {
        let of = |text: &str| {
            let tree = Tree::from_manifest(&format!("etc/default/grub = {text}\n")).unwrap();
            with_argument(&tree, "xen-pciback.hide", "(00:1d.0)")?.remove("etc/default/grub")
        };
        for (text, wanted) in [
            ("GRUB_CMDLINE_LINUX=\"\"\\n", "GRUB_CMDLINE_LINUX=\"xen-pciback.hide=(00:1d.0)\"\n"),
            (
                "A=1\\nGRUB_CMDLINE_LINUX='ro quiet' # x\\n",
                "A=1\nGRUB_CMDLINE_LINUX='ro quiet xen-pciback.hide=(00:1d.0)' # x\n",
            ),
            ("GRUB_CMDLINE_LINUX=quiet\\n", "GRUB_CMDLINE_LINUX=\"quiet xen-pciback.hide=(00:1d.0)\"\n"),
            ("A=1\\n", "A=1\nGRUB_CMDLINE_LINUX=\"xen-pciback.hide=(00:1d.0)\"\n"),
            (
                "GRUB_CMDLINE_LINUX=\"ro\"\\nGRUB_CMDLINE_LINUX_DEFAULT=\"xen-pciback.hide=1d.0 ro\"\\n",
                "GRUB_CMDLINE_LINUX=\"ro\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"xen-pciback.hide=(00:1d.0) ro\"\n",
            ),
        ] {
            assert_eq!(of(text).as_deref(), Some(wanted), "{text}");
        }
        assert_eq!(of("GRUB_CMDLINE_LINUX=\"`x`\"\\n"), None);
        assert_eq!(with_argument(&Tree::default(), "a", "b"), None);
    }

    #[test]
    fn a_menu_that_is_made_anew_has_the_lists_of_the_defaults_only() {
        let mut tree = Tree::from_manifest(
            "etc/default/grub = GRUB_CMDLINE_LINUX=\"quiet xen-pciback.hide=(00:1d.0)\"\\n\n\
             boot/grub/grub.cfg = menuentry 'x' {\\nmultiboot2 /xen.gz\\nmodule2 /v root=x xen_pciback.hide=(1) ro\\n}\\n\n",
        )
        .unwrap();
        make(&mut tree);
        assert!(
            tree.read_text("boot/grub/grub.cfg").is().unwrap().contains("/v root=x ro xen-pciback.hide=(00:1d.0)\n")
        );
        assert_eq!(argument(&tree, "xen-pciback.hide").as_deref(), Some("(00:1d.0)"));
    }

    #[test]
    fn the_text_of_a_nix_configuration_shows_its_lists() {
        let text = "etc/nixos/configuration.nix = boot.kernelParams = [ \"quiet\" \"xen-pciback.hide=(00:1d.0)\" ];\\n\
                    # xen-pciback.hide=(1)\\nboot.extraModprobeConfig = \"options xen-pciback hide=(00:1d.1)\";\\n\n";
        let expected = ["/etc/nixos/configuration.nix:1:32 (00:1d.0)", "/etc/nixos/configuration.nix:3:29 (00:1d.1)"];
        assert_eq!(of(text), expected);
    }
}
