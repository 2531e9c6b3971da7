//! Lists that stand where nothing reads them: named, and never a source of the request.

use super::cmdline::in_line;
use super::{Location, Source, Written, modprobe};
use crate::tree::Tree;

/// Why nothing reads a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is an argument of the hypervisor, which does not hand it on.
    Hypervisor,
    /// kmod reads only files whose name ends with `.conf`, in directories.
    NotKmods,
}

/// A list that nothing reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The list.
    pub written: Written,
    /// Why nothing reads it.
    pub why: Why,
}

/// How the file of a boot loader names the hypervisor's arguments.
type Line = fn(&str) -> Option<String>;

/// Where a boot loader keeps the hypervisor's arguments: a directory, the end of the names in it, and how a line is read.
const PLACES: &[(&str, &str, Line)] = &[
    ("etc/default", "grub", grub_variable),
    ("etc/default/grub.d", ".cfg", grub_variable),
    ("boot", "xen.cfg", xen_options),
];

/// Where each system on an EFI partition has its directory.
const EFI: &str = "boot/efi/EFI";

/// Every list of a machine that nothing reads.
pub fn find(tree: &Tree) -> Vec<Unread> {
    let mut found: Vec<Unread> =
        modprobe::passed_over(tree).into_iter().map(|written| Unread { written, why: Why::NotKmods }).collect();
    let names = |directory: &str| tree.list(directory).is().cloned().unwrap_or_default();
    for (directory, end, read) in PLACES {
        for name in names(directory).into_iter().filter(|name| name.ends_with(end)) {
            found.extend(in_file(tree, &format!("{directory}/{name}"), *read));
        }
    }
    for system in names(EFI) {
        found.extend(in_file(tree, &format!("{EFI}/{system}/xen.cfg"), xen_options));
    }
    found
}

/// The lists in Xen's own record of its command line, as its console and `xl dmesg` have it (xen/arch/x86/setup.c,
/// `__start_xen`, "Command line: "), with any time stamp before or behind its prefix.
pub fn logged(record: &[u8]) -> Vec<Written> {
    const PREFIX: &[u8] = b"(XEN) ";
    let record = record.trim_ascii_start();
    let Some(text) = behind_stamp(record).strip_prefix(PREFIX) else { return Vec::new() };
    let Some(line) = behind_stamp(text).strip_prefix(b"Command line: ") else { return Vec::new() };
    in_line(line, Source::Log, None)
}

/// What follows a time in square brackets.
fn behind_stamp(text: &[u8]) -> &[u8] {
    let inner = text.strip_prefix(b"[").and_then(|inner| {
        let end = inner.iter().take(40).position(|byte| *byte == b']')?;
        inner.get(end + 1..)
    });
    inner.unwrap_or(text).trim_ascii_start()
}

fn in_file(tree: &Tree, path: &str, read: Line) -> Vec<Unread> {
    let text = tree.read(path).is().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default();
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let Some(line) = read(line.trim()) else { continue };
        let location = Location::on_host(path, Some(number));
        let lists = in_line(line.as_bytes(), Source::CommandLine, Some(&location));
        found.extend(lists.into_iter().map(|written| Unread { written, why: Why::Hypervisor }));
    }
    found
}

/// `GRUB_CMDLINE_XEN="..."` and `GRUB_CMDLINE_XEN_DEFAULT` (`util/grub.d/20_linux_xen.in` of GRUB).
fn grub_variable(line: &str) -> Option<String> {
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    if !matches!(name, "GRUB_CMDLINE_XEN" | "GRUB_CMDLINE_XEN_DEFAULT") {
        return None;
    }
    let value = value.trim();
    let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.split(*quote).next());
    Some(unquoted.unwrap_or(value).to_owned())
}

/// `options=...` of xen.cfg (docs/misc/efi.pandoc); `kernel=` is dom0's.
fn xen_options(line: &str) -> Option<String> {
    let (name, value) = line.split_once('=')?;
    (name.trim() == "options").then(|| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_on_the_hypervisor_s_line_are_named_with_their_place() {
        let manifest = "etc/default/grub = # GRUB_CMDLINE_XEN=\"xen-pciback.hide=(0)\"\\n\
                        GRUB_CMDLINE_LINUX=\"xen-pciback.hide=(1)\"\\n\
                        GRUB_CMDLINE_XEN_DEFAULT=\"dom0_mem=2G xen-pciback.hide=(06:00.0) iommu=1\"\\n\n\
                        etc/default/grub.d/xen.cfg = GRUB_CMDLINE_XEN='xen-pciback.hide=(07:00.0)'\\n\n\
                        boot/efi/EFI/qubes/xen.cfg = [x]\\noptions=loglvl=all xen-pciback.hide=(08:00.0)\\n\
                        kernel=vmlinuz xen-pciback.hide=(2)\\n\n";
        let found = find(&Tree::from_manifest(manifest).unwrap());
        let shown: Vec<String> = found
            .iter()
            .map(|list| {
                let location = list.written.location.as_ref().unwrap();
                format!("{location} {}", String::from_utf8_lossy(&list.written.text))
            })
            .collect();
        let expected = [
            "/etc/default/grub:3 (06:00.0)",
            "/etc/default/grub.d/xen.cfg:1 (07:00.0)",
            "/boot/efi/EFI/qubes/xen.cfg:2 (08:00.0)",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn xen_s_own_record_is_known_with_its_stamps() {
        for record in [
            "(XEN) Command line: x xen-pciback.hide=(06:00.0) y",
            "(XEN) [    0.000000] Command line: xen-pciback.hide=(06:00.0)",
            "[2024-05-01 10:00:00] (XEN) [2024-05-01 10:00:00.123] Command line: placeholder xen_pciback.hide=(06:00.0)",
        ] {
            let found = logged(record.as_bytes());
            assert_eq!(found.len(), 1, "{record}");
            assert_eq!(found[0].text, b"(06:00.0)");
        }
        for record in
            ["Command line: xen-pciback.hide=(06:00.0)", "(XEN) x Command line: xen-pciback.hide=(1)", "(XEN) ["]
        {
            assert_eq!(logged(record.as_bytes()), [], "{record}");
        }
    }
}
