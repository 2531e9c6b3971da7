//! Kernel versions, and what changed in pciback's hide list between them.

use std::fmt;
use std::str::FromStr;

/// The first two numbers of a kernel release: `6.1` of `6.1.0-56-amd64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion {
    /// `6` of `6.1`.
    pub major: u32,
    /// `1` of `6.1`.
    pub minor: u32,
}

impl KernelVersion {
    /// Reads the version at the start of a release string.
    pub fn of_release(release: &str) -> Option<Self> {
        let mut numbers = release.splitn(3, '.').map(|part| {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            part.get(..digits).and_then(|d| d.parse().ok())
        });
        Some(Self { major: numbers.next()??, minor: numbers.next()?? })
    }

    /// Which grammar of the hide list this kernel has.
    pub fn era(self) -> Era {
        // drivers/xen/xen-pciback/pci_stub.c: 3.6.0 has the old loop, 3.8.13 the new one. The change ("simplify and
        // tighten parsing of device IDs") was merged for 3.7.
        if self < (Self { major: 3, minor: 7 }) { Era::UpTo3_6 } else { Era::From3_7 }
    }

    /// Whether a uevent says when a driver takes or leaves a device: `bind` and `unbind` came with 4.14
    /// (drivers/base/dd.c).
    pub fn announces_bindings(self) -> bool {
        self >= Self { major: 4, minor: 14 }
    }

    /// Whether the module may be called `pciback`, as in 2.6.18-xen, and not only `xen-pciback`, as from 2.6.32.
    pub fn may_have_classic_module_name(self) -> bool {
        self < Self { major: 2, minor: 7 }
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for KernelVersion {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::of_release(text).ok_or("expected a kernel version such as 6.1")
    }
}

/// The two generations of pciback's hide list parser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Era {
    /// 2.6.18-xen, 2.6.32 and 3.1 to 3.6: no wildcards, numbers wrap, an entry without its bracket ends the list silently.
    UpTo3_6,
    /// 3.7 and later: wildcards, ranges are checked, and one bad entry voids the whole list.
    #[default]
    From3_7,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_distributions_are_read() {
        for (release, expected) in [
            ("6.1.0-56-amd64", "6.1"),
            ("2.6.32.27", "2.6"),
            ("4.19.0+1", "4.19"),
            ("7.2-rc3", "7.2"),
            ("5.10", "5.10"),
        ] {
            assert_eq!(KernelVersion::of_release(release).unwrap().to_string(), expected);
        }
        for wrong in ["", "6", "six.one", ".1", "6."] {
            assert_eq!(KernelVersion::of_release(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_grammar_changed_after_3_6() {
        assert_eq!("3.6".parse::<KernelVersion>().unwrap().era(), Era::UpTo3_6);
        assert_eq!("3.8".parse::<KernelVersion>().unwrap().era(), Era::From3_7);
        assert_eq!("2.6".parse::<KernelVersion>().unwrap().era(), Era::UpTo3_6);
    }
}
