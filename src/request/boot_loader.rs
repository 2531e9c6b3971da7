//! The arguments that boot loaders give to dom0's kernel and to the hypervisor, entry by entry: GRUB's generated
//! `grub.cfg`, `extlinux.conf` and `syslinux.cfg` (`mboot.c32`), entries of the Boot Loader Specification, and Xen's own
//! `xen.cfg` (docs/misc/efi.pandoc). What the running kernel got is `/proc/cmdline`; these files say what the next one gets.

mod grub;

use super::arguments::{Argument, arguments, same_name};
use super::cmdline::in_line;
use super::{Location, Source, Written};
use crate::tree::{Known, Node, Obstacle, Tree};

/// One entry of a boot loader's menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuEntry {
    /// Its title, or its name in the file.
    pub title: String,
    /// Every name by which a default can choose it: title, id, place in the menu.
    names: Vec<String>,
    /// Whether it starts Xen.
    pub xen: bool,
    /// The arguments of dom0's kernel, or of a kernel without Xen.
    pub kernel: Option<Line>,
    /// The arguments of the hypervisor.
    pub hypervisor: Option<Line>,
}

/// Arguments as they stand in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where the arguments begin.
    pub location: Location,
    /// The arguments.
    pub text: String,
}

impl Line {
    /// The lists among the arguments, as a boot loader hands them on.
    pub fn lists(&self) -> Vec<Written> {
        in_line(self.text.as_bytes(), Source::BootLoader, Some(&self.location))
    }
}

/// The menu of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu {
    /// The file.
    pub path: String,
    /// Its entries, in order.
    pub entries: Vec<MenuEntry>,
    /// The name of the entry that is started by default, where the file says it.
    default: Option<String>,
}

impl Menu {
    /// The entry that the next boot starts, unless somebody chooses another one.
    pub fn chosen(&self) -> Option<&MenuEntry> {
        let name = self.default.as_deref()?;
        self.entries.iter().find(|entry| entry.names.iter().any(|own| own == name))
    }
}

/// How a file is read.
type Read = fn(&Tree, &str, &str) -> Menu;

/// Every file of a boot loader that is looked at, and how it is read.
pub(super) const FILES: &[(&str, Read)] = &[
    ("boot/grub/grub.cfg", grub::menu),
    ("boot/grub2/grub.cfg", grub::menu),
    ("boot/efi/EFI/*/grub.cfg", grub::menu),
    ("boot/extlinux.conf", extlinux),
    ("boot/extlinux/extlinux.conf", extlinux),
    ("boot/syslinux/syslinux.cfg", extlinux),
    ("boot/xen.cfg", xen_cfg),
    ("boot/efi/EFI/*/xen.cfg", xen_cfg),
    ("boot/loader/entries/*.conf", specified),
    ("boot/efi/loader/entries/*.conf", specified),
];

/// Every menu of a machine that has an entry.
pub fn menus(tree: &Tree) -> Vec<Menu> {
    let mut found = Vec::new();
    for (pattern, read) in FILES {
        for path in super::register::expand(tree, pattern) {
            let text = tree.read(&path).is().map(|text| String::from_utf8_lossy(text).into_owned());
            let menu = text.map(|text| read(tree, &path, &text)).filter(|menu| !menu.entries.is_empty());
            found.extend(menu);
        }
    }
    found
}

/// The entry that starts dom0 next time. [`Known::Absent`]: no file of a boot loader is in the tree that has an entry with Xen.
///
/// Where the default cannot be told, the entries that start Xen decide, if they all give the same lists.
pub fn next(tree: &Tree) -> Known<MenuEntry> {
    let menus = menus(tree);
    let with_xen: Vec<&Menu> = menus.iter().filter(|menu| menu.entries.iter().any(|entry| entry.xen)).collect();
    let Some(first) = with_xen.first() else { return Known::Absent };
    if with_xen.len() == 1
        && let Some(chosen) = first.chosen()
    {
        return Known::Is(chosen.clone());
    }
    let entries: Vec<&MenuEntry> =
        with_xen.iter().flat_map(|menu| &menu.entries).filter(|entry| entry.xen && entry.kernel.is_some()).collect();
    let lists = |entry: &MenuEntry| -> Vec<Vec<u8>> {
        entry.kernel.iter().flat_map(Line::lists).map(|written| written.text).collect()
    };
    match entries.split_first() {
        Some((one, others)) if others.iter().all(|other| lists(other) == lists(one)) => Known::Is((*one).clone()),
        _ => {
            let why = "its entries with Xen differ, and which one is started cannot be told".to_owned();
            Known::Unreadable(Obstacle { path: first.path.clone(), why })
        }
    }
}

/// Gives the argument `key` of a line this value, wherever it stood, and behind the others where it did not.
pub fn with_argument(line: &str, key: &str, value: &str) -> String {
    let new = if value.contains(' ') { format!("{key}=\"{value}\"") } else { format!("{key}={value}") };
    let mut words = words(line);
    let is_it = |(name, _): &(String, String)| same_name(name.as_bytes(), key.as_bytes());
    let first = words.iter().position(is_it);
    let mut index = 0;
    words.retain(|word| {
        index += 1;
        !is_it(word) || first == Some(index - 1)
    });
    match first.and_then(|first| words.get_mut(first)) {
        Some((_, text)) => *text = new,
        None => words.push((key.to_owned(), new)),
    }
    words.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" ")
}

/// The arguments of a line as they are written, each with its key.
pub(super) fn words(line: &str) -> Vec<(String, String)> {
    let found = arguments(line.as_bytes());
    let ends = found.iter().skip(1).map(|argument| argument.at).chain([line.len()]);
    let word = |(argument, end): (&Argument, usize)| {
        let text = line.get(argument.at..end).unwrap_or_default().trim().to_owned();
        (String::from_utf8_lossy(&argument.key).into_owned(), text)
    };
    found.iter().zip(ends).map(word).collect()
}

/// Changes the line of dom0's kernel in every entry with Xen; where no file has one, that of the running kernel, which is then
/// taken for the next one's.
pub fn change(tree: &mut Tree, change: &dyn Fn(&str) -> String) {
    let menus = menus(tree);
    let lines: Vec<&Line> = menus
        .iter()
        .flat_map(|menu| &menu.entries)
        .filter(|entry| entry.xen)
        .filter_map(|entry| entry.kernel.as_ref())
        .collect();
    if lines.is_empty() {
        let line = tree.read_text("proc/cmdline").is().cloned().unwrap_or_default();
        tree.insert("proc/cmdline", Node::File(format!("{}\n", change(&line)).into_bytes()));
    }
    for line in lines {
        let path = line.location.path.trim_start_matches('/').to_owned();
        let Some(content) = tree.read(&path).is().map(|text| String::from_utf8_lossy(text).into_owned()) else {
            continue;
        };
        if let Some(content) = in_place(&content, line, &change(&line.text)) {
            tree.insert(&path, Node::File(content.into_bytes()));
        }
    }
}

/// A file with other arguments in the place of these.
pub fn in_place(content: &str, line: &Line, new: &str) -> Option<String> {
    let (number, column) = (line.location.line?.checked_sub(1)?, line.location.column?.checked_sub(1)?);
    let old = content.lines().nth(number)?;
    let (before, rest) = old.split_at_checked(column)?;
    // What follows the arguments of extlinux' kernel is another file's.
    let behind = rest.split_once(line.text.as_str()).map_or("", |(_, behind)| behind);
    let changed = format!("{before}{new}{behind}");
    let lines: Vec<&str> = content
        .lines()
        .enumerate()
        .map(|(index, line)| if index == number { changed.as_str() } else { line })
        .collect();
    Some(lines.join("\n") + "\n")
}

/// A part of a line of a file, with the place where it begins.
fn part(path: &str, number: usize, line: &str, text: &str) -> Line {
    let column = line.find(text).map_or(1, |at| at + 1);
    Line { location: Location::at(path, number, column), text: text.to_owned() }
}

/// The words behind the first `skip` ones.
fn behind(text: &str, skip: usize) -> &str {
    let mut text = text.trim_start();
    for _ in 0..skip {
        text = text.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start());
    }
    text.trim_end()
}

/// `extlinux.conf(5)`, syslinux' `mboot.c32`: `append xen.gz ARGUMENTS --- vmlinuz ARGUMENTS --- initrd`.
fn extlinux(_: &Tree, path: &str, text: &str) -> Menu {
    let mut menu = Menu { path: path.to_owned(), entries: Vec::new(), default: None };
    for (number, line) in (1..).zip(text.lines()) {
        let (word, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        let rest = rest.trim();
        match word.to_ascii_lowercase().as_str() {
            "default" if menu.default.is_none() => menu.default = Some(rest.to_owned()),
            "label" => menu.entries.push(entry(rest, vec![rest.to_owned()])),
            "append" => {
                let Some(last) = menu.entries.last_mut() else { continue };
                let mut parts = rest.split("---");
                let first = parts.next().unwrap_or_default();
                if let Some(kernel) = parts.next() {
                    last.xen = true;
                    last.hypervisor = Some(part(path, number, line, behind(first, 1)));
                    last.kernel = Some(part(path, number, line, behind(kernel, 1)));
                } else {
                    last.kernel = Some(part(path, number, line, first.trim()));
                }
            }
            _ => {}
        }
    }
    menu
}

/// `[global]` with `default=NAME`, then sections with `options=`, `kernel=FILE ARGUMENTS`.
fn xen_cfg(_: &Tree, path: &str, text: &str) -> Menu {
    let mut menu = Menu { path: path.to_owned(), entries: Vec::new(), default: None };
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            menu.entries.push(MenuEntry { xen: true, ..entry(name, vec![name.to_owned()]) });
            continue;
        }
        let Some((key, value)) = trimmed.split_once('=') else { continue };
        let Some(last) = menu.entries.last_mut() else { continue };
        match key.trim() {
            "default" => menu.default = Some(value.trim().to_owned()),
            "options" => last.hypervisor = Some(part(path, number, line, value.trim())),
            "kernel" => last.kernel = Some(part(path, number, line, behind(value, 1))),
            _ => {}
        }
    }
    menu.entries.retain(|entry| entry.kernel.is_some() || entry.hypervisor.is_some());
    menu
}

/// An entry of the Boot Loader Specification (systemd-boot, and GRUB's `blscfg`), which starts one kernel.
fn specified(_: &Tree, path: &str, text: &str) -> Menu {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut found = entry(name, vec![name.to_owned()]);
    for (number, line) in (1..).zip(text.lines()) {
        let (key, value) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        match key {
            "title" => value.trim().clone_into(&mut found.title),
            "options" => found.kernel = Some(part(path, number, line, value.trim())),
            _ => {}
        }
    }
    Menu { path: path.to_owned(), entries: vec![found], default: None }
}

fn entry(title: &str, names: Vec<String>) -> MenuEntry {
    MenuEntry { title: title.to_owned(), names, xen: false, kernel: None, hypervisor: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_lists(manifest: &str) -> Option<Vec<String>> {
        let show =
            |written: Written| format!("{} {}", written.location.unwrap(), String::from_utf8_lossy(&written.text));
        match next(&Tree::from_manifest(manifest).unwrap()) {
            Known::Is(entry) => Some(entry.kernel.iter().flat_map(Line::lists).map(show).collect()),
            Known::Absent | Known::Unreadable(_) => None,
        }
    }

    #[test]
    fn an_argument_stands_once_on_a_line() {
        let of = |line: &str| with_argument(line, "xen-pciback.hide", "(00:1d.0)");
        assert_eq!(of("root=x quiet"), "root=x quiet xen-pciback.hide=(00:1d.0)");
        assert_eq!(of("xen_pciback.hide=\"(1) (2)\" ro xen-pciback.hide=(3)"), "xen-pciback.hide=(00:1d.0) ro");
        assert_eq!(of(""), "xen-pciback.hide=(00:1d.0)");
    }

    #[test]
    fn the_lines_of_every_entry_with_xen_are_changed() {
        let mut tree = Tree::from_manifest(
            "boot/extlinux.conf = LABEL xe\\n  APPEND /xen.gz x --- /vmlinuz ro --- /initrd\\n\n\
             boot/grub/grub.cfg = menuentry 'x' {\\nmultiboot2 /xen.gz\\nmodule2 /v root=x\\n}\\nmenuentry 'y' {\\nlinux /v ro\\n}\\n\n",
        )
        .unwrap();
        change(&mut tree, &|line| format!("{line} quiet"));
        let text = |path: &str| tree.read_text(path).is().cloned().unwrap();
        assert_eq!(text("boot/extlinux.conf"), "LABEL xe\n  APPEND /xen.gz x --- /vmlinuz ro quiet --- /initrd");
        let grub = "menuentry 'x' {\nmultiboot2 /xen.gz\nmodule2 /v root=x quiet\n}\nmenuentry 'y' {\nlinux /v ro\n}";
        assert_eq!(text("boot/grub/grub.cfg"), grub);
        assert_eq!(tree.read("proc/cmdline"), Known::Absent);
    }

    #[test]
    fn each_boot_loader_s_file_says_what_dom0_gets() {
        for (manifest, list) in [
            (
                "boot/extlinux.conf = DEFAULT xe\\nLABEL xe\\n  KERNEL mboot.c32\\n  \
                 APPEND /boot/xen.gz dom0_mem=752M --- /boot/vmlinuz-xen root=x xen-pciback.hide=(0000:04:01.0) ro --- /boot/initrd\\n\
                 LABEL fallback\\n  APPEND /boot/xen.gz --- /boot/vmlinuz ro --- i\\n\n",
                "/boot/extlinux.conf:4:66 (0000:04:01.0)",
            ),
            (
                "boot/efi/EFI/qubes/xen.cfg = [global]\\ndefault=6.1\\n[6.1]\\noptions=console=vga\\n\
                 kernel=vmlinuz-6.1 root=x xen-pciback.hide=(00:14.0)\\n[5.15]\\nkernel=vmlinuz-5.15 root=x\\n\n",
                "/boot/efi/EFI/qubes/xen.cfg:5:27 (00:14.0)",
            ),
        ] {
            assert_eq!(next_lists(manifest), Some(vec![list.to_owned()]), "{manifest}");
        }
        assert_eq!(next_lists("boot/loader/entries/a.conf = title x\\noptions xen-pciback.hide=(00:1d.0)\\n\n"), None);
    }
}
