//! Arguments behind the name of the module in lists of modules to load: `/etc/modules` (init scripts; modules(5)) and
//! `/etc/initramfs-tools/modules` (initramfs-tools(7)), which hand them to modprobe. `modules-load.d` takes names only
//! (modules-load.d(5)), and so does systemd where it reads `/etc/modules` through a link.

use super::arguments::{arguments, same_name};
use super::register::expand;
use super::{Location, Said, Source, Written};
use crate::tree::{Known, Tree};

/// Read with their arguments; the first one not where systemd is init.
const WITH_ARGUMENTS: [&str; 2] = ["etc/modules", "etc/initramfs-tools/modules"];

const NAMES_ONLY: [&str; 2] = ["etc/modules-load.d/*.conf", "usr/lib/modules-load.d/*.conf"];

/// The lists behind the module's name, where something reads them.
pub fn written(tree: &Tree) -> Said {
    let mut said = Said::nothing(Source::Modules);
    for path in read_with_arguments(tree) {
        match tree.read(path) {
            Known::Is(text) => said.written.extend(in_file(text, path)),
            Known::Absent => {}
            Known::Unreadable(obstacle) => said.obstacles.push(obstacle),
        }
    }
    said
}

/// The lists that stand where only names are read.
pub fn passed_over(tree: &Tree) -> Vec<Written> {
    let names_only = NAMES_ONLY.iter().flat_map(|pattern| expand(tree, pattern));
    let mut paths: Vec<String> = names_only.filter(|path| tree.link(path).is().is_none()).collect();
    paths.extend(has_systemd(tree).then(|| "etc/modules".to_owned()));
    let lists = |path: String| tree.read(&path).is().map(|text| in_file(text, &path)).unwrap_or_default();
    paths.into_iter().flat_map(lists).collect()
}

/// The files and lines that have pciback loaded at each boot: by the boot image, and by the system itself.
pub fn named(tree: &Tree) -> (Option<Location>, Option<Location>) {
    let in_image = name_in(tree, "etc/initramfs-tools/modules");
    let names_only = NAMES_ONLY.iter().flat_map(|pattern| expand(tree, pattern));
    let by_system = std::iter::once("etc/modules".to_owned()).chain(names_only).find_map(|path| name_in(tree, &path));
    (in_image, by_system)
}

fn name_in(tree: &Tree, path: &str) -> Option<Location> {
    let text = tree.read(path).is().copied()?;
    let line = lines(text).find(|(_, name, _)| is_pciback(name.as_bytes()))?;
    Some(Location::at(path, line.0, 1))
}

fn is_pciback(name: &[u8]) -> bool {
    same_name(name, b"xen_pciback") || name == b"pciback"
}

fn read_with_arguments(tree: &Tree) -> impl Iterator<Item = &'static str> {
    let from = usize::from(has_systemd(tree));
    WITH_ARGUMENTS.into_iter().skip(from)
}

/// Whether init is systemd: `/sbin/init` links to it.
fn has_systemd(tree: &Tree) -> bool {
    let links = |path: &&str| tree.link(path).is().is_some_and(|target| target.ends_with("/systemd"));
    ["sbin/init", "usr/sbin/init"].iter().any(links)
}

/// Each line that names a module: its number, the name, and what follows.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, String, String)> {
    let text = String::from_utf8_lossy(text).into_owned();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    (1..).zip(lines).filter_map(|(number, line)| {
        let trimmed = line.trim_start();
        let (name, rest) = trimmed.split_once([' ', '\t']).unwrap_or((trimmed, ""));
        (!name.is_empty() && !name.starts_with(['#', ';'])).then(|| (number, name.to_owned(), rest.to_owned()))
    })
}

fn in_file(text: &[u8], path: &str) -> Vec<Written> {
    let mut found = Vec::new();
    for (number, name, rest) in lines(text).filter(|(_, name, _)| is_pciback(name.as_bytes())) {
        for argument in arguments(rest.as_bytes()).into_iter().filter(|argument| argument.key == b"hide") {
            let Some(text) = argument.value else { continue };
            let location = Some(Location::at(path, number, name.len() + 2 + argument.at));
            let effective = same_name(name.as_bytes(), b"xen_pciback");
            found.push(Written { text, source: Source::Modules, location, key: format!("{name} hide"), effective });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lists: &[Written]) -> Vec<String> {
        lists.iter().map(|w| format!("{} {}", w.location.as_ref().unwrap(), String::from_utf8_lossy(&w.text))).collect()
    }

    #[test]
    fn arguments_count_where_they_are_read() {
        let files = "etc/modules = # x\\nxen-pciback hide=(00:1d.0)\\n\n\
                     etc/initramfs-tools/modules = e1000e\\nxen_pciback  permissive hide=(00:1d.1)\\n\n\
                     etc/modules-load.d/pci.conf = xen-pciback hide=(00:1d.2)\\n\n\
                     etc/modules-load.d/modules.conf -> ../modules\n";
        let of = |more: &str| {
            let tree = Tree::from_manifest(&format!("{files}{more}")).unwrap();
            (shown(&written(&tree).written), shown(&passed_over(&tree)))
        };
        let image = "/etc/initramfs-tools/modules:2:25 (00:1d.1)";
        let load = "/etc/modules-load.d/pci.conf:1:13 (00:1d.2)";
        let modules = "/etc/modules:2:13 (00:1d.0)";
        assert_eq!(of(""), (vec![modules.to_owned(), image.to_owned()], vec![load.to_owned()]));
        let systemd = of("sbin/init -> /lib/systemd/systemd\n");
        assert_eq!(systemd, (vec![image.to_owned()], vec![load.to_owned(), modules.to_owned()]));
    }
}
