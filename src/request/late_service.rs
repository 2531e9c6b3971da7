//! The unit that gives devices of built-in drivers to pciback once the system is up, as the plan of this program writes it.

use std::collections::BTreeSet;

use crate::pci::Address;
use crate::tree::Tree;

/// The unit (systemd.service(5)).
pub const UNIT: &str = "etc/systemd/system/pciback-late.service";

/// The link by which it is started at boot.
pub const ENABLED: &str = "etc/systemd/system/multi-user.target.wants/pciback-late.service";

/// The devices that it takes at each boot: none where it is not enabled.
pub fn taken(tree: &Tree) -> BTreeSet<Address> {
    let text = tree.read_text(UNIT).is().cloned().unwrap_or_default();
    let is_enabled = tree.link(ENABLED).is().is_some();
    let commands = text.lines().filter(|line| is_enabled && line.starts_with("ExecStart="));
    commands.flat_map(|line| line.split([' ', '\'', '"', ';'])).filter_map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_unit_that_is_enabled_takes_devices() {
        let unit = format!(
            "{UNIT} = [Service]\\nExecStart=/bin/sh -c \"set -- 0000:00:1d.0; for d; do xl pci-assignable-add $$d; done\"\\n\n"
        );
        let of = |manifest: &str| taken(&Tree::from_manifest(manifest).unwrap()).len();
        assert_eq!(of(&unit), 0);
        assert_eq!(of(&format!("{unit}{ENABLED} -> /{UNIT}\n")), 1);
    }
}
