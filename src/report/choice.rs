//! Which reports of a scan are shown. A choice never changes a verdict or an exit status.

use std::fmt;
use std::str::FromStr;

use super::{Report, Verdict};
use crate::pci::Address;

/// What is chosen. An empty list chooses everything.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Hosts whose name one of these matches.
    pub hosts: Vec<Glob>,
    /// Reports with one of these verdicts.
    pub verdicts: Vec<Verdict>,
    /// Reports that say something of one of these devices.
    pub only: Vec<Address>,
}

impl Choice {
    /// Whether a report is chosen.
    pub fn takes(&self, report: &Report) -> bool {
        let host = || report.host.as_deref().is_some_and(|host| self.hosts.iter().any(|glob| glob.matches(host)));
        let only = |address: &Address| self.only.contains(address);
        let device = || {
            let devices = report.devices.iter().map(|device| device.address);
            let found = report.findings.iter().filter_map(|finding| finding.address);
            devices.chain(found).any(|address| only(&address))
        };
        (self.hosts.is_empty() || host())
            && (self.verdicts.is_empty() || self.verdicts.contains(&report.verdict))
            && (self.only.is_empty() || device())
    }

    /// Whether a device is one of those that are asked for.
    pub fn names(&self, address: Address) -> bool {
        self.only.is_empty() || self.only.contains(&address)
    }
}

/// A pattern for the name of a host: `*` is any text, `?` any letter. As in names of hosts, case makes no difference. A
/// pattern without a dot is compared with the short name as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Whether it matches the whole name, or the whole short name.
    pub fn matches(&self, name: &str) -> bool {
        let short = name.split('.').next().filter(|_| !self.0.contains('.'));
        fits(&self.0, name) || short.is_some_and(|short| fits(&self.0, short))
    }
}

impl FromStr for Glob {
    type Err = EmptyGlob;

    fn from_str(text: &str) -> Result<Self, EmptyGlob> {
        if text.is_empty() { Err(EmptyGlob) } else { Ok(Self(text.to_owned())) }
    }
}

/// A pattern without a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyGlob;

impl fmt::Display for EmptyGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected the name of a host, with * and ?")
    }
}

impl std::error::Error for EmptyGlob {}

/// Goes back to the last `*` only, so that the time is at most the product of the lengths.
fn fits(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    let mut star = None;
    loop {
        let rest = name.clone();
        match (pattern.next(), name.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                star = Some((pattern.clone(), rest.clone()));
                name = rest;
            }
            (Some(wanted), Some(letter)) if wanted == '?' || wanted.eq_ignore_ascii_case(&letter) => {}
            _ => {
                let Some((behind, mut at)) = star.take() else { return false };
                if at.next().is_none() {
                    return false;
                }
                star = Some((behind.clone(), at.clone()));
                (pattern, name) = (behind, at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_matches_the_whole_name_or_the_short_one() {
        let matches = |glob: &str, name: &str| glob.parse::<Glob>().unwrap().matches(name);
        for (glob, name) in [
            ("dom0-a", "dom0-a"),
            ("DOM0-a", "dom0-A.example.com"),
            ("dom0-?", "dom0-b"),
            ("*", ""),
            ("*b*c", "abbcc"),
            ("d*-1?.example.*", "dom0-17.example.com"),
            ("**a", "a"),
        ] {
            assert!(matches(glob, name), "{glob} {name}");
        }
        for (glob, name) in [
            ("dom0", "dom0-a"),
            ("dom0-?", "dom0-"),
            ("*.org", "dom0.example.com"),
            ("dom0.example.com", "dom0"),
            ("a*b", "abc"),
            ("?", ""),
        ] {
            assert!(!matches(glob, name), "{glob} {name}");
        }
        assert!("".parse::<Glob>().is_err());
        assert!(!matches(&"a*".repeat(40), &"a".repeat(2000).replacen('a', "b", 1)));
    }
}
