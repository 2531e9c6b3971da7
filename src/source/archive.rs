//! Which logs a root keeps: the ring buffer, what syslog wrote, and what the programs that collect support archives save.
//!
//! The layouts: sos (plugins `kernel` and `logs`, in its first versions `general`), xen-bugtool of XenServer and XCP-ng (`dmesg.out`
//! beside `var/log`), SUSE's supportconfig (text files of many sections), kdump (`vmcore-dmesg.txt`), and a copy of a root directory.

mod layout;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use super::inside::{Entry, Inside, Kind, Place};
use layout::{Age, Takes, join, part};
pub(super) use layout::{HOSTNAMES, XEN_SECTIONED, is_journal_text, is_root, is_syslog, role_below_root};
pub(crate) use layout::{Role, role};

/// A copy of the ring buffer's records.
pub(super) const RING: &str = "dev/kmsg";

/// Most files of one log that are read: its newest ones.
const MOST_PARTS: usize = 64;

/// Most directories of crashes, and of journals, that are looked into.
const MOST_DIRECTORIES: usize = 64;

/// Most logs that are read of a root.
pub(super) const MOST_LOGS: usize = 256;

/// What is taken of a directory, and where; what is written last comes last.
const PLACES: &[(&str, Takes)] = &[
    ("var/log", Takes::Syslogs),
    ("sos_commands/logs", Takes::Journals),
    ("", Takes::Top),
    ("sos_commands/general", Takes::Dmesg),
    ("sos_commands/kernel", Takes::Dmesg),
    ("dev", Takes::Ring),
];

/// Where the hypervisor's log is: sos' plugin `xen`, xen-bugtool (`xl-dmesg.out`), supportconfig (`xen.txt`), xenconsoled.
const XEN_PLACES: &[(&str, Takes)] = &[
    ("var/log/xen", Takes::XenFiles),
    ("xen", Takes::XenRing),
    ("", Takes::XenRing),
    ("sos_commands/xen", Takes::XenRing),
];

/// Where journald keeps its files.
const JOURNALS: [&str; 2] = ["var/log/journal", "run/log/journal"];

/// One log that a root keeps, or why it cannot be read.
pub(super) struct Kept {
    /// The path behind all links, or the one that is closed.
    pub(super) path: String,
    entry: Result<Entry, String>,
}

impl Kept {
    /// Opens it, unless the running kernel makes it up.
    pub(super) fn open(self) -> Result<File, String> {
        self.entry?.open_saved().map_err(|why| why.to_string())
    }
}

/// Every log below a root, the older parts of each first. A file that several paths lead to is there once.
pub(super) fn find(inside: &Inside) -> Vec<Kept> {
    let mut finder = Finder { inside, seen: BTreeSet::new(), kept: Vec::new() };
    finder.crashes();
    for directory in JOURNALS {
        finder.journals(directory);
    }
    for (directory, takes) in PLACES {
        finder.directory(directory, *takes);
    }
    let mut kept = finder.kept;
    if kept.len() > MOST_LOGS {
        let why = format!("there are {} logs, of which {MOST_LOGS} are read", kept.len());
        kept.drain(..kept.len() - MOST_LOGS);
        kept.insert(0, Kept { path: String::new(), entry: Err(why) });
    }
    kept
}

/// Every log of the hypervisor below a root, the older parts of each first.
pub(super) fn find_xen(inside: &Inside) -> Vec<Kept> {
    let mut finder = Finder { inside, seen: BTreeSet::new(), kept: Vec::new() };
    for (directory, takes) in XEN_PLACES {
        finder.directory(directory, *takes);
    }
    finder.kept
}

struct Finder<'a> {
    inside: &'a Inside,
    seen: BTreeSet<String>,
    kept: Vec<Kept>,
}

impl Finder<'_> {
    /// The logs in one directory.
    fn directory(&mut self, directory: &str, takes: Takes) {
        let mut logs: BTreeMap<String, Vec<(Age, String)>> = BTreeMap::new();
        for name in self.names(directory) {
            let (base, age) = part(&name);
            if takes.takes(&base) {
                logs.entry(base).or_default().push((age, join(directory, &name)));
            }
        }
        // sos keeps the ring a second time with dates (`dmesg_-T`), which have no clock to lay the two over each other by.
        if logs.contains_key("dmesg") {
            logs.retain(|base, _| !base.starts_with("dmesg_-"));
        }
        for (base, mut parts) in logs {
            parts.sort();
            if let Some(older) = parts.len().checked_sub(MOST_PARTS).filter(|older| *older > 0) {
                parts.drain(..older);
                self.fail(format!("{}*", join(directory, &base)), &format!("{older} older files of it are not read"));
            }
            for (_, path) in parts {
                self.file(&path);
            }
        }
    }

    /// What kdump saved of kernels that crashed, a directory each.
    fn crashes(&mut self) {
        const ABOVE: &str = "var/crash";
        let names = self.names(ABOVE);
        for name in names.iter().skip(names.len().saturating_sub(MOST_DIRECTORIES)) {
            self.directory(&join(ABOVE, name), Takes::Crash);
        }
    }

    /// The journal files of each machine; user space's own are not looked into.
    fn journals(&mut self, directory: &str) {
        let machines = self.names(directory);
        for machine in machines.iter().take(MOST_DIRECTORIES) {
            self.directory(&join(directory, machine), Takes::JournalFiles);
        }
    }

    fn names(&mut self, directory: &str) -> Vec<String> {
        let listed = match self.inside.walk(directory, true, &mut |_, _| {}) {
            Place::Found(entry) if entry.kind == Kind::Directory => entry.list().map_err(|why| (entry.path, why)),
            Place::Found(_) | Place::Absent => return Vec::new(),
            Place::Closed(path, why) => Err((path, why)),
        };
        match listed {
            Ok(names) => names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect(),
            Err((path, why)) => {
                self.fail(path, &why);
                Vec::new()
            }
        }
    }

    fn file(&mut self, path: &str) {
        match self.inside.walk(path, true, &mut |_, _| {}) {
            Place::Found(entry) if entry.kind == Kind::File => {
                if self.seen.insert(entry.path.clone()) {
                    self.kept.push(Kept { path: entry.path.clone(), entry: Ok(entry) });
                }
            }
            Place::Found(_) | Place::Absent => {}
            Place::Closed(path, why) => self.fail(path, &why),
        }
    }

    fn fail(&mut self, path: String, why: &impl ToString) {
        if self.seen.insert(path.clone()) {
            self.kept.push(Kept { path, entry: Err(why.to_string()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn found(names: &[&str]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            let path = root.path().join(name.trim_end_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if name.ends_with('/') {
                fs::create_dir(path).unwrap();
            } else {
                fs::write(path, b"").unwrap();
            }
        }
        let show = |kept: Kept| match kept.entry {
            Ok(_) => kept.path,
            Err(why) => format!("{}: {why}", kept.path),
        };
        find(&Inside::open(root.path()).unwrap()).into_iter().map(show).collect()
    }

    #[test]
    fn every_log_of_each_layout_is_found_the_older_parts_first() {
        for (names, expected) in [
            (
                &["var/log/kern.log", "var/log/kern.log.1", "var/log/kern.log.2.gz", "var/log/kern.log.10.gz"][..],
                &["var/log/kern.log.10.gz", "var/log/kern.log.2.gz", "var/log/kern.log.1", "var/log/kern.log"][..],
            ),
            (
                &["var/log/messages", "var/log/messages-20261122.xz", "var/log/messages-20261115.bz2"],
                &["var/log/messages-20261115.bz2", "var/log/messages-20261122.xz", "var/log/messages"],
            ),
            (
                &[
                    "sos_commands/logs/journalctl_--no-pager_--boot",
                    "sos_commands/logs/journalctl_--no-pager_--boot_-1",
                    "sos_commands/logs/journalctl_--disk-usage",
                    "sos_commands/kernel/dmesg_-T",
                    "sos_commands/kernel/lsmod",
                ],
                &[
                    "sos_commands/logs/journalctl_--no-pager_--boot_-1",
                    "sos_commands/logs/journalctl_--no-pager_--boot",
                    "sos_commands/kernel/dmesg_-T",
                ],
            ),
            (
                &["dmesg.out", "xl-dmesg.out", "lspci-vv.out", "var/log/user.log", "var/log/dmesg.0", "var/log/dmesg"],
                &["var/log/dmesg.0", "var/log/dmesg", "dmesg.out"],
            ),
            (
                &["boot.txt", "messages.txt", "hardware.txt", "dev/kmsg", "var/crash/127.0.0.1-2026/vmcore-dmesg.txt"],
                &["var/crash/127.0.0.1-2026/vmcore-dmesg.txt", "boot.txt", "messages.txt", "dev/kmsg"],
            ),
        ] {
            assert_eq!(found(names), expected);
        }
    }

    #[test]
    fn journals_are_found_the_archived_ones_first() {
        let archived =
            "var/log/journal/0123/system@00061c2a6f3b1e8a9d4f27c05b7e6a10-0000000000000001-00064b1a2c3d4e5f.journal";
        let names = ["var/log/journal/0123/system.journal", archived, "var/log/journal/0123/user-1000.journal"];
        assert_eq!(found(&names), [archived, "var/log/journal/0123/system.journal"]);
    }

    #[test]
    fn what_is_not_read_is_said() {
        let names: Vec<String> = (1..=70).map(|number| format!("var/log/kern.log.{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found_of_many = found(&names);
        assert_eq!(found_of_many.first().unwrap(), "var/log/kern.log*: 6 older files of it are not read");
        assert_eq!((found_of_many.len(), found_of_many.last().unwrap().as_str()), (65, "var/log/kern.log.1"));
    }

    #[test]
    fn links_lead_to_a_file_once_and_never_out() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        };
        fs::write(at("sos_strings/logs/var.log.messages.tailed"), b"").unwrap();
        std::os::unix::fs::symlink("../../sos_strings/logs/var.log.messages.tailed", at("var/log/messages")).unwrap();
        std::os::unix::fs::symlink("messages", at("var/log/syslog")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", at("var/log/kern.log")).unwrap();
        let paths: Vec<String> = find(&Inside::open(root.path()).unwrap()).into_iter().map(|kept| kept.path).collect();
        assert_eq!(paths, ["sos_strings/logs/var.log.messages.tailed"]);
    }
}
