//! Lists that stand where nothing reads them: named, and never a source of the request.

use super::cmdline::in_line;
use std::collections::BTreeSet;

use super::{Source, Written, boot_loader, misspelt, modprobe, modules, unmade};
use crate::tree::Tree;

/// Why nothing reads a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is an argument of the hypervisor, which does not hand it on.
    Hypervisor,
    /// kmod reads only files whose name ends with `.conf`, in directories.
    NotKmods,
    /// Only the names of modules are read there.
    NamesOnly,
    /// A program makes the boot loader's file of it, and has not done so.
    Unmade,
    /// It is for a module or a parameter of another name.
    Misspelt,
    /// The boot loader has it, or a file of which the boot loader's is made; the kernel was started without it.
    NotBooted,
}

/// A list that nothing reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The list.
    pub written: Written,
    /// Why nothing reads it.
    pub why: Why,
}

/// Every list of a machine that nothing reads.
pub fn find(tree: &Tree) -> Vec<Unread> {
    let unread = |why: Why| move |written: Written| Unread { written, why };
    let mut found: Vec<Unread> = modprobe::passed_over(tree).into_iter().map(unread(Why::NotKmods)).collect();
    found.extend(modules::passed_over(tree).into_iter().map(unread(Why::NamesOnly)));
    found.extend(misspelt::find(tree).into_iter().map(unread(Why::Misspelt)));
    let menus = boot_loader::menus(tree);
    let defaults = unmade::hypervisor(tree);
    let lines = menus.iter().flat_map(|menu| &menu.entries).filter_map(|entry| entry.hypervisor.as_ref());
    let mut on_hypervisor: Vec<Written> =
        defaults.into_iter().chain(lines.flat_map(boot_loader::Line::lists)).collect();
    // Every entry of a menu repeats what one file says.
    let mut texts: BTreeSet<Vec<u8>> = BTreeSet::new();
    on_hypervisor.retain(|list| texts.insert(list.text.clone()));
    found.extend(on_hypervisor.into_iter().map(unread(Why::Hypervisor)));
    found.extend(unmade::find(tree, &menus).into_iter().map(unread(Why::Unmade)));
    found.extend(unmade::not_booted(tree, &menus).into_iter().map(unread(Why::NotBooted)));
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
                        kernel=vmlinuz xen-pciback.hide=(1)\\n\n";
        let found = find(&Tree::from_manifest(manifest).unwrap());
        let shown: Vec<String> = found
            .iter()
            .map(|list| {
                let location = list.written.location.as_ref().unwrap();
                format!("{location} {}", String::from_utf8_lossy(&list.written.text))
            })
            .collect();
        let expected = [
            "/etc/default/grub:3:39 (06:00.0)",
            "/etc/default/grub.d/xen.cfg:1:19 (07:00.0)",
            "/boot/efi/EFI/qubes/xen.cfg:2:20 (08:00.0)",
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
