//! Which logs a root keeps: the ring buffer, what syslog wrote, and what the programs that collect support archives save.
//!
//! The layouts: sos (plugins `kernel` and `logs`, in its first versions `general`), xen-bugtool of XenServer and XCP-ng (`dmesg.out`
//! beside `var/log`), SUSE's supportconfig (text files of many sections), kdump (`vmcore-dmesg.txt`), and a copy of a root directory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::inside::{Entry, Inside, Kind, Place};
use super::saved::rotated::{Date, Member, is_journal, member};

/// A copy of the ring buffer's records.
pub(super) const RING: &str = "dev/kmsg";

/// Most files of one log that are read: its newest ones.
const MOST_PARTS: usize = 64;

/// Most directories of crashes, and of journals, that are looked into.
const MOST_DIRECTORIES: usize = 64;

/// Most logs that are read of a root.
pub(super) const MOST_LOGS: usize = 256;

/// Logs below `var/log` that the kernel's messages get into, by distribution: Debian, Fedora, SUSE, Arch, Alpine.
const SYSLOGS: &[&str] = &[
    "boot.dmesg",
    "boot.msg",
    "boot.omsg",
    "dmesg",
    "dmesg.log",
    "everything.log",
    "kern",
    "kern.log",
    "kernel",
    "kernel.log",
    "localmessages",
    "messages",
    "messages.log",
    "syslog",
    "syslog.log",
];

/// Files of supportconfig with the logs among their sections (SUSE supportutils, `bin/supportconfig`).
const SECTIONED: &[&str] = &["boot.txt", "crash.txt", "localmessages.txt", "messages.txt"];

/// The file of supportconfig with what `xl dmesg` printed among its sections.
pub(super) const XEN_SECTIONED: &str = "xen.txt";

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

/// Directories that a copy of a root directory or a support archive has, and a folder of logs has not; of the first ones no
/// file is a log.
const OF_ROOT: [&str; 14] = [
    "boot",
    "etc",
    "lib",
    "proc",
    "root",
    "sos_reports",
    "sys",
    "usr",
    "sos_logs",
    "dev",
    "run",
    "sos_commands",
    "sos_strings",
    "var",
];
const WITHOUT_LOGS: usize = 9;

/// Files that hold the name of the host.
pub(super) const HOSTNAMES: [&str; 5] =
    ["hostname", "etc/hostname", "etc/HOSTNAME", "proc/sys/kernel/hostname", "sos_commands/host/hostname"];

/// What a file of a support archive is for a search in logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Log,
    /// It holds the name of the host.
    Hostname,
    Other,
}

/// The role of a file by its path in a copy of a root directory. Above the root there may be other directories.
pub(crate) fn role(path: &str) -> Role {
    let names: Vec<&str> = path.split('/').collect();
    let Some((name, directories)) = names.split_last() else { return Role::Other };
    let Some(root) = directories.iter().position(|name| OF_ROOT.contains(name)) else {
        return if directories.len() <= 1 && *name == "hostname" { Role::Hostname } else { Role::Log };
    };
    let below = directories.get(root..).unwrap_or_default();
    if HOSTNAMES.contains(&join(&below.join("/"), name).as_str()) {
        return Role::Hostname;
    }
    let (base, _) = part(name);
    let is_log = match below {
        ["var", "crash", _] => Takes::Crash.takes(&base),
        ["var" | "run", "log", ..] => is_syslog(&base) || is_journal_text(&base) || is_journal(&base),
        ["sos_commands", "logs"] => is_journal_text(&base),
        ["sos_commands", "general" | "kernel"] => Takes::Dmesg.takes(&base),
        // sos links to them where it keeps the last lines of a long log.
        ["sos_strings", ..] => name
            .strip_suffix(".tailed")
            .and_then(|name| name.strip_prefix("var.log."))
            .is_some_and(|name| is_syslog(&part(name).0)),
        ["dev"] => base == "kmsg",
        _ => false,
    };
    if is_log { Role::Log } else { Role::Other }
}

/// The same for a root that is known to be one, where a path may be a directory that ends in `/`: its logs are below it.
pub(crate) fn role_below_root(path: &str) -> Role {
    match path.split_once('/') {
        Some((first, "")) if OF_ROOT.iter().take(WITHOUT_LOGS).any(|name| *name == first) => Role::Other,
        Some(_) if path.ends_with('/') => Role::Log,
        None if path != "hostname" && !Takes::Top.takes(&part(path).0) => Role::Other,
        _ => role(path),
    }
}

/// Whether a directory that holds these names is a copy of a root directory or a support archive.
pub(crate) fn is_root<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let known: BTreeSet<&str> = names.filter(|name| OF_ROOT.contains(name)).collect();
    known.contains("sos_commands") || (known.contains("var") && known.len() > 1)
}

/// Which names of a directory are logs.
#[derive(Clone, Copy)]
enum Takes {
    Syslogs,
    Journals,
    JournalFiles,
    Top,
    Dmesg,
    Crash,
    Ring,
    XenFiles,
    XenRing,
}

impl Takes {
    fn takes(self, base: &str) -> bool {
        match self {
            Self::Syslogs => is_syslog(base),
            Self::Journals => is_journal_text(base),
            Self::JournalFiles => is_journal(base) && !base.starts_with("user-"),
            Self::Dmesg => base.starts_with("dmesg"),
            Self::Crash => base.starts_with("vmcore-dmesg") || base.starts_with("dmesg"),
            Self::Ring => base == "kmsg",
            Self::XenFiles => base == "hypervisor.log",
            Self::XenRing => {
                let stem = base.split('.').next().unwrap_or(base).replace('-', "_");
                base == XEN_SECTIONED || matches!(stem.as_str(), "xl_dmesg" | "xm_dmesg" | "xen_dmesg")
            }
            Self::Top => {
                let stem = base.rsplit_once('.').map_or(base, |(stem, _)| stem);
                let copied = ["dmesg", "vmcore-dmesg", "kmsg"].iter().any(|start| stem.starts_with(start));
                copied || is_syslog(base) || is_syslog(stem) || is_journal_text(base) || SECTIONED.contains(&base)
            }
        }
    }
}

/// Whether a name, without what says its age, is that of a log which the kernel's messages get into.
pub(super) fn is_syslog(base: &str) -> bool {
    SYSLOGS.contains(&base)
}

/// Whether this is what `journalctl` printed of all units, named like the command: sos writes `_` for a blank.
pub(super) fn is_journal_text(name: &str) -> bool {
    const OTHER: &[&str] = &["unit", "disk-usage", "list-boots", "verify", "header", "fields", "user", "version"];
    let words = || name.split([' ', '_']).skip(1);
    let other =
        |word: &str| word == "-u" || OTHER.iter().any(|option| word.trim_start_matches('-').starts_with(option));
    let command = name.split([' ', '_', '.']).next();
    command == Some("journalctl") && !words().any(other)
}

/// One log that a root keeps, or why it cannot be read.
pub(super) struct Kept {
    /// The path behind all links, or the one that is closed.
    pub(super) path: String,
    pub(super) entry: Result<Entry, String>,
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
                self.fail(format!("{}*", join(directory, &base)), format!("{older} older files of it are not read"));
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
                self.fail(path, why);
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
            Place::Closed(path, why) => self.fail(path, why),
        }
    }

    fn fail(&mut self, path: String, why: String) {
        if self.seen.insert(path.clone()) {
            self.kept.push(Kept { path, entry: Err(why) });
        }
    }
}

/// How old a part of a log is by its name; the oldest is the least.
type Age = (bool, Option<Date>, Reverse<Option<u32>>);

/// The name of the log that a file is a part of, and the part's age. `journalctl` counts boots backwards (`--boot_-1`).
fn part(name: &str) -> (String, Age) {
    if let Some((before, boot)) = name.rsplit_once("--boot_-") {
        return (before.trim_end_matches('_').to_owned(), (false, None, Reverse(Some(boot.parse().unwrap_or(0)))));
    }
    let Member { base, age, .. } = member(name.as_bytes());
    let is_newest = age.date.is_none() && age.number.is_none();
    (String::from_utf8_lossy(&base).into_owned(), (is_newest, age.date, Reverse(age.number)))
}

fn join(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") }
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
    fn a_path_tells_what_a_file_of_an_archive_is_for() {
        for (path, expected) in [
            ("sosreport-gaia/var/log/messages-20261115.xz", Role::Log),
            ("sosreport-gaia/sos_commands/kernel/dmesg_-T", Role::Log),
            ("sosreport-gaia/sos_commands/logs/journalctl_--no-pager_--boot_-1", Role::Log),
            ("sosreport-gaia/sos_strings/logs/var.log.messages.tailed", Role::Log),
            ("sosreport-gaia/var/log/journal/0123/system.journal", Role::Log),
            ("a/var/log/remote/gaia/kern.log.2.gz", Role::Log),
            ("logs/gaia/anything.txt", Role::Log),
            ("sosreport-gaia/etc/hostname", Role::Hostname),
            ("sosreport-gaia/hostname", Role::Hostname),
            ("sosreport-gaia/sos_commands/host/hostname", Role::Hostname),
            ("sosreport-gaia/etc/modprobe.d/xen.conf", Role::Other),
            ("sosreport-gaia/var/log/audit/audit.log", Role::Other),
            ("sosreport-gaia/usr/share/doc/dmesg", Role::Other),
            ("logs/gaia/hostname/kern.log", Role::Log),
        ] {
            assert_eq!(role(path), expected, "{path}");
        }
        for (path, expected) in
            [("dmesg.out", Role::Log), ("version.txt", Role::Other), ("etc/", Role::Other), ("var/", Role::Log)]
        {
            assert_eq!(role_below_root(path), expected, "{path}");
        }
        assert!(is_root(["sos_commands", "x"].into_iter()) && is_root(["var", "etc"].into_iter()));
        assert!(!is_root(["var", "gaia"].into_iter()));
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
