//! The list that XCP-ng's and XenServer's `xen-cmdline --set-dom0 xen-pciback.hide=...` wrote into the boot loader's file: XAPI
//! reads it back from there, in pieces of 14 characters (xen-api, `pciops.ml`), so that it understands full addresses only.

use super::{Said, Source, Written, boot_loader};
use crate::tree::{Known, Tree};

/// The lists for the next boot, on a host of this kind.
pub fn written(tree: &Tree) -> Said {
    let mut said = Said::nothing(Source::Xapi);
    if !is_xapi(tree) {
        return said;
    }
    match boot_loader::next(tree) {
        Known::Is(entry) => {
            let lists = entry.kernel.iter().flat_map(boot_loader::Line::lists);
            said.written.extend(lists.map(|list| Written { source: Source::Xapi, ..list }));
        }
        Known::Absent => {}
        Known::Unreadable(obstacle) => said.obstacles.push(obstacle),
    }
    said
}

/// Whether XAPI's tools are on this host: every XenServer and XCP-ng has this file (xen-api, `scripts/xensource-inventory`).
pub fn is_xapi(tree: &Tree) -> bool {
    let names = ["xcp-ng", "xenserver", "xenenterprise"];
    let release = tree.read_text("etc/os-release");
    let named = |line: &str| {
        (line.starts_with("ID=") || line.starts_with("ID_LIKE="))
            && line.split(['=', '"', '\'', ' ']).any(|word| names.contains(&word))
    };
    tree.read("etc/xensource-inventory").is().is_some() || release.is().is_some_and(|text| text.lines().any(named))
}

/// The first entry that is not 14 characters of the form `(dddd:bb:dd.f)`.
pub fn misread(list: &str) -> Option<String> {
    let mut rest = list;
    while !rest.is_empty() {
        let is_full = |text: &str| {
            text.bytes().zip("(0000:00:00.0)".bytes()).all(|(byte, form)| match form {
                b'0' => byte.is_ascii_hexdigit(),
                _ => byte == form,
            })
        };
        match rest.split_at_checked(14) {
            Some((entry, behind)) if is_full(entry) => rest = behind,
            Some(_) | None => {
                let end = rest.find(')').map_or(rest.len(), |at| at + 1);
                return rest.get(..end).map(str::to_owned);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_addresses_are_read() {
        assert_eq!(misread("(0000:04:01.0)(0000:00:19.0)"), None);
        assert_eq!(misread("(0000:04:01.0)(00:19.0)").as_deref(), Some("(00:19.0)"));
        assert_eq!(misread("(0000:04:01.*)").as_deref(), Some("(0000:04:01.*)"));
        assert_eq!(misread("(0000:04:01.0) (0000:00:19.0)").as_deref(), Some(" (0000:00:19.0)"));
    }
}
