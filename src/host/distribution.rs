//! The family of a distribution: how a change of module options comes to last.

use crate::tree::{Known, Tree};

/// How a distribution makes a change of module options last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Debian, Ubuntu and kin: initramfs-tools.
    Debian,
    /// Fedora, RHEL from 6 on, SUSE from 12 on, Void and kin: dracut.
    Dracut,
    /// Qubes OS: its own dracut hook, and its own list.
    Qubes,
    /// RHEL and its kin up to 5: `modprobe.conf` and mkinitrd.
    RedHat5,
    /// SLES up to 11: `modprobe.conf.local` and mkinitrd.
    Suse11,
    /// Arch: mkinitcpio.
    Arch,
    /// Alpine: mkinitfs.
    Alpine,
    /// NixOS: one configuration for everything.
    NixOs,
    /// XCP-ng and XenServer: pciback is built in, the list is on the command line.
    XenServer,
    /// Something else, or not known.
    Other,
}

/// The words of `ID` and `ID_LIKE` (os-release(5)) of each family. The first row that has one of them decides.
const IDS: &[(&[&str], Distribution)] = &[
    (&["xcp-ng", "xenserver", "xenenterprise"], Distribution::XenServer),
    (&["qubes"], Distribution::Qubes),
    (&["nixos"], Distribution::NixOs),
    (&["debian", "ubuntu"], Distribution::Debian),
    (&["fedora", "rhel", "centos", "suse", "opensuse", "sles", "void"], Distribution::Dracut),
    (&["arch"], Distribution::Arch),
    (&["alpine"], Distribution::Alpine),
];

/// Files that name a distribution without `os-release`. The first one that is there decides.
const FILES: &[(&str, Distribution)] = &[
    ("etc/xensource-inventory", Distribution::XenServer),
    ("etc/qubes-release", Distribution::Qubes),
    ("etc/NIXOS", Distribution::NixOs),
    ("etc/alpine-release", Distribution::Alpine),
    ("etc/arch-release", Distribution::Arch),
    ("etc/debian_version", Distribution::Debian),
];

impl Distribution {
    /// By `os-release`, else by the file that each distribution had before that.
    pub(super) fn read(tree: &Tree) -> Self {
        let by_file = || FILES.iter().find(|(file, _)| tree.read(file) != Known::Absent).map(|(_, family)| *family);
        let text = ["etc/os-release", "usr/lib/os-release"].iter().find_map(|file| tree.read_text(file).is().cloned());
        let found = match text {
            Some(text) => by_id(&text),
            None => by_file().or_else(|| of_red_hat(tree)).or_else(|| of_suse(tree)),
        };
        found.unwrap_or(Self::Other)
    }
}

fn by_id(text: &str) -> Option<Distribution> {
    let lines = text.lines().filter(|line| line.starts_with("ID=") || line.starts_with("ID_LIKE="));
    let words: Vec<&str> = lines.flat_map(|line| line.split(['=', '"', '\'', ' '])).collect();
    // `opensuse-leap` and its like are named by their first part.
    let is_one = |name: &&str| words.iter().any(|word| word == name || word.split('-').next() == Some(name));
    IDS.iter().find(|(names, _)| names.iter().any(&is_one)).map(|(_, family)| *family)
}

/// `CentOS release 5.2 (Final)`, `Red Hat Enterprise Linux Server release 6.10 (Santiago)`.
fn of_red_hat(tree: &Tree) -> Option<Distribution> {
    let text = tree.read_text("etc/redhat-release").is().cloned()?;
    if ["XCP-ng", "XenServer", "Citrix"].iter().any(|name| text.contains(name)) {
        return Some(Distribution::XenServer);
    }
    if text.contains("Qubes") {
        return Some(Distribution::Qubes);
    }
    let release = number(text.split_once("release ")?.1)?;
    Some(if text.contains("Fedora") || release > 5 { Distribution::Dracut } else { Distribution::RedHat5 })
}

/// `VERSION = 11` below `SUSE Linux Enterprise Server 11 (x86_64)`.
fn of_suse(tree: &Tree) -> Option<Distribution> {
    let text = tree.read_text("etc/SuSE-release").is().cloned()?;
    let version = text.lines().find_map(|line| line.strip_prefix("VERSION").and_then(number));
    Some(if version? > 11 { Distribution::Dracut } else { Distribution::Suse11 })
}

fn number(text: &str) -> Option<u32> {
    let text = text.trim_start_matches([' ', '=', '\t']);
    text.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(manifest: &str) -> Distribution {
        Distribution::read(&Tree::from_manifest(manifest).unwrap())
    }

    #[test]
    fn the_distribution_is_known_by_its_kin() {
        for (text, family) in [
            ("ID=linuxmint\\nID_LIKE=\"ubuntu debian\"\\n", Distribution::Debian),
            ("ID=xcp-ng\\nID_LIKE=\"centos rhel fedora\"\\n", Distribution::XenServer),
            ("ID=qubes\\nID_LIKE=\"rhel fedora\"\\n", Distribution::Qubes),
            ("ID=\"opensuse-leap\"\\nID_LIKE=\"suse opensuse\"\\n", Distribution::Dracut),
            ("ID=gentoo\\n", Distribution::Other),
        ] {
            assert_eq!(of(&format!("etc/os-release = {text}\n")), family, "{text}");
        }
    }

    #[test]
    fn older_ones_are_known_by_their_own_files() {
        for (line, family) in [
            ("etc/redhat-release = CentOS release 5.2 (Final)\\n", Distribution::RedHat5),
            ("etc/redhat-release = Red Hat Enterprise Linux Server release 6.10 (Santiago)\\n", Distribution::Dracut),
            ("etc/redhat-release = XenServer release 7.2.0 (xenenterprise)\\n", Distribution::XenServer),
            ("etc/SuSE-release = SUSE Linux Enterprise Server 11 (x86_64)\\nVERSION = 11\\n", Distribution::Suse11),
            ("etc/debian_version = 6.0.10\\n", Distribution::Debian),
            ("etc/issue = x\\n", Distribution::Other),
        ] {
            assert_eq!(of(&format!("{line}\n")), family, "{line}");
        }
    }
}
