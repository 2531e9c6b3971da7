//! Which host a log is of, by where it is kept: for logs whose records name none.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use super::rotated::{self, dated, extension, is_address, is_log};

/// Directories and files that are called the same everywhere, so that their name says nothing about the host.
const GENERIC: &[&str] = &[
    "all",
    "alternatives",
    "anaconda",
    "apt",
    "archive",
    "archived",
    "archives",
    "auth",
    "authlog",
    "backup",
    "backups",
    "btmp",
    "bug-report",
    "bundle",
    "case",
    "cases",
    "central",
    "clients",
    "cloud-init",
    "collected",
    "console",
    "cron",
    "current",
    "customer",
    "customers",
    "daemon",
    "data",
    "desktop",
    "dev",
    "documents",
    "dom0",
    "downloads",
    "dpkg",
    "err",
    "error",
    "errors",
    "etc",
    "export",
    "files",
    "guests",
    "home",
    "host",
    "hosts",
    "hv",
    "hypervisor",
    "import",
    "in",
    "incoming",
    "info",
    "input",
    "installer",
    "kernels",
    "lib",
    "local",
    "localhost",
    "logging",
    "mail",
    "media",
    "misc",
    "mnt",
    "network",
    "new",
    "nodes",
    "old",
    "opt",
    "out",
    "output",
    "pm-suspend",
    "proc",
    "qemu",
    "rasdaemon",
    "remote",
    "remote-logs",
    "root",
    "rotated",
    "rsyslog",
    "run",
    "saved",
    "secure",
    "servers",
    "share",
    "sos",
    "sos_commands",
    "sosreport",
    "spool",
    "srv",
    "storage",
    "support",
    "sys",
    "syslog-ng",
    "systemd",
    "syslogs",
    "temp",
    "test",
    "ticket",
    "tickets",
    "tmp",
    "today",
    "tty",
    "upload",
    "uploads",
    "usr",
    "users",
    "uucp",
    "var",
    "warn",
    "work",
    "yesterday",
];

/// Directories that hold one directory a person.
const OF_PERSONS: &[&[u8]] = &[b"home", b"Users"];

/// What support archives begin with, and what stands behind the host.
const ARCHIVES: &[(&[u8], u8)] = &[(b"sosreport-", b'-'), (b"scc_", b'_'), (b"nts_", b'_')];

/// What the names of archives end with.
const TARS: &[&[u8]] =
    &[b".tar", b".tar.gz", b".tgz", b".tar.xz", b".txz", b".tar.zst", b".tzst", b".tar.bz2", b".tbz", b".tbz2"];

/// The component nearest to the file that can be a host's name. Only what was written is looked at: never the absolute path
/// of the working directory.
pub(crate) fn host(path: &Path) -> Option<String> {
    let names: Vec<&[u8]> = path.components().filter_map(normal).map(OsStr::as_bytes).collect();
    let (file, directories) = names.split_last()?;
    let above = directories.iter().enumerate().rev().filter_map(|(index, name)| {
        let holder = index.checked_sub(1).and_then(|before| directories.get(before));
        let personal = holder.is_some_and(|holder| OF_PERSONS.contains(holder));
        of_directory(name).filter(|_| !personal)
    });
    let name = of_file(file).or_else(|| above.into_iter().next())?;
    Some(String::from_utf8_lossy(&name).into_owned())
}

/// Whether the name of the file itself names a host, as that of a log such as `dmesg` does not.
pub(crate) fn names_host(path: &Path) -> bool {
    path.file_name().and_then(|name| of_file(name.as_bytes())).is_some()
}

fn normal(component: Component<'_>) -> Option<&OsStr> {
    if let Component::Normal(name) = component { Some(name) } else { None }
}

/// The host in a file's name: `dom0-a.log`, `dom0-a-dmesg.txt`, `dom0-a.kern.2.gz`; none in `dmesg-before.txt`.
fn of_file(name: &[u8]) -> Option<Vec<u8>> {
    if let Some(archive) = TARS.iter().find_map(|end| name.strip_suffix(*end)) {
        return of_directory(archive);
    }
    if let Some(host) = of_archive(name) {
        return named(host);
    }
    let base = rotated::member(name).base;
    let is_separator = |byte: &u8| matches!(byte, b'-' | b'_' | b'.');
    let mut stem = extension(&base).0;
    while let Some(at) = stem.iter().rposition(is_separator) {
        let (head, tail) = stem.split_at(at);
        if head.is_empty() || !is_log(tail.get(1..).unwrap_or_default()) {
            break;
        }
        stem = head;
    }
    let first = stem.split(is_separator).next().unwrap_or(stem);
    if is_log(first) { None } else { named(stem) }
}

/// The host in a directory's name: `dom0-a`, `dom0-a-2026-11-22`, `sosreport-dom0-a-2026-11-22-abcdefg`.
fn of_directory(name: &[u8]) -> Option<Vec<u8>> {
    named(of_archive(name).unwrap_or_else(|| dated(name).map_or(name, |(rest, _)| rest)))
}

/// The host in the name of a support archive: what stands in front of the date, and of a case's number.
fn of_archive(name: &[u8]) -> Option<&[u8]> {
    let (rest, separator) =
        ARCHIVES.iter().find_map(|(start, separator)| Some((name.strip_prefix(*start)?, *separator)))?;
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_date = |tail: &[u8]| match digits(tail) {
        4 => dated(tail.get(..10).unwrap_or_default()).is_some(),
        length => length >= 6 && (separator == b'_' || dated(tail.get(..8).unwrap_or_default()).is_some()),
    };
    let mut separators = rest.iter().enumerate().filter(|(_, byte)| **byte == separator).map(|(at, _)| at);
    let end = separators.find(|at| rest.get(at + 1..).is_some_and(is_date));
    let host = end.map_or(rest, |end| rest.get(..end).unwrap_or(rest));
    let case = host.iter().rposition(|byte| matches!(byte, b'-' | b'.'));
    let number = |at: &usize| host.get(at + 1..).is_some_and(|tail| tail.len() > 4 && digits(tail) == tail.len());
    Some(case.filter(number).map_or(host, |at| host.get(..at).unwrap_or(host)))
}

/// A name that can be a host's: neither generic, nor a date or a number. An address is one.
fn named(name: &[u8]) -> Option<Vec<u8>> {
    let lower = String::from_utf8_lossy(name).to_ascii_lowercase();
    let says_something = name.iter().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()) || is_address(name);
    // journald names a directory by the machine's id.
    let is_id = name.len() == 32 && name.iter().all(u8::is_ascii_hexdigit);
    (says_something && !is_id && !is_log(name) && !GENERIC.contains(&lower.as_str())).then(|| name.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_that_can_be_a_hosts_is_the_host() {
        for (path, expected) in [
            ("/var/log/remote/gaia/kern.log", "gaia"),
            ("/var/log/remote/gaia/kern.log-20261122.gz", "gaia"),
            ("/var/log/remote/gaia/2026/11/22/messages", "gaia"),
            ("gaia/var/log/messages", "gaia"),
            ("./gaia/var/log/messages.2.gz", "gaia"),
            ("../gaia/dmesg", "gaia"),
            ("/mnt/gaia/var/log/journal/kernel.export", "gaia"),
            ("/srv/logs/2026/11/gaia.log", "gaia"),
            ("2026-11-22/gaia.log.gz", "gaia"),
            ("gaia.log", "gaia"),
            ("gaia.example.com.log", "gaia.example.com"),
            ("gaia.example.com", "gaia.example.com"),
            ("gaia.log-20261122", "gaia"),
            ("gaia-20261122.log.gz", "gaia"),
            ("gaia.1.log", "gaia"),
            ("gaia/2026-11-22.log", "gaia"),
            ("gaia-2026-11-22/kern.log", "gaia"),
            ("hosts/10.0.0.1/kern.log", "10.0.0.1"),
            ("hosts/10.0.0.1.log.3.gz", "10.0.0.1"),
            ("hosts/fe80::1/kern.log", "fe80::1"),
            ("cases/4711/gaia-dmesg.txt", "gaia"),
            ("cases/4711/gaia.kern.log", "gaia"),
            ("sosreport-gaia-2026-11-22-abcdefg/sos_commands/kernel/dmesg", "gaia"),
            ("sosreport-gaia-b-01234567-2026-11-22-abcdefg/var/log/messages", "gaia-b"),
            ("sosreport-gaia.01234567-20261122101010/var/log/messages", "gaia"),
            ("sosreport-gaia-20261122101010/var/log/messages", "gaia"),
            ("scc_gaia_261122_0620/boot.txt", "gaia"),
            ("cases/sosreport-gaia-2026-11-22-abcdefg.tar.xz", "gaia"),
            ("gaia-2026-11-22.tgz", "gaia"),
            ("gaia/var/log/journal/0123456789abcdef0123456789abcdef/system.journal", "gaia"),
            ("/home/john/gaia/kern.log", "gaia"),
            ("/var/log/remote/DOM0-A/KERN.LOG", "DOM0-A"),
            ("remote/log-host1/kern.log", "log-host1"),
        ] {
            assert_eq!(host(Path::new(path)).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn where_nothing_can_be_a_hosts_name_there_is_none() {
        for path in [
            "/var/log/kern.log",
            "/var/log/kern.log.2.gz",
            "/var/log/messages-20261122",
            "/var/log/installer/syslog",
            "kern.log",
            "dmesg-before.txt",
            "dmesg-6.12.1-amd64",
            "2026-11-22.log",
            "2026/11/22/kern.log",
            "/home/john/kern.log",
            "/home/john/Downloads/dmesg.txt",
            "logs-2026-11-22/syslog",
            "/tmp/1234/kern.log",
            "/var/log/journal/0123456789abcdef0123456789abcdef/system.journal",
            "bug-report-20261122.tar.bz2",
            "/",
            "..",
            "-",
        ] {
            assert_eq!(host(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn a_host_may_be_called_by_any_bytes() {
        let path = Path::new(OsStr::from_bytes(b"remote/ga\xffia/kern.log"));
        assert_eq!(host(path).as_deref(), Some("ga\u{fffd}ia"));
    }
}
