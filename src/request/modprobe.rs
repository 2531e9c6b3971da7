//! The `options` lines of `modprobe.d`, as kmod reads them (libkmod/libkmod-config.c, `freadline_wrapped` in
//! shared/util.c; kmod 34.2).

use std::collections::BTreeMap;

use super::arguments::{arguments, same_name};
use super::{Location, Said, Source, Written, install_lines};
use crate::pci::KernelVersion;
use crate::tree::{Known, Tree};

/// The directories in their order of precedence: `default_config_paths` in libkmod/libkmod.c.
const DIRECTORIES: [&str; 5] =
    ["etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d", "usr/lib/modprobe.d", "lib/modprobe.d"];

/// Read before those directories by module-init-tools, which kmod replaced.
const CLASSIC_FIRST: &str = "etc/modprobe.conf";

/// Read behind them: SUSE's `modprobe.conf` ended with an `include` of it.
const CLASSIC_LAST: &str = "etc/modprobe.conf.local";

/// Endings of files that a package manager, an editor or a person set aside.
const SET_ASIDE: [&str; 11] =
    ["bak", "old", "orig", "save", "off", "disabled", "swp", "dpkg-old", "dpkg-dist", "rpmsave", "rpmnew"];

/// The lists that modprobe will hand to the module, in its order: files by name whatever their directory, then lines.
///
/// A file hides those of the same name in later directories, also when it is empty or a link to nowhere.
pub fn written(tree: &Tree) -> Said {
    let mut said = Said::nothing(Source::Modprobe);
    // /run and /usr/local need not be there on any machine.
    let missing = |directory: &str| matches!(tree.list(directory), Known::Absent);
    if missing("etc") {
        said.not_seen("etc/modprobe.d", "its directory is not there");
    }
    if missing("lib") && missing("usr/lib") {
        said.not_seen("lib/modprobe.d", "its directory is not there");
    }
    for path in files(tree, &mut said) {
        match tree.read(&path) {
            Known::Is(text) => said.written.extend(in_file(text, &path)),
            Known::Absent => {}
            Known::Unreadable(obstacle) => said.obstacles.push(obstacle),
        }
    }
    // Arguments of modprobe are stronger than options.
    said.written.extend(install_lines::find(tree).into_iter().filter_map(|line| line.list));
    said
}

/// A module, those that modprobe loads before it, and where that is written: the `softdep` lines.
pub fn softdeps(tree: &Tree) -> Vec<(String, Vec<String>, Location)> {
    if !has_softdeps(tree) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (location, line) in lines(tree) {
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split_whitespace();
        let (Some("softdep"), Some(module)) = (words.next(), words.next()) else { continue };
        let before = words.skip_while(|word| *word != "pre:").skip(1).take_while(|word| *word != "post:");
        let before = before.map(|name| name.replace('-', "_")).collect();
        found.push((module.replace('-', "_"), before, location));
    }
    found
}

/// Whether this machine's modprobe knows soft dependencies: module-init-tools has them since 3.12 of June 2010 (its git history, commit
/// b8fef87). Kernels before 2.6.35 come with an older one, but for Debian 6's 2.6.32; and so do all of SLES 11, up to 3.0 (3.11.1).
pub fn has_softdeps(tree: &Tree) -> bool {
    let text = |path: &str| tree.read_text(path).is().cloned().unwrap_or_default();
    let release = text("proc/sys/kernel/osrelease");
    let patch = release.strip_prefix("2.6.").map(|rest| {
        let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default();
        digits.parse::<u32>().unwrap_or_default()
    });
    let first = if text("etc/debian_version").starts_with('6') { 32 } else { 35 };
    let is_older = patch.is_some_and(|patch| patch < first) || text("etc/SuSE-release").contains("VERSION = 11");
    !is_older || is_kmod(tree)
}

/// Every logical line that modprobe reads, in its order, with its place.
pub(super) fn lines(tree: &Tree) -> Vec<(Location, Vec<u8>)> {
    let mut found = Vec::new();
    for path in files(tree, &mut Said::nothing(Source::Modprobe)) {
        let text = tree.read(&path).is().copied().unwrap_or_default();
        let of_file = logical_lines(text).into_iter();
        found.extend(of_file.map(|(number, line)| (Location::on_host(&path, Some(number)), line)));
    }
    found
}

/// The files that modprobe reads, in its order.
fn files(tree: &Tree, said: &mut Said) -> Vec<String> {
    let mut files = BTreeMap::new();
    for directory in DIRECTORIES {
        match tree.list(directory) {
            Known::Is(names) => {
                for name in names.into_iter().filter(|name| is_configuration(name)) {
                    let path = format!("{directory}/{name}");
                    if tree.list(&path).is().is_none() {
                        files.entry(name.to_owned()).or_insert(path);
                    }
                }
            }
            Known::Absent => {}
            Known::Unreadable(obstacle) => said.obstacles.push(obstacle),
        }
    }
    let mut paths: Vec<String> = files.into_values().collect();
    if !is_kmod(tree) {
        paths.extend(unsuffixed(tree));
        paths.sort();
        paths.insert(0, CLASSIC_FIRST.to_owned());
        paths.push(CLASSIC_LAST.to_owned());
    }
    paths
}

/// The lists in files that module-init-tools read and kmod does not.
pub fn passed_over(tree: &Tree) -> Vec<Written> {
    if !is_kmod(tree) {
        return Vec::new();
    }
    let classic = [CLASSIC_FIRST, CLASSIC_LAST].map(str::to_owned);
    let lists = |path: String| tree.read(&path).is().map(|text| in_file(text, &path)).unwrap_or_default();
    classic.into_iter().chain(unsuffixed(tree)).flat_map(lists).collect()
}

/// Whether modprobe is kmod's (December 2011, in distributions from kernel 3.3 on at the latest) and not that of
/// module-init-tools. A machine of which nothing is known is taken for a newer one.
fn is_kmod(tree: &Tree) -> bool {
    let there = |path: &&str| tree.link(path) != Known::Absent;
    let release = tree.read_text("proc/sys/kernel/osrelease");
    let kernel = release.is().and_then(|release| KernelVersion::of_release(release));
    let older = kernel.is_some_and(|kernel| kernel < KernelVersion { major: 3, minor: 3 });
    !older || ["bin/kmod", "sbin/kmod", "usr/bin/kmod", "usr/sbin/kmod"].iter().any(there)
}

/// Files of `/etc/modprobe.d` whose name does not end with `.conf`, and that nobody set aside.
fn unsuffixed(tree: &Tree) -> Vec<String> {
    let names = tree.list("etc/modprobe.d").is().cloned().unwrap_or_default();
    let counts = |name: &&str| {
        let is_aside = name.ends_with('~') || SET_ASIDE.iter().any(|end| name.ends_with(&format!(".{end}")));
        !is_aside && !name.starts_with('.') && !is_configuration(name)
    };
    let paths = names.into_iter().filter(counts).map(|name| format!("etc/modprobe.d/{name}"));
    paths.filter(|path| tree.read(path).is().is_some()).collect()
}

fn is_configuration(name: &str) -> bool {
    !name.starts_with('.') && name.strip_suffix(".conf").is_some_and(|stem| !stem.is_empty())
}

fn in_file(text: &[u8], path: &str) -> Vec<Written> {
    let mut found = Vec::new();
    for (number, line) in logical_lines(text) {
        let Some((module, options)) = options(&line) else { continue };
        let effective = same_name(module, b"xen_pciback");
        if !effective && module != b"pciback" {
            continue;
        }
        // kmod turns tabs into blanks, also between quotes.
        let options: Vec<u8> = options.iter().map(|byte| if *byte == b'\t' { b' ' } else { *byte }).collect();
        for argument in arguments(&options).into_iter().filter(|argument| argument.key == b"hide") {
            let Some(text) = argument.value else { continue };
            let location = Some(Location::on_host(path, Some(number)));
            let key = format!("options {} hide", String::from_utf8_lossy(module));
            found.push(Written { text, source: Source::Modprobe, location, key, effective });
        }
    }
    found
}

/// Lines with their numbers. A backslash at the end joins the next line, also in a comment; before anything else it is
/// dropped, which undoes the `\(` of people who quote for a shell.
fn logical_lines(text: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let (mut lines, mut line, mut first, mut number) = (Vec::new(), Vec::new(), 1, 1);
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'\\' => match bytes.next() {
                Some(b'\n') => {
                    number += 1;
                    continue;
                }
                Some(escaped) => escaped,
                None => break,
            },
            b'\n' => {
                number += 1;
                lines.push((first, std::mem::take(&mut line)));
                first = number;
                continue;
            }
            byte => byte,
        };
        line.push(byte);
    }
    lines.push((first, line));
    lines
}

/// The module and the arguments of an `options` line.
pub(super) fn options(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (command, rest) = word(line)?;
    if command != b"options" {
        return None;
    }
    word(rest)
}

/// The first word and what is behind it; kmod separates words with blanks and tabs only.
pub(super) fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let text = text.get(text.iter().position(|byte| !is_blank(byte))?..)?;
    text.split_at_checked(text.iter().position(is_blank).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(text: &str) -> Vec<String> {
        let show = |written: Written| {
            let location = written.location.unwrap();
            format!("{}: {} = {}", location.line.unwrap(), written.key, String::from_utf8_lossy(&written.text))
        };
        in_file(text.as_bytes(), "etc/modprobe.d/x.conf").into_iter().map(show).collect()
    }

    #[test]
    fn only_options_of_pciback_count() {
        let text = "# options xen-pciback hide=(1)\n\
                    \t options xen-pciback hide=(00:1d.0) permissive=1 # comment\n\
                    options xen_pciback\thide=\"(00:1d.0)\t(00:1d.1)\"\r\n\
                    options pciback hide=(00:1d.2)\n\
                    options xen-pciback permissive=1\noptions xen-pciback\noptions\n\
                    options e1000e hide=(00:1d.3)\ninstall xen-pciback hide=(00:1d.4)\n #options xen-pciback hide=(5)\n\
                    options xen-pciback hide=(00:1d.5) hide=(00:1d.6)";
        let expected = [
            "2: options xen-pciback hide = (00:1d.0)",
            "3: options xen_pciback hide = (00:1d.0) (00:1d.1)",
            "4: options pciback hide = (00:1d.2)",
            "11: options xen-pciback hide = (00:1d.5)",
            "11: options xen-pciback hide = (00:1d.6)",
        ];
        assert_eq!(lists(text), expected);
    }

    #[test]
    fn a_line_goes_on_behind_a_backslash() {
        let text = "# comment \\\noptions xen-pciback hide=(1)\noptions xen-pciback \\\n  hide=(00:1d.0)\\\n(00:1d.1)\noptions xen-pciback hide=\\(00:1d.2\\)\n\\";
        let expected = ["3: options xen-pciback hide = (00:1d.0)(00:1d.1)", "6: options xen-pciback hide = (00:1d.2)"];
        assert_eq!(lists(text), expected);
    }

    #[test]
    fn files_are_read_by_name_and_an_earlier_directory_hides_a_later_one() {
        let option = |list: &str| format!("options xen-pciback hide={list}\\n\n");
        let manifest = [
            "etc/modprobe.d/b.conf = ",
            &option("(b)"),
            "etc/modprobe.d/masked.conf -> /dev/null\n",
            "etc/modprobe.d/x.conf.bak = ",
            &option("(bak)"),
            "etc/modprobe.d/.hidden.conf = ",
            &option("(hidden)"),
            "etc/modprobe.d/.conf = ",
            &option("(stem)"),
            "etc/modprobe.d/dir.conf/\n",
            "run/modprobe.d/c.conf = ",
            &option("(c)"),
            "usr/lib/modprobe.d/a.conf = ",
            &option("(a)"),
            "usr/lib/modprobe.d/b.conf = ",
            &option("(late)"),
            "usr/lib/modprobe.d/masked.conf = ",
            &option("(masked)"),
            "usr/lib/modprobe.d/dir.conf = ",
            &option("(d)"),
            "lib -> usr/lib\n",
        ]
        .concat();
        let said = written(&Tree::from_manifest(&manifest).unwrap());
        let texts: Vec<_> = said.written.iter().map(|list| String::from_utf8_lossy(&list.text).into_owned()).collect();
        assert_eq!(texts, ["(a)", "(b)", "(c)", "(d)"]);
        assert_eq!(said.obstacles, []);
        assert_eq!(said.written[0].location.as_ref().unwrap().to_string(), "/usr/lib/modprobe.d/a.conf:1");
    }

    #[test]
    fn that_there_is_no_list_needs_sight_of_the_directories_above() {
        for (manifest, unseen) in [("etc/\nlib -> usr/lib\nusr/lib/\n", 0), ("etc/\n", 1), ("proc/\n", 2)] {
            assert_eq!(written(&Tree::from_manifest(manifest).unwrap()).unseen.len(), unseen, "{manifest}");
        }
    }

    #[test]
    fn what_cannot_be_read_may_hold_a_list() {
        let manifest = "etc/modprobe.d/a.conf = options xen-pciback hide=(00:1d.0)\\n\n\
                        etc/modprobe.d/b.conf ! permission denied\nrun/modprobe.d ! permission denied\n\
                        usr/lib/modprobe.d/b.conf = options xen-pciback hide=(00:1d.1)\\n\n";
        let said = written(&Tree::from_manifest(manifest).unwrap());
        assert_eq!(said.written.len(), 1);
        let paths: Vec<_> = said.obstacles.iter().map(|obstacle| obstacle.path.as_str()).collect();
        assert_eq!(paths, ["run/modprobe.d", "etc/modprobe.d/b.conf"]);
    }

    #[test]
    fn older_systems_have_further_files_that_kmod_passes_over() {
        let option = |path: &str, list: &str| format!("{path} = options pciback hide={list}\\n\n");
        let files = [
            option("etc/modprobe.conf", "(1)"),
            option("etc/modprobe.conf.local", "(4)"),
            option("etc/modprobe.d/pciback", "(3)"),
            option("etc/modprobe.d/a.conf", "(2)"),
            option("etc/modprobe.d/pciback.bak", "(bak)"),
        ]
        .concat();
        let texts = |lists: Vec<Written>| lists.into_iter().map(|list| list.text).collect::<Vec<_>>();
        let of = |more: &str| {
            let tree = Tree::from_manifest(&format!("{files}{more}\n")).unwrap();
            (texts(written(&tree).written), texts(passed_over(&tree)))
        };
        let lists = |names: &[&str]| names.iter().map(|name| format!("({name})").into_bytes()).collect::<Vec<_>>();
        let release = "proc/sys/kernel/osrelease = 2.6.18-92.el5xen\\n\n";
        assert_eq!(of(release), (lists(&["1", "2", "3", "4"]), Vec::new()));
        let kmod = (lists(&["2"]), lists(&["1", "4", "3"]));
        assert_eq!(of("proc/sys/kernel/osrelease = 6.1.0\\n\n"), kmod);
        assert_eq!(of(&format!("{release}bin/kmod ! is not a link\n")), kmod);
    }
}
