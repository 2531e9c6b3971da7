//! The `install` lines of `modprobe.d`: commands that modprobe runs in place of loading a module (modprobe.d(5)). Before soft
//! dependencies there was no other way to have pciback loaded before a driver:
//! `install e1000 /sbin/modprobe pciback hide=(...); /sbin/modprobe --ignore-install e1000`.

use super::arguments::{arguments, same_name};
use super::modprobe::{lines, word};
use super::{Location, Source, Written};
use crate::tree::Tree;

/// A module for which modprobe runs a command that loads pciback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallLine {
    /// The module whose loading is replaced, with underscores.
    pub module: String,
    /// The list that the command gives pciback.
    pub list: Option<Written>,
    /// The line.
    pub location: Location,
}

/// Every such line of a machine, in modprobe's order.
pub fn find(tree: &Tree) -> Vec<InstallLine> {
    lines(tree).iter().filter_map(|(location, line)| read(line, location)).collect()
}

/// The line of a driver, in the place of which pciback and then the driver itself are loaded.
pub fn line_for(module: &str, pciback: &str) -> String {
    format!("install {module} /sbin/modprobe {pciback}; /sbin/modprobe --ignore-install {module}")
}

/// Takes a logical line apart. A line for pciback itself gives no order.
fn read(line: &[u8], location: &Location) -> Option<InstallLine> {
    let (b"install", rest) = word(line)? else { return None };
    let (module, commands) = word(rest)?;
    if is_pciback(module) {
        return None;
    }
    let given = commands.split(|byte| matches!(byte, b';' | b'&' | b'|')).find_map(behind_modprobe)?;
    let module = String::from_utf8_lossy(module).replace('-', "_");
    let given: Vec<u8> = given.iter().map(|byte| if *byte == b'\'' { b'"' } else { *byte }).collect();
    let hide = arguments(&given).into_iter().rfind(|argument| argument.key == b"hide");
    let list = hide.and_then(|argument| argument.value).map(|text| Written {
        text,
        source: Source::Modprobe,
        location: Some(location.clone()),
        key: format!("install {module} hide"),
        effective: true,
    });
    Some(InstallLine { module, list, location: location.clone() })
}

/// What a command gives pciback, where it is modprobe that loads it.
fn behind_modprobe(command: &[u8]) -> Option<&[u8]> {
    let (program, mut rest) = word(command)?;
    if program.rsplit(|byte| *byte == b'/').next() != Some(b"modprobe") {
        return None;
    }
    loop {
        let (argument, behind) = word(rest)?;
        if is_pciback(argument) {
            return Some(behind);
        }
        if !argument.starts_with(b"-") {
            return None;
        }
        rest = behind;
    }
}

fn is_pciback(name: &[u8]) -> bool {
    same_name(name, b"xen_pciback") || name == b"pciback"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(String, Option<String>)> {
        let tree = Tree::from_manifest(&format!("etc/modprobe.d/x.conf = {text}\n")).unwrap();
        let list = |line: &InstallLine| line.list.as_ref().map(|list| String::from_utf8_lossy(&list.text).into_owned());
        find(&tree).iter().map(|line| (line.module.clone(), list(line))).collect()
    }

    #[test]
    fn a_command_that_loads_pciback_comes_before_the_driver() {
        let line = |module: &str, list: Option<&str>| vec![(module.to_owned(), list.map(str::to_owned))];
        for (text, found) in [
            (line_for("e1000-x", "pciback").as_str(), line("e1000_x", None)),
            ("install igb modprobe -q xen-pciback 'hide=(00:1d.0)' && modprobe -i igb", line("igb", Some("(00:1d.0)"))),
            (
                r"install igb /sbin/modprobe xen_pciback hide=\\(00:1d.0\\) ; /sbin/modprobe --ignore-install igb",
                line("igb", Some("(00:1d.0)")),
            ),
            ("# install igb /sbin/modprobe pciback", Vec::new()),
            ("install xen-pciback /sbin/modprobe e1000; /sbin/modprobe xen-pciback", Vec::new()),
            ("install igb /bin/true # pciback", Vec::new()),
            ("install igb /sbin/modprobe e1000 pciback", Vec::new()),
        ] {
            assert_eq!(of(text), found, "{text}");
        }
    }
}
