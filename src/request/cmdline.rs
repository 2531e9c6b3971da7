//! The kernel's command line.

use super::arguments::{arguments, same_name};
use super::{Location, Said, Source, Written};
use crate::tree::{Known, Tree};

const PATH: &str = "proc/cmdline";

/// The lists on the running kernel's command line.
pub fn written(tree: &Tree) -> Said {
    let mut said = Said::nothing(Source::CommandLine);
    match tree.read(PATH) {
        // A copy by `tar` believes the size of a file of procfs, which is 0; the kernel ends even an empty line.
        Known::Is([]) => said.not_seen(PATH, "is empty"),
        Known::Is(line) => {
            let location = Location::on_host(PATH, None);
            said.written = in_line(line, Source::CommandLine, Some(&location));
        }
        Known::Absent => said.not_seen(PATH, "is not there"),
        Known::Unreadable(obstacle) => said.obstacles.push(obstacle),
    }
    said
}

/// Every list on a command line, in order: the last one is in force.
///
/// `pciback.hide` is the key of 2.6.18-xen, which later kernels do not read; it counts as what was wanted, and is marked
/// as not effective. A key without a value gives the module nothing.
pub fn in_line(line: &[u8], source: Source, location: Option<&Location>) -> Vec<Written> {
    let lists = arguments(line).into_iter().filter_map(|argument| {
        let effective = same_name(&argument.key, b"xen_pciback.hide");
        if !effective && argument.key != b"pciback.hide" {
            return None;
        }
        let key = String::from_utf8_lossy(&argument.key).into_owned();
        // Where the line begins inside another one, the argument is further on.
        let place =
            |place: &Location| Location { column: place.column.map(|column| column + argument.at), ..place.clone() };
        Some(Written { text: argument.value?, source, location: location.map(place), key, effective })
    });
    lists.collect()
}

/// The arguments that only a blank in front keeps from being the end of a list: `hide=(00:1d.0) (00:1d.1)` without quotes.
pub fn strays(line: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut behind_list = false;
    for argument in arguments(line) {
        let is_entry = argument.value.is_none() && argument.key.starts_with(b"(") && argument.key.ends_with(b")");
        if behind_list && is_entry {
            found.push(argument.key);
            continue;
        }
        behind_list = same_name(&argument.key, b"xen_pciback.hide") || argument.key == b"pciback.hide";
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_key_is_found_in_order() {
        let line = b"root=/dev/sda1 xen-pciback.hide=(00:1d.0) pciback.hide=(00:1d.1) xen_pciback.hide=\"(00:1d.2) (00:1d.7)\" \
                     Xen-pciback.hide=(1) xen-pciback.hide xen-pciback.hidex=(2) xxen-pciback.hide=(3) quiet\n";
        let found: Vec<_> = in_line(line, Source::CommandLine, None)
            .into_iter()
            .map(|written| (written.key, String::from_utf8(written.text).unwrap(), written.effective))
            .collect();
        let expected = [
            ("xen-pciback.hide", "(00:1d.0)", true),
            ("pciback.hide", "(00:1d.1)", false),
            ("xen_pciback.hide", "(00:1d.2) (00:1d.7)", true),
        ];
        assert_eq!(found, expected.map(|(key, text, effective)| (key.to_owned(), text.to_owned(), effective)));
    }

    #[test]
    fn entries_behind_a_blank_are_strays() {
        let of = |line: &str| strays(line.as_bytes()).len();
        assert_eq!(of("ro xen-pciback.hide=(00:1d.0) (00:1d.1) (00:1d.2) quiet (x)"), 2);
        assert_eq!(of("xen-pciback.hide=\"(00:1d.0) (00:1d.1)\" quiet"), 0);
    }

    #[test]
    fn a_later_empty_list_is_kept() {
        let found = in_line(b"xen-pciback.hide=(00:1d.0) xen-pciback.hide=", Source::CommandLine, None);
        assert_eq!(found.last().unwrap().text, b"");
    }

    #[test]
    fn the_file_is_the_location() {
        let tree = Tree::from_manifest("proc/cmdline = xen-pciback.hide=(00:1d.0) quiet\\n\n").unwrap();
        assert_eq!(written(&tree).written[0].location.as_ref().unwrap().to_string(), "/proc/cmdline");
        let closed = Tree::from_manifest("proc/cmdline ! permission denied\n").unwrap();
        assert_eq!(written(&closed).obstacles.len(), 1);
        for (manifest, unseen) in [("proc/\n", 1), ("proc/cmdline =\n", 1), ("proc/cmdline = \\n\n", 0)] {
            assert_eq!(written(&Tree::from_manifest(manifest).unwrap()).unseen.len(), unseen, "{manifest}");
        }
    }
}
