//! What a file is, by its path in a copy of a root directory or in a support archive. Nothing is opened.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::super::saved::rotated::{Date, Member, is_journal, member};

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
pub(in super::super) const XEN_SECTIONED: &str = "xen.txt";

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
pub(in super::super) const HOSTNAMES: [&str; 5] =
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
pub(in super::super) fn role_below_root(path: &str) -> Role {
    match path.split_once('/') {
        Some((first, "")) if OF_ROOT.iter().take(WITHOUT_LOGS).any(|name| *name == first) => Role::Other,
        Some(_) if path.ends_with('/') => Role::Log,
        None if path != "hostname" && !Takes::Top.takes(&part(path).0) => Role::Other,
        _ => role(path),
    }
}

/// Whether a directory that holds these names is a copy of a root directory or a support archive.
pub(in super::super) fn is_root<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let known: BTreeSet<&str> = names.filter(|name| OF_ROOT.contains(name)).collect();
    known.contains("sos_commands") || (known.contains("var") && known.len() > 1)
}

/// Which names of a directory are logs.
#[derive(Clone, Copy)]
pub(super) enum Takes {
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
    pub(super) fn takes(self, base: &str) -> bool {
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
pub(in super::super) fn is_syslog(base: &str) -> bool {
    SYSLOGS.contains(&base)
}

/// Whether this is what `journalctl` printed of all units, named like the command: sos writes `_` for a blank.
pub(in super::super) fn is_journal_text(name: &str) -> bool {
    const OTHER: &[&str] = &["unit", "disk-usage", "list-boots", "verify", "header", "fields", "user", "version"];
    let words = || name.split([' ', '_']).skip(1);
    let other =
        |word: &str| word == "-u" || OTHER.iter().any(|option| word.trim_start_matches('-').starts_with(option));
    let command = name.split([' ', '_', '.']).next();
    command == Some("journalctl") && !words().any(other)
}

/// How old a part of a log is by its name; the oldest is the least.
pub(super) type Age = (bool, Option<Date>, Reverse<Option<u32>>);

/// The name of the log that a file is a part of, and the part's age. `journalctl` counts boots backwards (`--boot_-1`).
pub(super) fn part(name: &str) -> (String, Age) {
    if let Some((before, boot)) = name.rsplit_once("--boot_-") {
        return (before.trim_end_matches('_').to_owned(), (false, None, Reverse(Some(boot.parse().unwrap_or(0)))));
    }
    let Member { base, age, .. } = member(name.as_bytes());
    let is_newest = age.date.is_none() && age.number.is_none();
    (String::from_utf8_lossy(&base).into_owned(), (is_newest, age.date, Reverse(age.number)))
}

pub(super) fn join(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
