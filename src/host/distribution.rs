//! The family of a distribution: how a change of module options comes to last.

use crate::tree::{Known, Tree};

/// How a distribution makes a change of module options last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Debian, Ubuntu and kin: initramfs-tools.
    Debian,
    /// Fedora, RHEL from 7 on, SUSE from 12 on, openEuler, Void and kin: dracut.
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
    // Their boot images are made by programs of their own, or by dracut where their kin do not use it.
    (&["postmarketos", "endeavouros"], Distribution::Other),
    (&["qubes"], Distribution::Qubes),
    (&["nixos"], Distribution::NixOs),
    (&["debian", "ubuntu"], Distribution::Debian),
    (&["fedora", "rhel", "centos", "suse", "opensuse", "sles", "void", "openeuler"], Distribution::Dracut),
    (&["arch"], Distribution::Arch),
    (&["alpine"], Distribution::Alpine),
];

/// Files of platforms whose `os-release` may be that of the distribution they are made of.
const PLATFORMS: &[(&str, Distribution)] =
    &[("etc/xensource-inventory", Distribution::XenServer), ("etc/qubes-release", Distribution::Qubes)];

/// Files that name a distribution without `os-release`. The first one that is there decides.
const FILES: &[(&str, Distribution)] = &[
    ("etc/NIXOS", Distribution::NixOs),
    ("etc/alpine-release", Distribution::Alpine),
    ("etc/arch-release", Distribution::Arch),
    ("etc/debian_version", Distribution::Debian),
];

impl Distribution {
    /// By `os-release`, else by the file that each distribution had before that.
    pub(super) fn read(tree: &Tree) -> Self {
        let by_file = |files: &[(&str, Self)]| {
            files.iter().find(|(file, _)| tree.read(file) != Known::Absent).map(|(_, family)| *family)
        };
        let found = by_file(PLATFORMS).or_else(|| match os_release(tree) {
            Some(text) => by_id(&text),
            None => by_file(FILES).or_else(|| of_red_hat(tree)).or_else(|| of_suse(tree)),
        });
        found.unwrap_or(Self::Other)
    }
}

fn os_release(tree: &Tree) -> Option<String> {
    ["etc/os-release", "usr/lib/os-release"].iter().find_map(|file| tree.read_text(file).is().cloned())
}

/// The `ID` of os-release(5).
pub fn id(tree: &Tree) -> Option<String> {
    let text = os_release(tree)?;
    let value = text.lines().find_map(|line| line.strip_prefix("ID="))?;
    Some(value.trim_matches(['"', '\'', ' ']).to_ascii_lowercase())
}

/// The first number of its `VERSION_ID`.
pub fn version(tree: &Tree) -> Option<u32> {
    let text = os_release(tree)?;
    number(text.lines().find_map(|line| line.strip_prefix("VERSION_ID="))?)
}

fn by_id(text: &str) -> Option<Distribution> {
    let text = text.to_ascii_lowercase();
    let lines = text.lines().filter(|line| line.starts_with("id=") || line.starts_with("id_like="));
    let words: Vec<&str> = lines.flat_map(|line| line.split(['=', '"', '\'', ' '])).collect();
    // `opensuse-leap` and its like are named by their first part.
    let is_one = |name: &&str| words.iter().any(|word| word == name || word.split('-').next() == Some(name));
    IDS.iter().find(|(names, _)| names.iter().any(&is_one)).map(|(_, family)| *family)
}

/// `CentOS release 5.2 (Final)`, `Red Hat Enterprise Linux Server release 6.10 (Santiago)`. The dracut of RHEL 6 and of a Fedora without
/// `os-release` is one of before `--regenerate-all` and `force_drivers` (027 and 039; dracut's git history).
fn of_red_hat(tree: &Tree) -> Option<Distribution> {
    let text = tree.read_text("etc/redhat-release").is().cloned()?;
    if ["XCP-ng", "XenServer", "Citrix"].iter().any(|name| text.contains(name)) {
        return Some(Distribution::XenServer);
    }
    if text.contains("Qubes") {
        return Some(Distribution::Qubes);
    }
    let release = number(text.split_once("release ")?.1)?;
    Some(match release {
        _ if text.contains("Fedora") => Distribution::Other,
        ..=5 => Distribution::RedHat5,
        6 => Distribution::Other,
        _ => Distribution::Dracut,
    })
}

/// `VERSION = 11` below `SUSE Linux Enterprise Server 11 (x86_64)`.
fn of_suse(tree: &Tree) -> Option<Distribution> {
    let text = tree.read_text("etc/SuSE-release").is().cloned()?;
    let version = text.lines().find_map(|line| line.strip_prefix("VERSION").and_then(number));
    Some(if version? > 11 { Distribution::Dracut } else { Distribution::Suse11 })
}

fn number(text: &str) -> Option<u32> {
    let text = text.trim_start_matches([' ', '=', '\t', '"', '\'']);
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
            ("ID=\"amzn\"\\nID_LIKE=\"centos rhel fedora\"\\n", Distribution::Dracut),
            ("ID=\"ol\"\\nID_LIKE=\"fedora\"\\n", Distribution::Dracut),
            ("ID=\"rocky\"\\nID_LIKE=\"rhel centos fedora\"\\n", Distribution::Dracut),
            ("ID=mageia\\nID_LIKE=\"mandriva fedora\"\\n", Distribution::Dracut),
            ("ID=\"openEuler\"\\n", Distribution::Dracut),
            ("ID=astra\\nID_LIKE=debian\\n", Distribution::Debian),
            ("ID_LIKE=debian\\n", Distribution::Debian),
            ("ID=manjaro\\nID_LIKE=arch\\n", Distribution::Arch),
            ("ID=endeavouros\\nID_LIKE=arch\\n", Distribution::Other),
            ("ID=\"postmarketos\"\\nID_LIKE=\"alpine\"\\n", Distribution::Other),
            ("ID=altlinux\\n", Distribution::Other),
            ("ID=clear-linux-os\\n", Distribution::Other),
            ("ID=slackware\\n", Distribution::Other),
            ("ID=guix\\n", Distribution::Other),
            ("NAME=x\\n", Distribution::Other),
        ] {
            assert_eq!(of(&format!("etc/os-release = {text}\n")), family, "{text}");
        }
    }

    #[test]
    fn older_ones_are_known_by_their_own_files() {
        for (line, family) in [
            ("etc/redhat-release = CentOS release 5.2 (Final)\\n", Distribution::RedHat5),
            ("etc/redhat-release = Red Hat Enterprise Linux Server release 6.10 (Santiago)\\n", Distribution::Other),
            ("etc/redhat-release = CentOS Linux release 7.9.2009 (Core)\\n", Distribution::Dracut),
            ("etc/redhat-release = Fedora release 8 (Werewolf)\\n", Distribution::Other),
            ("etc/redhat-release = XenServer release 7.2.0 (xenenterprise)\\n", Distribution::XenServer),
            ("etc/SuSE-release = SUSE Linux Enterprise Server 11 (x86_64)\\nVERSION = 11\\n", Distribution::Suse11),
            ("etc/debian_version = 6.0.10\\n", Distribution::Debian),
            (
                "etc/os-release = ID=\"centos\"\\n\netc/xensource-inventory = PRODUCT_BRAND='XenServer'\\n",
                Distribution::XenServer,
            ),
            ("etc/issue = x\\n", Distribution::Other),
        ] {
            assert_eq!(of(&format!("{line}\n")), family, "{line}");
        }
    }
}
