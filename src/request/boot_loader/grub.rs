//! `grub.cfg` as `grub-mkconfig` writes it (GRUB's `util/grub.d/10_linux.in` and `20_linux_xen.in`).

use super::{Line, Menu, MenuEntry, behind, entry};
use crate::request::Location;
use crate::tree::Tree;

/// The files that hold GRUB's environment block.
const ENVIRONMENTS: &[&str] = &["boot/grub/grubenv", "boot/grub2/grubenv"];

/// What an open brace of the file belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Submenu,
    Entry,
    Other,
}

pub(super) fn menu(tree: &Tree, path: &str, text: &str) -> Menu {
    let mut reader = GrubReader { path, open: Vec::new(), numbers: vec![0], titles: Vec::new(), entries: Vec::new() };
    let mut default = None;
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim();
        if let Some(value) = trimmed.strip_prefix("set default=") {
            let value = value.trim_matches(['"', '\'']);
            // The entry of the next boot only is chosen by a variable that GRUB clears.
            if value != "${next_entry}" {
                default = Some(value.to_owned());
            }
        }
        reader.line(number, line, trimmed);
    }
    Menu { path: path.to_owned(), entries: reader.entries, default: default.and_then(|name| resolved(tree, name)) }
}

/// A default that the environment block names; the first entry where it names none. Without the block nobody knows.
fn resolved(tree: &Tree, name: String) -> Option<String> {
    if !name.contains("${saved_entry}") {
        return Some(name);
    }
    let block = ENVIRONMENTS.iter().find_map(|path| tree.read_text(path).is().cloned())?;
    let saved = block.lines().find_map(|line| line.strip_prefix("saved_entry=")).filter(|name| !name.is_empty());
    Some(saved.unwrap_or("0").to_owned())
}

struct GrubReader<'a> {
    path: &'a str,
    open: Vec<Block>,
    /// The number of the next entry of each open menu.
    numbers: Vec<usize>,
    /// The names of the open submenus, each with its id.
    titles: Vec<(String, Option<String>)>,
    entries: Vec<MenuEntry>,
}

impl GrubReader<'_> {
    fn line(&mut self, number: usize, line: &str, trimmed: &str) {
        if trimmed == "}" {
            if self.open.pop() == Some(Block::Submenu) {
                self.titles.pop();
                self.numbers.pop();
                self.count();
            }
            return;
        }
        if trimmed.ends_with('{') {
            let block = match trimmed.split_whitespace().next() {
                Some("submenu") => {
                    self.titles.push((title(trimmed), id(trimmed)));
                    self.numbers.push(0);
                    Block::Submenu
                }
                Some("menuentry") => {
                    let names = self.names(trimmed);
                    self.entries.push(entry(&title(trimmed), names));
                    self.count();
                    Block::Entry
                }
                _ => Block::Other,
            };
            self.open.push(block);
            return;
        }
        if self.open.contains(&Block::Entry) {
            self.command(number, line, trimmed);
        }
    }

    fn count(&mut self) {
        self.numbers.last_mut().into_iter().for_each(|number| *number += 1);
    }

    /// `1>2` and the like, the titles, the ids, each with those of the submenus before it; the id also alone.
    fn names(&self, line: &str) -> Vec<String> {
        let places: Vec<String> = self.numbers.iter().map(ToString::to_string).collect();
        let titles = self.titles.iter().map(|(title, _)| title.clone()).chain([title(line)]);
        let own = id(line).unwrap_or_else(|| title(line));
        let ids =
            self.titles.iter().map(|(title, id)| id.clone().unwrap_or_else(|| title.clone())).chain([own.clone()]);
        vec![places.join(">"), titles.collect::<Vec<_>>().join(">"), ids.collect::<Vec<_>>().join(">"), own]
    }

    fn command(&mut self, number: usize, line: &str, trimmed: &str) {
        let Some(entry) = self.entries.last_mut() else { return };
        let Some((word, rest)) = trimmed.split_once(char::is_whitespace) else { return };
        // The file, and GRUB's own options before it.
        let options = rest.split_whitespace().take_while(|word| word.starts_with("--")).count();
        let text = behind(rest, options + 1);
        let column = line.rfind(text).map_or(1, |at| at + 1);
        let arguments =
            || Some(Line { location: Location::at(self.path, number, column), text: text.replace('\\', "") });
        match word {
            "multiboot" | "multiboot2" | "xen_hypervisor" => {
                entry.xen = true;
                entry.hypervisor = arguments();
            }
            "module" | "module2" | "xen_module" if entry.xen && entry.kernel.is_none() => entry.kernel = arguments(),
            "linux" | "linux16" | "linuxefi" => entry.kernel = arguments(),
            _ => {}
        }
    }
}

/// The first quoted word, or the second word.
fn title(line: &str) -> String {
    let quoted = |quote: char| {
        let at = line.find(quote)?;
        Some((at, line.get(at + 1..)?.split(quote).next()?))
    };
    let first = ['\'', '"'].into_iter().filter_map(quoted).min_by_key(|(at, _)| *at);
    first.map_or_else(|| line.split_whitespace().nth(1).unwrap_or_default().to_owned(), |(_, text)| text.to_owned())
}

fn id(line: &str) -> Option<String> {
    let rest =
        ["$menuentry_id_option ", "--id ", "--id="].iter().find_map(|option| Some(line.split_once(option)?.1))?;
    let name = rest.trim_start().split([' ', '{']).next().unwrap_or_default();
    Some(name.trim_matches(['\'', '"']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CFG: &str = "set default=\"${saved_entry}\"\n\
        if [ x ]; then\n  set default=\"${next_entry}\"\nfi\n\
        function load_video {\n  insmod all_video\n}\n\
        menuentry 'Debian' --class os $menuentry_id_option 'simple' {\n\tlinux /vmlinuz root=x quiet\n}\n\
        submenu 'Xen' $menuentry_id_option 'adv' {\n\
        menuentry 'Debian, with Xen' --class xen $menuentry_id_option 'xen-1' {\n\
        \tif [ y ]; then\n\t\ttrue\n\tfi\n\
        \tmultiboot2 /xen.gz placeholder xen-pciback.hide=(1) ${xen_rm_opts}\n\
        \tmodule2 /vmlinuz placeholder root=x xen-pciback.hide=(00:1d.0)\n\
        \tmodule2 --nounzip /initrd.img\n}\n}\n";

    fn chosen(saved: &str) -> Option<String> {
        let tree = Tree::from_manifest(&format!("boot/grub/grubenv = # GRUB\\nsaved_entry={saved}\\n\n")).unwrap();
        menu(&tree, "boot/grub/grub.cfg", CFG).chosen().map(|entry| entry.title.clone())
    }

    #[test]
    fn the_default_is_found_by_every_kind_of_name() {
        for name in ["1>0", "Xen>Debian, with Xen", "adv>xen-1", "xen-1"] {
            assert_eq!(chosen(name).as_deref(), Some("Debian, with Xen"), "{name}");
        }
        assert_eq!(chosen("").as_deref(), Some("Debian"));
        assert_eq!(chosen("simple").as_deref(), Some("Debian"));
        assert_eq!(chosen("gone"), None);
        assert_eq!(menu(&Tree::default(), "boot/grub/grub.cfg", CFG).chosen(), None);
    }

    #[test]
    fn dom0_s_arguments_and_the_hypervisor_s_are_told_apart() {
        let menu = menu(&Tree::default(), "boot/grub/grub.cfg", CFG);
        let xen = &menu.entries[1];
        assert!(xen.xen && !menu.entries[0].xen);
        let lists = |line: &Option<Line>| -> Vec<String> {
            let lists = line.as_ref().unwrap().lists();
            lists
                .iter()
                .map(|w| format!("{} {}", w.location.as_ref().unwrap(), String::from_utf8_lossy(&w.text)))
                .collect()
        };
        assert_eq!(lists(&xen.kernel), ["/boot/grub/grub.cfg:17:38 (00:1d.0)"]);
        assert_eq!(lists(&xen.hypervisor), ["/boot/grub/grub.cfg:16:33 (1)"]);
    }
}
