//! Lists that are given to a module or a parameter that nothing has: `options xen-pcibak hide=LIST`, `xen-pciback.hid=LIST`. kmod and the
//! kernel pass over options of modules that are never loaded, and the kernel ignores parameters that a module does not know.

use super::arguments::{arguments, same_name};
use super::hide;
use super::modprobe::{lines, options};
use super::{Location, Source, Written};
use crate::pci::Era;
use crate::tree::Tree;

/// Every such list in `modprobe.d` and on the kernel's command line. Nothing but pciback takes a list of that form.
pub(super) fn find(tree: &Tree) -> Vec<Written> {
    let mut found = Vec::new();
    for (location, line) in lines(tree) {
        let Some((module, given)) = options(&line) else { continue };
        let is_pcibacks = same_name(module, b"xen_pciback") || module == b"pciback";
        let before = format!("options {} ", String::from_utf8_lossy(module));
        found.extend(of_arguments(given, &before, Source::Modprobe, &location, &|key| is_pcibacks && key == b"hide"));
    }
    if let Some(line) = tree.read("proc/cmdline").is() {
        let location = Location::on_host("proc/cmdline", None);
        let is_read = |key: &[u8]| same_name(key, b"xen_pciback.hide") || key == b"pciback.hide";
        found.extend(of_arguments(line, "", Source::CommandLine, &location, &is_read));
    }
    found
}

fn of_arguments(
    text: &[u8],
    before: &str,
    source: Source,
    location: &Location,
    is_read: &dyn Fn(&[u8]) -> bool,
) -> Vec<Written> {
    let given = arguments(text).into_iter().filter(|argument| !is_read(&argument.key));
    let of_list = given.filter_map(|argument| Some((argument.key, argument.value.filter(|value| is_list(value))?)));
    of_list
        .map(|(key, text)| {
            let key = format!("{before}{}", String::from_utf8_lossy(&key));
            Written { text, source, location: Some(location.clone()), key, effective: false }
        })
        .collect()
}

fn is_list(value: &[u8]) -> bool {
    let list = hide::read(value, Era::From3_7);
    list.fault.is_none() && !list.entries.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_for_a_name_that_nothing_has_is_found() {
        let of = |text: &str| {
            let tree = Tree::from_manifest(text).unwrap();
            find(&tree).iter().map(|list| list.key.clone()).collect::<Vec<_>>()
        };
        for (line, key) in [
            ("options xen-pcibak hide=(00:1d.0)", "options xen-pcibak hide"),
            ("options xen_pciback permissive=1 hides=(00:1d.0)(00:1d.1)", "options xen_pciback hides"),
        ] {
            assert_eq!(of(&format!("etc/modprobe.d/x.conf = {line}\\n\n")), [key], "{line}");
        }
        for key in ["xen-pciback.hid", "xenpciback.hide", "hide"] {
            assert_eq!(of(&format!("proc/cmdline = quiet {key}=(00:1d.0)\\n\n")), [key]);
        }
        for near in [
            "etc/modprobe.d/x.conf = options xen-pciback hide=(00:1d.0)\\noptions pciback hide=(1:2.3)\\noptions e1000e x=(1)\\n\n",
            "proc/cmdline = xen_pciback.hide=(00:1d.0) pciback.hide=(00:1d.0) a=(b) c=()\\n\n",
        ] {
            assert!(of(near).is_empty(), "{near}");
        }
    }
}
