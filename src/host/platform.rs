//! Platforms that keep a list of their own, and feed pciback from it at run time.
//!
//! pciback's `slots` then shows what came of that list, and not what was wanted.

use super::Distribution;
use crate::tree::{Obstacle, Tree};

/// The platform's own list, as far as this tree shows that there is one: where it is, and what.
///
/// Qubes' dracut hook reads the command line (qubes-core-admin-linux, dracut/modules.d/90qubes-pciback), XenServer's and XCP-ng's
/// toolstack its database, openSUSE's and SLES' xen package `/etc/sysconfig/pciback`.
pub fn own_list(tree: &Tree) -> Option<Obstacle> {
    const SYSCONFIG: &str = "etc/sysconfig/pciback";
    let found = |path: &str, why: &str| Some(Obstacle { path: path.to_owned(), why: why.to_owned() });
    let line = tree.read_text("proc/cmdline");
    if line.is().is_some_and(|line| line.split_whitespace().any(|word| word.starts_with("rd.qubes.hide_"))) {
        return found("proc/cmdline", "rd.qubes.hide_pci and rd.qubes.hide_all_usb name the devices that Qubes hides");
    }
    let family = Distribution::read(tree);
    if family == Distribution::Qubes && line.is().is_none_or(String::is_empty) {
        return found("proc/cmdline", "is not known, and Qubes is told there which devices to hide");
    }
    if family == Distribution::XenServer {
        return found("var/xapi/state.db", "XAPI's database names the devices of each guest");
    }
    let sysconfig = tree.read_text(SYSCONFIG);
    let holds =
        |text: &String| text.lines().any(|line| line.trim_start().starts_with("XEN_PCI_HIDE_LIST=") && names_any(line));
    if sysconfig.obstacle().is_some() || sysconfig.is().is_some_and(holds) {
        return found(SYSCONFIG, "XEN_PCI_HIDE_LIST names the devices that are given to pciback at boot");
    }
    None
}

fn names_any(line: &str) -> bool {
    line.split_once('=').is_some_and(|(_, value)| value.trim_matches(['"', '\'', ' ']).contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_the_platform_is_seen_by_its_place() {
        for (manifest, path) in [
            ("proc/cmdline = ro rd.qubes.hide_pci=01:00.0\\n\n", Some("proc/cmdline")),
            ("etc/os-release = ID=qubes\\n\n", Some("proc/cmdline")),
            ("etc/os-release = ID=qubes\\n\nproc/cmdline = ro\\n\n", None),
            ("etc/os-release = ID=\"xenenterprise\"\\n\n", Some("var/xapi/state.db")),
            ("etc/sysconfig/pciback = XEN_PCI_HIDE_LIST=\"e1000,0000:02:00.0\"\\n\n", Some("etc/sysconfig/pciback")),
            ("etc/sysconfig/pciback = XEN_PCI_HIDE_LIST=\"\"\\n\n", None),
            ("etc/qubes-release = Qubes release 3.2\\n\n", Some("proc/cmdline")),
            ("etc/xensource-inventory = PRODUCT_BRAND='XenServer'\\n\n", Some("var/xapi/state.db")),
            ("etc/os-release = ID=debian\\n\n", None),
        ] {
            let found = own_list(&Tree::from_manifest(manifest).unwrap()).map(|obstacle| obstacle.path);
            assert_eq!(found.as_deref(), path, "{manifest}");
        }
    }
}
