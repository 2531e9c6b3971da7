//! What is read of a machine: a short list of files that are known to be harmless, and nothing else.
//!
//! `drivers/pciback/quirks` is not on it: reading that file after a failed set-up crashed kernels from 5.10 to 7.2.

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::inside::{FileEntry, FileKind, Inside, PathEnd};
use crate::pci::Address;
use crate::request::guests::abridged;
use crate::request::register::PLACES;
use crate::tree::{Known, Node, Tree};
use rows::Take::{Contents, Database, Files, Link};
use rows::{ALLOWED, ARCHIVE, GUEST, LONG, Row, SELDOM, Take};

/// More than all of these files together ever have. A tree from elsewhere may be made to fill the memory.
const MOST_BYTES: u64 = 64 << 20;

/// What the paths below sysfs lead to.
const SYSFS: &[&str] = &["sys/bus", "sys/class", "sys/devices", "sys/hypervisor", "sys/module"];

/// The places of this machine that hold all that [`keep`] opens, also what is not there yet: directories, and what the links in
/// its directories of configuration files lead to now (`NixOS` keeps these files in `/nix/store`).
pub fn places() -> Vec<PathBuf> {
    let root = Path::new("/");
    let configured = || PLACES.iter().flat_map(|place| place.files).copied().filter(|file| is_configuration(file));
    let rows = ALLOWED.iter().chain(SELDOM).filter(|(_, _, take)| !matches!(take, Link));
    let named = rows.flat_map(|(above, names, _)| if above.is_empty() { *names } else { std::slice::from_ref(above) });
    let first = named.copied().chain(configured()).map(place).filter(|name| *name != "sys");
    let top: BTreeSet<PathBuf> = first.map(|name| root.join(name)).collect();
    let above: BTreeSet<PathBuf> = configured().filter_map(|file| Some(root.join(Path::new(file).parent()?))).collect();
    let files = above.iter().flat_map(std::fs::read_dir).flatten().flatten().map(|entry| entry.path());
    let links = files.filter(|file| file.is_file()).chain(above.iter().cloned());
    let targets = links.filter_map(|path| std::fs::canonicalize(path).ok());
    let outside: BTreeSet<PathBuf> =
        targets.filter(|target| !top.iter().any(|place| target.starts_with(place))).collect();
    SYSFS.iter().map(|name| root.join(name)).chain(outside).chain(top.iter().cloned()).collect()
}

/// Reads what is allowed of the files below `root` into a [`Tree`]. Links are kept as links and followed inside `root`
/// only. What is there and cannot be read is kept as that; the only error is a `root` that is no directory.
pub fn keep(root: &Path) -> io::Result<Tree> {
    keep_rows(root, &[ALLOWED, SELDOM].concat())
}

/// The same of a tree that is not this machine's: it may be a support archive.
pub fn keep_archive(root: &Path) -> io::Result<Tree> {
    keep_rows(root, &[ALLOWED, SELDOM, ARCHIVE].concat())
}

/// The same of a guest, or of a copy of its files.
pub fn keep_guest(root: &Path) -> io::Result<Tree> {
    keep_rows(root, &[ALLOWED, SELDOM, GUEST].concat())
}

/// The same without the names of devices, for whoever looks often.
pub fn keep_nameless(root: &Path) -> io::Result<Tree> {
    keep_rows(root, ALLOWED)
}

fn keep_rows(root: &Path, rows: &[Row]) -> io::Result<Tree> {
    let mut keeper = Keeper {
        inside: Inside::open(root)?,
        is_copy: root != Path::new("/"),
        tree: Tree::default(),
        listed: BTreeMap::new(),
        left: MOST_BYTES,
    };
    for (above, names, take) in rows {
        for name in *names {
            let path = if above.is_empty() { (*name).to_owned() } else { format!("{above}/{name}") };
            keeper.expand("", &path, *take);
        }
    }
    for file in PLACES.iter().flat_map(|place| place.files).filter(|file| is_configuration(file)) {
        keeper.expand("", file, Contents(LONG));
    }
    Ok(keeper.tree)
}

/// Whether a place is a file of the system and not one of the running kernel: those are rows of their own.
fn is_configuration(file: &str) -> bool {
    !["proc", "sys"].contains(&first(file))
}

struct Keeper {
    inside: Inside,
    /// Whether the root is not the running machine's: what a link leads to may be there, and not have been copied.
    is_copy: bool,
    tree: Tree,
    /// The names of every directory that was listed, by the path it was asked by.
    listed: BTreeMap<String, Vec<String>>,
    left: u64,
}

impl Keeper {
    /// Takes every path that `pattern` below `above` stands for.
    fn expand(&mut self, above: &str, pattern: &str, take: Take) {
        let (part, rest) = pattern.split_once('/').map_or((pattern, None), |(part, rest)| (part, Some(rest)));
        let names = match part {
            "{console}" => self.consoles(),
            "{release}" => self.release(),
            _ if part.contains(['*', '{']) => {
                self.list(above);
                self.listed.get(above).into_iter().flatten().filter(|name| stands_for(part, name)).cloned().collect()
            }
            _ => vec![part.to_owned()],
        };
        for name in names {
            let path = if above.is_empty() { name } else { format!("{above}/{name}") };
            match rest {
                Some(rest) => self.expand(&path, rest, take),
                None => self.take(&path, take),
            }
        }
    }

    fn take(&mut self, path: &str, take: Take) {
        // What is asked for by its `.` is the directory, wherever a link leads to it.
        let follow = !matches!(take, Link) || path.ends_with("/.");
        let Some(entry) = self.walk(path, follow) else { return };
        let node = match (take, &entry.kind) {
            (Link, FileKind::Link(target)) => Node::Link(target.clone()),
            (Link, FileKind::Directory) => Node::Directory,
            (Link, FileKind::File | FileKind::Special | FileKind::Null) => Node::Unreadable("is not a link".to_owned()),
            (Files(_) | Database(_), FileKind::Directory) => return,
            (Contents(_) | Files(_) | Database(_), FileKind::Null) => Node::File(Vec::new()),
            (Contents(most) | Files(most), _) => {
                self.contents(path, &entry, most).map_or_else(Node::Unreadable, Node::File)
            }
            (Database(most), _) => {
                self.contents(path, &entry, most).map_or_else(Node::Unreadable, |bytes| Node::File(abridged(&bytes)))
            }
        };
        if node == Node::Directory && self.tree.list(&entry.path) != Known::Absent {
            return;
        }
        self.tree.insert(&entry.path, node);
    }

    fn contents(&mut self, asked: &str, entry: &FileEntry, most: u64) -> Result<Vec<u8>, String> {
        // A configuration file that is a link into sysfs would open what is not on the list.
        let (wanted, found) = (first(asked), first(&entry.path));
        if wanted != found && ["sys", "proc", "dev"].contains(&found) {
            return Err(format!("is a link into /{found}"));
        }
        let bytes = entry.read(most.min(self.left)).map_err(|why| why.to_string())?;
        self.left = self.left.saturating_sub(bytes.len() as u64);
        Ok(bytes)
    }

    /// Lists the directory at `path`, once.
    fn list(&mut self, path: &str) {
        if self.listed.contains_key(path) {
            return;
        }
        let Some(entry) = self.walk(path, true).filter(|entry| entry.kind == FileKind::Directory) else { return };
        let mut names = Vec::new();
        match entry.list() {
            Ok(found) => {
                self.tree.insert(&entry.path, Node::Directory);
                for name in found {
                    match String::from_utf8(name) {
                        Ok(name) => names.push(name),
                        Err(bytes) => {
                            let name = String::from_utf8_lossy(bytes.as_bytes()).into_owned();
                            let why = Node::Unreadable("its name is not UTF-8".to_owned());
                            self.tree.insert(&format!("{}/{name}", entry.path), why);
                        }
                    }
                }
            }
            Err(why) => self.tree.insert(&entry.path, Node::Unreadable(why.to_string())),
        }
        self.listed.insert(path.to_owned(), names);
    }

    /// Walks `path`, and keeps the links and the closed doors on the way.
    fn walk(&mut self, path: &str, follow_last: bool) -> Option<FileEntry> {
        let tree = &mut self.tree;
        let mut last = None;
        let mut keep = |path: &str, target: &[u8]| {
            tree.insert(path, Node::Link(target.to_vec()));
            last = Some(path.to_owned()).filter(|_| target != b"/dev/null");
        };
        match self.inside.walk(path, follow_last, &mut keep) {
            PathEnd::Found(entry) => Some(entry),
            PathEnd::Absent => {
                if let Some(link) = last.filter(|link| self.is_copy && first(link) != "sys") {
                    self.note_left_behind(&link);
                }
                None
            }
            PathEnd::Closed(path, why) => {
                // A loop of links is kept as it is: whoever resolves it finds out the same.
                if tree.link(&path).is().is_none() {
                    tree.insert(&path, Node::Unreadable(why.to_string()));
                }
                None
            }
        }
    }

    /// Notes that what a link leads to is not in this copy, if so.
    fn note_left_behind(&mut self, link: &str) {
        if let PathEnd::Absent = self.inside.walk(link, true, &mut |_, _| {})
            && let Known::Is(target) = self.tree.resolve(link)
        {
            self.tree.insert(&target, Node::Unreadable(format!("/{link} leads there, and it is not in this copy")));
        }
    }

    fn release(&self) -> Vec<String> {
        let text = self.tree.read_text("proc/sys/kernel/osrelease");
        text.is().filter(|name| !name.is_empty() && !name.contains('/')).cloned().into_iter().collect()
    }

    fn consoles(&self) -> Vec<String> {
        let text = self.tree.read_text("proc/consoles").is().cloned().unwrap_or_default();
        let names = text.lines().filter_map(|line| line.split_whitespace().next());
        names.filter(|name| !name.contains('/')).map(str::to_owned).collect()
    }
}

fn stands_for(pattern: &str, name: &str) -> bool {
    match pattern {
        "{address}" => Address::from_kernel(name.as_bytes()).is_some(),
        _ => pattern.split_once('*').is_some_and(|(start, end)| {
            let rest = name.strip_prefix(start);
            // A second star stands at the end.
            match end.strip_suffix('*') {
                Some(middle) => rest.is_some_and(|rest| rest.contains(middle)),
                None => rest.is_some_and(|rest| rest.ends_with(end)),
            }
        }),
    }
}

fn first(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

/// The part of the machine that a path is in: of `/var`, where everything is that programs keep, only what is theirs for good.
fn place(path: &str) -> &str {
    const KEPT: [&str; 2] = ["var/lib", "var/xapi"];
    KEPT.into_iter().find(|kept| path.starts_with(kept)).unwrap_or_else(|| first(path))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use super::*;

    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn of(manifest: &str) -> Self {
            let machine = Self::new();
            for (path, node) in Tree::from_manifest(manifest).unwrap().nodes() {
                match node {
                    Node::Directory => fs::create_dir_all(machine.at(path)).unwrap(),
                    Node::File(bytes) => machine.file(path, bytes),
                    Node::Link(target) => machine.link(path, std::str::from_utf8(target).unwrap()),
                    Node::Unreadable(_) => {}
                }
            }
            machine
        }

        fn at(&self, path: &str) -> PathBuf {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        }

        fn file(&self, path: &str, bytes: &[u8]) {
            fs::write(self.at(path), bytes).unwrap();
        }

        fn link(&self, path: &str, target: &str) {
            symlink(target, self.at(path)).unwrap();
        }

        fn kept(&self) -> Tree {
            keep(self.0.path()).unwrap()
        }
    }

    #[test]
    fn a_row_may_have_two_stars() {
        for (pattern, name, fits) in [
            ("ehci-*.ko*", "ehci-pci.ko.xz", true),
            ("ehci-*.ko*", "ehci-hcd.ko", true),
            ("ehci-*.ko*", "ehci-pci.o", false),
            ("uhci-hcd.ko*", "uhci-hcd.ko", true),
            ("*.conf", "a.conf.old", false),
        ] {
            assert_eq!(stands_for(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn links_never_lead_out_of_the_root() {
        let outside = Machine::new();
        outside.file("secret", b"secret");
        let machine = Machine::new();
        machine.link("proc", outside.0.path().to_str().unwrap());
        machine.link("etc/os-release", "../../../../../../../../../usr/lib/os-release");
        machine.file("usr/lib/os-release", b"ID=debian\n");
        machine.link("etc/modprobe.d/a.conf", outside.at("secret").to_str().unwrap());
        machine.link("etc/modprobe.d/b.conf", "/usr/lib/os-release");
        machine.link("lib", "usr/lib");
        machine.file("usr/lib/modprobe.d/c.conf", b"options x y\n");
        let kept = machine.kept();
        assert!(!kept.to_manifest().contains(" = secret"), "{}", kept.to_manifest());
        assert_eq!(kept.read_text("etc/os-release"), Known::Is("ID=debian".to_owned()));
        assert_eq!(kept.read_text("etc/modprobe.d/b.conf"), Known::Is("ID=debian".to_owned()));
        assert!(kept.read("etc/modprobe.d/a.conf").obstacle().unwrap().why.contains("not in this copy"));
        assert_eq!(kept.list("lib/modprobe.d"), Known::Is(vec!["c.conf"]));
    }

    #[test]
    fn a_hostile_tree_neither_blocks_nor_fills_the_memory() {
        let machine = Machine::new();
        rustix::fs::mkfifoat(rustix::fs::CWD, machine.at("proc/version"), rustix::fs::Mode::RUSR).unwrap();
        machine.link("proc/cmdline", "cmdline");
        machine.file("proc/uptime", &vec![b'1'; (64 << 10) + 1]);
        machine.file("etc/modprobe.d", b"");
        machine.link("etc/os-release", "/sys/bus/pci/drivers/pciback/quirks");
        machine.file("sys/bus/pci/drivers/pciback/quirks", b"crash");
        let kept = machine.kept();
        assert_eq!(kept.read("proc/version").obstacle().unwrap().why, "is not a regular file");
        assert_eq!(kept.read("proc/cmdline").obstacle().unwrap().why, "too many links");
        assert_eq!(kept.read("proc/uptime").obstacle().unwrap().why, "is longer than 65536 bytes");
        assert!(kept.read("etc/os-release").obstacle().is_some());
        assert!(!kept.to_manifest().contains("crash"));
    }

    #[test]
    fn what_cannot_be_read_is_kept_as_that() {
        let machine = Machine::new();
        machine.file("proc/version", b"Linux");
        fs::set_permissions(machine.at("proc/version"), fs::Permissions::from_mode(0o000)).unwrap();
        machine.file("sys/bus/pci/devices/0000:00:1d.0/driver", b"no link");
        machine.file("sys/bus/pci/devices/lost+found", b"");
        let kept = machine.kept();
        let is_root = fs::read(machine.at("proc/version")).is_ok();
        assert_eq!(kept.read("proc/version").obstacle().is_some(), !is_root);
        assert!(kept.link("sys/bus/pci/devices/0000:00:1d.0/driver").obstacle().is_some());
        assert_eq!(kept.list("sys/bus/pci/devices"), Known::Is(vec!["0000:00:1d.0"]));
        assert_eq!(kept.read("proc/cmdline"), Known::Absent);
        assert!(keep(Path::new("/nowhere")).is_err());
    }

    #[test]
    fn a_directory_without_anything_in_it_was_seen_all_the_same() {
        let machine = Machine::new();
        machine.link("sys/bus/pci/devices/0000:00:1d.0", "../../../devices/pci0000:00/0000:00:1d.0");
        machine.file("sys/devices/pci0000:00/0000:00:1d.0/other", b"");
        machine.file("sys/module/other", b"");
        machine.file("etc/passwd", b"");
        machine.link("lib", "usr/lib");
        machine.file("usr/lib/other", b"");
        let kept = machine.kept();
        for path in ["sys/bus/pci/devices/0000:00:1d.0", "sys/module", "etc", "lib"] {
            assert_eq!(kept.list(path), Known::Is(vec![]), "{path}");
        }
        assert_eq!(kept.list("run"), Known::Absent);
    }

    #[test]
    fn only_an_archive_has_texts_of_lspci() {
        let machine = Machine::new();
        machine.file("lspci-vv.out", b"a");
        machine.file("sos_commands/pci/lspci_-nnvv", b"b");
        let archive = keep_archive(machine.0.path()).unwrap();
        assert_eq!(archive.read("lspci-vv.out"), Known::Is(&b"a"[..]));
        assert_eq!(archive.read("sos_commands/pci/lspci_-nnvv"), Known::Is(&b"b"[..]));
        assert_eq!(machine.kept().read("lspci-vv.out"), Known::Absent);
    }

    #[test]
    fn the_places_hold_every_file_that_is_opened() {
        let places = places();
        for (above, names, take) in ALLOWED.iter().chain(SELDOM) {
            for name in names.iter().filter(|_| !matches!(take, Link)) {
                let path = Path::new("/").join(above).join(name);
                assert!(places.iter().any(|place| path.starts_with(place)), "{}", path.display());
            }
        }
    }

    #[test]
    fn a_masked_configuration_file_is_empty() {
        let machine = Machine::new();
        machine.link("etc/modprobe.d/a.conf", "/dev/null");
        assert_eq!(machine.kept().read("etc/modprobe.d/a.conf"), Known::Absent);
        let dev = Path::new("/dev/null");
        assert!(dev.exists() && Inside::open(Path::new("/")).is_ok());
    }

    #[test]
    fn all_that_the_host_and_the_request_ask_for_is_allowed() {
        let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/captures");
        let mut seen = 0;
        for capture in fs::read_dir(captures).unwrap() {
            let manifest = capture.unwrap().path().join("root.txt");
            let Ok(text) = fs::read_to_string(&manifest) else { continue };
            let whole = Tree::from_manifest(&text).unwrap();
            let kept = Machine::of(&text).kept();
            let told = |tree: &Tree| format!("{:?} {:?}", crate::host::Host::read(tree), crate::request::find(tree));
            assert_eq!(told(&kept), told(&whole), "{}", manifest.display());
            seen += 1;
        }
        assert!(seen > 0, "no capture has a tree");
    }
}
